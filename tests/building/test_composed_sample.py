"""The composed part of the sample is what its phrases give; no phrase of its items is trained on."""

from __future__ import annotations

import re
from pathlib import Path

from kit19.core.manifest import read_manifest
from tests.support.golden import FIX, Golden
from tests.support.phrases import composed_files, items, reviews
from tests.support.samples import rows_of

_TEXTS = ("instruction", "input", "output")


def _bare(text: str) -> str:
    return "".join(one for one in text if one.isalnum())


def _runs(text: str) -> set[tuple[str, ...]]:
    words = re.findall(r"\w+", text)
    return set(zip(words, words[1:], words[2:], strict=False))


def test_the_files_hold_what_the_phrases_give(golden: Golden) -> None:
    for path, text in composed_files().items():
        if golden.renewing:
            path.write_bytes(text.encode())
        assert path.read_bytes().decode() == text, f"{path.name}: {FIX}"


def test_no_phrase_of_an_item_is_in_a_row_of_the_sample(sample_build: Path) -> None:
    rows = rows_of(sample_build)
    read = {text for column in _TEXTS for text in rows[column].unique()}
    read |= {line.split("\t")[1] for line in reviews()}  # those beyond the cap as well
    bare, runs = "\n".join(map(_bare, read)), set[tuple[str, ...]]().union(*map(_runs, read))
    for item in items():
        assert not [one for one in (*item.phrases, *item.negated) if _bare(one) in bare]
        assert not [text for text in item.texts if _runs(text) & runs]


def test_no_review_is_taken_for_an_item(sample_build: Path) -> None:
    dropped = read_manifest(sample_build).subsets["nsmc"].ledger.dropped
    assert "contaminated" not in dropped


def test_both_labels_are_as_frequent_and_every_negation_turns_the_label() -> None:
    labels = [line.rsplit("\t", 1)[1] for line in reviews()]
    assert labels.count("0") == labels.count("1")
    composed = items()
    assert sum(item.label for item in composed) * 2 == len(composed)
    assert {item.category for item in composed} == {1, 2, 3}
    texts = [text for item in composed for text in item.texts]
    assert all(first != second for first, second in (item.texts for item in composed))
    assert len({item.texts[1] for item in composed}) == len(composed)
    assert not [text for text in texts if "  " in text]
