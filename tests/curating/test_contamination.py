"""Tests that benchmark text is found in any spelling, and short items only by equality."""

from __future__ import annotations

import itertools
import math
import random
import re
import unicodedata
from collections import Counter
from collections.abc import Callable

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kit19.curating import ItemSearch
from kit19.korean.stems import TAILS
from tests.support.small_items import find_leaks, items, records

ITEM = "겨울이 오기 전에 창문 틈을 막아 두어야 난방비를 아낄 수 있다고 한다."
CHANGED = "겨울은 오기 전까지 창문도 틈만 막고 두어도 난방비가 아낄 수는 있대요 했다."
SHORT = "정말 재미있어요"
WORDS = [
    "봄",
    "봄에는",
    "여름",
    "학교",
    "시장을",
    "시장은",
    "바다",
    "기차",
    "저녁",
    "이야기",
    "오래된",
    "걷다",
    "보았다",
    "20만원",
    "2000원이나",
    "제20회",
    "제2차",
]
korean = st.lists(st.sampled_from(WORDS), min_size=1, max_size=30).map(" ".join)
RANK = {"equal": 0, "contained": 1, "near": 2}


def evidence(text: str | None, known: ItemSearch) -> str | None:
    found = find_leaks(records([text]), ["text"], known)
    assert found.height <= 1
    return found["evidence"][0] if found.height else None


def bare(text: str) -> str:
    composed = unicodedata.normalize("NFKC", text).lower()
    return "".join(one for one in composed if unicodedata.category(one)[0] in "LN")


def grams(text: str) -> list[str]:
    return [text[at : at + 3] for at in range(len(text) - 2)]


def words(text: str) -> list[str]:
    return [one for word in text.split() if (one := bare(word))]


def stem(word: str) -> str:
    if number := re.match("[^0-9]?[0-9][0-9십백천만억조]*", word):
        return number[0]
    return word[0] if word[1:] in TAILS else word[:2]


def stems(text: str) -> list[tuple[int, str]]:
    """Return each word's stem, and the number of letters before it."""
    some = words(text)
    return [(sum(map(len, some[:n])), stem(word)) for n, word in enumerate(some)]


def pairs(text: str) -> list[tuple[str, str]]:
    return list(itertools.pairwise(one for _, one in stems(text)))


class Naive:
    """The rules with plain Python sets: every item against every text."""

    def __init__(self, benchmark: list[str]) -> None:
        self.items = {f"exam/test/{n}": text for n, text in enumerate(benchmark)}
        long = {bare(text): text for text in reversed(benchmark) if len(bare(text)) >= 15}
        self.parts: dict[str, Callable[[str], list[tuple[int, str]]]] = {
            "trigram": lambda text: list(enumerate(grams(bare(text)))),
            "stem": stems,
        }
        self.count = len(long)
        self.seen = {
            name: Counter(part for text in long.values() for part in {p for _, p in take(text)})
            for name, take in self.parts.items()
        }
        self.long = long

    def side_by_side(self, text: str, item: str) -> bool:
        """Whether the text has a quarter of the item's eight rarest pairs of stems."""
        known = {item: list(dict.fromkeys(pairs(text))) for item, text in self.long.items()}
        seen = Counter(pair for some in known.values() for pair in some)
        rarest = sorted((p for p in known[bare(item)] if seen[p] <= 10), key=seen.__getitem__)[:8]
        return len(set(rarest) & set(pairs(text))) >= max(1, math.ceil(len(rarest) / 4))

    def weight(self, name: str, some: set[str]) -> int:
        rarity = [math.log((self.count + 1) / (self.seen[name][part] + 1)) for part in some]
        return sum(max(1, round(1000 * one)) for one in rarity)

    def overlap(self, name: str, text: str, item: str, least: int) -> float:
        """Return the largest share of an item in two neighboring bins as long as the item."""
        known = self.long[bare(item)]  # of items that differ in blanks alone the first
        wanted, width = {part for _, part in self.parts[name](known)}, len(bare(known))
        there = self.parts[name](text)
        held = [
            {part for at, part in there if start <= at < start + 2 * width} & wanted
            for start in range(0, len(bare(text)), width)
        ]
        enough = [self.weight(name, some) for some in held if len(some) >= least]
        return max(enough, default=0) / self.weight(name, wanted)

    def evidence(self, text: str) -> str | None:
        found = [
            (0, -1.0, f"equal {n}") for n, item in self.items.items() if bare(item) == bare(text)
        ]
        for name, item in self.items.items():
            if bare(item) not in self.long:
                continue
            if (share := self.overlap("trigram", text, item, 1)) >= 0.5:
                rule = "contained" if share >= 1 else "near"
                found.append((RANK[rule], -share, f"{rule} {name}"))
            share = self.overlap("stem", text, item, 4)
            if share >= 0.7 and self.side_by_side(text, item):
                found.append((RANK["near"], -share, f"near {name}"))
        return min(found)[2] if bare(text) and found else None


