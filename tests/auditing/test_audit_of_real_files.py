"""Tests of the audit on upstream files, against known facts (SOURCES.md, section 5)."""

from __future__ import annotations

import csv
import json
import random
import re
import unicodedata
from functools import cache
from pathlib import Path

import polars as pl
import pytest

from kit19.auditing import Audit, audit
from kit19.auditing.items import BenchmarkItems, find_benchmark_items
from kit19.catalog import BUILT_IN, load_catalog
from kit19.curating import ItemIndex, bare, find_items
from kit19.curating.contamination import MIN_NEAR, build_index
from tests.support.perturb import LIGHT, MEDIUM

pytestmark = pytest.mark.real
KOBEST = Path("kobest", "v1.0")
SEVEN = ("kobest", "klue_sts", "klue_ynat")  # those that the figures of the documents are about


def rows_of(path: Path) -> list[dict[str, str]]:
    """Read a tab-separated file with a header, without kit19."""
    lines = [line.rstrip("\r") for line in path.read_bytes().decode("utf-8-sig").split("\n")]
    names = lines[0].split("\t")
    return [dict(zip(names, line.split("\t"), strict=False)) for line in lines[1:] if line]


def exact(text: str) -> str:
    """Normalize as SOURCES.md does: NFC, with runs of blanks merged."""
    return re.sub(r"\s+", " ", unicodedata.normalize("NFC", text)).strip()


def equal_items(result: Audit, split: str) -> set[str]:
    """Return the ids of a split with any text found by the rule ``equal``."""
    found = (hit.item.partition("/") for hit in result.hits if hit.rule == "equal")
    return {key for name, _, key in found if name == split}


def sharing(folder: Path, columns: list[str], drop: str = "") -> set[str]:
    """Return the ids of test rows that share a text with a train row."""
    remove = str.maketrans("", "", drop)
    train, test = (rows_of(folder / f"{split}.tsv") for split in ("train", "test"))
    seen = {exact(row[name].translate(remove)) for row in train for name in columns}
    return {
        row["ID"]
        for row in test
        if any(exact(row[name].translate(remove)) in seen for name in columns)
    }


def test_parakqc_gives_all_132_rows_of_klue_sts(real_data: Path) -> None:
    path = real_data / "parakqc" / "data" / "paraKQC_v1.txt"
    lines = path.read_bytes().decode().replace("\r", "").split("\n")
    rows: dict[str, set[int]] = {}
    for number, line in enumerate(lines):
        rows.setdefault(exact(line.split("\t")[2]), set()).add(number)
    (dev,) = (real_data / "klue").rglob("klue-sts-v1.1_dev.json")
    pairs = {
        item["guid"]: (exact(item["sentence1"]), exact(item["sentence2"]))
        for item in json.loads(dev.read_bytes().decode("utf-8-sig"))
    }
    expected = {guid for guid, sides in pairs.items() if all(side in rows for side in sides)}
    assert len(expected) == 132

    result = audit(path, ["klue_sts"], data_dir=real_data)
    assert result.rows_read == len(lines) == 10_000
    sts = result.benchmarks["klue_sts"]
    assert set(sts.ids) == {f"dev/{guid}" for guid in expected}
    assert (sts.items, sts.compromised, sts.by_rule["dev"]["equal"]) == (519, 132, 132)
    leaking = {row for guid in expected for side in pairs[guid] for row in rows[side]}
    assert {hit.row for hit in result.hits if hit.rule == "equal"} == leaking


def test_copa_shares_what_is_known_and_five_items_more(real_data: Path) -> None:
    folder = real_data / KOBEST / "COPA"
    known = sharing(folder, ["sentence", "1", "2"])
    assert len(known) == 178
    found = equal_items(audit(folder / "train.tsv", ["kobest_copa"], data_dir=real_data), "test")
    # Five more differ from a train sentence by what the bare form leaves out:
    # 115 premise, a full stop (필통을 잃어버렸다. = train 1268); 466 alternative 1, a blank
    # (전등불이 = 전등 불이, train 859); 526 premise, a blank (라식수술을 = 라식 수술을, 2543);
    # 647 premise, a blank (과자 봉지를 = 과자봉지를, 2940); 982 alternative 1, an invisible U+200E
    # inside of 많이 (train 433 and 1562).
    assert found == known | {"115", "466", "526", "647", "982"}


def test_wic_shares_what_is_known_and_one_item_more(real_data: Path) -> None:
    folder = real_data / KOBEST / "WiC"
    known = sharing(folder, ["SENTENCE1", "SENTENCE2"], drop="[]")
    assert len(known) == 23
    found = equal_items(audit(folder / "train.tsv", ["kobest_wic"], data_dir=real_data), "test")
    # 794 sentence 2 is train 1884 without its full stop (…만전을 기해야 할 것이다).
    assert found == known | {"794"}


def test_boolq_shares_what_is_known(real_data: Path) -> None:
    folder = real_data / KOBEST / "BoolQ"
    result = audit(folder / "train.tsv", ["kobest_boolq"], data_dir=real_data)
    assert equal_items(result, "test") == sharing(folder, ["Text"]) == {"499", "534", "625", "672"}


