"""Rules on renders: what a template makes of a record, and never what the record itself holds."""

from __future__ import annotations

import importlib
from typing import Any

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kit19.linting import Finding, check
from kit19.linting.renders import MAX_RENDER
from tests.support.effort import tries
from tests.support.linting import records_of, view_of

# The package gives its functions the names of their modules, so the modules are asked for by name.
RENDER: Any = importlib.import_module("kit19.rendering.render")
CHECK: Any = importlib.import_module("kit19.linting.check")

REVIEWS = pl.DataFrame(
    {
        "id": ["nsmc/train/1", "nsmc/train/2"],
        "label": ["negative", "positive"],
        "text": ["a", "b"],
        "series": ["lacks", "lacks"],
    }
)


def reviews(text: str) -> pl.DataFrame:
    return REVIEWS.with_columns(pl.lit(text).alias("text"))


def counts(findings: list[Finding], rule: str) -> dict[str, tuple[int, int]]:
    assert {finding.rule for finding in findings} == {rule}
    return {finding.template: (finding.count, finding.of) for finding in findings}


likely = st.text(st.sampled_from("가나 {}은는을를(),.’”\n%\\ㅋ긍정부네"), min_size=1)


@settings(max_examples=tries(25, 2000))  # each renders every template
@given(st.one_of(likely, st.text(min_size=1)).map(str.strip).filter(bool))
@example("{label} {은/는}  두 칸  은(는)")
@example("영화은는 을를 {{text}} {% if %}")
@example("긍정")
@example("응, 아니오. 그렇습니까? 몰라. 해라.\n\n\n끝")
def test_what_a_field_contains_is_never_judged(text: str) -> None:
    findings, renders = check(view_of("nsmc"), reviews(text))
    # A text with quotation marks or a final stop does not fit every template.
    unfit = {finding.template for finding in findings if finding.rule == "never_eligible"}
    assert [finding for finding in findings if finding.rule != "never_eligible"] == []
    templates = view_of("nsmc").by_record().templates.templates
    assert renders == 2 * sum(template.id not in unfit for template in templates)


def test_a_blank_at_the_edge_of_a_field_is_told_where_it_meets_one_of_the_template() -> None:
    findings, _ = check(view_of("nsmc"), reviews(" 좋다"))
    found = counts(findings, "double_blank")
    assert found["sort_order"] == (2, 2)  # 관람평: {text}
    assert "star_rating" not in found  # “{text}”
    assert found["text_first"] == (2, 2)  # the text opens the instruction


def test_a_render_is_too_long_only_beyond_the_limit() -> None:
    fits, _ = check(view_of("nsmc"), reviews("가" * (MAX_RENDER // 2 - 400)))
    assert fits == []
    twice, _ = check(view_of("nsmc"), reviews("가" * (MAX_RENDER - 400)))
    assert set(counts(twice, "over_long")) == {"json_record"}  # its answer repeats the text
    findings, _ = check(view_of("nsmc"), reviews("가" * (MAX_RENDER + 1)))
    later_turns = {"asked_again.2", "asked_again.3"}  # they ask about the text of the first turn
    assert set(counts(findings, "over_long")) | later_turns == {
        template.id for template in view_of("nsmc").by_record().templates.templates
    }
    assert not later_turns & set(counts(findings, "over_long"))


def test_only_the_renders_that_show_a_finding_are_counted() -> None:
    mixed = pl.concat([reviews("좋다"), reviews("가" * (MAX_RENDER + 1)).head(1)])
    findings, _ = check(view_of("nsmc"), mixed)
    assert counts(findings, "over_long")["sort_order"] == (1, 3)


def test_at_most_three_examples_are_kept_and_the_count_tells_of_all() -> None:
    many = pl.concat([reviews(" 좋다")] * 5)
    findings, _ = check(view_of("nsmc"), many)
    first = findings[0]
    assert first.count == 10
    assert len(first.examples) == 3
    assert first.examples[0].id == "nsmc/train/1"
    assert "  좋다" in first.examples[0].text


@pytest.mark.parametrize(
    ("subset", "template"), [("kobest_wic", "learner_asks"), ("math", "stuck_on_homework")]
)
def test_particles_that_the_renderer_gets_wrong_are_found(
    subset: str, template: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The renderer itself is broken here: every word takes the form after a consonant.
    monkeypatch.setattr(RENDER, "choose_expr", lambda _, pair: pl.lit(pair.after_consonant))
    findings, _ = check(view_of(subset), records_of(subset))
    found = counts(findings, "wrong_particle")
    count, of = found[template]
    assert 0 < count < of


def test_an_output_that_is_no_word_of_the_label_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    # The renderer is broken again: both values of the label give the same output.
    usual = RENDER.text_expr

    def blurred(*given: Any) -> Any:
        return usual(*given).str.replace("부정", "긍정")

    monkeypatch.setattr(RENDER, "text_expr", blurred)
    findings, _ = check(view_of("nsmc"), reviews("좋다"))
    reported = {(f.template, f.what) for f in findings if f.rule == "ambiguous_output"}
    assert ("sort_order", "one output means two values") in reported
    assert ("sort_order", "an output means no value") in reported


def test_slices_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    many = pl.concat([reviews(" 좋다")] * 5)
    whole, renders = check(view_of("nsmc"), many)
    monkeypatch.setattr(CHECK, "SLICE", 3)
    assert check(view_of("nsmc"), many) == (whole, renders)


def test_without_records_templates_are_judged_all_the_same() -> None:
    def broken(data: dict[str, object]) -> None:
        data["templates"][0]["input"] = "{text}  "  # type: ignore[index]

    findings, renders = check(view_of("nsmc", broken), REVIEWS.clear())
    assert renders == 0
    assert counts(findings, "double_blank") == {"polarity_question": (0, 0)}
