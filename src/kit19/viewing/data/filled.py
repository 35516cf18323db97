"""Which parts of a rendered text a template has filled in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import polars as pl

from kit19.core.errors import Kit19Error
from kit19.rendering import ParsedTemplate, TemplateSet
from kit19.rendering.parse import Insertion, Literal, OptionPart, Piece
from kit19.rendering.render import compile_template
from kit19.rendering.templates import TEXTS, ParsedConversation

Part = tuple[str, str]
"""A text, and what it is: "" for the template's own, ``field``, ``word``, ``option`` or ``several``."""


def source_parts(template: ParsedTemplate) -> dict[str, list[Part]]:
    """The source of a template's texts, with its insertions marked."""
    every = {**template.texts, **template.parts}
    return {name: [_written(piece) for piece in pieces] for name, pieces in every.items() if pieces}


def filled_parts(
    template: ParsedTemplate,
    templates: TemplateSet,
    row: Mapping[str, str],
    record: pl.DataFrame | None,
) -> dict[str, list[Part]] | None:
    """The texts of a row, with what the template has filled in marked.

    Args:
        template: The template.
        templates: Those of its subset.
        row: The row's ``instruction``, ``input`` and ``output``.
        record: The upstream record as a frame of one row, which tells exactly where a field ends;
            None to go by the template's own text.

    Returns:
        The parts of each text; None if the texts are not those of this template.
    """
    found = {}
    for name in TEXTS:
        pieces = template.texts[name]
        values = [_value(piece, template, templates, record) for piece in pieces]
        parts = _align(pieces, values, row[name])
        if parts is None:
            return None
        found[name] = parts
    return found


def filled_turns(
    conversation: ParsedConversation,
    templates: TemplateSet,
    messages: Sequence[Mapping[str, str]],
    record: pl.DataFrame | None,
) -> list[list[Part]]:
    """The messages of a conversation, with what its turns have filled in marked.

    Args:
        conversation: The conversation.
        templates: Those of its subset.
        messages: Its messages: ``role`` and ``content`` of each.
        record: Its first upstream record as a frame of one row, if that is there.

    Returns:
        The parts of each message; the text in one part where it is not that of its turn.
    """
    found: list[list[Part]] = []
    nth = -1
    for message in messages:
        nth += message["role"] == "user"
        if message["role"] == "system":
            found.append([(message["content"], "")])
            continue
        turn = conversation.turns[min(max(nth, 0), len(conversation.turns) - 1)]
        about = record if nth == 0 or conversation.card.records == "one" else None
        found.append(_filled_message(turn, templates, message, about))
    return found


def _filled_message(
    turn: ParsedTemplate,
    templates: TemplateSet,
    message: Mapping[str, str],
    record: pl.DataFrame | None,
) -> list[Part]:
    question, further = turn.texts["instruction"], turn.texts["input"]
    both = [*question, Literal("\n\n"), *further]
    for pieces in [both, question] if message["role"] == "user" else [turn.texts["output"]]:
        values = [_value(piece, turn, templates, record) for piece in pieces]
        parts = _align(pieces, values, message["content"])
        if parts is not None:
            return parts
    return [(message["content"], "")]


def _written(piece: Piece) -> Part:
    if isinstance(piece, Literal):
        return piece.text.replace("{", "{{").replace("}", "}}"), ""
    particle = ""
    if isinstance(piece, Insertion | OptionPart):
        particle = piece.closing + (f"{{{piece.particle.name}}}" if piece.particle else "")
    return piece.written + particle, _kind(piece)


def _kind(piece: Piece) -> str:
    if isinstance(piece, Insertion):
        return "word" if piece.form else "field"
    return "option" if isinstance(piece, OptionPart) else "several"


def _value(
    piece: Piece, template: ParsedTemplate, templates: TemplateSet, record: pl.DataFrame | None
) -> str | None:
    """What the record gives for one piece; None if that is unknown."""
    if isinstance(piece, Literal):
        return piece.text
    if record is None or not isinstance(piece, Insertion | OptionPart):
        return None
    alone = replace(template, texts={"instruction": [piece], "input": [], "output": []})
    try:
        value = record.select(compile_template(alone, templates)[0]).item()
    except (pl.exceptions.PolarsError, Kit19Error):
        return None  # the record lacks the field: a card newer or older than the build
    return value if isinstance(value, str) else None


def _align(pieces: Sequence[Piece], values: Sequence[str | None], text: str) -> list[Part] | None:
    """Lay the pieces along a text; one of unknown length ends where the next known text begins."""
    parts: list[Part] = []
    at = 0
    for place, (piece, value) in enumerate(zip(pieces, values, strict=True)):
        if value is not None and text.startswith(value, at):
            end = at + len(value)
        elif isinstance(piece, Literal):
            return None
        else:
            following = [one for one in values[place + 1 :] if one]
            end = len(text) if not following else text.find(following[0], at)
            if len(following) == 1 and values[-1] == following[0] and text.endswith(following[0]):
                end = len(text) - len(following[0])
        if end < at:
            return None
        parts.append((text[at:end], "" if isinstance(piece, Literal) else _kind(piece)))
        at = end
    return parts if at == len(text) else None
