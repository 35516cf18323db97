"""kit19's conventions, implemented a second time: template language, hash order, CSV escaping.

The baselines render with it and the tests compare kit19 with it. It imports nothing of kit19, so a
mistake that both implementations share would have to be made twice.
"""

from __future__ import annotations

import functools
import json
import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from xxhash import xxh3_64_intdigest

TEXTS = ("instruction", "input", "output")
SEED = 19
_QUOTES = ("“”", "‘’", "「」", "『』", "〈〉", '""')
_COPULA = re.compile('[”’」』〉"]?(?:입니다|입니까|이에요|예요|이다|이야|인가|인지)')
_ROWS = [
    [chr(ord("①") + n) for n in range(14)],
    [str(n + 1) for n in range(14)],
    [chr(ord("㉠") + n) for n in range(14)],
    list("가나다라마바사아자차카타파하"),
    list("ㄱㄴㄷㄹㅁㅂㅅㅇㅈㅊㅋㅌㅍㅎ"),
    list("ABCDEFGHIJKLMN"),
    list("abcdefghijklmn"),
]
SLOTS = ("batch.items", "batch.answers", "batch.number", "shots")
_TOKEN = re.compile(r"(\{\{|\}\}|\{[^{}]*\})")

Words = Mapping[str, Mapping[str, Mapping[str, str]]]
"""field → form → canonical value → word"""


@dataclass(frozen=True)
class Piece:
    """A piece of a template: literal text, or a field with what belongs to it.

    Attributes:
        text: The literal text; empty for a field.
        field: The field that is inserted; empty for literal text.
        form: The form of the field's word, if any.
        escape: ``json`` or ``cell``, if the text is escaped.
        closing: The quotes and brackets between the field and its particle.
        particle: The particle after the field, as its two forms: ``은/는``.
    """

    text: str = ""
    field: str = ""
    form: str = ""
    escape: str = ""
    closing: str = ""
    particle: str = ""


@functools.cache
def parse(text: str) -> tuple[Piece, ...]:
    """The pieces of one text of a template."""
    pieces: list[Piece] = []
    for token in filter(None, _TOKEN.split(text)):
        inside = token[1:-1]
        if token in ("{{", "}}") or not token.startswith("{"):
            literal = token[0] if token in ("{{", "}}") else token
            if pieces and not pieces[-1].field:
                literal = pieces.pop().text + literal
            pieces.append(Piece(text=literal))
        elif "/" in inside:
            closing = "" if pieces[-1].field else pieces.pop().text
            pieces.append(replace(pieces.pop(), closing=closing, particle=inside))
        else:
            if inside in SLOTS:  # several records: what stands here is not of this one
                pieces.append(Piece(field=f"slot_{inside}"))
                continue
            name, _, escape = inside.partition(":")
            field, _, form = name.partition(".")
            if field == "options":  # a part of the options is a field of what with_options returns
                field, form = f"options_{form or 'list'}", ""
            pieces.append(Piece(field=field, form=form, escape=escape))
    return tuple(pieces)


def inserted_fields(texts: Iterable[str]) -> set[str]:
    """The fields that texts of a template insert, by form or as they are."""
    pieces = (piece for text in texts for piece in parse(text))
    return {one.field for one in pieces if one.field and not one.field.startswith("slot_")}


def used_fields(card: Mapping[str, Any]) -> set[str]:
    """The fields of a record that a template uses, those of its options included."""
    fields = inserted_fields(_all_texts(card))
    options = card.get("options") or {}
    shown = {name for name in fields if name.startswith("options_")}
    if shown - {"options_list"}:
        fields.add(options["by"])
    if shown - {"options_mark"}:
        fields |= set((options.get("among") or {}).values())
    return fields - shown


def fits(
    card: Mapping[str, Any],
    record: Mapping[str, str | None],
    many: Collection[str],
    attach: Callable[[str, str], str],
) -> bool:
    """Whether a template fits a record: ``when``, text in every field, and the seams around it.

    ``attach`` writes a particle after a word, both forms with a parenthesis if its sound is unknown.
    """
    for field, wanted in (card.get("when") or {}).items():
        value = record[field] or ""
        values = value.split(",") if field in many else [value]
        if not set(values) & set(wanted):
            return False
    if not all(record[field] for field in used_fields(card)):
        return False
    if not all(_seams_close(parse(text), record, attach) for text in _all_texts(card)):
        return False
    return card.get("direction") != "inverse" or _asks_for_new(card, record)


def _all_texts(card: Mapping[str, Any]) -> list[str]:
    """Its three texts, and those of a batch or an example."""
    batch, shots = card.get("batch") or {}, card.get("shots") or {}
    parts = [batch.get("item"), batch.get("answer"), shots.get("example")]
    return [text for text in (*(card.get(name) for name in TEXTS), *parts) if text]


