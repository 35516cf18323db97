"""Conversations that templates declare: over whole groups, from the sources' own text, counted."""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl
import pytest

from kit19 import CatalogError, Manifest, build, explain, load, load_catalog, show, verify
from kit19.core.rows import MESSAGES
from kit19.linting import lint_file
from kit19.rendering import load_templates
from kit19.sample import SAMPLE
from tests.building.test_own_rows import a_benchmark_sentence
from tests.support.invoking import invoke
from tests.support.samples import rows_of, sample_of

SUBSETS = ["kobest_boolq", "kobest_wic", "nsmc", "question_pair", "stylekqc", "hatescore"]
SHARE = 0.2


@pytest.fixture(scope="module")
def chat(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Manifest]:
    out = tmp_path_factory.mktemp("chat") / "out"
    return out, sample_of(out, *SUBSETS, recipe="kit19-chat", conversations=SHARE, validation=6)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("plain") / "out"
    sample_of(out, *SUBSETS, recipe="kit19", validation=6)
    return out


def records_of(rows: pl.DataFrame) -> pl.DataFrame:
    """Every record of every row: its id, and the row's."""
    further = pl.col("further_records").str.split("\n")
    every = pl.concat_list("id", further).list.filter(pl.element() != "")
    return rows.select(row="id", record=every).explode("record")


def test_every_record_is_in_one_row(chat: tuple[Path, Manifest], plain: Path) -> None:
    out, manifest = chat
    verify(out)
    records = records_of(rows_of(out))["record"]
    assert records.is_unique().all()
    assert set(records) == set(rows_of(plain)["id"])
    for entry in manifest.subsets.values():
        ledger = entry.ledger
        kept = ledger.train + ledger.validation
        assert ledger.read == kept + ledger.surplus + sum(ledger.dropped.values())
        assert ledger.examples <= kept


def test_other_records_are_rows_as_without_conversations(
    chat: tuple[Path, Manifest], plain: Path
) -> None:
    ordinary = rows_of(chat[0]).filter(pl.col(MESSAGES).is_null()).drop(MESSAGES)
    same = rows_of(plain).join(ordinary, on="id", how="semi")
    assert same.sort("id").equals(ordinary.sort("id"))
    assert MESSAGES not in rows_of(plain)


def test_no_share_is_larger_than_the_recipe_says(chat: tuple[Path, Manifest]) -> None:
    rows = rows_of(chat[0], "train")
    counted = rows.group_by("subset").agg(rows=pl.len(), talks=pl.col(MESSAGES).count())
    for subset, count, talks in counted.iter_rows():
        assert talks <= SHARE * count
        # With one more conversation, on at most five records, it would be: where many fit.
        if subset in ("nsmc", "question_pair", "hatescore"):
            assert talks + 1 > SHARE * (count - 4)


def test_turns_are_those_of_the_template_and_of_its_records(chat: tuple[Path, Manifest]) -> None:
    rows = rows_of(chat[0]).filter(pl.col(MESSAGES).is_not_null())
    assert rows.filter(pl.col("instruction") + pl.col("input") + pl.col("output") != "").is_empty()
    assert rows["template"].n_unique() >= 6
    groups = {
        name: dict(load(name, data_dir="sample").polars().select("id", "group").collect().rows())
        for name in SUBSETS
    }
    for row in rows.to_dicts():
        (one,) = [
            found
            for found in load_templates(load_catalog(), row["subset"]).conversations
            if found.id == row["template"]
        ]
        ids = [row["id"], *filter(None, row["further_records"].split("\n"))]
        own = [groups[row["subset"]][name] for name in ids]
        asked = [turn for turn in row[MESSAGES] if turn["role"] == "user"]
        answers = [turn for turn in row[MESSAGES] if turn["role"] == "assistant"]
        assert len(asked) == len(answers)
        assert (row[MESSAGES][0]["role"] == "system") == bool(one.card.system)
        if one.card.records == "one":
            assert (len(ids), len(asked)) == (1, len(one.turns))
        elif one.card.records == "group":
            assert 2 <= len(ids) == len(asked) <= one.card.most
            assert len(set(own)) == 1
        else:
            assert len(ids) == len(asked) == len(set(own)) == one.card.most
            assert row["label"] is None


def test_a_held_out_group_is_in_no_training_conversation(chat: tuple[Path, Manifest]) -> None:
    parts = [records_of(rows_of(chat[0], part)) for part in ("train", "validation")]
    groups = []
    for part in parts:
        found: set[str] = set()
        for name in SUBSETS:
            records = load(name, data_dir="sample").polars().collect()
            mine = records.filter(pl.col("id").is_in(part["record"].implode()))
            sides = [side for side in ("group", "partner") if side in mine]
            found |= {f"{name} {one}" for side in sides for one in mine[side]}
        groups.append(found)
    assert groups[0]
    assert groups[1]
    assert not groups[0] & groups[1]


