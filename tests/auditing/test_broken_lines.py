"""Tests that items in plain text files are found however the lines are broken."""

from __future__ import annotations

import random
import textwrap
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit19.auditing import Audit, audit, broken_lines
from tests.support.corpora import search
from tests.support.exams import INNOCENT, SENTENCES

pytestmark = pytest.mark.usefixtures("pages")


def write(path: Path, lines: list[str]) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def rows(found: Audit, item: int) -> list[int]:
    return sorted({hit.row for hit in found.hits if hit.item == f"items/q{item}"})


@settings(max_examples=15)
@given(st.data())
def test_an_item_is_found_wherever_its_lines_break(
    tmp_path_factory: pytest.TempPathFactory, exam: Path, data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(SENTENCES) - 1))
    text, is_apart = SENTENCES[place], data.draw(st.booleans())
    cuts = sorted(data.draw(st.sets(st.integers(1, len(text) - 1), min_size=1, max_size=4)))
    ends = zip([0, *cuts], [*cuts, len(text)], strict=True)
    pieces = [
        unicodedata.normalize("NFD" if is_apart else "NFC", text[start:end]) for start, end in ends
    ]
    if any(not one.strip() for one in pieces):  # a blank line would end the text
        return
    lines = [INNOCENT[0], *pieces, INNOCENT[1]]
    path = write(tmp_path_factory.mktemp("text") / "text.txt", lines)
    has_letters = [at for at, line in enumerate(lines) if any(map(str.isalnum, line))]
    expected = [at for at in range(1, 1 + len(pieces)) if at in has_letters]
    assert rows(audit(path, [exam], header=False), place) == expected


def test_wrapped_and_joined_paragraphs_have_the_items_of_the_text(
    tmp_path: Path, exam: Path
) -> None:
    chance = random.Random(17)
    sentences = [*SENTENCES, *INNOCENT * 8]
    chance.shuffle(sentences)
    text = " ".join(sentences)
    for width in (8, 20, 33, 80):
        path = write(tmp_path / f"{width}.txt", textwrap.wrap(text, width))
        found = audit(path, [exam], header=False)
        assert {hit.item for hit in found.hits} == {f"items/q{n}" for n in range(len(SENTENCES))}


def test_a_blank_line_ends_a_text(tmp_path: Path, exam: Path) -> None:
    half = len(SENTENCES[0]) // 3
    apart = write(tmp_path / "apart.txt", [SENTENCES[0][:half], "", SENTENCES[0][half:], "", "끝."])
    joined = write(tmp_path / "joined.txt", [SENTENCES[0][:half], SENTENCES[0][half:], "", "끝."])
    assert 0 not in rows(audit(apart, [exam], header=False), 0)
    assert rows(audit(joined, [exam], header=False), 0) == [0, 1]


def test_lines_with_parts_of_an_item_are_not_the_item(tmp_path: Path, exam: Path) -> None:
    third = len(SENTENCES[0]) // 3
    lines = [SENTENCES[0][:third], INNOCENT[0], SENTENCES[0][third : 2 * third], INNOCENT[1]]
    found = audit(write(tmp_path / "text.txt", lines * 3), [exam], header=False)
    assert found.hits == []


def test_rows_of_tables_and_of_json_are_not_joined(tmp_path: Path, exam: Path) -> None:
    half = len(SENTENCES[0]) // 3
    pieces = [SENTENCES[0][:half], SENTENCES[0][half : 2 * half], SENTENCES[0][2 * half :]]
    table = write(tmp_path / "table.txt", [f"{n}번\t{one}" for n, one in enumerate(pieces)])
    values = write(tmp_path / "values.tsv", pieces)
    for path in (table, values):
        assert audit(path, [exam], header=False).hits == []


@settings(max_examples=8)
@given(st.integers(40, 400), st.integers(4, 30), st.randoms())
def test_parts_of_a_file_find_what_the_file_has(
    tmp_path_factory: pytest.TempPathFactory,
    exam: Path,
    span: int,
    width: int,
    chance: random.Random,
) -> None:
    sentences = [*SENTENCES, *INNOCENT]
    chance.shuffle(sentences)
    lines = textwrap.wrap(" ".join(sentences), width)
    lines.insert(chance.randrange(len(lines)), "")
    folder = tmp_path_factory.mktemp("text")
    path = write(folder / "text.txt", lines)
    whole = audit(path, [exam], header=False)
    split = search(path, exam, span=span, header=False).audit
    assert split == whole


def test_long_files_are_searched_in_overlapping_texts(
    tmp_path: Path, exam: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broken_lines, "_JOINED", 50)
    monkeypatch.setattr(broken_lines, "_AT_A_TIME", 2)
    chance = random.Random(3)
    sentences = [chance.choice([*SENTENCES, *INNOCENT]) for _ in range(60)]
    lines = [piece for one in sentences for piece in textwrap.wrap(one, 12)]
    found = audit(write(tmp_path / "text.txt", lines), [exam], header=False)
    ends = [0]
    for one in sentences:
        ends.append(ends[-1] + len(textwrap.wrap(one, 12)))
    for item, sentence in enumerate(SENTENCES):
        expected = [
            row
            for at, one in enumerate(sentences)
            if one == sentence
            for row in range(ends[at], ends[at + 1])
        ]
        assert rows(found, item) == expected
