"""Tests of licenses by SPDX id, in any case, and by the Hub's name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kit19 import Kit19Error, build
from kit19.catalog.extra import named_license
from kit19.catalog.license_ids import HUB_IDS, hub_license
from kit19.publishing.terms import check_card
from tests.support.invoking import invoke
from tests.support.samples import dropped_of, rows_of

ROWS = [{"instruction": "가나다를 거꾸로", "output": "다나가"}]


def recipe(place: Path, license_: str, rows: list[dict[str, Any]] | None = None) -> str:
    lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows or ROWS]
    (place / "my.jsonl").write_text("".join(lines), encoding="utf-8")
    extra = {"name": "mydata", "path": "my.jsonl", "license": license_}
    told = {"id": "mine", "title": "M", "data": "sample", "decontaminate": False, "extra": [extra]}
    (place / "mine.yaml").write_text(yaml.safe_dump(told), encoding="utf-8")
    return str(place / "mine.yaml")


def front_matter(folder: Path) -> dict[str, Any]:
    text = (folder / "README.md").read_text("utf-8")
    found = yaml.safe_load(text.split("---\n")[1])
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize(
    "name", ["cc-by-4.0", "CC-by-4.0", "mit", "MIT", "odc-by-1.0", "apache-2.0"]
)
def test_an_id_means_the_same_in_any_case(tmp_path: Path, name: str) -> None:
    manifest = build(recipe(tmp_path, name), tmp_path / "out", changes={"license": "commercial"})
    (entry,) = manifest.subsets.values()
    assert entry.license == named_license(name.upper()).spdx == named_license(name.lower()).spdx
    assert entry.license.lower() == name.lower()


def test_a_row_may_write_its_license_in_another_case(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"instruction": "하늘의 색은", "output": "파랑", "license": "cc-by-4.0"},
        {"instruction": "바다의 색은", "output": "파랑", "license": "CC-BY-4.0"},
        {"instruction": "풀의 색은", "output": "초록", "license": "CC-BY-SA-4.0"},
        {"instruction": "불의 색은", "output": "빨강", "license": 4},
    ]
    build(recipe(tmp_path, "CC-by-4.0", rows), tmp_path / "out")
    assert sorted(rows_of(tmp_path / "out")["instruction"]) == ["바다의 색은", "하늘의 색은"]
    assert set(rows_of(tmp_path / "out")["license"]) == {"CC-BY-4.0"}
    assert dropped_of(tmp_path / "out")["reason"].to_list() == ["malformed", "malformed"]


@pytest.mark.parametrize(
    ("spdx", "on_hub", "name"),
    [
        ("ODC-By-1.0", "odc-by", None),
        ("odc-by-1.0", "odc-by", None),
        ("PDDL-1.0", "pddl", None),
        ("ODbL-1.0", "odbl", None),
        ("GPL-3.0-only", "gpl-3.0", None),
        ("LGPL-2.1-or-later", "lgpl-2.1", None),
        ("CC-BY-SA-4.0", "cc-by-sa-4.0", None),
        ("CC0-1.0", "cc0-1.0", None),
        ("CC-BY-SA-2.0", "other", "cc-by-sa-2.0"),
        ("KOGL-1", "other", "kogl-1"),
        ("LicenseRef-mine", "other", "licenseref-mine"),
        ("공공누리 1유형", "other", "per-row-see-notice"),
    ],
)
def test_the_card_says_the_license_as_the_hub_does(
    tmp_path: Path, spdx: str, on_hub: str, name: str | None
) -> None:
    build(recipe(tmp_path, spdx), tmp_path / "out")
    head = front_matter(tmp_path / "out")
    assert (head["license"], head.get("license_name")) == ([on_hub], name)


@given(
    st.lists(
        st.sampled_from([*sorted(HUB_IDS), "KOGL-1", "GFDL-1.3-only", "x y"]),
        unique=True,
        min_size=1,
    )
)
def test_a_card_never_names_an_id_that_the_hub_refuses(spdx: list[str]) -> None:
    found = hub_license(spdx)
    assert set(found["license"]) <= HUB_IDS
    assert ("license_name" in found) == ("other" in found["license"])


def test_a_card_of_another_version_with_other_ids_is_refused_before_anything_is_sent(
    tmp_path: Path,
) -> None:
    card = tmp_path / "README.md"
    for good in ("license: mit", "license: [odc-by, other]", "pretty_name: none"):
        card.write_text(f"---\n{good}\n---\n# A\n", encoding="utf-8")
        check_card(card)
    card.write_text("---\nlicense: [mit, odc-by-1.0]\n---\n# A\n", encoding="utf-8")
    with pytest.raises(Kit19Error, match=r"does not know: odc-by-1\.0"):
        check_card(card)


def test_an_empty_build_explains_each_subset(tmp_path: Path) -> None:
    with pytest.raises(Kit19Error) as caught:
        build(recipe(tmp_path, "KOGL-9"), tmp_path / "out", changes={"license": "commercial"})
    told = [(problem.where, problem.what) for problem in caught.value.problems]
    where, what = told[1]
    assert where == "mydata"
    assert "license policy: it is unclear whether commercial use is allowed" in what
    done = invoke(
        "build",
        recipe(tmp_path, "CC-BY-NC-4.0"),
        "--license",
        "commercial",
        "--out",
        tmp_path / "o",
    )
    assert done.code == 1
    assert (
        "mydata: is excluded by the license policy: CC-BY-NC-4.0 does not allow commercial use"
        in done.err
    )
