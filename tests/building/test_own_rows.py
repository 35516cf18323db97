"""Tests of extra rows: they follow the same rules, and are not rendered."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit19 import Kit19Error, Manifest, build, explain, load_catalog
from kit19.reading import read_table
from kit19.sample import SAMPLE
from tests.support.effort import tries
from tests.support.invoking import invoke
from tests.support.reading import present_files
from tests.support.samples import dropped_of, files_of, rows_of
from tests.support.shop import GOOD

RECIPE = """\
id: mine
title: Mine and the sample's
data: sample
subsets: [sae4k]
cap: 20
extra:
  - name: mydata
    path: rows/my.jsonl
    license: CC-BY-4.0
"""
LAYOUTS = (
    "instruction and output, prompt and completion, question and answer, messages, or conversations"
)
OWN_TERMS = (
    "{spdx: LicenseRef-mine, commercial: yes, redistribution: no, derivatives: yes, "
    "stated_in: a letter}"
)
ROWS: list[dict[str, Any]] = [
    {"instruction": "수도를 말해 보세요.", "input": "프랑스", "output": "파리"},
    {"instruction": "색을 하나 말해 보세요.", "output": "파랑"},
    {"prompt": "하나 더하기 하나는?", "completion": "둘"},
    {
        "messages": [
            {"role": "user", "content": "안녕?"},
            {"role": "assistant", "content": "반가워요."},
        ]
    },
    {"conversations": [{"from": "human", "value": "몇 시?"}, {"from": "gpt", "value": "세 시"}]},
]


def lines(rows: list[Any]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def recipe(place: Path, rows: list[Any] | str, text: str = RECIPE) -> Path:
    (place / "rows").mkdir(parents=True, exist_ok=True)
    content = rows if isinstance(rows, str) else lines(rows)
    (place / "rows" / "my.jsonl").write_text(content, encoding="utf-8")
    path = place / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def made(place: Path, rows: list[Any] | str, text: str = RECIPE, **changes: Any) -> Manifest:
    return build(str(recipe(place, rows, text)), place / "out", changes=changes)


def mine(place: Path) -> pl.DataFrame:
    return rows_of(place / "out").filter(subset="mydata").sort("id")


def test_every_layout_goes_in_as_it_is(tmp_path: Path) -> None:
    manifest = made(tmp_path, ROWS)
    rows = mine(tmp_path)
    assert rows.select("id", "instruction", "input", "output").rows() == [
        ("mydata/extra/0", "수도를 말해 보세요.", "프랑스", "파리"),
        ("mydata/extra/1", "색을 하나 말해 보세요.", "", "파랑"),
        ("mydata/extra/2", "하나 더하기 하나는?", "", "둘"),
        ("mydata/extra/3", "안녕?", "", "반가워요."),
        ("mydata/extra/4", "몇 시?", "", "세 시"),
    ]
    for name, value in [("template", "as_is"), ("task", "instruction"), ("license", "CC-BY-4.0")]:
        assert set(rows[name]) == {value}
    assert manifest.subsets["mydata"].ledger.train == 5
    assert invoke("verify", tmp_path / "out").code == 0


def test_parquet_gives_the_same_rows_as_json_lines(tmp_path: Path) -> None:
    made(tmp_path / "one", ROWS[:2])
    text = RECIPE.replace("my.jsonl", "my.parquet")
    place = tmp_path / "other"
    path = recipe(place, "", text)
    pl.DataFrame(ROWS[:2]).write_parquet(place / "rows" / "my.parquet")
    build(str(path), place / "out")
    assert mine(place).equals(mine(tmp_path / "one"))


@pytest.mark.parametrize("path", ["rows", "'rows/*.jsonl'", "[rows/a.jsonl, rows/b.jsonl]"])
def test_several_files_are_one_subset(path: str, tmp_path: Path) -> None:
    recipe_ = recipe(tmp_path, "", RECIPE.replace("rows/my.jsonl", path))
    (tmp_path / "rows" / "my.jsonl").unlink()
    for name, rows in (("b", ROWS[1:]), ("a", [*ROWS[:1], {"body": "x"}])):
        (tmp_path / "rows" / f"{name}.jsonl").write_text(lines(rows), "utf-8")
    manifest = build(recipe_, tmp_path / "out")
    keys = ["a.jsonl:0", *(f"b.jsonl:{number}" for number in range(4))]
    assert mine(tmp_path)["id"].to_list() == [f"mydata/extra/{key}" for key in keys]
    inputs = [one.name for one in manifest.inputs if one.name.startswith("mydata/")]
    assert inputs == ["mydata/a.jsonl", "mydata/b.jsonl"]
    gone = dropped_of(tmp_path / "out").filter(reason="malformed")
    assert gone["id"].to_list() == ["mydata/extra/a.jsonl:1"]
    assert gone["evidence"].to_list()[0].startswith("mydata/a.jsonl:2: has none of the layouts")
    assert str(tmp_path) not in (tmp_path / "out" / "manifest.json").read_text("utf-8")


def test_own_ids_are_kept_where_they_are_ids(tmp_path: Path) -> None:
    named = [{**row, "id": f"q-{n}"} for n, row in enumerate(ROWS)]
    made(tmp_path / "named", named)
    assert mine(tmp_path / "named")["id"].to_list() == [f"mydata/extra/q-{n}" for n in range(5)]
    doubled = [{**row, "id": 7} for row in ROWS]
    made(tmp_path / "doubled", doubled)
    assert mine(tmp_path / "doubled")["id"].to_list() == [f"mydata/extra/{n}" for n in range(5)]


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        ([1.0, 2.0, 3.0], ["1", "2", "3"]),  # as pandas writes integers in a column with a gap
        ([1.0, None, 3.0], ["0", "1", "2"]),
        ([1.5, 2.0, 3.0], ["0", "1", "2"]),
        ([{"$oid": "66a0"}, {"$oid": "66a1"}, {"$oid": "66a2"}], ["0", "1", "2"]),
        (["a", ["b"], True], ["0", "1", "2"]),
        (["a", "b", 3], ["3", "a", "b"]),
    ],
)
def test_an_invalid_id_loses_no_row(tmp_path: Path, ids: list[Any], expected: list[str]) -> None:
    named = [{**row, "id": one} for row, one in zip(ROWS, ids, strict=False)]
    made(tmp_path, named)
    assert mine(tmp_path)["id"].to_list() == [f"mydata/extra/{one}" for one in expected]


@pytest.mark.parametrize(
    "nothing", ["\u3164", "\u200b", "\ufeff", "\u2800", "\u200e\u200f", "\u00ad", "\u115f\u1160",
                "\uffa0 \u3000", "\u0007", "\ufe0f", "\U000e0041", ""]
)  # fmt: skip
def test_a_row_of_nothing_that_shows_is_empty(tmp_path: Path, nothing: str) -> None:
    rows = [
        {"instruction": "물음", "output": nothing},
        {"instruction": nothing, "output": "답"},
        {"instruction": "물음", "input": nothing, "output": f"{nothing}답{nothing}"},
    ]
    made(tmp_path, rows, dedup="none")
    gone = dropped_of(tmp_path / "out").filter(pl.col("id").str.starts_with("mydata"))
    assert gone.select("reason", "evidence").rows() == [
        ("empty", "output"),
        ("empty", "instruction"),
    ]
    assert mine(tmp_path)["input"].to_list() == [""]


def test_an_unreadable_row_is_reported_with_its_line(tmp_path: Path) -> None:
    bad: list[Any] = [
        ["a list"],
        {"body": "neither"},
        {"instruction": "몇?", "output": 0.5},
        {"messages": [{"role": "system", "content": "x"}, {"role": "user", "content": "y"}]},
        {"instruction": "a", "output": "b", "license": "CC-BY-NC-4.0"},
    ]
    made(tmp_path, lines([ROWS[0], *bad]) + "{cut\n")
    gone = dict(
        dropped_of(tmp_path / "out").filter(reason="malformed").select("id", "evidence").rows()
    )
    assert {name: text.split(": ", 1) for name, text in gone.items()} == {
        "mydata/extra/my:1": ["mydata/my.jsonl:2", "is not an object"],
        "mydata/extra/my:2": [
            "mydata/my.jsonl:3",
            f"has none of the layouts: {LAYOUTS}",
        ],
        "mydata/extra/my:3": ["mydata/my.jsonl:4", "output: is not text"],
        "mydata/extra/my:4": [
            "mydata/my.jsonl:5",
            "turn 2 is a question without an answer",
        ],
        "mydata/extra/my:5": [
            "mydata/my.jsonl:6",
            "license: says 'CC-BY-NC-4.0', the recipe says 'CC-BY-4.0'",
        ],
        "mydata/extra/my:6": [
            "mydata/my.jsonl:7",
            "is not valid JSON: key must be a string at column 2",
        ],
    }
    found = explain(tmp_path / "out", "mydata/extra/my:1")
    assert (found.status, found.evidence) == ("dropped", "mydata/my.jsonl:2: is not an object")


def test_keys_that_belong_to_a_question_are_never_dropped(tmp_path: Path) -> None:
    row = {"instruction": "그건 몇 층이야?", "output": "3층입니다."}
    said = ROWS[3]["messages"]
    beside: list[dict[str, Any]] = [
        row | {"history": [["도서관이 어디야?", "본관에 있습니다."]]},  # a conversation
        row | {"system": "너는 늙은 소나무다"},  # a conversation
        row | {"history": [], "system": "", "tools": None, "url": "a"},
        {"messages": [said[0], said[1] | {"reasoning_content": "인사하자."}]},
        {"instruction": None, "input": None, "output": None, "messages": said},
        row | {"messages": said},
        {"prompt": [said[0]], "completion": [said[1] | {"content": "그래."}]},
        {"prompt": "이어서", "input": "가나", "completion": "다라"},
    ]
    made(tmp_path, beside)
    gone = dropped_of(tmp_path / "out").filter(reason="malformed")
    assert dict(gone.select("id", "evidence").rows()) == {
        "mydata/extra/my:3": "mydata/my.jsonl:4: messages[1].reasoning_content: belongs to its turn, "
        "and would be lost",
        "mydata/extra/my:5": "mydata/my.jsonl:6: holds two different questions in two layouts",
    }
    rows = mine(tmp_path)
    turns = rows.filter(pl.col("messages").is_not_null()).select("id", "messages").rows()
    asked, answered = row["instruction"], row["output"]
    assert [(key, [turn["content"] for turn in said]) for key, said in turns] == [
        ("mydata/extra/0", ["도서관이 어디야?", "본관에 있습니다.", asked, answered]),
        ("mydata/extra/1", ["너는 늙은 소나무다", asked, answered]),
    ]
    pairs = rows.filter(pl.col("messages").is_null())
    assert pairs.select("id", "instruction", "input", "output").rows() == [
        ("mydata/extra/2", "그건 몇 층이야?", "", "3층입니다."),
        ("mydata/extra/4", "안녕?", "", "반가워요."),
        ("mydata/extra/6", "안녕?", "", "그래."),
        ("mydata/extra/7", "이어서", "가나", "다라"),
    ]


def a_benchmark_sentence() -> str:
    card = load_catalog().benchmarks["kobest_copa"]
    source = load_catalog().source(card.source)
    rows = read_table(source, card.table, present_files(source, [card.table], card.splits, SAMPLE))
    return str(max(rows["premise"], key=len))


def test_benchmark_text_repeats_and_personal_data_are_treated_as_everywhere(tmp_path: Path) -> None:
    leak = a_benchmark_sentence()
    rows = [
        {"instruction": "이어서 쓰세요.", "input": leak, "output": "그래서 그랬다."},
        {
            "instruction": "번호를 옮겨 쓰세요.",
            "input": "전화는 010-1234-5678입니다.",
            "output": "네.",
        },
        ROWS[0],
        ROWS[0],
        {"instruction": "", "output": "무엇에?"},
    ]
    manifest = made(tmp_path, rows)
    assert manifest.subsets["mydata"].ledger.dropped == {
        "empty": 1,
        "duplicate": 1,
        "contaminated": 1,
    }
    found = explain(tmp_path / "out", "mydata/extra/0")
    assert found.why.startswith("contaminated: ")
    assert "kobest_copa" in found.evidence
    kept = mine(tmp_path).filter(pl.col("masked") > 0).row(0, named=True)
    assert (kept["id"], kept["masked"]) == ("mydata/extra/1", 1)
    assert "010-1234" not in kept["input"]


@pytest.mark.parametrize(
    ("dedup", "dropped"),
    [
        ("none", {}),
        ("exact", {"duplicate": 1}),
        ("near", {"duplicate": 1, "near_duplicate": 1}),
        ("across", {"duplicate": 1, "near_duplicate": 1}),
    ],
)
def test_each_kind_of_dedup_drops_what_the_one_before_does_and_more(
    dedup: str, dropped: dict[str, int], tmp_path: Path
) -> None:
    text = "어제 저녁에 동생과 함께 강가를 따라 오래 걸으며 지난 여름의 여행 이야기를 나누었다"
    row = {"instruction": "이어서 한 문장을 쓰세요.", "input": text, "output": "별이 떴다."}
    rows = [row, row, row | {"input": text + "네"}, ROWS[0]]
    manifest = made(tmp_path, rows, dedup=dedup)
    assert manifest.subsets["mydata"].ledger.dropped == dropped
    assert mine(tmp_path).height == 4 - sum(dropped.values())


def test_extra_rows_of_a_recipe_are_not_fetched(tmp_path: Path) -> None:
    path = recipe(tmp_path, ROWS, RECIPE + "decontaminate: false\n")
    done = invoke("fetch", "--recipe", path, "--list", "--data-dir", tmp_path / "data")
    assert done.code == 0, done.err
    assert "sae4k" in done.out
    assert "mydata" not in done.out + done.err


@pytest.mark.parametrize(
    ("pii", "told"),
    [
        ("mask", ("전화는 [전화번호]입니다.", 1, {})),
        ("keep", ("전화는 010-1234-5678입니다.", 0, {})),
        ("drop", (None, 0, {"pii": 1})),
    ],
)
def test_personal_data_is_masked_kept_or_dropped(
    pii: str, told: tuple[str | None, int, dict[str, int]], tmp_path: Path
) -> None:
    rows = [
        ROWS[0],
        {"instruction": "옮겨 쓰세요.", "input": "전화는 010-1234-5678입니다.", "output": "네."},
    ]
    done = invoke("build", recipe(tmp_path, rows), "--set", f"pii={pii}", "--out", tmp_path / "out")
    assert done.code == 0
    found = dict(mine(tmp_path).select("id", "input").iter_rows()).get("mydata/extra/1")
    dropped = dict(dropped_of(tmp_path / "out").select("id", "reason").iter_rows())
    assert (found, int(mine(tmp_path)["masked"].sum())) == told[:2]
    assert dropped.get("mydata/extra/1") == ("pii" if told[2] else None)


def test_the_cap_and_validation_apply(tmp_path: Path) -> None:
    rows = [
        {"instruction": f"{n}번째 낱말을 말하세요.", "output": f"낱말 {n * n}"} for n in range(60)
    ]
    manifest = made(tmp_path, rows, cap=10, validation=5, dedup="exact")
    ledger = manifest.subsets["mydata"].ledger
    assert (ledger.train, ledger.validation, ledger.surplus, ledger.read) == (10, 5, 45, 60)
    held, taken = (
        set(rows_of(tmp_path / "out", s).filter(subset="mydata")["id"])
        for s in ("validation", "train")
    )
    assert (len(held), len(taken)) == (5, 10)
    assert not held & taken
    left = sorted({f"mydata/extra/{n}" for n in range(60)} - held - taken)
    assert explain(tmp_path / "out", left[0]).status == "surplus"


def test_a_label_may_be_named(tmp_path: Path) -> None:
    text = RECIPE + "    label: side\n    task: sentiment_analysis\n"
    rows = [{**ROWS[0], "side": "good"}, {**ROWS[1], "side": "bad"}, ROWS[2]]
    manifest = made(tmp_path, rows, text)
    assert manifest.subsets["mydata"].labels == {"bad": 1, "good": 1}
    assert manifest.subsets["mydata"].ledger.dropped == {"empty": 1}
    assert set(mine(tmp_path)["task"]) == {"sentiment_analysis"}


def test_documents_tell_of_it_and_of_no_path(tmp_path: Path) -> None:
    notice = "    title: My own rows\n    notice: Written by me, CC BY 4.0.\n"
    manifest = made(tmp_path / "somewhere", ROWS, RECIPE + notice)
    out = tmp_path / "somewhere" / "out"
    (entry,) = [one for one in manifest.inputs if one.name.startswith("mydata/")]
    assert entry.name == "mydata/my.jsonl"
    assert entry.bytes == (tmp_path / "somewhere" / "rows" / "my.jsonl").stat().st_size
    texts = {name: data.decode() for name, data in files_of(out).items() if b"PAR1" not in data}
    assert "My own rows (mydata)\n  Written by me, CC BY 4.0." in texts["NOTICE"]
    assert "| mydata | CC-BY-4.0 | yes | yes | yes | no |" in texts["README.md"]
    assert "This does not apply to `mydata`" in texts["README.md"]
    assert "CC-BY-4.0" in texts["croissant.json"]
    assert not [name for name, text in texts.items() if "somewhere" in text or "rows/my" in text]


def test_the_same_bytes_from_another_folder(tmp_path: Path) -> None:
    made(tmp_path / "here", ROWS)
    made(tmp_path / "there" / "deeper", ROWS)
    assert files_of(tmp_path / "here" / "out") == files_of(tmp_path / "there" / "deeper" / "out")


@pytest.mark.parametrize(
    ("license_", "policy", "why"),
    [
        ("CC-BY-4.0", "commercial", ""),
        ("CC-BY-SA-4.0", "commercial", ""),
        ("Apache-2.0", "redistributable", ""),
        ("CC-BY-NC-4.0", "redistributable", ""),
        ("CC-BY-NC-4.0", "commercial", "CC-BY-NC-4.0 does not allow commercial use"),
        ("CC-BY-NC-ND-4.0", "redistributable", "does not allow sharing adapted material"),
        ("CC-BY-ND-4.0", "commercial", "CC-BY-ND-4.0 does not allow sharing adapted material"),
        ("LicenseRef-mine", "commercial", "it is unclear whether commercial use is allowed"),
        ("unknown", "commercial", "it is unclear whether commercial use is allowed"),
        ("unknown", "redistributable", "it is unclear whether redistribution is allowed"),
        ("unknown", "any", ""),
        (
            OWN_TERMS,
            "commercial",
            "",
        ),
    ],
)
def test_the_license_policy_holds_for_it(
    license_: str, policy: str, why: str, tmp_path: Path
) -> None:
    text = RECIPE.replace("CC-BY-4.0", license_).replace("sae4k", "nsmc")
    done = invoke(
        "build",
        recipe(tmp_path, ROWS, text),
        "--license",
        policy,
        "--out",
        tmp_path / "out",
        "--json",
    )
    manifest = Manifest.model_validate_json(done.out)
    refused = manifest.not_built.get("mydata", [])
    assert bool(why) == bool(refused) == ("mydata" not in manifest.subsets)
    assert why in "".join(one.why for one in refused)


def test_a_recipe_of_own_rows_alone(tmp_path: Path) -> None:
    text = RECIPE.replace("subsets: [sae4k]\n", "")
    manifest = made(tmp_path, ROWS, text)
    assert list(manifest.subsets) == ["mydata"]
    assert manifest.decontaminated_against


def test_it_can_be_left_out(tmp_path: Path) -> None:
    path = recipe(tmp_path, ROWS)
    (tmp_path / "rows" / "my.jsonl").unlink()
    assert invoke("build", path, "--exclude", "mydata", "--out", tmp_path / "out").code == 0
    assert set(rows_of(tmp_path / "out")["subset"]) == {"sae4k"}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("rows/my", "rows/no", "{place}/rows/no.jsonl: is missing"),
        (
            "name: mydata",
            "name: nsmc",
            "{place}/mine.yaml:7: extra: the catalog already has 'nsmc'",
        ),
        ("name: mydata", "name: My-data", "{place}/mine.yaml:7: extra.0.name: string should match"),
        ("license: CC", "licence: CC", "{place}/mine.yaml:9: unknown key 'extra.0.licence'"),
        (
            "path: rows/my.jsonl",
            "task: nli",
            "{place}/mine.yaml:7: the key 'extra.0.path' is missing",
        ),
        (
            "    license: CC-BY-4.0\n",
            "",
            "{place}/mine.yaml:7: the key 'extra.0.license' is missing",
        ),
        ("license: CC", "label: output\n    license: CC", "`label` names output, which has"),
        ("license: CC", "task: talk\n    license: CC", "{place}/mine.yaml:9: extra.0.task"),
    ],
)
def test_mistakes_are_reported(old: str, new: str, message: str, tmp_path: Path) -> None:
    path = recipe(tmp_path, ROWS, RECIPE.replace(old, new))
    done = invoke("build", path, "--out", tmp_path / "out")
    assert done.code == 1
    assert message.format(place=tmp_path) in done.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "my.jsonl: is empty"),
        ("no json\n", "my.jsonl: none of its 1 rows can be read; the first: is not valid JSON"),
        (lines([{"body": "x"}] * 3), "none of its 3 rows can be read; the first: has none of"),
    ],
)
def test_a_file_without_rows_is_refused(content: str, message: str, tmp_path: Path) -> None:
    done = invoke("build", recipe(tmp_path, content), "--out", tmp_path / "out")
    assert done.code == 1
    assert message in " ".join(done.errors)


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
anything = st.one_of(
    st.fixed_dictionaries(
        {"instruction": texts, "output": texts}, optional={"input": texts, "id": texts}
    ),
    st.dictionaries(texts, st.one_of(st.none(), st.integers(), texts), max_size=3),
    st.lists(st.integers(), max_size=2),
)


@settings(max_examples=tries(20, 2000))  # each is a build
@given(rows=st.lists(anything, max_size=10))
def test_every_line_of_the_file_is_accounted_for(
    rows: list[Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = tmp_path_factory.mktemp("own")
    shutil.copytree(GOOD, place / "catalog")
    text = RECIPE.replace("data: sample\n", "").replace("sae4k", "cafe_reviews")
    path = recipe(place, [ROWS[0], *rows], text)
    catalog = place / "catalog"
    cards = load_catalog(catalog, only=True)
    manifest = build(path, place / "out", data_dir=catalog / "data", catalog=cards)
    ledger = manifest.subsets["mydata"].ledger
    assert ledger.read == len(rows) + 1
    assert ledger.kept == ledger.examples == mine(place).height
    assert mine(place)["id"].is_unique().all()
    shutil.rmtree(place)


def test_an_extended_recipe_includes_its_extra_rows(tmp_path: Path) -> None:
    with pytest.raises(Kit19Error, match="there is no subset 'mydata'"):
        made(tmp_path, ROWS, RECIPE.replace("sae4k", "mydata").split("extra:")[0])
