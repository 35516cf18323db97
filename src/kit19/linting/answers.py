"""Rules on answers: given away, ambiguous, or always the same."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

import polars as pl

from kit19.linting.view import FIELD, View, Violation, question
from kit19.rendering import ParsedTemplate
from kit19.rendering.render import JOINER

_YES_NO = re.compile(r"(?P<word>예|네|응|어|아니요|아니|그렇습니다|그래요?)(?=[,.\s]|$)")
# After a word of one syllable, these do not continue a longer word (예 in 예나, but not in 예문).
_AFTER_SHORT = "(?:이|인|입|은|는|을|를|과|와|나|라|으|로|도|만)"


def answer_in_instruction(view: View) -> Iterator[Violation]:
    """The question already contains the answer. Inverse templates are skipped."""
    twins = _group_by_question(view)  # their answers are those of different records
    for template in view.templates.templates:
        if template.card.direction == "inverse":
            continue
        given = set(template.fields("instruction", "input"))
        answer = set(template.fields("output"))
        revealed = {f for f in answer if f in given or _is_derivable(view, f, given)}
        if revealed == answer:
            yield Violation(
                template.id, f"its answer, {', '.join(sorted(revealed))}, is part of the question"
            )
        has_twin = len(twins[question(template)]) > 1
        if not has_twin and not _is_yes_no_question(view, template):
            yield from _check_options(view, template, revealed)


def _is_derivable(view: View, field: str, given: set[str]) -> bool:
    """Whether the card derives a field from the given ones."""
    derived = view.derived()
    spec = derived.get(field)
    if spec and spec.pick:
        # Listing all choices asks for a choice; listing only some may reveal the answer.
        among = set(spec.pick.among.values())
        return bool(among & given) and not among <= given
    if spec:
        return set(spec.inputs) <= given
    # The text that a label points to reveals the label.
    return any(d.pick and d.pick.by == field and name in given for name, d in derived.items())


def _check_options(view: View, template: ParsedTemplate, revealed: set[str]) -> Iterator[Violation]:
    """A question must name all possible answers or none of them."""
    question_text = "\n".join(
        text for name in ("instruction", "input") for text in view.skeletons(template, name)
    )
    for piece in template.insertions("output"):
        if piece.form and piece.field not in revealed:
            words = view.templates.words[piece.field][piece.form]
            values = view.values(template, piece.field)
            named = [
                words[value] for value in values if _contains_word(words[value], question_text)
            ]
            if named and (len(named) < len(values) or len(values) == 1):
                left = len(values) - len(named)
                yield Violation(
                    template.id, f"it names {', '.join(named)} and not the other {left} answers"
                )


def _contains_word(word: str, text: str) -> bool:
    end = rf"(?![0-9A-Za-z가-힣])|(?={_AFTER_SHORT})" if len(word) == 1 else ""
    return re.search(rf"(?<![0-9A-Za-z가-힣]){re.escape(word)}(?:{end})", text) is not None


def ambiguous_output(view: View) -> Iterator[Violation]:
    """Two values give the same output for every record."""
    for group in _group_by_question(view).values():
        seen: dict[tuple[str, ...], tuple[str, ...]] = {}
        for template in group:
            fields = answer_fields(template)
            for labels in view.label_combinations(template, "output") if fields else ():
                output = view.skeleton(template, "output", labels)
                values = tuple(labels[field] for field in fields)
                restated = (value for field, value in labels.items() if field not in fields)
                twin = seen.setdefault((output, *restated), values)
                if twin != values and FIELD not in output:
                    both = f"{', '.join(twin)} and {', '.join(values)}"
                    yield Violation(template.id, f"{output!r} means both {both}")
            for word in _multi_value_words(view, template):
                if JOINER in word:
                    yield Violation(template.id, f"{word!r} reads as two values")


def _multi_value_words(view: View, template: ParsedTemplate) -> Iterator[str]:
    for piece in template.insertions("output"):
        if piece.form and piece.field in view.templates.many:
            yield from view.templates.words[piece.field][piece.form].values()


def answer_fields(template: ParsedTemplate) -> list[str]:
    """The categorical fields whose words occur in the output and not in the question."""
    given = set(template.fields("instruction", "input"))
    answered = dict.fromkeys(p.field for p in template.insertions("output") if p.form)
    return [field for field in answered if field not in given]


def find_ambiguous_outputs(
    view: View, template: ParsedTemplate, counted: pl.DataFrame
) -> Iterator[tuple[str, pl.DataFrame]]:
    """Find outputs that do not determine the values of the label.

    Args:
        view: The subset.
        template: A template that answers with words.
        counted: A row for each output with each combination of values: the fields of
            ``answer_fields``, output, n (renders), id (one of them).

    Yields:
        A description of the violation, and its rows.
    """
    fields = answer_fields(template)
    values = pl.struct(fields).n_unique().over("output")
    ambiguous = counted.filter(values > 1)
    if ambiguous.height:
        yield "one output means two values", ambiguous
    others = set(template.fields("output")) - set(fields)
    if not others:
        rows = counted.select(*fields, "output").unique().to_dicts()
        odd = [r["output"] for r in rows if view.skeleton(template, "output", r) != r["output"]]
        if odd:
            yield "an output means no value", counted.filter(pl.col("output").is_in(odd))


def one_sided(view: View) -> Iterator[Violation]:
    """Every record gives the same answer to the question."""
    for group in _group_by_question(view).values():
        outputs = {text for template in group for text in view.skeletons(template, "output")}
        if any(template.card.direction == "inverse" for template in group):
            continue
        if not any(_answers_by_word(template) for template in group):
            continue
        if len(outputs) == 1 and FIELD not in next(iter(outputs)):
            yield Violation(group[0].id, f"its answer is always {next(iter(outputs))!r}")
        elif len(sides := {_polarity(text) for text in outputs}) == 1 and None not in sides:
            yield Violation(group[0].id, f"its answer is always {sides.pop()}")


def _answers_by_word(template: ParsedTemplate) -> bool:
    named = any(piece.form for piece in template.insertions("output"))
    return named or bool(template.option_parts("output"))


def _group_by_question(view: View) -> dict[object, list[ParsedTemplate]]:
    """Group templates by their question."""
    groups: dict[object, list[ParsedTemplate]] = defaultdict(list)
    for template in view.templates.templates:
        groups[question(template)].append(template)
    return groups


def _is_yes_no_question(view: View, template: ParsedTemplate) -> bool:
    """Whether a template is a yes/no question, which may name what it asks about."""
    return all(_polarity(text) for text in view.skeletons(template, "output"))


def _polarity(output: str) -> str | None:
    match = _YES_NO.match(output)
    return match["word"] if match else None
