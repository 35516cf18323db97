import unicodedata

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit19.korean import identity_key, nfc

TEXT = pl.col("text")
ANY = st.none() | st.text(st.characters(exclude_categories=["Cs"]))


def apply(expression: pl.Expr, texts: list[str | None]) -> list[str | None]:
    return (
        pl.DataFrame({"text": texts}, schema={"text": pl.String})
        .select(expression)["text"]
        .to_list()
    )


def test_decomposed_text_is_composed() -> None:
    decomposed = unicodedata.normalize("NFD", "한국어")
    assert apply(nfc(TEXT), [decomposed, "한국어", None]) == ["한국어", "한국어", None]


@pytest.mark.parametrize(
    "blanks", ["  ", "\t", "\n\n", "\r\n", "\u00a0", "\u3000", "\u2003", "\u2028", " \u00a0\n"]
)
def test_a_run_of_white_space_becomes_one_blank(blanks: str) -> None:
    assert apply(identity_key(TEXT), [f"가{blanks}나", None]) == ["가 나", None]


@pytest.mark.parametrize(
    "other", [" 한국어  책\n", "\u00a0한국어\u00a0책", "\u1112\u1161\u11ab국어 책"]
)
def test_texts_that_look_the_same_share_their_key(other: str) -> None:
    assert apply(identity_key(TEXT), [other, "한국어 책"]) == ["한국어 책", "한국어 책"]


def test_case_and_punctuation_stay_in_the_key() -> None:
    texts: list[str | None] = ["KBS", "kbs", "책.", "책", "", None]
    assert apply(identity_key(TEXT), texts) == texts


@given(st.lists(ANY))
def test_a_key_is_its_own_key(texts: list[str | None]) -> None:
    keys = apply(identity_key(TEXT), texts)
    assert apply(identity_key(TEXT), keys) == keys
