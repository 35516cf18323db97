"""Compare the recipes kit19 and paper with the real files, row by row.

``upstream.py`` reads the upstream files and ``rendered.py`` renders templates. Both are independent of
kit19.
"""

from __future__ import annotations

import functools
import json
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from benchmarks.oracle import TEXTS
from kit19.catalog import BUILT_IN, load_catalog
from kit19.reading import read_subset
from tests.support.effort import tries
from tests.support.reading import present_files
from tests.support.rendered import Templates
from tests.support.upstream import READERS, SEVERAL, Record, Records, quoted, unquoted

pytestmark = pytest.mark.real

FULL = {
    "apeach": 7_896,
    "unsmile": 15_005,
    "hatescore": 11_108,
    "kobest_boolq": 3_665,
    "kobest_copa": 3_076,
    "kobest_hellaswag": 2_029,
    "kobest_wic": 3_318,
    "korsts": 5_749,
    "parakqc": 10_000,
    "stylekqc": 24_000,
    "question_pair": 6_136,
    "nsmc": 150_000,
    "sae4k": 30_837,
    "petitions": 3_052,
}
"""Rows of the train files at hand, as they were counted when the files were gathered."""

CAPPED = {
    "apeach",
    "unsmile",
    "hatescore",
    "korsts",
    "parakqc",
    "stylekqc",
    "question_pair",
    "nsmc",
    "sae4k",
}
ABSENT = {"kowiki_generation", "kowiki_closed_qa", "lbox_summarization"}


@dataclass(frozen=True)
class Build:
    """A build and its inputs."""

    rows: list[dict[str, str]]
    dropped: list[dict[str, str]]
    manifest: dict[str, Any]
    data: Path

    def counted(self) -> Counter[str]:
        return Counter(row["subset"] for row in self.rows)

    def pairs(self) -> Iterator[tuple[dict[str, str], Record]]:
        """Pair each row with the upstream record of its id."""
        for row in self.rows:
            yield row, upstream(self.data, row["subset"])[row["id"]]


@functools.cache
def upstream(data: Path, subset: str) -> Records:
    return READERS[subset](data)


@functools.cache
def templates(subset: str) -> Templates:
    return Templates(BUILT_IN / "templates" / f"{subset}.yaml", SEVERAL.get(subset, ()))


def read(out: Path, data: Path) -> Build:
    rows = pl.read_parquet(out / "data" / "*.parquet").to_dicts()
    dropped = pl.read_parquet(out / "dropped.parquet").to_dicts()
    return Build(rows, dropped, json.loads((out / "manifest.json").read_bytes()), data)


@pytest.fixture(scope="session")
def kit19(real_data: Path, real_build: Callable[[str], Path]) -> Build:
    return read(real_build("kit19"), real_data)


@pytest.fixture(scope="session")
def paper(real_data: Path, real_build: Callable[[str], Path]) -> Build:
    return read(real_build("paper"), real_data)


@pytest.fixture(params=["kit19", "paper"])
def either(request: pytest.FixtureRequest) -> Build:
    found: Build = request.getfixturevalue(request.param)
    return found


@pytest.mark.parametrize("subset", READERS)
def test_every_record_read_is_upstreams(subset: str, real_data: Path) -> None:
    source, card = load_catalog(BUILT_IN).subset(subset)
    there = present_files(source, card.tables, source.splits_of(card), real_data)
    records = read_subset(subset, source, card, there)
    expected = upstream(real_data, subset)
    fields = [name for name in next(iter(expected.values())) if name in records.frame.columns]
    # Half a million pairs are read by one rule, so of so many usually every ninth is compared.
    nth = tries(9 if records.frame.height > 200_000 else 1, 1)
    wrong = [
        (name, texts)
        for name, *texts in records.frame.select("id", *fields).gather_every(nth).iter_rows()
        if [text or "" for text in texts] != [expected[name][field] for field in fields]
    ]
    assert wrong == []
    assert records.bad == []
    assert set(expected) <= set(records.frame["id"])


def test_every_rows_label_is_upstreams(either: Build) -> None:
    wrong = [row["id"] for row, record in either.pairs() if row["label"] != record.get("label")]
    assert wrong == []


def test_every_rows_text_is_its_template_with_upstreams_text_in_it(either: Build) -> None:
    # Rows of several records are compared with the reference renderer elsewhere.
    single = [(row, record) for row, record in either.pairs() if not row["further_records"]]
    wrong = [
        row["id"]
        for row, record in single
        if templates(row["subset"]).wrong(row["template"], {**record, "id": row["id"]}, row)
    ]
    # A row differs only if personal data was masked, and then it is marked.
    assert wrong == [row["id"] for row, _ in single if row["masked"]]


