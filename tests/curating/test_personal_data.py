"""Tests that personal data is found by its form, in any grouping, and lookalikes are not."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kit19.catalog import load_catalog
from kit19.curating.personal import KINDS, mask
from kit19.reading import read_table
from tests.support.reading import present_files

PHONE, MAIL, BIRTH, ACCOUNT = "전화번호", "이메일", "주민등록번호", "계좌번호"

# Texts and their masked forms. The numbers are invented.
MASKED = [
    # mobile
    ("010-1234-5678", "[전화번호]"),
    ("연락처는010-1234-5678으로", "연락처는[전화번호]으로"),
    ("번호 010 1234 5678 연락", "번호 [전화번호] 연락"),
    ("010.1234.5678", "[전화번호]"),
    ("01012345678", "[전화번호]"),
    ("H.P:01012345678.", "H.P:[전화번호]."),
    ("010 - 1234 - 5678", "[전화번호]"),
    ("010–1234–5678", "[전화번호]"),
    ("(010)1234-5678", "[전화번호]"),
    ("010) 1234-5678", "[전화번호]"),
    ("010-12345678", "[전화번호]"),
    ("0101234-5678", "[전화번호]"),
    ("011-123-4567", "[전화번호]"),
    ("016-1234-5678", "[전화번호]"),
    ("0191234567", "[전화번호]"),
    ("1.010-1234-5678", "1.[전화번호]"),
    ("010-1234-5678/010-8765-4321", "[전화번호]/[전화번호]"),
    ("010-1234-5678 010-8765-4321 010-1111-2222", "[전화번호] [전화번호] [전화번호]"),
    ("010-1234-5678-홍길동", "[전화번호]-홍길동"),
    # areas, internet, personal numbers, abroad
    ("02-123-4567", "[전화번호]"),
    ("서울 02)1234-5678~9", "서울 [전화번호]~9"),
    ("(02) 123-4567", "[전화번호]"),
    ("(044-201-3393, 담당", "([전화번호], 담당"),
    ("감사관044-201-3129 에게", "감사관[전화번호] 에게"),
    ("031 123 4567", "[전화번호]"),
    ("055 –640-4583", "[전화번호]"),
    ("0641234567", "[전화번호]"),
    ("tel.064.123.4567", "tel.[전화번호]"),
    ("070-1234-5678", "[전화번호]"),
    ("07012345678", "[전화번호]"),
    ("050-1234-5678", "[전화번호]"),
    ("0507-1234-5678", "[전화번호]"),
    ("+82-10-1234-5678", "[전화번호]"),
    ("+82 10 1234 5678", "[전화번호]"),
    ("+821012345678", "[전화번호]"),
    ("+82(0)2-123-4567", "[전화번호]"),
    ("82-10-1234-5678", "[전화번호]"),
    ("전화 3146-1316 /전송", "전화 [전화번호] /전송"),
    ("☎123-4567", "☎[전화번호]"),
    # e-mail
    ("메일은 hong.gil-dong_1@mail.example.co.kr입니다", "메일은 [이메일]입니다"),
    ("hong@example.com으로", "[이메일]으로"),
    ("(hong+test@example.com)", "([이메일])"),
    ("hong @ example.com", "[이메일]"),
    ("a1@b2.kr,c3@d4.net", "[이메일],[이메일]"),
    # resident registration numbers
    ("900101-1234567", "[주민등록번호]"),
    ("주민번호900101-2234567번", "주민번호[주민등록번호]번"),
    ("900101 - 1234567", "[주민등록번호]"),
    ("900101-1******", "[주민등록번호]"),
    ("(620918-*******)", "([주민등록번호])"),
    ("9001011234567", "[주민등록번호]"),
    ("051231-3xxxxxx", "[주민등록번호]"),
    # accounts
    ("123456-04-123456", "[계좌번호]"),
    ("110-123-456789", "[계좌번호]"),
    ("302-1234-5678-91", "[계좌번호]"),
    ("1002-123-456789", "[계좌번호]"),
    ("3333-01-1234567", "[계좌번호]"),
    ("100-12-123456 홍길동", "[계좌번호] 홍길동"),
    ("계좌번호: 123-45-67890", "계좌번호: [계좌번호]"),
    ("농협 3021234567891로 보내", "농협 [계좌번호]로 보내"),
    ("국민은행 123456 04 123456", "국민은행 [계좌번호]"),
    ("3021234567891(농협 홍길동)", "[계좌번호](농협 홍길동)"),
    ("입금은 2019-0401-123456 으로", "입금은 [계좌번호] 으로"),
]

# What stays: it has the digits and not the meaning.
LEFT = [
    "2019-04-01",
    "2019. 4. 1.",
    "2019-04-01 12:34:56",
    "2017.08.30~2017.09.29",
    "2014-2019",
    "2016 - 2018년",
    "20190401",
    "입금 2019-04-01 12시",
    "은행에 2019년 4월 1일 10시 30분",
    "10,000,000원",
    "입금액 10000000000원",
    "송금 1,234,567,890원",
    "271.000.000원",
    "제2019-123호",
    "행정안전부공고 2019-247호",
    "2007도8011 2010도14328",
    "신청번호 1AA-1708-263827",
    "접수번호 2019-04-012345",
    "(접수번호 19-0005951)",
    "청원 579345",
    "사업자등록번호 123-45-67890",
    "ISBN 978-89-123-4567-8",
    "ISBN 979-11-5839-123-4",
    "ISBN 89-12345-67-8",
    "9788912345678",
    "1588-1234",
    "1544-0000 고객센터",
    "192.168.0.10",
    "10.0.19041.1234",
    "v1.02.345.6789",
    "5:0, 102-98로 이겼다",
    "3.141592653589793",
    "539-10 1층 301호",
    "우편번호 41846",
    "aid=0212345678&sid=1",
    "view?no=01012345678",
    "key=20170504.010080722090001",
    "ud=20190219000462",
    "1503456789012",
    "010-****-5678",
    "010-1234-****",
    "hong***@example.com",
    "@홍길동 고마워요",
    "골뱅이 @ 무침",
    "991301-1234567",  # no such month
    "18:00-19:30",
    "1 2 3 4 5 6 7 8차",
    "11111111111111111111",
    "",
]


# How a number or an address is written so that a person still reads it.
DISGUISES: dict[str, Callable[[str], str]] = {
    "full width": lambda text: "".join(
        chr(ord(one) + 0xFEE0) if "!" <= one <= "~" else one for one in text
    ),
    "ideographic blanks": lambda text: text.replace(" ", "\u3000"),
    "mathematical digits": lambda text: "".join(
        chr(0x1D7CE + int(one)) if one in "0123456789" else one for one in text
    ),
    "zero width": "\u200b".join,
    "soft hyphens, a joiner and fillers": "\u00ad\u2060\u115f".join,
    "byte order marks": lambda text: f"\ufeff{text}\ufeff",
    "middle dots": lambda text: text.replace("-", "·"),
    "araea": lambda text: text.replace("-", "ㆍ"),
    "Hangul fillers": lambda text: text.replace("-", "\u3164"),
}
PLAIN = ["010-1234-5678", "02-123-4567", "+82-10-1234-5678", "900101-1234567", "010 1234 5678",
         "hong@example.com", "계좌번호: 1002-123-456789"]  # fmt: skip


def masked(text: str) -> tuple[str, int]:
    texts, counts = mask(pl.Series([text]))
    return texts[0], counts[0]


@pytest.mark.parametrize(("text", "expected"), MASKED, ids=[text for text, _ in MASKED])
def test_personal_data_is_masked_and_the_rest_of_the_text_stays(text: str, expected: str) -> None:
    assert masked(text) == (expected, expected.count("["))


@pytest.mark.parametrize("text", PLAIN)
@pytest.mark.parametrize("disguise", DISGUISES)
def test_a_disguise_hides_no_personal_data(text: str, disguise: str) -> None:
    if disguise == "Hangul fillers" and text.startswith("계좌"):
        pytest.skip("parted by blanks, an account needs its bank's name")
    after, count = masked(f"앞 {DISGUISES[disguise](text)} 뒤")
    (kind,) = re.findall(r"\[.*\]", masked(text)[0])
    assert count == 1
    assert re.fullmatch(rf"앞 [^0-9a-z]*{re.escape(kind)}\W* 뒤", after)


def test_the_rest_of_a_disguised_text_stays_as_it_is() -> None:
    text = "\u200b가·나\u00ad ①②③④⑤⑥⑦ ０１０·１２３４·５６７８\u3000다·라\ufe0f １２"
    assert masked(text) == ("\u200b가·나\u00ad ①②③④⑤⑥⑦ [전화번호]\u3000다·라\ufe0f １２", 1)


@pytest.mark.parametrize("text", [text for text in LEFT if text])
@pytest.mark.parametrize("disguise", ["full width", "zero width", "middle dots"])
def test_a_disguise_makes_no_personal_data(text: str, disguise: str) -> None:
    text = DISGUISES[disguise](text)
    assert masked(text) == (text, 0)


@pytest.mark.parametrize("text", LEFT)
def test_what_only_looks_like_personal_data_stays(text: str) -> None:
    assert masked(text) == (text, 0)


def test_a_text_may_hold_several_kinds() -> None:
    text = "홍길동(900101-1234567, 010-1234-5678, a@b.kr), 농협 302-1234-5678-91"
    assert masked(text) == ("홍길동([주민등록번호], [전화번호], [이메일]), 농협 [계좌번호]", 4)


def test_texts_keep_their_places_and_nothing_stays_nothing() -> None:
    given_texts = pl.Series("t", ["없음", None, "02-123-4567", "", "a@b.kr와 c@d.kr"])
    texts, counts = mask(given_texts)
    assert texts.to_list() == ["없음", None, "[전화번호]", "", "[이메일]와 [이메일]"]
    assert counts.to_list() == [0, 0, 1, 0, 2]
    assert counts.dtype == pl.UInt32
    assert given_texts.to_list()[2] == "02-123-4567"


def test_no_texts_give_no_texts() -> None:
    texts, counts = mask(pl.Series([], dtype=pl.String))
    assert texts.is_empty()
    assert counts.dtype == pl.UInt32


def test_words_in_brackets_that_upstream_wrote_are_not_counted() -> None:
    assert masked("[전화번호] : 031-123-4567") == ("[전화번호] : [전화번호]", 1)


LINES = st.lists(
    st.sampled_from([text for text, _ in MASKED] + LEFT + ["그리고 ", "은 ", ", "]), max_size=4
).map(" ".join)


@given(st.one_of(LINES, st.text("0123456789-. ()@+*a가은행", max_size=60)))
@example("010-1234-5678 010-1234-5678 010-1234-5678 010-1234-5678")
@example("02-123-4567-010-1234-5678")
@example("국민은행 123456 04 123456 사업자등록번호 123-45-67890")
def test_masking_twice_changes_nothing_more(text: str) -> None:
    once, _ = masked(text)
    assert masked(once) == (once, 0)


@given(st.text("0123456789-. ()@+*a가은행", max_size=60))
def test_only_digits_and_what_joins_them_go(text: str) -> None:
    """All other text stays, in its order: a mask never removes a word."""
    after, count = masked(text)
    rest = re.sub(r"\[(?:" + "|".join(KINDS) + r")\]", "", after)
    remaining = iter(text)
    assert all(sign in remaining for sign in rest)
    assert (after == text) == (count == 0)
    assert [s for s in rest if s in "가은행"] == [s for s in text if s in "가은행"]


@given(st.lists(LINES, max_size=6))
def test_masking_does_not_depend_on_neighboring_texts(texts: list[str]) -> None:
    together, counts = mask(pl.Series(texts, dtype=pl.String))
    assert list(zip(together, counts, strict=True)) == [masked(text) for text in texts]


@pytest.mark.real
def test_the_petitions_hold_as_many_as_were_read_by_eye(real_data: Path) -> None:
    """We read all 42. One is wrong: the number of a registered letter (11204-0470-7556)."""
    source = load_catalog().source("petitions")
    here = present_files(source, ["petitions"], ["train"], real_data, check=True)
    before = read_table(source, "petitions", here)["content"].fill_null("")
    after, counts = mask(before)

    def written(texts: pl.Series) -> Counter[str]:
        return Counter({kind: sum(text.count(f"[{kind}]") for text in texts) for kind in KINDS})

    assert written(after) - written(before) == {MAIL: 12, PHONE: 28, BIRTH: 1, ACCOUNT: 1}
    assert counts.sum() == 42
    assert (counts > 0).sum() == 31
