"""Rules on whether a question fits the record, and its answer the question."""

from __future__ import annotations

import re
from collections.abc import Iterator

import polars as pl

from kit19.linting.view import FIELD, RenderViolation, View, Violation, literals
from kit19.reading.derive import sentence_form
from kit19.rendering import ParsedTemplate
from kit19.rendering.fit import COPULA, texts_beside
from kit19.rendering.options import MARKED
from kit19.rendering.parse import Insertion, Literal, OptionPart
from kit19.rendering.templates import TEXTS

_QUESTION_BEFORE = re.compile(r"(?:질문|물음|문의)\s*[:\])]?\s*[“‘\"'「]?$")
_QUESTION_AFTER = re.compile(r"^[”’\"'」]? ?(?:이?라는|이?란|하는)? ?(?:질문|물음)(?![가-힣]*지)")
_TRUTH = re.compile(r"(?<![가-힣])(?:참|거짓)(?:이다|입니다|이에요|예요|이야|[.]|$)")
# 그렇습니까, 그렇지 않습니까? · 맞아, 틀려? · 같은가요, 다른가요?
_ASK = "(?:니까|나요|가요|까요|을까|ㄹ까|는가|은가|느냐|야|어|아|려|거야)"
_EITHER = re.compile(rf"[가-힣]{_ASK}(?:, | 아니면 )[^,.?!\n]{{1,20}}{_ASK}\?")
_YES = re.compile(r"(?:예|네|응|어)(?=[,.\s]|$)")
_PAIRS = ("“”", "‘’", "「」", "『』")
_STOP = re.compile(rf"[.!?。][”’」』]?{COPULA}")
_OPENS_WITH_COPULA = re.compile(rf"[”’」』]?{COPULA}.{{0,8}}")


def wrong_frame(
    view: View, template: ParsedTemplate, _renders: pl.DataFrame
) -> Iterator[RenderViolation]:
    """A statement is called a question, or a question is judged true or false."""
    for name in ("instruction", "input"):
        pieces = template.texts[name]
        for at, piece in enumerate(pieces):
            if not isinstance(piece, Insertion) or not view.is_free_text(piece):
                continue
            before, after = texts_beside(pieces, at)
            if _QUESTION_BEFORE.search(before) or _QUESTION_AFTER.match(piece.closing + after):
                what = f"{piece.written} is called a question and is a statement"
                yield RenderViolation(
                    "wrong_frame", what, sentence_form(piece.field) == "statement"
                )
    for spec in view.derived().values():
        judged = spec.sentence_form
        if (
            judged
            and judged in template.fields("instruction", "input")
            and _judges_truth(view, template)
        ):
            what = f"{{{judged}}} is judged true or false and is a question"
            yield RenderViolation("wrong_frame", what, sentence_form(judged) == "question")


def _judges_truth(view: View, template: ParsedTemplate) -> bool:
    return any(_TRUTH.search(text) for text in view.skeletons(template, "output"))


def broken_quotation(
    view: View, template: ParsedTemplate, _renders: pl.DataFrame
) -> Iterator[RenderViolation]:
    """Quotation marks of one kind are nested, or a final stop precedes a copula."""
    for name in TEXTS:
        own = "".join(literals(template, name))
        for pair in _PAIRS:
            if nested := list(_nested(view, template, name, pair)):
                what = f"its {name} has {pair} inside {pair}"
                yield RenderViolation("broken_quotation", what, pl.any_horizontal(nested))
        # Only at the template's own words: a record may have one after an abbreviation (C.B.이다).
        own_copulas = [
            rf"[.!?。]{re.escape(match.group())}"
            for text in literals(template, name)
            if (match := _OPENS_WITH_COPULA.match(text))
        ]
        if own_copulas or _STOP.search(own):
            what = f"a final stop precedes a copula in its {name}"
            pattern = "|".join(own_copulas) if own_copulas else _STOP.pattern
            yield RenderViolation("broken_quotation", what, pl.col(name).str.contains(pattern))


