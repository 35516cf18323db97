"""Rules on answers: given away, ambiguous, or always the same."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

import polars as pl

from kit19.linting.view import FIELD, Fault, View, question
from kit19.rendering import ParsedTemplate
from kit19.rendering.render import JOINER

_YES_NO = re.compile(r"(?P<word>예|네|응|어|아니요|아니|그렇습니다|그래요?)(?=[,.\s]|$)")
# Behind a word of one syllable only these are no part of a longer word (예 in 예나, not in 예문).
_AFTER_SHORT = "(?:이|인|입|은|는|을|를|과|와|나|라|으|로|도|만)"


def answer_in_instruction(view: View) -> Iterator[Fault]:
    """What is asked already holds the answer; inverse templates ask the other way round."""
    for template in view.templates.templates:
        if template.card.direction == "inverse":
            continue
        given = {piece.field for piece in template.insertions("instruction", "input")}
        wanted = {piece.field for piece in template.insertions("output")}
        told = {field for field in wanted if field in given or _follows(view, field, given)}
        if told == wanted:
            yield Fault(
                template.id, f"its answer, {', '.join(sorted(told))}, is given with the question"
            )
        if not _answers_yes_or_no(view, template):
            yield from _listed(view, template, told)


def _follows(view: View, field: str, given: set[str]) -> bool:
    """Whether a field can be read off the given ones as the card derives it."""
    derived = view.derived()
    spec = derived.get(field)
    if spec and spec.pick:
        # All choices listed ask for a choice; some of them may be the answer alone.
        among = set(spec.pick.among.values())
        return bool(among & given) and not among <= given
    if spec:
        return set(spec.inputs) <= given
    # The text that a label points to gives the label away.
    return any(d.pick and d.pick.by == field and name in given for name, d in derived.items())


def _listed(view: View, template: ParsedTemplate, told: set[str]) -> Iterator[Fault]:
    """Options: all of them or none may be named."""
    asked = "\n".join(
        text for name in ("instruction", "input") for text in view.skeletons(template, name)
    )
    for piece in template.insertions("output"):
        if piece.form and piece.field not in told:
            words = view.templates.words[piece.field][piece.form]
            values = view.values(template, piece.field)
            named = [words[value] for value in values if _stands_in(words[value], asked)]
            if named and (len(named) < len(values) or len(values) == 1):
                left = len(values) - len(named)
                yield Fault(
                    template.id, f"it names {', '.join(named)} and not the other {left} answers"
                )


def _stands_in(word: str, text: str) -> bool:
    end = rf"(?![0-9A-Za-z가-힣])|(?={_AFTER_SHORT})" if len(word) == 1 else ""
    return re.search(rf"(?<![0-9A-Za-z가-힣]){re.escape(word)}(?:{end})", text) is not None


def ambiguous_output(view: View) -> Iterator[Fault]:
    """Two values give the same output, whatever the rest of the record."""
    for group in _twins(view).values():
        seen: dict[tuple[str, ...], tuple[str, ...]] = {}
        for template in group:
            told = answering(template)
            for world in view.label_combinations(template, "output") if told else ():
                output = view.skeleton(template, "output", world)
                values = tuple(world[field] for field in told)
                restated = (value for field, value in world.items() if field not in told)
                twin = seen.setdefault((output, *restated), values)
                if twin != values and FIELD not in output:
                    both = f"{', '.join(twin)} and {', '.join(values)}"
                    yield Fault(template.id, f"{output!r} stands for {both}")
            for word in _words_of_many(view, template):
                if JOINER in word:
                    yield Fault(template.id, f"{word!r} reads as two values")


def _words_of_many(view: View, template: ParsedTemplate) -> Iterator[str]:
    for piece in template.insertions("output"):
        if piece.form and piece.field in view.templates.many:
            yield from view.templates.words[piece.field][piece.form].values()


def answering(template: ParsedTemplate) -> list[str]:
    """The categorical fields whose words the output tells and the question does not."""
    given = {piece.field for piece in template.insertions("instruction", "input")}
    told = dict.fromkeys(p.field for p in template.insertions("output") if p.form)
    return [field for field in told if field not in given]


def unclear(
    view: View, template: ParsedTemplate, counted: pl.DataFrame
) -> Iterator[tuple[str, pl.DataFrame]]:
    """Outputs from which the values cannot be read.

    Args:
        view: The subset.
        template: A template that answers with words.
        counted: A row for each output with each combination of values: the fields of
            ``answering``, output, n (renders), id (one of them).

    Yields:
        What is wrong, and the rows that show it.
    """
    fields = answering(template)
    values = pl.struct(fields).n_unique().over("output")
    twice = counted.filter(values > 1)
    if twice.height:
        yield "one output stands for two values", twice
    others = {p.field for p in template.insertions("output")} - set(fields)
    if not others:
        rows = counted.select(*fields, "output").unique().to_dicts()
        odd = [r["output"] for r in rows if view.skeleton(template, "output", r) != r["output"]]
        if odd:
            yield "an output stands for no value", counted.filter(pl.col("output").is_in(odd))


def one_sided(view: View) -> Iterator[Fault]:
    """The question has one answer for all records that it is asked of."""
    for group in _twins(view).values():
        outputs = {text for template in group for text in view.skeletons(template, "output")}
        if any(template.card.direction == "inverse" for template in group):
            continue
        if not any(piece.form for template in group for piece in template.insertions("output")):
            continue
        if len(outputs) == 1 and FIELD not in next(iter(outputs)):
            yield Fault(group[0].id, f"it is always answered {next(iter(outputs))!r}")
        elif len(sides := {_side(text) for text in outputs}) == 1 and None not in sides:
            yield Fault(group[0].id, f"it is always answered {sides.pop()}")


def _twins(view: View) -> dict[object, list[ParsedTemplate]]:
    """Templates by what they ask."""
    groups: dict[object, list[ParsedTemplate]] = defaultdict(list)
    for template in view.templates.templates:
        groups[question(template)].append(template)
    return groups


def _answers_yes_or_no(view: View, template: ParsedTemplate) -> bool:
    """A yes/no question names what it asks about; that gives nothing away."""
    return all(_side(text) for text in view.skeletons(template, "output"))


def _side(output: str) -> str | None:
    match = _YES_NO.match(output)
    return match["word"] if match else None
