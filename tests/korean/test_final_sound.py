import re
import unicodedata
from importlib import resources
from pathlib import Path

import pytest
import yaml

from kit19.korean import Final, final_sound
from kit19.korean.emoji import EMOJI
from kit19.korean.signs import LOOK_THROUGH
from kit19.korean.words import listed_words

BLOCKS = yaml.safe_load(Path(__file__).with_name("final_sound.yaml").read_text(encoding="utf-8"))
CASES = [
    pytest.param(text, final, id=f"{block['rule'][:40]}: {text!r}")
    for block in BLOCKS
    for final in Final
    for text in block.get(final.name.lower(), [])
]


@pytest.mark.parametrize(("text", "final"), CASES)
def test_the_last_pronounced_sound_is_found(text: str, final: Final) -> None:
    assert final_sound(text) is final


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: str(block["rule"]))
def test_each_block_of_cases_has_a_rule_a_source_and_known_classes(
    block: dict[str, object],
) -> None:
    assert block.keys() - {final.name.lower() for final in Final} == {"rule", "source"}


@pytest.mark.parametrize("mark", sorted(set(LOOK_THROUGH) - set("(")))
def test_every_mark_is_looked_through_at_the_end(mark: str) -> None:
    assert final_sound("사과" + mark) is Final.VOWEL
    assert final_sound("귤" + mark) is Final.RIEUL


def test_composing_never_turns_a_mark_into_something_that_is_read() -> None:
    # Else the fast twin, which looks through marks before it composes, would differ.
    assert set(unicodedata.normalize("NFC", LOOK_THROUGH)) <= set(LOOK_THROUGH)


@pytest.mark.parametrize("letter", [chr(c) for c in range(0x41, 0x5B)])
def test_a_letter_is_read_by_its_name_in_either_case(letter: str) -> None:
    expected = {"L": Final.RIEUL, "R": Final.RIEUL, "M": Final.CONSONANT, "N": Final.CONSONANT}
    assert final_sound(letter) is final_sound(letter.lower()) is expected.get(letter, Final.VOWEL)


def test_listed_words_are_found_as_they_are_written() -> None:
    for word, final in listed_words().items():
        assert final_sound(word) is final, word


def test_every_listed_word_has_a_source_and_readings_in_hangul() -> None:
    path = resources.files("kit19.korean") / "words.yaml"
    groups = yaml.safe_load(path.read_text(encoding="utf-8"))
    words = [word for group in groups for word in group["words"]]
    assert len(words) == len(set(words)) > 400
    for group in groups:
        assert group.keys() == {"source", "words"}
        assert group["source"].strip()
        for word, readings in group["words"].items():
            assert word.isascii(), word
            assert re.fullmatch(r"\?|[가-힣]+(\|[가-힣]+)*", readings), word


def test_every_emoji_is_looked_through_and_says_nothing_alone() -> None:
    for emoji in EMOJI:
        assert final_sound("귤" + emoji) is Final.RIEUL, emoji
        assert final_sound(emoji) is Final.UNDECIDABLE, emoji


@pytest.mark.parametrize(
    "text", [")" * 50_000, "(" * 50_000 + ")" * 50_000, "a" * 50_000, "1" * 50_000, "%" * 50_000]
)
def test_long_runs_take_no_time(text: str) -> None:
    # A quadratic scan would take minutes here.
    final_sound(text)
    final_sound("1/" + text)
