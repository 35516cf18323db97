"""Tests that records with template syntax, markup or control codes stay unchanged in a build."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path

import pytest
import yaml

from kit19 import build, explain, load_catalog, verify
from tests.support.samples import rows_of

GOOD = Path(__file__).parents[1] / "catalog" / "bad_cards" / "good"
HOSTILE = {
    "braces": "{label} {label.ko} {은/는} {{text}} }{ {",
    "html": "<b>굵게</b> &lt;tag&gt; <script>alert(1)</script> <!-- 주석 -->",
    "markdown": "--- # 제목 | 표 | `코드` ```` **굵게** [링크](x)",
    "control": "벨\x07 널\x00 이스케이프\x1b[31m 지움\x7f 구분\x1f\x1e\x1d\x1c 줄\x85\u2028\u2029끝",
    "quotes": '"겹" \'홑\' “둥근” \\" \\n \\u0041',
    "decomposed": "\u1112\u1161\u11ab\u1100\u1173\u11af 풀어쓴 글",
    "invisible": "폭\u200b없는\u200d칸\ufeff과 \u202e거꾸로\u202c",
    "yaml": "id: x # 주석, - 목록 & *참조 !태그 %지시 @골뱅이",
    "format": "%s %(text)s $text ${text} \\1 {0}",
    "emoji": "👩‍👩‍👧‍👦🇰🇷 \U0010ffff",
}


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    catalog = folder / "catalog"
    shutil.copytree(GOOD, catalog)
    card = catalog / "sources" / "cafe.yaml"
    text = card.read_text(encoding="utf-8").replace("rows: 3", f"rows: {len(HOSTILE)}")
    card.write_text(text, encoding="utf-8")
    lines = [f"{name}\t{value}\t{value}\t1" for name, value in HOSTILE.items()]
    table = "\n".join(["id\tcafe\treview\tscore", *lines]) + "\n"
    (catalog / "data" / "cafe" / "train.tsv").write_text(table, encoding="utf-8", newline="")
    changes = {"formats": ["alpaca", "messages"], "views": 2}
    data = catalog / "data"
    build(
        "cafe",
        folder / "out",
        data_dir=data,
        catalog=load_catalog(catalog, only=True),
        changes=changes,
    )
    return folder / "out"


def test_the_text_is_in_the_row_unchanged(out: Path) -> None:
    rows = rows_of(out)
    by_template = Counter(rows["template"])
    assert max(by_template.values()) == len(HOSTILE)
    # One text ends in a sound that nobody knows, so it is not put before a particle.
    assert by_template["which_side"] == len(HOSTILE) - 1
    for row in rows.iter_rows(named=True):
        text = HOSTILE[row["id"].split("/")[2]]
        assert row["input"] == text
        if row["template"] == "which_side":
            assert row["instruction"].startswith(f"카페 {text}")
            assert row["output"] == "만족이에요."


def test_exports_hold_it_too(out: Path) -> None:
    rows = rows_of(out, "train").to_dicts()
    # Split only at line feeds: JSON strings may contain U+2028 and similar characters.
    text = (out / "exports" / "alpaca-train.jsonl").read_bytes().decode("utf-8")
    lines = text.removesuffix("\n").split("\n")
    assert [json.loads(line)["input"] for line in lines] == [row["input"] for row in rows]


def test_the_card_is_still_a_card_and_the_build_is_complete(out: Path) -> None:
    card = (out / "README.md").read_text(encoding="utf-8")
    assert yaml.safe_load(card.split("---\n")[1])["language"] == ["ko"]
    # The example is in a fence that its text cannot end.
    assert card.count("\n````") == 2
    verify(out)


def test_it_can_be_explained(out: Path) -> None:
    for name, text in HOSTILE.items():
        found = explain(out, f"cafe_reviews/train/{name}", catalog=load_catalog(GOOD, only=True))
        assert {row["input"] for row in found.rows} == {text}