def test_every_template_shows_some_text_of_the_record(either: Build) -> None:
    for subset, name in sorted({(row["subset"], row["template"]) for row in either.rows}):
        file = templates(subset)
        shown = {field for text in TEXTS for field in file.fields(name, text)}
        # A field that has words is a category; the others are text.
        assert shown - set(file.words), (subset, name)


def test_no_output_of_a_label_template_means_two_labels(either: Build) -> None:
    meant: defaultdict[tuple[str, str, str, str], set[str]] = defaultdict(set)
    for row, record in either.pairs():
        if row["further_records"]:
            continue
        used = templates(row["subset"]).fields(row["template"], "output")
        for field in used & set(templates(row["subset"]).words):
            meant[row["subset"], row["template"], row["output"], field].add(record[field])
    assert [key for key, values in meant.items() if len(values) > 1] == []
    named = {key[0] for key in meant}
    assert {"nsmc", "apeach", "unsmile", "korsts", "kobest_wic", "parakqc", "sae4k"} <= named


def test_no_row_occurs_twice(either: Build) -> None:
    counted = Counter((row["id"], row["template"]) for row in either.rows)
    assert [key for key, count in counted.items() if count > 1] == []


def test_the_ledger_counts_what_the_train_files_hold(kit19: Build) -> None:
    entries = kit19.manifest["subsets"]
    assert {name: entry["ledger"]["upstream_rows"] for name, entry in entries.items()} == FULL
    of_pairs = {"parakqc": 45_000 + 499_500, "stylekqc": 2 * 108_000}
    assert {name: entry["ledger"]["read"] for name, entry in entries.items()} == FULL | of_pairs


def test_the_ledger_adds_up_and_counts_the_rows_that_are_there(either: Build) -> None:
    rows = either.counted()
    for name, entry in either.manifest["subsets"].items():
        ledger = entry["ledger"]
        lost = sum(ledger["dropped"].values())
        assert ledger["train"] + ledger["surplus"] + lost == ledger["read"], name
        assert ledger["examples"] == rows[name], name


def test_five_empty_reviews_and_twenty_two_answered_petitions_are_dropped(kit19: Build) -> None:
    empty = {row["id"] for row in kit19.dropped if row["reason"] == "empty"}
    numbers = (2172111, 6369843, 1034280, 5942978, 1034283)
    assert {i for i in empty if i.startswith("nsmc/")} == {f"nsmc/train/{n}" for n in numbers}
    petitions = upstream(kit19.data, "petitions")
    answered = {name for name, row in petitions.items() if row["status"] == "브리핑"}
    assert {i for i in empty if i.startswith("petitions/")} == answered
    assert len(answered) == 22
    unlabeled = {i for i, row in upstream(kit19.data, "unsmile").items() if not row["label"]}
    assert {i for i in empty if i.startswith("unsmile/")} == unlabeled
    assert len(unlabeled) == 2


def test_a_subset_with_more_than_the_cap_gives_exactly_the_cap(kit19: Build) -> None:
    rows = kit19.counted()
    assert {name for name in rows if rows[name] == 5_000} == CAPPED
    for name in set(rows) - CAPPED:
        ledger = kit19.manifest["subsets"][name]["ledger"]
        assert rows[name] == ledger["read"] - sum(ledger["dropped"].values()) < 5_000
        assert ledger["surplus"] == 0


def test_heads_of_train_files_are_left_out_and_named(kit19: Build) -> None:
    missing = kit19.manifest["not_built"]
    assert set(missing) == ABSENT | {"kornli", "pawsx", "math"}
    named = {(file["name"], file["status"]) for name in missing for file in missing[name]}
    assert {
        ("kornlu/KorNLI/multinli.train.ko.tsv", "differs"),
        ("kornlu/KorNLI/snli_1.0_train.ko.tsv", "differs"),
        ("pawsx/x-final/ko/translated_train.tsv", "differs"),
        ("dmath/dataset/train.json", "missing"),
    } <= named
    incomplete = kit19.manifest["subsets"]["petitions"]
    assert incomplete["files"] == [5, 25]
    assert len(incomplete["incomplete"]) == 20


def test_no_record_of_a_benchmark_split_is_among_the_rows(kit19: Build) -> None:
    splits = {(row["id"].split("/")[1], row["upstream_split"]) for row in kit19.rows}
    assert splits == {("train", "train")}


def test_no_rows_text_is_a_benchmark_items(kit19: Build) -> None:
    items = benchmark_texts(kit19.data)
    leaked = [
        row["id"]
        for row, record in kit19.pairs()
        if any(squeezed(text) in items for field, text in record.items() if field != "word")
    ]
    assert leaked == []
    # Without removal there is much to find: ParaKQC alone holds 264 sentences of KLUE STS.
    rows = unquoted(kit19.data / "parakqc/data/paraKQC_v1.txt", "topic act sentence")
    assert len({squeezed(row["sentence"]) for row in rows} & items) == 264


