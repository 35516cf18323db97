"""Wikitext dumps in the layout of kowikitext, both releases.

``= 제목 =`` begins an article, ``= = 소제목 = =`` a section. Only one of the releases puts a blank
before the title line, so lines are stripped first. The dump is read as a stream, since the real one
has 14 million lines.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import IO

import polars as pl

from kit19.catalog.file_formats import Wikitext
from kit19.reading.rows import LINE, ROW, Quarantined, Rows, require_columns

COLUMNS = ["title", "lead"]


def read_wikitext(stream: IO[bytes], read: Wikitext, wanted: list[str], where: str) -> Rows:
    """Read articles: their title, and the first paragraph before any section (the lead).

    Args:
        stream: The dump's bytes, UTF-8.
        read: Which namespaces to exclude, from the card.
        wanted: Columns to return: ``title``, ``lead``.
        where: The file's name, for messages.

    Returns:
        One row per article; ``lead`` is null where an article begins with a section.

    Raises:
        ReadError: ``wanted`` has a column that articles do not have.
    """
    require_columns(wanted, COLUMNS, where)
    titles: list[str] = []
    leads: list[str | None] = []
    numbers: list[int] = []
    lines: list[int] = []
    quarantined: list[Quarantined] = []
    for row, (line, title, lead, why) in enumerate(_articles(stream)):
        namespace = title.partition(":")[0].strip() if ":" in title else ""
        if why:
            quarantined.append(Quarantined(row, line, why))
        elif namespace in read.namespaces:
            page = f"a page of the namespace {namespace}"
            quarantined.append(Quarantined(row, line, page, kind="excluded"))
        else:
            titles.append(title)
            leads.append(lead)
            numbers.append(row)
            lines.append(line)
    schema = {ROW: pl.UInt32, LINE: pl.UInt32, **dict.fromkeys(COLUMNS, pl.String)}
    columns = {ROW: numbers, LINE: lines, "title": titles, "lead": leads}
    frame = pl.DataFrame(columns, schema=schema)
    return Rows(frame.select(ROW, LINE, *wanted), quarantined)


def _articles(stream: IO[bytes]) -> Iterable[tuple[int, str, str | None, str]]:
    """Yield line, title, lead, and why it is malformed (or "") of each article."""
    title, lead, why, start, in_lead = "", None, "", 0, False
    for number, raw in enumerate(stream, 1):
        # Invalid bytes are replaced, so that a title line is still recognized.
        line = raw.decode("utf-8", errors="replace").strip().removeprefix("\ufeff")
        is_bad = "\ufffd" in line and not _is_utf8(raw)
        if line.startswith("= ") and line.endswith(" =") and len(line) > 4:
            if line.startswith("= ="):
                in_lead = False
            else:
                if start:
                    yield start, title, lead, why
                title, lead, why, start, in_lead = line[2:-2].strip(), None, "", number, True
        elif line and in_lead and lead is None and start:
            lead = line
        if is_bad:
            why = why or f"line {number} is not UTF-8"
    if start:
        yield start, title, lead, why


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
