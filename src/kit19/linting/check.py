"""Apply all rules to one subset: each template on slices of the records."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import polars as pl

from kit19.linting import alike, answers, fit, particles, style, syntax
from kit19.linting.finding import RULES, Finding, Shown
from kit19.linting.renders import RENDER_RULES
from kit19.linting.view import RenderViolation, View, Violation
from kit19.rendering import ParsedTemplate
from kit19.rendering.fit import fitting
from kit19.rendering.render import compile_template
from kit19.rendering.templates import TEXTS

SLICE = 1 << 16
"""Records per slice: the renders of a template then take tens of megabytes, not gigabytes."""

_EXAMPLES = 3
_SHOWN = 160

TEMPLATE_RULES: dict[str, Callable[[View], Iterator[Violation]]] = {
    "leftover_syntax": syntax.leftover_syntax,
    "wrong_particle": particles.wrong_particle,
    "both_form_particle": particles.both_form_particle,
    "doubled_particle": particles.doubled_particle,
    "particle_after_free_text": particles.particle_after_free_text,
    "double_blank": syntax.double_blank,
    "answer_in_instruction": answers.answer_in_instruction,
    "ambiguous_output": answers.ambiguous_output,
    "over_long": syntax.over_long,
    "mixed_styles": style.mixed_styles,
    "near_duplicate": alike.near_duplicate,
    "one_sided": answers.one_sided,
    "fixed_options": fit.fixed_options,
    "misordered_labels": fit.misordered_labels,
    "unused_word": fit.unused_word,
    "either_or_yes": fit.either_or_yes,
}
"""Rules that need no record, by name."""


@dataclass
class _RenderSummary:
    """The renders of one template so far: their number, examples and violations."""

    renders: int = 0
    shown: list[Shown] = field(default_factory=list)
    broken: dict[tuple[str, str], tuple[int, list[Shown]]] = field(default_factory=dict)
    outputs: list[pl.DataFrame] = field(default_factory=list)

    def add(self, flag: RenderViolation, count: int, shown: list[Shown]) -> None:
        before, examples = self.broken.get((flag.rule, flag.what), (0, []))
        self.broken[(flag.rule, flag.what)] = (before + count, (examples + shown)[:_EXAMPLES])


def check(view: View, records: pl.DataFrame) -> tuple[list[Finding], int]:
    """Check a subset's templates on its records.

    Args:
        view: The subset.
        records: Columns id and the subset's fields; may be empty.

    Returns:
        Findings in the order of ``RULES``, and the number of renders checked.
    """
    view = view.by_record()
    templates = view.templates.templates
    seen = {template.id: _RenderSummary() for template in templates}
    with ThreadPoolExecutor(max_workers=min(4, pl.thread_pool_size())) as pool:
        for part in records.iter_slices(SLICE):
            # Each template has its own _RenderSummary, so the threads share no state.
            list(pool.map(lambda one: _lint_slice(view, one, part, seen[one.id]), templates))  # noqa: B023
    found = [*_template_findings(view, seen)]
    for template in templates:
        found += _render_findings(view, template, seen[template.id], any_record=records.height > 0)
    rank = list(RULES)
    found.sort(key=lambda finding: rank.index(finding.rule))
    return found, sum(one.renders for one in seen.values())


def _lint_slice(
    view: View, template: ParsedTemplate, part: pl.DataFrame, seen: _RenderSummary
) -> None:
    """Render one template on a slice of records, and add violations to its summary."""
    used = dict.fromkeys([*template.fields(), *template.card.when])
    records = fitting(part.select("id", *used), template, view.templates.many)
    renders = records.with_columns(compile_template(template, view.templates))
    if not renders.height:
        return
    seen.renders += renders.height
    if len(seen.shown) < _EXAMPLES:
        seen.shown = [*seen.shown, *_to_examples(renders)][:_EXAMPLES]
    flags = [flag for rule in RENDER_RULES for flag in rule(view, template, renders)]
    sums = renders.select(flag.where.sum().alias(str(i)) for i, flag in enumerate(flags)).row(0)
    for flag, count in zip(flags, sums, strict=True):
        if count:
            seen.add(flag, count, _to_examples(renders.filter(flag.where)))
    if fields := answers.answer_fields(template):
        keys = [pl.col(name) for name in [*fields, "output"]]
        counted = renders.group_by(keys).agg(n=pl.len(), id=pl.col("id").min())
        seen.outputs.append(counted)


def _to_examples(renders: pl.DataFrame) -> list[Shown]:
    rows = renders.head(_EXAMPLES).select("id", *TEXTS).rows()
    return [Shown(record, _one_line(*texts)) for record, *texts in rows]


def _one_line(instruction: str | None, given: str | None, output: str | None) -> str:
    question_text = " ⏎ ".join(text for text in (instruction, given) if text)
    sides = [text.replace("\n", "⏎") for text in (question_text, output or "")]
    return " → ".join(side if len(side) <= _SHOWN else f"{side[:_SHOWN]}…" for side in sides)


def _template_findings(view: View, seen: dict[str, _RenderSummary]) -> Iterator[Finding]:
    """Yield findings that apply to every render of a template."""
    name = view.templates.subset
    for rule, judge in TEMPLATE_RULES.items():
        for fault in dict.fromkeys(judge(view)):
            one = seen[fault.template]
            shown = tuple(one.shown)
            yield Finding(rule, name, fault.template, fault.what, one.renders, one.renders, shown)


def _render_findings(
    view: View, template: ParsedTemplate, seen: _RenderSummary, *, any_record: bool
) -> Iterator[Finding]:
    """Yield findings in some renders of one template."""
    name, total = view.templates.subset, seen.renders
    if any_record and not total:
        what = "no record has the fields that it inserts, or matches its `when`"
        yield Finding("never_eligible", name, template.id, what, 0, 0)
    for (rule, what), (count, shown) in seen.broken.items():
        yield Finding(rule, name, template.id, what, count, total, tuple(shown))
    if seen.outputs:
        counted = pl.concat(seen.outputs)
        for what, rows in answers.find_ambiguous_outputs(view, template, counted):
            shown = [Shown(row["id"], row["output"]) for row in rows.head(_EXAMPLES).to_dicts()]
            count = int(rows["n"].sum())
            yield Finding("ambiguous_output", name, template.id, what, count, total, tuple(shown))