def _nested(view: View, template: ParsedTemplate, name: str, pair: str) -> Iterator[pl.Expr]:
    """Yield a condition for each mark inside a quotation of the template; a record's own may nest."""
    opening, closing = pair[0], pair[1]
    is_open = False
    pieces = template.texts[name]
    for at, piece in enumerate(pieces):
        if isinstance(piece, Literal):
            for mark in re.findall(f"[{pair}]", piece.text):
                if is_open and mark == opening:
                    yield pl.col(name).is_not_null()
                is_open = mark == opening
        elif is_open and isinstance(piece, Insertion | OptionPart):
            yield view.inserted(piece, template).str.contains(opening, literal=True)
            if isinstance(piece, Insertion):
                before, after = texts_beside(pieces, at)
                quoted = before.endswith(opening) and (piece.closing + after).startswith(closing)
                if quoted and not piece.form and not piece.escape:
                    yield pl.col(piece.field).str.contains(closing, literal=True)
                is_open = closing not in piece.closing


def fixed_options(view: View) -> Iterator[Violation]:
    """The right answer is always at the same place among numbered options."""
    for template in view.templates.templates:
        for piece in template.insertions("output"):
            if not piece.form:
                continue
            words = view.templates.words[piece.field][piece.form].values()
            prompt = "\n".join(literals(template, "instruction", "input"))
            marks = [match.group() for word in words if (match := MARKED.match(word))]
            if sum(_lists(prompt, mark) for mark in marks) > 1:
                yield Violation(template.id, f"{marks[0]!r} is always the same option")


def _lists(prompt: str, mark: str) -> bool:
    """Whether a question has an option with this mark: at the beginning of a line or after a blank."""
    return re.search(rf"(?:^|[\n /]){re.escape(mark)}[.)]?(?:\s|$)", prompt) is not None


def misordered_labels(view: View) -> Iterator[Violation]:
    """Several labels are listed in one order and answered in another."""
    for template in view.templates.templates:
        for piece in template.insertions("output"):
            if piece.field not in view.templates.many or not piece.form:
                continue
            words = view.templates.words[piece.field][piece.form]
            order = view.source.categories_of(view.card)[piece.field]
            lines = "\n".join(literals(template, "instruction", "input")).split("\n")
            # The list is the line with most of the labels; a sentence may explain some of them apart.
            listed = max(lines, key=lambda line: sum(words[value] in line for value in order))
            found = [place for value in order if (place := listed.find(words[value])) >= 0]
            if len(found) > 1 and found != sorted(found):
                yield Violation(
                    template.id, f"it lists the labels of {piece.field} in another order"
                )


def unused_word(view: View) -> Iterator[Violation]:
    """A label has a word that no template can answer: its class is never asked about."""
    for field, forms in view.templates.words.items():
        known = view.source.categories_of(view.card)[field]
        for form, words in forms.items():
            using = [
                template for template in view.templates.templates if _uses(template, field, form)
            ]
            covered = {value for template in using for value in view.values(template, field)}
            never = [words[value] for value in known if value in words and value not in covered]
            if using and never:
                what = f"its question presupposes the answer: {', '.join(never)} never occurs"
                yield Violation(using[0].id, f"{what} (words.{field}.{form})")


def _uses(template: ParsedTemplate, field: str, form: str) -> bool:
    options = template.card.options
    listed = options is not None and (options.by, options.form) == (field, form)
    return listed or any((p.field, p.form) == (field, form) for p in template.insertions())


def either_or_yes(view: View) -> Iterator[Violation]:
    """A question that offers two answers is answered by yes."""
    for template in view.templates.templates:
        outputs = view.skeletons(template, "output")
        if not any(_YES.match(text) for text in outputs):
            continue
        for text in (*view.skeletons(template, "instruction"), *view.skeletons(template, "input")):
            if match := _EITHER.search(text.replace(FIELD, "…")):
                yield Violation(template.id, f"{match.group()!r} is answered by yes")
                break


def invalid_json(
    view: View, template: ParsedTemplate, _renders: pl.DataFrame
) -> Iterator[RenderViolation]:
    """An answer that begins as JSON is not valid JSON."""
    if any(text.startswith(("{", "[{", '["')) for text in view.skeletons(template, "output")):
        valid = pl.col("output").str.json_path_match("$").is_not_null()
        yield RenderViolation("invalid_json", "its output is not valid JSON", ~valid)
