"""What the templates that kit19 carries promise."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import polars as pl
import pytest

from kit19.catalog import load_catalog
from kit19.linting import check, lint
from kit19.linting.answers import answer_fields
from kit19.rendering import choose
from kit19.rendering.fit import eligible
from kit19.rendering.render import compile_template
from tests.support.effort import THOROUGH, every
from tests.support.linting import records_of, view_of

KIT19 = load_catalog().recipe("kit19").subsets
ALL = sorted(load_catalog().owners)


def test_lint_is_clean_on_the_sample() -> None:
    report = lint(data_dir="sample")
    assert report.findings == []
    assert sorted(report.subsets) == ALL
    assert all(one.records and one.renders for one in report.subsets.values())


@pytest.mark.real
def test_lint_is_clean_on_every_real_record(real_data: Path) -> None:
    # These three have nine tenths of the records.
    report = lint(
        every(100, ALL, always=set(ALL) - {"nsmc", "parakqc", "stylekqc"}),
        data_dir=real_data,
        partial=True,
    )
    assert report.findings == []
    assert report.subsets["unsmile"].records == 18_740  # 2 have no label
    if THOROUGH:
        assert report.subsets["nsmc"].records == 199_992  # 200,000 less 8 without text


def test_kit19_has_twenty_subsets_with_two_hundred_templates() -> None:
    assert len(KIT19) == 20
    assert sum(len(view_of(subset).templates.templates) for subset in KIT19) >= 200


@pytest.mark.parametrize("subset", ALL)
def test_a_subset_has_ten_templates_in_three_styles(subset: str) -> None:
    templates = view_of(subset).templates.templates
    assert len(templates) >= 10
    assert len({template.card.style for template in templates}) >= 3


@pytest.mark.parametrize("subset", ALL)
def test_no_hate_speech_template_asks_for_hate(subset: str) -> None:
    view = view_of(subset)
    directions = {template.card.direction for template in view.templates.templates}
    assert view.card.task != "hate_speech_detection" or directions == {"forward"}


@pytest.mark.parametrize("subset", ALL)
def test_every_output_of_a_classification_maps_back_to_its_label(subset: str) -> None:
    view, records = view_of(subset), records_of(subset)
    for template in view.templates.templates:
        fields = answer_fields(template)
        fitting = records.filter(eligible(template, view.templates.many))
        output = compile_template(template, view.templates)[2]
        for field in fields:
            pairs = fitting.select(pl.col(field).alias("value"), output).unique()
            assert pairs["output"].is_unique().all(), (template.id, field)


@pytest.mark.parametrize("subset", ALL)
def test_the_choice_among_eligible_templates_is_uniform(subset: str) -> None:
    """Chi-square over the records of each set of eligible templates; p > 0.001."""
    view = view_of(subset)
    templates = view.templates.templates
    sample = records_of(subset).head(300)
    copies = 12_000 // sample.height
    # The sample again and again under other ids: the choice looks at nothing but ids and fit.
    again = pl.DataFrame({"copy": [f"#{number}" for number in range(copies)]})
    records = sample.join(again, how="cross").with_columns(id=pl.concat_str("id", "copy"))
    fits = [eligible(one, view.templates.many).alias(one.id) for one in templates]
    marked = records.select("id", *fits).join(choose(records, view.templates, 1, 19), on="id")
    statistic, freedom = 0.0, 0
    names = [template.id for template in templates]
    for fitting, group in marked.group_by(names):
        among = [name for name, fit in zip(names, fitting, strict=True) if fit]
        expected = group.height / len(among)
        if expected < 20 or len(among) < 2:
            continue
        drawn = Counter(group["template"])
        assert set(drawn) <= set(among)
        statistic += sum((drawn[name] - expected) ** 2 / expected for name in among)
        freedom += len(among) - 1
    assert freedom > 0
    assert chi_square_tail(statistic, freedom) > 0.001


def chi_square_tail(statistic: float, freedom: int) -> float:
    """P(X > statistic) by Wilson and Hilferty; 7.88 at 1 degree is 0.005, 29.59 at 10 is 0.001."""
    spread = 2 / (9 * freedom)
    z = ((statistic / freedom) ** (1 / 3) - (1 - spread)) / math.sqrt(spread)
    return math.erfc(z / math.sqrt(2)) / 2


def test_the_chi_square_formula_agrees_with_the_tables() -> None:
    assert chi_square_tail(29.588, 10) == pytest.approx(0.001, rel=0.1)
    assert chi_square_tail(18.307, 10) == pytest.approx(0.05, rel=0.01)


def test_a_choice_that_favors_one_template_is_not_uniform() -> None:
    # 12,000 records and 14 templates, one of which takes a tenth more than its share.
    expected = 12_000 / 14
    assert chi_square_tail((0.1 * expected) ** 2 / expected * 14 / 13, 13) < 0.8
    assert chi_square_tail((0.2 * expected) ** 2 / expected * 14 / 13, 13) < 0.001


def test_a_template_of_one_subset_is_linted_alone() -> None:
    findings, _ = check(view_of("nsmc"), records_of("nsmc"))
    assert findings == []
