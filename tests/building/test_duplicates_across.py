"""Tests of the same text in two subsets: always reported, dropped from the later one on request."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kit19 import Manifest, build, explain, load_catalog, stats
from tests.support.invoking import invoke
from tests.support.samples import dropped_of, rows_of
from tests.support.shop import GOOD

HEAD = "id\tcafe\treview\tscore\n"
# Equal in bare form where they are equal but for case, blanks and signs.
TEXTS = [
    "커피가 맛있어요",
    "커피가  맛있어요!",
    "자리가 좁아요",
    "빵이 Good",
    "빵이 GOOD",
    "!!!",
    "…?",
]
Review = tuple[str, str]
reviews = st.lists(
    st.tuples(st.sampled_from(TEXTS), st.sampled_from("01")), min_size=1, max_size=12
)


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalog of two similar sources, a café and a bar, in the order of its recipe."""
    root = tmp_path_factory.mktemp("street") / "catalog"
    shutil.copytree(GOOD, root)
    card = root / "sources" / "cafe.yaml"
    text = card.read_text(encoding="utf-8").replace(", rows: 3", "")
    card.write_text(text, encoding="utf-8")
    bar = text.replace("id: cafe", "id: bar").replace("cafe_reviews", "bar_reviews")
    (root / "sources" / "bar.yaml").write_text(bar, encoding="utf-8")
    templates = (root / "templates" / "cafe_reviews.yaml").read_text(encoding="utf-8")
    (root / "templates" / "bar_reviews.yaml").write_text(
        templates.replace("subset: cafe_reviews", "subset: bar_reviews"), encoding="utf-8"
    )
    recipe = "id: street\ntitle: A street\nsubsets: [cafe_reviews, bar_reviews]\n"
    (root / "recipes" / "street.yaml").write_text(recipe, encoding="utf-8")
    return root


def street_data(root: Path, cafe: list[Review], bar: list[Review]) -> Path:
    for name, rows in (("cafe", cafe), ("bar", bar)):
        folder = root / name
        folder.mkdir(parents=True)
        shutil.copy(GOOD / "data" / "cafe" / "test.tsv", folder / "test.tsv")
        lines = [f"{n}\t가게 {n}\t{text}\t{score}\n" for n, (text, score) in enumerate(rows)]
        (folder / "train.tsv").write_text(HEAD + "".join(lines), encoding="utf-8")
    return root


def bare(text: str) -> str:
    return "".join(sign for sign in text.lower() if sign.isalnum())


Where = list[str | Path]


def built(
    street: Path, root: Path, cafe: list[Review], bar: list[Review], **changes: object
) -> Manifest:
    data = street_data(root / "data", cafe, bar)
    return build(
        "street",
        root / "out",
        data_dir=data,
        catalog=load_catalog(street, only=True),
        changes=changes,
    )


CAFE = [("커피가 맛있어요", "1"), ("자리가 좁아요", "0")]
BAR = [("커피가  맛있어요!", "0"), ("자리가 좁아요", "0"), ("빵이 Good", "1")]


def test_a_shared_text_is_reported_and_kept(street: Path, tmp_path: Path) -> None:
    manifest = built(street, tmp_path, CAFE, BAR)
    (pair,) = manifest.shared
    assert (pair.subset, pair.earlier) == ("bar_reviews", "cafe_reviews")
    # Of the two, one is called good there and bad here.
    assert (pair.records, pair.other_label) == (2, 1)
    assert ("bar_reviews/train/0", "cafe_reviews/train/0") in map(tuple, pair.examples)
    assert manifest.entangled_by == []
    assert rows_of(tmp_path / "out").height == 5
    assert {one.subset: one.shared for one in stats(tmp_path / "out")} == {
        "cafe_reviews": 2,
        "bar_reviews": 2,
    }
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert "| `bar_reviews`, `cafe_reviews` | 2 | 1 | `bar_reviews/train/0`" in card