def test_conflicting_records_carry_another_label_than_their_evidence(kit19: Build) -> None:
    conflicts = [row for row in kit19.dropped if row["reason"] == "conflict"]
    assert {row["id"].split("/")[0] for row in conflicts} >= {"nsmc", "sae4k", "korsts"}
    for row in conflicts:
        records = upstream(kit19.data, row["id"].split("/")[0])
        assert records[row["id"]]["label"] != records[row["evidence"]]["label"]


def test_a_duplicate_is_the_same_record_as_the_one_that_stays(kit19: Build) -> None:
    gone = {row["id"]: row["reason"] for row in kit19.dropped}
    labels = {"label", "status", "title", "category", "argument", "points", "score", "micro"}
    labels |= {"grade", "target", "state", "asks", "heading"}
    labels |= {"topic", "topic2", "act", "act2", "style1", "style2"}
    for row in kit19.dropped:
        if row["reason"] != "duplicate":
            continue
        records = upstream(kit19.data, row["id"].split("/")[0])
        one, other = records[row["id"]], records[row["evidence"]]
        texts = {name for name in one if name not in labels}
        assert {squeezed(one[name]) for name in texts} == {squeezed(other[name]) for name in texts}
        # Only the prefix is examined, so the one that stays may yet go for what is found there.
        assert gone.get(row["evidence"], "contaminated") in ("contaminated", "near_duplicate")


def test_paper_gives_five_thousand_rows_of_every_subset_at_hand(paper: Build) -> None:
    assert paper.counted() == dict.fromkeys(READERS.keys() - {"kmwp"}, 5_000)
    assert set(paper.manifest["not_built"]) == ABSENT
    assert paper.manifest["contaminated"] is True


def test_paper_takes_benchmark_splits_in(paper: Build) -> None:
    splits = defaultdict(set)
    for row in paper.rows:
        splits[row["subset"]].add(row["upstream_split"])
    assert splits["kobest_copa"] == splits["kobest_wic"] == {"train", "dev", "test"}
    assert splits["kornli"] == splits["pawsx"] == {"dev", "test"}
    # All of COPA's items together are fewer than 5,000, so every test item must be there.
    copa = {row["id"] for row in paper.rows if row["subset"] == "kobest_copa"}
    assert {f"kobest_copa/test/{number}" for number in range(1, 1_001)} <= copa


def test_pawsx_rows_without_a_sentence_never_pass(paper: Build) -> None:
    # The records are read again here with their original text: NS is not a sentence.
    marked = {
        f"pawsx/{split}/{row['id']}"
        for split, stem in (("dev", "dev_2k"), ("test", "test_2k"))
        for row in unquoted(paper.data / f"pawsx/x-final/ko/{stem}.tsv")
        if "NS" in (row["sentence1"], row["sentence2"])
    }
    assert len(marked) == 35 + 28
    assert {row["id"] for row in paper.rows} & marked == set()
    dropped = [row for row in paper.dropped if row["id"].startswith("pawsx/")]
    # No template asks about two equal sentences.
    assert {row["id"] for row in dropped if row["reason"] != "no_template"} == marked


def benchmark_texts(data: Path) -> set[str]:
    """Return the text of evaluation items, which must not be trained on."""
    kobest, klue = data / "kobest/v1.0", data / "klue/klue_benchmark"
    texts: list[str] = []
    for split in ("dev", "test"):
        for row in unquoted(kobest / f"COPA/{split}.tsv"):
            texts += [row["sentence"], row["1"], row["2"]]
        texts += [row["Text"] for row in unquoted(kobest / f"BoolQ/{split}.tsv")]
        texts += [row["Text"] for row in unquoted(kobest / f"SentiNeg/{split}.tsv")]
        texts += [row["context"] for row in quoted(kobest / f"HellaSwag/{split}.tsv", "\t")]
        for row in unquoted(kobest / f"WiC/{split}.tsv"):
            marked = row["SENTENCE1"], row["SENTENCE2"]
            texts += [text.replace("[", "").replace("]", "") for text in marked]
    for row in json.loads((klue / "klue-sts-v1.1/klue-sts-v1.1_dev.json").read_bytes()):
        texts += [row["sentence1"], row["sentence2"]]
    for row in json.loads((klue / "ynat-v1.1/ynat-v1.1_dev.json").read_bytes()):
        texts.append(row["title"])
    return {squeezed(text) for text in texts}


def squeezed(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())