def test_a_group_with_a_contaminated_record_is_in_no_conversation(
    chat: tuple[Path, Manifest], tmp_path: Path
) -> None:
    """Whatever the cap: also a record that is never taken keeps its group apart."""
    rows = rows_of(chat[0]).filter(template="questions_on_a_text")
    first, other = rows["id"][0], rows["further_records"][0]
    records = load("kobest_boolq", data_dir="sample").polars().collect()
    asked = str(records.filter(id=other)["question"][0])
    data = shutil.copytree(SAMPLE, tmp_path / "data", ignore=shutil.ignore_patterns("*.py"))
    (path,) = data.glob("kobest/**/BoolQ/train.tsv")
    text = path.read_text("utf-8")
    assert text.count(asked) == 1
    path.write_text(text.replace(asked, f"{asked} {a_benchmark_sentence()}"), "utf-8")
    for cap in (None, 20, 40):
        changes = {"subsets": ["kobest_boolq"], "conversations": SHARE, "cap": cap}
        out = tmp_path / f"out{cap}"
        build("kit19-chat", out, data_dir=data, unverified=True, partial=True, changes=changes)
        ledger = verify(out).subsets["kobest_boolq"].ledger
        mine = rows_of(out).filter(id=first)
        assert ledger.apart == ({"contaminated": 1} if mine.height else {})
        assert mine[MESSAGES].null_count() == mine.height if MESSAGES in mine else True
        assert other not in records_of(rows_of(out))["record"]
        card = (out / "README.md").read_text("utf-8")
        assert ("Kept, but in no conversation" in card) == bool(mine.height)
        assert (cap is None) <= (mine.height == 1)


def test_a_row_shows_its_turns(chat: tuple[Path, Manifest]) -> None:
    rows = rows_of(chat[0]).filter(template="questions_on_a_text")
    row = rows.row(0, named=True)
    further = row["further_records"].split("\n")[0]
    assert explain(chat[0], further).rows[0][MESSAGES] == row[MESSAGES]
    shown = invoke("explain", chat[0], further).out.splitlines()
    assert shown[2] == f"  in the row of {row['id']}"
    texts = [turn["content"] for turn in row[MESSAGES]]
    assert texts[0].startswith("글을 하나 보여 드리고 궁금한 것을 차례로 물어볼게요.")
    assert set(texts[1::2]) <= {"예", "아니요"}
    records = load("kobest_boolq", data_dir="sample").polars().collect()
    assert texts[2] in records.filter(id=further)["question"].to_list()


def test_show_renders_a_conversation_of_each_kind(tmp_path: Path) -> None:
    shown = show("kobest_boolq", template="fact_checker", n=2, data_dir="sample")
    assert [len(one.messages or []) for one in shown] == [5, 5]
    done = invoke("show", "kobest_boolq", "--template", "questions_on_a_text", "-n", "1")
    asked = [line for line in done.out.splitlines() if line.startswith("[")]
    assert asked == ["[user]", "[assistant]"] * 2
    path = tmp_path / "nsmc.yaml"
    path.write_text(TEMPLATES.format(records="any", more=SECOND.format("그럼 이건 어때?")), "utf-8")
    both = show(from_file=path, n=2, data_dir="sample")
    assert [one.template for one in both] == ["plain", "plain", "talk", "talk"]
    (one,) = show(from_file=path, template="talk", n=1, data_dir="sample")
    assert one.messages == both[2].messages
    assert [one.messages for one in both[:2]] == [None, None]
    assert not any(one.messages for one in show("nsmc", n=3, data_dir="sample"))


def test_a_subset_does_not_depend_on_others(chat: tuple[Path, Manifest], tmp_path: Path) -> None:
    sample_of(
        tmp_path / "out", "kobest_wic", recipe="kit19-chat", conversations=SHARE, validation=6
    )
    alone = rows_of(tmp_path / "out").sort("id")
    assert alone.equals(rows_of(chat[0]).filter(subset="kobest_wic").sort("id"))


TEMPLATES = """\
subset: nsmc
words:
  label:
    ko: {{negative: 부정, positive: 긍정}}
templates:
  - id: plain
    style: 하십시오체
    why: only one template
    instruction: 관람평을 긍정과 부정 가운데 하나로 분류하십시오.
    input: '{{text}}'
    output: '{{label.ko}}'
conversations:
  - id: talk
    style: 해체
    why: a talk about reviews
    records: {records}
    turns:
      - instruction: 영화평을 보고 긍정인지 부정인지 말해 줘.
        input: '{{text}}'
        output: '{{label.ko}}'
{more}"""
SECOND = "      - {{instruction: '{}', output: '{{label.ko}}'}}\n"


@pytest.mark.parametrize(
    ("records", "more", "message"),
    [
        ("one", "", "a conversation on one record needs at least two turns"),
        ("some", "", "records"),
        ("any", SECOND.format("{title} 이건?"), r":21: .*talk: \{title\}: unknown field"),
        ("any", SECOND.format("이건?") + SECOND.format("저건?"), "more turns than records"),
    ],
)
def test_a_wrong_conversation_is_an_error_at_its_line(
    records: str, more: str, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "nsmc.yaml"
    path.write_text(TEMPLATES.format(records=records, more=more), "utf-8")
    with pytest.raises(CatalogError, match=message):
        lint_file(path, data_dir="sample")


def test_lint_checks_every_turn(tmp_path: Path) -> None:
    path = tmp_path / "nsmc.yaml"
    path.write_text(
        TEMPLATES.format(records="any", more=SECOND.format("그럼  이건 어때?")), "utf-8"
    )
    found = {(one.template, one.rule) for one in lint_file(path, data_dir="sample").findings}
    assert ("talk.2", "double_blank") in found
    path.write_text(TEMPLATES.format(records="any", more=SECOND.format("그럼 이건 어때?")), "utf-8")
    rules = {one.template for one in lint_file(path, data_dir="sample").findings}
    assert "talk.2" not in rules


def test_a_share_of_nothing_changes_nothing(plain: Path, tmp_path: Path) -> None:
    manifest = sample_of(
        tmp_path / "out", *SUBSETS, recipe="kit19-chat", conversations=0, validation=6
    )
    assert manifest.content_digest == verify(plain).content_digest
    with pytest.raises(CatalogError, match="conversations"):
        build("kit19-chat", tmp_path / "no", changes={"data": "sample", "conversations": 0.3})