def test_sentineg_origins_are_its_train_rows(real_data: Path) -> None:
    folder = real_data / KOBEST / "SentiNeg"
    result = audit(folder / "train.tsv", ["kobest_sentineg"], data_dir=real_data)
    train = {exact(row["Text"]) for row in rows_of(folder / "train.tsv")}
    test = rows_of(folder / "test.tsv")
    known = {row["ID"] for row in test if exact(row["Text_origin"]) in train}
    assert len(known) == 396
    assert equal_items(result, "test") == known
    # Of all 397 only 2271 is missing: its origin 안착한거 같아요 has no train row of that wording.
    assert {row["ID"] for row in test} - known == {"2271"}
    # No test sentence itself is there verbatim, but two are but for a blank or marks:
    # 3588 엄청 약합니다 = 엄청 약합니다!!!, 1805 기대이하네요 = 기대 이하네요.
    texts = {hit.item for hit in result.hits if hit.field == "text" and hit.rule == "equal"}
    assert {item for item in texts if item.startswith("test/")} == {"test/3588", "test/1805"}


def test_nsmc_shares_three_short_rows_of_sentineg(real_data: Path) -> None:
    result = audit(
        real_data / "nsmc" / "ratings_train.txt", ["kobest_sentineg"], data_dir=real_data
    )
    assert result.rows_read == 150_000
    # 1740 재미 없습니다, 654 좋아요, 350 너무좋아요 (its origin): the three that are known.
    assert equal_items(result, "test") == {"1740", "654", "350"}
    near = {hit.row for hit in result.hits if hit.rule != "equal"}
    assert len(near) <= 5  # of 150,000
    # 584 reviews contain 좋아요; only those without any other letters are found.
    documents = [row["document"] for row in rows_of(real_data / "nsmc" / "ratings_train.txt")]
    plain = {n for n, text in enumerate(documents) if re.sub(r"[\W_]", "", text) == "좋아요"}
    assert len(plain) > 40
    assert {hit.row for hit in result.hits if hit.item == "test/654"} == plain


def test_unrelated_reviews_are_hardly_ever_hit(real_data: Path) -> None:
    documents = rows_of(real_data / "nsmc" / "ratings_train.txt")
    reviews = [row["document"] for row in random.Random(19).sample(documents, 10_000)]
    found = find_items(pl.Series(reviews), index(real_data))
    # Equality with a short item is correct; near or contained would be a mistake.
    false = found.filter(pl.col("rule") != "equal")
    assert false["place"].n_unique() <= 10


@cache
def exams(real_data: Path) -> dict[str, BenchmarkItems]:
    return find_benchmark_items(load_catalog(BUILT_IN), SEVEN, real_data).benchmarks


@cache
def index(real_data: Path) -> ItemIndex:
    return build_index({name: (exam.card, exam.rows) for name, exam in exams(real_data).items()})


def sample(real_data: Path, size: int) -> list[tuple[str, str, str]]:
    """Sample some long texts of every benchmark, as item, field, text."""
    chosen: list[tuple[str, str, str]] = []
    for name, exam in exams(real_data).items():
        texts = [
            (f"{name}/{row['split']}/{row['#id']}", field, row[field])
            for row in exam.rows.iter_rows(named=True)
            for field in exam.card.texts
        ]
        lengths = bare(pl.Series([text or "" for _, _, text in texts])).str.len_chars()
        long = [one for one, length in zip(texts, lengths, strict=True) if length >= MIN_NEAR]
        chosen += random.Random(name).sample(long, size)
    return chosen


def recall(real_data: Path, strength: str, name: str) -> float:
    change = {"light": LIGHT, "medium": MEDIUM}[strength][name]
    chance = random.Random(f"{strength} {name}")
    items = sample(real_data, 60)
    found = find_items(pl.Series([change(text, chance) for _, _, text in items]), index(real_data))
    met = set(found.select("place", "item", "field").iter_rows())
    return sum((n, item, field) in met for n, (item, field, _) in enumerate(items)) / len(items)


@pytest.mark.parametrize("name", LIGHT)
def test_lightly_changed_items_are_found(name: str, real_data: Path) -> None:
    assert recall(real_data, "light", name) >= 0.98


@pytest.mark.parametrize("name", MEDIUM)
def test_items_changed_more_are_found(name: str, real_data: Path) -> None:
    assert recall(real_data, "medium", name) >= 0.90


@pytest.mark.parametrize("name", [*LIGHT, *MEDIUM])
def test_a_perturbation_changes_what_it_should(name: str) -> None:
    # Otherwise a recall of 1 would mean nothing.
    text = "도서관 열람실은 시험 기간에만 자정까지 문을 열어 둡니다."
    assert ({**LIGHT, **MEDIUM}[name])(text, random.Random(1)) != text


def test_csv_and_tsv_of_upstream_have_the_rows_that_are_known(real_data: Path) -> None:
    expected = {
        "apeach/APEACH/test.csv": 3_770,
        "unsmile/unsmile_train_v1.0.tsv": 15_005,
        "hatescore/HateScore.csv": 11_108,
        "kobest/v1.0/HellaSwag/train.tsv": 2_029,
        "kornlu/KorSTS/sts-train.tsv": 5_749,
        "question_pair/kor_pair_train.csv": 6_888,
        "kmwp/data/train.csv": 2_820,
        "sae4k/data/sae4k_v1.txt": 30_837,
        "dmath/dataset/test.json": 2_079,
        "petitions/petitions_2017-08": 662,
    }
    counted = {}
    limit = csv.field_size_limit()
    for name in expected:
        path = next(p for p in real_data.rglob(Path(name).name) if str(p).endswith(name))
        counted[name] = audit(path, ["kobest_copa"], data_dir=real_data).rows_read
    assert counted == expected
    assert csv.field_size_limit() == limit
