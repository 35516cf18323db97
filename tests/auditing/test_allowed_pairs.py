"""Pairs of an allow-list are no findings: they are counted, and named."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import kit19
from kit19.auditing.allow_edits import edit_allow_list
from kit19.auditing.allowed import allow_list, parse_allowed, read_allowed
from kit19.auditing.result import AllowedPair
from kit19.drawing.safe_text import printable
from tests.support.exams import INNOCENT, SENTENCES, small_catalog, write_jsonl
from tests.support.invoking import invoke


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with cards, their data, and a dataset with leaks."""
    small_catalog(tmp_path / "cards")
    rows: list[object] = [INNOCENT[0], {"text": SENTENCES[5]}, SENTENCES[2], {"text": SENTENCES[5]}]
    write_jsonl(tmp_path / "leaks.jsonl", rows)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KIT19_DATA_DIR", "cards/data")
    return tmp_path


def write(pairs: Iterable[AllowedPair], path: Path) -> None:
    path.write_text(allow_list(pairs), "utf-8")


def found(**options: object) -> kit19.Audit:
    return kit19.audit("leaks.jsonl", catalog="cards", **options)  # type: ignore[arg-type]


def pair_of(hit: object, why: str = "") -> AllowedPair:
    values = {name: getattr(hit, name) for name in ("benchmark", "item", "field", "text")}
    return AllowedPair(**values, why=why)


def test_an_allowed_pair_is_no_finding_in_any_row(place: Path) -> None:
    before = found()
    first = next(hit for hit in before.hits if hit.row == 1)
    same = [hit for hit in before.hits if pair_of(hit) == pair_of(first)]
    assert {hit.row for hit in same} == {1, 3}
    write([pair_of(first, "a proverb")], Path("list.yaml"))
    after = found(allow="list.yaml")
    assert after.hits == [hit for hit in before.hits if hit not in same]
    [allowed] = after.allowed
    assert (allowed.rows, allowed.why, allowed.item) == (2, "a proverb", first.item)
    assert before.allowed == []
    for name, one in after.benchmarks.items():
        assert one.touched == len({hit.item for hit in after.hits if hit.benchmark == name})


def test_an_allowed_pair_hides_no_other_text_of_its_column(place: Path) -> None:
    changed = SENTENCES[5].replace(" ", " 정말 ", 1)
    write_jsonl(Path("leaks.jsonl"), [{"text": [SENTENCES[5], INNOCENT[0], changed]}])
    (best,) = found().hits
    assert best.rule == "equal"
    write([pair_of(best)], Path("list.yaml"))
    left = found(allow="list.yaml")
    assert {(hit.row, hit.column, hit.item) for hit in left.hits} == {(0, "text", best.item)}
    assert best.text not in {hit.text for hit in left.hits}


def test_all_ways_to_audit_allow_the_same(place: Path) -> None:
    before = found()
    write([pair_of(hit) for hit in before.hits], Path("list.yaml"))
    line = ["audit", "leaks.jsonl", "--catalog", "cards", "--allow", "list.yaml", "--fail-on-hit"]
    assert invoke(*line[:-3], "--fail-on-hit").code == 3
    ran = invoke(*line, "--out", "audit", "--clean", "clean")
    assert ran.code == 0, ran.err
    assert "allowed, not counted" in ran.out
    assert "nothing found in 4 rows" in ran.out
    assert Path("clean/leaks.jsonl").read_bytes() == Path("leaks.jsonl").read_bytes()
    assert "Allowed" in Path("audit/report.html").read_text("utf-8")
    merged = kit19.merge_audit("audit").audit
    assert merged
    assert merged.hits == before.hits
    again = kit19.merge_audit("audit", allow=["list.yaml"]).audit
    assert again
    assert (again.hits, len(again.allowed)) == ([], len({pair_of(h) for h in before.hits}))


def test_any_text_survives_the_file(tmp_path: Path) -> None:
    texts = ["no", "1", "가: 나 # 다", "a\nb\n", "'\"", "- x", "😀", " 앞뒤 ", "\ufffd"]
    pairs = [AllowedPair(benchmark="b", item="i/1", field="f", text=text, why="") for text in texts]
    write(pairs, tmp_path / "list.yaml")
    assert read_allowed(tmp_path / "list.yaml") == pairs
    assert read_allowed([tmp_path / "list.yaml"] * 2) == pairs * 2
    assert allow_list([]).endswith("allow: []\n")


