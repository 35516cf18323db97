"""Whether a row's text is its template with the record's own text in it, checked by string work.

A checking renderer that cannot choose a particle: it accepts either form. Templates come from their
YAML; nothing of kit19 is used.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from benchmarks.oracle import (
    TEXTS,
    Piece,
    escaped,
    inserted_fields,
    parse,
    read_templates,
    with_options,
)


class Templates:
    """One templates file.

    Attributes:
        by_id: Each template as the YAML has it, every scalar as text.
        words: field → form → canonical value → word.
        many: The fields that may have several values.
    """

    def __init__(self, path: Path, many: Collection[str] = ()) -> None:
        self.many = many
        self.by_id, self.words = read_templates(path)

    def fields(self, template: str, text: str) -> set[str]:
        """The fields that one text of a template inserts, by form or as they are."""
        return inserted_fields([self.by_id[template].get(text, "")])

    def wrong(self, template: str, record: Mapping[str, str], row: Mapping[str, str]) -> list[str]:
        """Which of a row's three texts are not the template with the record's text in it."""
        spec = self.by_id[template]
        shown = with_options(spec, self.words, record)
        return [text for text in TEXTS if not self._matches(row[text], spec.get(text, ""), shown)]

    def _matches(self, text: str, template: str, record: Mapping[str, str | None]) -> bool:
        ends = {0}
        for piece in parse(template):
            for choices in self._choices(piece, record):
                ends = {
                    end + len(choice)
                    for end in ends
                    for choice in choices
                    if text.startswith(choice, end)
                }
        return len(text) in ends

    def _choices(self, piece: Piece, record: Mapping[str, str | None]) -> Iterator[list[str]]:
        """What may stand in the text for a piece, part by part."""
        if not piece.field:
            yield [piece.text]
            return
        value = record[piece.field] or ""
        if piece.form:
            words = self.words[piece.field][piece.form]
            several = [escaped(words[one], piece.escape) for one in value.split(",")]
            # A field that may have several values is an array in JSON, even if it has just one.
            value = ", ".join(several)
            if piece.escape == "json":
                value = f"[{value}]" if piece.field in self.many else value
        else:
            value = escaped(value, piece.escape)
        yield [value + piece.closing]
        if piece.particle:
            yield particles(*piece.particle.split("/"))


def particles(one: str, other: str) -> list[str]:
    """Every way to write a particle: either form, or both where the sound is not known."""
    both = [f"{one}({other})", f"{other}({one})"]
    for long, short in ((one, other), (other, one)):
        if long.endswith(short) and long != short:
            both.append(f"({long.removesuffix(short)}){short}")
    return [one, other, *both]