def _seams_close(
    pieces: tuple[Piece, ...],
    record: Mapping[str, str | None],
    attach: Callable[[str, str], str],
) -> bool:
    """No quotation inside one of its kind, no final stop before 이다, no unknown sound."""
    for at, piece in enumerate(pieces):
        own = not piece.field.startswith(("options_", "slot_"))
        if not piece.field or piece.form or piece.escape or not own:
            continue
        text = record[piece.field] or ""
        before = pieces[at - 1].text if at else ""
        after = piece.closing + (pieces[at + 1].text if at + 1 < len(pieces) else "")
        quotes = before[-1:] + after[:1]
        if quotes in _QUOTES and set(quotes) & set(text):
            return False
        closed = text + piece.closing
        if piece.particle and "(" in attach(closed, piece.particle).removeprefix(closed):
            return False
        if _COPULA.match(after) and text.endswith((".", "!", "?", "…", "。")):
            return False
    return True


def _asks_for_new(card: Mapping[str, Any], record: Mapping[str, str | None]) -> bool:
    """An inverse template's answer is not already in its question."""
    batch = card.get("batch") or {}
    questions = [card.get("instruction"), card.get("input"), batch.get("item")]
    apart = ("options_", "slot_")
    asked = [p for text in questions if text for p in parse(text) if p.field]
    given = {p.field for p in asked if not p.form and not p.field.startswith(apart)}
    output = card["output"] + batch.get("answer", "")
    named = [p.field for p in parse(output) if p.field and not p.form]
    answers = [field for field in named if not field.startswith(apart)]
    return not any(
        letters(record[answer]) in letters(record[field])
        for answer in answers
        for field in given
        if answer not in given
    )


def letters(text: str | None) -> str:
    """The letters and numbers of a text in lower case."""
    kept = (one for one in text or "" if unicodedata.category(one)[0] in "LN")
    return "".join(kept).lower()


def with_options(
    card: Mapping[str, Any], words: Words, record: Mapping[str, str | None]
) -> dict[str, str | None]:
    """The record with a field for each part of the template's options, in the record's order."""
    options = card.get("options")
    if not options:
        return dict(record)
    by, among = options["by"], options.get("among") or {}
    called = words[by][options["form"]] if options.get("form") else {}
    values = options.get("values") or list(called or among)
    order = sorted(
        values, key=lambda value: stable_hash(f"0:options:{record['id']}|{card['id']}|{value}")
    )
    marks = _marks(options.get("marks", "①"))
    texts = {value: called[value] if called else record[among[value]] for value in values}
    shown = [f"{mark[0]}{texts[value]}" for mark, value in zip(marks, order, strict=False)]
    right = str(record[by])
    place = order.index(right) if right in order else 0
    return {
        **record,
        "options_list": options.get("between", "\n").join(shown),
        "options_answer": shown[place],
        "options_mark": marks[place][1],
        "options_text": texts.get(right),
    }


def _marks(first: str) -> list[tuple[str, str]]:
    """For each option what precedes it, and what the answer calls it."""
    if first in ("", "-"):
        return [(first and "- ", "")] * len(_ROWS[0])
    (row,) = (row for row in _ROWS if row[0] in first)
    shown = [first.replace(row[0], one) for one in row]
    named = shown if first.startswith("(") else row
    return [(f"{mark} ", name) for mark, name in zip(shown, named, strict=True)]


def escaped(text: str, escape: str) -> str:
    """A text as JSON has it, or as a cell of a Markdown table has it."""
    if escape == "json":
        return json.dumps(text, ensure_ascii=False)
    if escape == "cell":
        lines = text.replace("|", "\\|").replace("\r\n", "\n").replace("\r", "\n").split("\n")
        return "<br>".join(lines)
    return text


def read_templates(path: Path) -> tuple[dict[str, Any], Words]:
    """The templates of a file by id, every scalar as text, and its words."""
    # BaseLoader keeps every scalar as it is typed: a value `true` or `1` is a word here.
    file = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)  # noqa: S506
    return {card["id"]: card for card in file["templates"]}, file.get("words") or {}


def stable_hash(text: str) -> int:
    """The hash of kit19's orders, from the ``xxhash`` library."""
    return xxh3_64_intdigest(text.encode())


def first_template(record_id: str, names: Iterable[str], seed: int = SEED) -> str:
    """The template with the smallest hash for a record."""
    return min(names, key=lambda name: stable_hash(f"{seed}:template:{record_id}|{name}"))


def undo_csv_escaping(text: str) -> str:
    """Undo one CSV escaping, if the text is nothing but one escaped field."""
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        return text
    inner = text[1:-1]
    return inner.replace('""', '"') if '"' not in inner.replace('""', "") else text