def test_a_text_that_no_file_may_have_is_allowed_all_the_same(place: Path) -> None:
    write_jsonl(Path("leaks.jsonl"), [{"text": f"{SENTENCES[5]}\x00\u202e"}])
    before = found()
    assert "\x00" in before.hits[0].text
    write(map(pair_of, before.hits), Path("list.yaml"))
    after = found(allow="list.yaml")
    assert (after.hits, len(after.allowed)) == ([], 1)


def test_a_pair_that_is_not_found_is_named(place: Path) -> None:
    hit = found().hits[0]
    gone = AllowedPair(benchmark=hit.benchmark, item=hit.item, field=hit.field, text="옛 글")
    other = AllowedPair(benchmark="klue_sts", item="dev/1", field="sentence1", text="옛 글")
    write([pair_of(hit), gone, other], Path("list.yaml"))
    notes = [one.what for one in found(allow="list.yaml").notes if one.where == "allow-list"]
    assert notes == [f"1 of 2 allowed pairs were not found: {hit.benchmark} {hit.item}: '옛 글'"]


def test_a_list_of_many_pairs_can_be_read_again(tmp_path: Path) -> None:
    text = "가" * 2_300
    pairs = [
        AllowedPair(benchmark="b", item=f"i/{number}", field="f", text=text, why="")
        for number in range(300)
    ]
    write(pairs, tmp_path / "list.yaml")
    assert (tmp_path / "list.yaml").stat().st_size > 2_000_000
    assert read_allowed(tmp_path / "list.yaml") == pairs


def test_a_file_that_is_no_list_is_named(place: Path) -> None:
    Path("list.yaml").write_text("allow:\n- benchmark: b\n  itm: x\n")
    ran = invoke("audit", "leaks.jsonl", "--catalog", "cards", "--allow", "list.yaml")
    assert ran.code == 1
    assert "list.yaml:3: unknown key 'allow.0.itm'" in ran.err
    assert invoke("audit", "--diff", "a", "b", "--allow", "list.yaml").code == 2
    shared = invoke("audit", "x", "--out", "o", "--shard", "1/2", "--allow", "list.yaml")
    assert "--allow needs all shares" in shared.err


def pair(text: str, why: str = "") -> AllowedPair:
    return AllowedPair(benchmark="b", item="i/1", field="f", text=text, why=why)


BY_HAND = """# Reviewed by two people.

allow:
  # proverbs
  - {benchmark: b, item: i/1, field: f, text: 하나}   # the first

  # quotations
  - text: 둘
    why: a law
    benchmark: b
    item: i/1
    field: f
  # the end
"""


def test_an_edit_leaves_the_rest_of_the_list_as_it_is() -> None:
    added = edit_allow_list(BY_HAND, pair("셋", "mine"), is_allowed=True)
    assert set(BY_HAND.splitlines()) < set(added.splitlines())
    assert [one.text for one in parse_allowed(added)] == ["하나", "둘", "셋"]
    assert edit_allow_list(added, pair("셋"), is_allowed=False) == BY_HAND
    without = edit_allow_list(BY_HAND, pair("하나"), is_allowed=False)
    assert "# the first" not in without
    assert {"  # proverbs", "  # quotations", "  # the end"} < set(without.splitlines())
    other = edit_allow_list(BY_HAND, pair("둘", "no law"), is_allowed=True)
    assert [(one.text, one.why) for one in parse_allowed(other)] == [("하나", ""), ("둘", "no law")]
    none = edit_allow_list(without, pair("둘"), is_allowed=False)
    assert parse_allowed(none) == []
    assert none.startswith("# Reviewed by two people.\n")
    flow = "{allow: [{benchmark: b, item: i/1, field: f, text: 하나}]}  # on one line\n"
    both = edit_allow_list(flow, pair("둘"), is_allowed=True)
    assert [one.text for one in parse_allowed(both)] == ["하나", "둘"]


@given(st.lists(st.tuples(st.text(max_size=5), st.booleans()), max_size=6))
def test_edits_give_the_list_of_all_pairs_that_are_left(edits: list[tuple[str, bool]]) -> None:
    text, left = "", dict[str, AllowedPair]()
    for name, is_allowed in edits:
        one = pair(printable(name), "why" if is_allowed else "")
        left.pop(one.text, None)
        if is_allowed:
            left[one.text] = one
        text = edit_allow_list(text, one, is_allowed=is_allowed)
        assert parse_allowed(text) == list(left.values())