@given(st.lists(korean, max_size=6), st.lists(korean, min_size=1, max_size=6), st.randoms())
@example([ITEM, SHORT], [SHORT, ITEM, f"{SHORT} {ITEM}"], random.Random(1))
def test_hits_equal_those_of_plain_sets(
    benchmark: list[str], texts: list[str], chance: random.Random
) -> None:
    mixed = [*texts]
    for item in benchmark:  # leaks of all lengths, in the middle of other text
        start, end = sorted((chance.randint(0, len(item)), chance.randint(0, len(item))))
        mixed.append(f"{chance.choice(texts)} {item[start:end]} {chance.choice(texts)}")
    found = find_leaks(records(mixed), ["text"], items(*benchmark))
    naive = Naive(benchmark)
    expected = [(f"s/train/{n}", naive.evidence(text)) for n, text in enumerate(mixed)]
    assert sorted(found.rows()) == sorted((name, why) for name, why in expected if why)


HALF = dict(zip("ㄱㄲㄳㄴㄵㄶㄷㄸㄹㄺㄻㄼㄽㄾㄿ", range(0xFFA1, 0xFFB0), strict=True))
HALF |= dict(zip("ㅀㅁㅂㅃㅄㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ", range(0xFFB0, 0xFFBF), strict=True))
HALF |= dict(zip("ㅏㅐㅑㅒㅓㅔ", range(0xFFC2, 0xFFC8), strict=True))
HALF |= dict(zip("ㅕㅖㅗㅘㅙㅚ", range(0xFFCA, 0xFFD0), strict=True))
HALF |= dict(zip("ㅛㅜㅝㅞㅟㅠ", range(0xFFD2, 0xFFD8), strict=True))
HALF |= dict(zip("ㅡㅢㅣ", range(0xFFDA, 0xFFDD), strict=True))
VOWELS = "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"
FINALS = " ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ"


