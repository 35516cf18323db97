"""A user's own rows (``extra`` of a recipe) as records, in any format and layout (see ``layouts``).

Keys without a part in the layout are ignored, except ``id``, the label, and ``license``, which must not
contradict the recipe.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import polars as pl

from kit19.catalog.extra import SPLIT, TEXTS
from kit19.catalog.license_ids import same_license
from kit19.catalog.source import Source
from kit19.core.rows import MESSAGES
from kit19.fetching import UpstreamFile
from kit19.reading.conversations import with_turns_as_texts
from kit19.reading.instruction_rows import MalformedRow
from kit19.reading.instructions import FILE, InstructionFiles, no_rows, row_keys
from kit19.reading.records import BadRow, Records
from kit19.reading.rows import LINE, ROW


def read_own_rows(
    name: str, source: Source, found: Sequence[UpstreamFile], *, join_turns: bool = False
) -> Records:
    """Read a user's own rows.

    Args:
        name: The subset that they become.
        source: The card of that subset (see ``Extra.source``).
        found: The files.
        join_turns: Whether consecutive turns of one role are joined.

    Returns:
        Records with the fields instruction, input, output and, if there is one, the label; and, if one
        of them is a conversation, messages, whose turns are also in the fields (see
        ``with_turns_as_texts``), so that all rules on fields hold for conversations. A record's
        key is its ``id`` if every row has a unique one (text or an integer), otherwise its 0-based
        number in its file, after the file's name if there are several files.

    Raises:
        ReadError: A file, or every one of the rows, cannot be read.
    """
    label = source.subsets[name].label
    files = replace(_files(source, found), join_turns=join_turns)
    frame, malformed = files.read_all(["id"], ["license", *([label] if label else [])])
    refused = _contradicting(frame, source.license.spdx)
    if refused:
        places = pl.DataFrame(
            {FILE: [one.file for one in refused], ROW: [one.row for one in refused]},
            schema={FILE: pl.String, ROW: pl.UInt32},
        )
        frame = frame.join(places, on=[FILE, ROW], how="anti", maintain_order="left")
        malformed += refused
        if not frame.height:
            raise no_rows(malformed, files.paths[0])
    key = pl.concat_str(pl.lit(f"{name}/{SPLIT}/"), row_keys(frame).alias("#key"))
    fields = [*TEXTS, *([label] if label else [])]
    if frame[MESSAGES].count():
        frame, fields = with_turns_as_texts(frame), [*fields, MESSAGES]
    records = frame.select(*fields, id=key, split=pl.lit(SPLIT), group=key)
    bad = [_bad_row(name, one, files, found) for one in malformed]
    return Records(records, bad, upstream_rows=frame.height + len(bad))


def _files(source: Source, found: Sequence[UpstreamFile]) -> InstructionFiles:
    """The files, with the names that the card's files have; a single file of the card needs none."""
    paths = tuple(one.path for one in found)
    specs = source.tables[found[0].table].files[SPLIT]
    if len(found) == 1 and found[0].spec in specs:
        return InstructionFiles(paths)
    return InstructionFiles(paths, {one.path: one.spec.path for one in found})


def _contradicting(frame: pl.DataFrame, license_: str) -> list[MalformedRow]:
    """The rows whose license is not that of the recipe."""
    stated = frame["license"]
    other = [one for one in stated.drop_nulls().unique() if not same_license(one, license_)]
    rows = frame.filter(stated.is_in(other)) if other else frame.clear()
    return [
        MalformedRow(
            file, row, line, "license", f"license: says {value!r}, the recipe says {license_!r}"
        )
        for file, row, line, value in rows.select(FILE, ROW, LINE, "license").iter_rows()
    ]


def _bad_row(
    name: str, row: MalformedRow, files: InstructionFiles, found: Sequence[UpstreamFile]
) -> BadRow:
    (file,) = (one for one in found if one.path == files.path_of(row.file))
    inside = row.file.removeprefix(str(file.path))  # in an archive
    prefix = files.row_prefix(row.file) or f"{file.stem}:"
    record = f"{name}/{SPLIT}/{prefix}{row.row}"
    return BadRow(record, f"{file.name}{inside}", row.line, "malformed", row.why, row.fault)