def test_on_request_the_later_subset_gives_it_up(street: Path, tmp_path: Path) -> None:
    manifest = built(street, tmp_path, CAFE, BAR, dedup="across")
    out = tmp_path / "out"
    assert set(rows_of(out)["id"]) == {
        "cafe_reviews/train/0",
        "cafe_reviews/train/1",
        "bar_reviews/train/2",
    }
    assert set(dropped_of(out).rows()) == {
        (f"bar_reviews/train/{n}", "duplicate_across", f"cafe_reviews/train/{n}") for n in (0, 1)
    }
    assert manifest.subsets["bar_reviews"].ledger.dropped == {"duplicate_across": 2}
    assert (manifest.shared, manifest.entangled_by) == ([], ["dedup"])
    found = explain(out, "bar_reviews/train/0", catalog=load_catalog(street, only=True))
    assert (found.status, found.evidence) == ("dropped", "cafe_reviews/train/0")
    card = (out / "README.md").read_text(encoding="utf-8")
    assert "> **Excluding a subset may change rows of the others: dedup.**" in card


def test_the_command_line_tells_of_both(street: Path, tmp_path: Path) -> None:
    data = street_data(tmp_path / "data", CAFE, BAR)
    where: Where = ["--catalog-only", street, "--data-dir", data, "--out", tmp_path / "out"]
    told = invoke("build", "street", *where)
    assert "text is in two subsets: bar_reviews/cafe_reviews 2" in told.out
    gone = invoke("build", "street", *where, "--set", "dedup=across")
    assert "excluding a subset may change rows of the others" in gone.out
    assert "text is in two subsets" not in gone.out


def test_the_order_of_the_recipe_decides_which_one_stays(street: Path, tmp_path: Path) -> None:
    subsets = ["bar_reviews", "cafe_reviews"]
    built(street, tmp_path, CAFE, BAR, dedup="across", subsets=subsets)
    assert set(dropped_of(tmp_path / "out")["id"]) == {f"cafe_reviews/train/{n}" for n in (0, 1)}


@settings(max_examples=30)  # each example is two builds
@given(cafe=reviews, bar=reviews, cap=st.integers(1, 8))
@example(cafe=[("!!!", "0")], bar=[("!!!", "0"), ("…?", "0")], cap=8)
def test_no_text_is_kept_twice_and_the_cap_is_filled(
    street: Path, cafe: list[Review], bar: list[Review], cap: int
) -> None:
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        manifest = built(street, root, cafe, bar, dedup="across", cap=cap, decontaminate=False)
        rows, gone = rows_of(root / "out"), dropped_of(root / "out")
        apart: dict[str, dict[str, set[str]]] = {
            name: {bare(text): set() for text in rows.filter(subset=name)["input"]}
            for name in ("cafe_reviews", "bar_reviews")
        }
        assert not (apart["cafe_reviews"].keys() & apart["bar_reviews"].keys()) - {""}
        said = {
            f"{s}/train/{n}": bare(t)
            for s, some in (("cafe_reviews", cafe), ("bar_reviews", bar))
            for n, (t, _) in enumerate(some)
        }
        for name, _, evidence in gone.filter(reason="duplicate_across").iter_rows():
            assert name.startswith("bar_reviews/")
            assert said[name] == said[evidence] != ""
            assert evidence in set(rows["id"])
        # Each record names a shop of its own, so within a subset nothing repeats.
        taken = apart["cafe_reviews"].keys() - {""}
        free = [text for text, _ in bar if bare(text) not in taken]
        assert manifest.subsets["bar_reviews"].ledger.train == min(cap, len(free))
        for entry in manifest.subsets.values():
            lost = sum(entry.ledger.dropped.values())
            assert entry.ledger.read == entry.ledger.kept + entry.ledger.surplus + lost
        assert rows.height == manifest.rows == pl.Series(rows["id"]).n_unique()