def apart(text: str) -> str:
    """Split each syllable into its letters, as typed on a keyboard."""
    initials = [one for one in HALF if one not in VOWELS and one not in "ㄳㄵㄶㄺㄻㄼㄽㄾㄿㅀㅄ"]
    found = ""
    for one in text:
        place = ord(one) - ord("가")
        if not 0 <= place < 11_172:
            found += one
            continue
        found += initials[place // 588] + VOWELS[place % 588 // 28] + FINALS[place % 28].strip()
    return found


def disguises(text: str) -> dict[str, str]:
    wide = "".join(chr(ord(one) + 0xFEE0) if "!" <= one <= "~" else one for one in text)
    return {
        "no blanks": text.replace(" ", ""),
        "other blanks": text.replace(" ", "\u00a0\n\u3000 "),
        "blanks inside words": " ".join(text),
        "no marks": text.replace(".", "").replace("!", ""),
        "other marks": f"“{text}”…♥ ^^",
        "zero width": "\u200b".join(text),
        "joiners and marks of order": "\u2060\u200e".join(text) + "\ufeff",
        "soft hyphens and selectors": "\u00ad\ufe0f\U000e0101".join(text),
        "fillers": "\u115f\u1160".join(text) + "\u3164",
        "fillers as blanks": text.replace(" ", "\u3164").replace("를", "를\uffa0\u2800"),
        "letters of a keyboard": apart(text),
        "letters at half width": "".join(chr(HALF.get(one, ord(one))) for one in apart(text)),
        "decomposed": unicodedata.normalize("NFD", text),
        "full width": wide,
        "capitals": text.upper(),
    }


DISGUISES = sorted(disguises(""))


@pytest.mark.parametrize("disguise", DISGUISES)
@pytest.mark.parametrize("item", [ITEM, SHORT, "KTX를 타고 GTX-A로 3번 갈아탔다!"])
def test_a_disguise_hides_nothing(item: str, disguise: str) -> None:
    assert evidence(disguises(item)[disguise], items(item)) == "equal exam/test/0"


@pytest.mark.parametrize("disguise", DISGUISES)
@pytest.mark.parametrize("side", ["record", "benchmark"])
def test_a_disguise_hides_nothing_inside_a_longer_text(disguise: str, side: str) -> None:
    hidden = disguises(ITEM)[disguise]
    inside, known = (hidden, ITEM) if side == "record" else (ITEM, hidden)
    text = f"어제 뉴스에서 들었는데 {inside} 그래서 오늘 바로 샀다."
    assert evidence(text, items(known)) == "contained exam/test/0"


def test_a_short_item_matches_only_a_complete_text() -> None:
    known = items(SHORT)
    assert evidence("정말재미있어요!!", known) == "equal exam/test/0"
    assert evidence("이 영화 정말 재미있어요", known) is None
    assert evidence("정말 재미있어요. 두 번 봤어요.", known) is None


def test_half_of_an_item_is_enough_and_less_is_not() -> None:
    item = "가나다라마바사아자차카타파하거너더러머버서어"  # 22 characters, 20 grams of equal weight
    known = items(item)
    assert evidence(item[:13], known) == "near exam/test/0"  # 11 grams of 20
    assert evidence(item[:12], known) == "near exam/test/0"  # 10
    assert evidence(item[:11], known) is None  # 9
    assert evidence(item[-12:], known) == "near exam/test/0"
    assert evidence(f"{item[:7]} 그리고 {item[10:17]}", known) == "near exam/test/0"
    assert evidence(f"{item[:7]} 그리고 {item[10:16]}", known) is None


@pytest.mark.parametrize(
    "changed",
    [
        CHANGED,
        CHANGED.replace(" ", "…\n"),
        unicodedata.normalize("NFD", CHANGED),
        "\u200b".join(CHANGED),
        CHANGED.replace(" ", "\u3164"),
        CHANGED.replace(" ", "\uffa0").replace("문", "\u115f문\u1160"),
    ],
)
def test_an_item_is_found_by_its_stems_if_every_particle_differs(changed: str) -> None:
    mine, theirs = set(grams(bare(ITEM))), set(grams(bare(CHANGED)))
    assert len(mine & theirs) < len(mine) / 3
    for text in (changed, f"어제 뉴스에서 들었는데 {changed} 그래서 오늘 바로 샀다."):
        assert evidence(text, items(ITEM)) == "near exam/test/0"


def test_a_noun_of_one_syllable_keeps_it_before_any_particle() -> None:
    item = "귤을 산 형이 집에서 밥도 먹고 책을 읽다가 잤다"
    assert (
        evidence("귤만 산 형은 집에는 밥을 먹네 책도 읽으며 잤어요", items(item))
        == "near exam/test/0"
    )


@pytest.mark.parametrize(
    ("item", "text", "is_near"),
    [
        # Four stems are needed, and these have four: a number that is another leaves three.
        ("노트북을 20만원 싸게 샀다고한다", "노트북도 2000원이나 싸게 샀다네요", False),
        ("노트북을 20만원 싸게 샀다고한다", "노트북도 20억원이나 싸게 샀다네요", False),
        ("노트북을 20만원 싸게 샀다고한다", "노트북도 20만이나 싸게 샀다네요", True),
        ("정부가 제20대 국회를 소집하였다고", "정부는 제2대 국회도 소집했나요", False),
        ("정부가 제20대 국회를 소집하였다고", "정부는 제20대는 국회도 소집했나요", True),
        ("회의는 2019년에 부산에서 열렸다고했다", "회의가 2018년부터 부산만 열렸는데", False),
        ("회의는 2019년에 부산에서 열렸다고했다", "회의가 2019년부터 부산만 열렸는데", True),
    ],
)
def test_a_number_matches_only_completely(item: str, text: str, is_near: bool) -> None:
    assert evidence(text, items(item)) == ("near exam/test/0" if is_near else None)


def test_three_stems_are_not_evidence() -> None:
    item = "도서관열람실은 시험기간에만 자정까지"
    assert evidence("도서관엔 시험이 자정에도", items(item)) is None
    longer = f"{item} 불을 켠다"
    assert evidence("도서관엔 시험이 자정에도 불도 켠다네", items(longer)) == "near exam/test/0"


def test_stems_without_an_adjacent_pair_are_not_evidence() -> None:
    item = "아침에 신문을 읽고 정원에 나무를 심었다"
    assert evidence("아침은 신문도 읽네 정원의 나무만 심었어요", items(item)) == "near exam/test/0"
    # Every second word is another one, and the others are turned around.
    assert evidence("심었어요 저 나무만 큰 정원의 옛 읽네 이 신문도 그 아침은", items(item)) is None


def test_an_adjacent_pair_of_many_items_is_not_evidence() -> None:
    # A quarter of the item's pairs must be found, and its last one is too common to count.
    item = "우체국 소포를 부치러 언덕을 넘을 수 있다"
    text = "소포는 부치러 언덕도 그 우체국에서 큰 넘을 옛 수는 있어요"
    lone = "소포가 부치러 이 우체국도 저 언덕만 큰 넘을 옛 수는 있어요"
    others = [f"{n}번 손님은 {n}호 방에서 쉴 수 있다" for n in range(100, 140)]
    for copy, expected in ((text, "near exam/test/0"), (lone, None)):
        assert evidence(copy, items(item, *others)) == expected
    assert evidence(lone, items(item)) == "near exam/test/0"


def test_distant_pieces_are_not_an_item() -> None:
    pieces = ITEM[:13], ITEM[13:25], ITEM[25:]
    between = " 오늘은 날이 맑아서 빨래를 널고 산책을 다녀왔고 점심에는 국수를 먹었다. "
    assert evidence(" ".join(pieces), items(ITEM)) == "equal exam/test/0"
    assert evidence((between * 3).join(pieces), items(ITEM)) is None


def test_an_item_is_found_at_any_position() -> None:
    other = "오늘은 날이 맑아서 빨래를 널고 산책을 다녀왔다. "
    for before in range(60):
        text = (other * 3)[:before] + ITEM + other
        assert evidence(text, items(ITEM)) == "contained exam/test/0", before


def test_text_shared_by_many_items_is_not_evidence() -> None:
    # All items have the same ending, so the ending alone is not evidence.
    ends = "라는 생각이 들었다고 한다."
    known = items(*[f"{word} {word}에 대한 {word} {ends}" for word in WORDS])
    assert evidence(f"어제는 그런 날이었다{ends}", known) is None


def test_text_that_repeats_itself_counts_once() -> None:
    item = "가나다라마바사아자차카타파하거너더러머버서어"
    assert evidence(item[:5] * 40, items(item)) is None


def test_equality_goes_before_containment() -> None:
    longer = f"{ITEM} 아마 그럴 것이다."
    known = items(ITEM, longer)
    assert evidence(longer, known) == "equal exam/test/1"


def test_nothing_is_nothing() -> None:
    known = items(ITEM, "", "!!!", "\u200b")
    for text in ("", None, "…", "\u200b\ufeff", "ㅤ"):
        assert evidence(text, known) is None
    assert find_leaks(records([]), ["text"], known).is_empty()
    assert evidence(ITEM, items()) is None


def test_every_named_field_is_looked_at_and_no_other() -> None:
    rows = pl.DataFrame(
        {
            "id": ["a", "b", "c"],
            "one": [ITEM, "글", "글"],
            "two": ["글", ITEM, "글"],
            "x": [ITEM] * 3,
        }
    )
    found = find_leaks(rows, ["one", "two"], items(ITEM))
    assert found.rows() == [("a", "equal exam/test/0"), ("b", "equal exam/test/0")]
