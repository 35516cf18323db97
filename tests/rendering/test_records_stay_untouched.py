"""Nothing that stands in a record is ever parsed, changed or lost."""

from __future__ import annotations

import unicodedata

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kit19.rendering import render
from kit19.rendering.parse import Literal, parse
from tests.support.kiosk import frame, record, template, templates

HOSTILE = (
    "{label}",
    "{label.ko}",
    "{은/는}",
    "{{text}}",
    "}{",
    "{",
    "<b>굵게</b> &amp; <script>alert(1)</script>",
    "첫 줄\r\n둘째 줄\n\n넷째 줄",
    "탭\t종\x07 널\x00 지움\x7f 단위\x1f 구분\x1e",
    "\"큰따옴표\" '작은따옴표' “둥근” ‘둥근’ `뒤`",
    unicodedata.normalize("NFD", "한글이 풀어진 글"),
    "\u200b폭 없는\u200d칸\ufeff",
    "\u202e거꾸로\u202c",
    "＜전각＞ ㎏ ½ ﬁ",
    "👩‍👩‍👧‍👦🇰🇷",
    "\\n \\u0041 %s %(text)s $text ${text}",
    "ㅋㅋㅋㅠㅠ (웃음)",
    "  안쪽  두 칸  ",
    "\ufffd\U0010ffff\ue000",
)
texts = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
    st.lists(st.sampled_from(HOSTILE), min_size=1).map("".join),
)
SET = templates(
    template("bare", input="{text}", output="{label.ko}"),
    template("framed", input="", instruction="“{text}”라는 글이에요.\n어때요?"),
    template("braced", input="{{{text}}} {{label}}", output="{{{label.ko}}}"),
    template("inverse", input="", instruction="{label.like}하는 글", output="{text}"),
    template("named", instruction="{name}{은/는} 어때요?", input="{text}|{text}"),
)
EXPECTED = {
    "bare": ("어때요?", "@", "긍정"),
    "framed": ("“@”라는 글이에요.\n어때요?", "", "긍정"),
    "braced": ("어때요?", "{@} {label}", "{긍정}"),
    "inverse": ("좋아하는 글", "", "@"),
    "named": ("이름은 어때요?", "@|@", "긍정"),
}


def _names(*only: str, of: str = "notes/train/0") -> pl.DataFrame:
    """Every template, or those named, for one record."""
    names = only or tuple(EXPECTED)
    return pl.DataFrame({"id": [of] * len(names), "template": names})


def _texts(rows: pl.DataFrame) -> list[tuple[str, ...]]:
    return list(rows.select("template", "instruction", "input", "output").iter_rows())


@given(text=texts)
@example(text="{label}")
@example(text="@")
def test_a_records_text_stands_in_the_row_as_it_is(text: str) -> None:
    rows = render(frame(record(text=text)), _names(), SET)
    assert {name: tuple(rest) for name, *rest in _texts(rows)} == {
        name: tuple(part.replace("@", text) for part in parts) for name, parts in EXPECTED.items()
    }


@given(name=texts)
def test_a_particle_is_only_ever_added_behind_a_name(name: str) -> None:
    rows = render(frame(record(name=name)), _names("named"), SET)
    instruction = rows["instruction"][0]
    assert instruction.startswith(name)
    assert instruction.removeprefix(name) in (
        "은 어때요?",
        "는 어때요?",
        "은(는) 어때요?",
    )


@given(text=texts)
def test_escaped_text_is_one_literal(text: str) -> None:
    escaped = text.replace("{", "{{").replace("}", "}}")
    assert parse(escaped) == [Literal(text)]


@given(first=texts, second=texts)
def test_one_record_never_touches_another(first: str, second: str) -> None:
    records = frame(record("notes/train/0", text=first), record("notes/train/1", text=second))
    chosen = pl.concat([_names(of=name) for name in records["id"]])
    together = render(records, chosen, SET).sort("id", "template")
    alone = [
        render(records.filter(id=name), chosen.filter(id=name), SET).sort("template")
        for name in ("notes/train/0", "notes/train/1")
    ]
    assert _texts(together) == [*_texts(alone[0]), *_texts(alone[1])]


@pytest.mark.parametrize(
    ("text", "written"),
    [("", "어때요?"), ("{{", "{"), ("}}", "}"), ("{{}}", "{}"), ("{{은/는}}", "{은/는}")],
)
def test_doubled_braces_are_braces(text: str, written: str) -> None:
    one = templates(template(instruction=text or "어때요?"))
    rows = render(frame(record()), _names("plain"), one)
    assert rows["instruction"].to_list() == [written]


def test_several_values_stand_in_their_order() -> None:
    one = templates(template(input="", instruction="{text}", output="{topics.ko}{이에요/예요}."))
    records = frame(
        record("notes/train/0", topics="food,price"),
        record("notes/train/1", topics="price,food"),
        record("notes/train/2", topics="food"),
    )
    chosen = records.select("id").with_columns(template=pl.lit("plain"))
    rows = render(records, chosen, one).sort("id")
    assert rows["output"].to_list() == ["음식, 값이에요.", "값, 음식이에요.", "음식이에요."]


def test_a_particle_looks_through_the_quotes_that_close_around_a_name() -> None:
    one = templates(template(instruction="‘{name}’{은/는} 『{name}』{으로/로} 어때요?"))
    records = frame(
        record("notes/train/0", name="사과"),
        record("notes/train/1", name="귤"),
        record("notes/train/2", name="감"),
    )
    chosen = records.select("id").with_columns(template=pl.lit("plain"))
    rows = render(records, chosen, one).sort("id")
    assert rows["instruction"].to_list() == [
        "‘사과’는 『사과』로 어때요?",
        "‘귤’은 『귤』로 어때요?",
        "‘감’은 『감』으로 어때요?",
    ]
