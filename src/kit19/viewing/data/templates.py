"""Templates rendered on single records, and templates that somebody is writing."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

import polars as pl
import yaml
from pydantic import ValidationError

from kit19.catalog.templates import Template, TemplateFile
from kit19.core.errors import Kit19Error
from kit19.linting.check import check
from kit19.linting.finding import Finding
from kit19.linting.view import View
from kit19.rendering.fit import fitting
from kit19.rendering.load import check_templates
from kit19.rendering.render import compile_template
from kit19.rendering.templates import TEXTS

_LINTED = 500
"""Most records on which a template that is being written is checked."""


@dataclass(frozen=True)
class Draft:
    """A template that somebody is writing, on one record.

    Attributes:
        texts: Its rendered texts; empty if it is wrong or does not fit the record.
        problems: What is wrong with it.
        findings: What lint finds in it.
        yaml: Its entry in a templates file.
    """

    texts: Mapping[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    yaml: str = ""

    @property
    def described_findings(self) -> list[str]:
        """The findings as lines of text."""
        return [f"{one.rule}: {one.what}" for one in self.findings]


def render_alone(view: View, record: pl.DataFrame, names: Collection[str]) -> list[dict[str, str]]:
    """Render templates of one record on a record.

    Args:
        view: The subset.
        record: The record as a frame of one row.
        names: Ids of templates; those that do not fit the record are left out.

    Returns:
        ``template``, ``style``, ``instruction``, ``input`` and ``output`` of each.
    """
    found = []
    for template in view.templates.of_one_record.templates:
        if template.id not in names:
            continue
        fits = fitting(record, template, view.templates.many)
        if fits.is_empty():
            continue
        row = fits.select(compile_template(template, view.templates)).row(0)
        texts = dict(zip(TEXTS, (text or "" for text in row), strict=True))
        found.append({"template": template.id, "style": template.card.style, **texts})
    return found


def draft(
    view: View,
    card: Template,
    texts: Mapping[str, str],
    record: pl.DataFrame,
    records: pl.DataFrame,
) -> Draft:
    """Try other texts of a template, without writing anything.

    Args:
        view: The subset.
        card: The template.
        texts: Its new ``instruction``, ``input`` and ``output``.
        record: The record to render it on, as a frame of one row.
        records: Records on which lint checks it: the first of them.
    """
    values = {**card.model_dump(exclude_defaults=True), **{name: texts[name] for name in TEXTS}}
    try:
        new = Template.model_validate({name: value for name, value in values.items() if value})
        words = {name: dict(forms) for name, forms in view.templates.words.items()}
        file = TemplateFile.model_validate(
            {"subset": view.templates.subset, "words": words, "templates": [new.model_dump()]}
        )
        checked = check_templates(file, {}, "", view.source, view.card)
    except ValidationError as error:
        return Draft(problems=[f"{one['loc'][-1]}: {one['msg']}" for one in error.errors()])
    except Kit19Error as error:
        return Draft(
            problems=[one.what + (f" ({one.fix})" if one.fix else "") for one in error.problems]
        )
    alone = replace(view, templates=checked)
    rendered = render_alone(alone, record, [new.id])
    problems = [] if rendered else ["it does not fit this record"]
    if new.batch or new.shots:
        problems = ["it takes several records: kit19 show --from-file renders it"]
    try:
        findings, _ = check(alone, records.head(_LINTED))
    except pl.exceptions.PolarsError as error:
        findings, problems = [], [*problems, str(error).partition("\n")[0]]
    entry = yaml.safe_dump(
        [new.model_dump(exclude_defaults=True, mode="json")],
        allow_unicode=True,
        sort_keys=False,
        width=100,
    )
    shown = {name: rendered[0][name] for name in TEXTS} if rendered else {}
    return Draft(shown, problems, findings, entry)
