import unicodedata
from importlib import resources

from kit19.korean import Final, final_sound
from kit19.korean.finals import final_of_reading, is_syllable
from kit19.korean.hanja import hanja_finals


def table() -> list[list[str]]:
    text = (resources.files("kit19.korean") / "hanja.txt").read_text(encoding="utf-8")
    return [line.split(" ") for line in text.splitlines() if not line.startswith("#")]


def test_the_table_is_ks_x_1001_complete_and_in_its_order() -> None:
    # Rows 42 to 93 of the standard; a tool that normalized the file would fail here.
    codes = (bytes((row, cell)) for row in range(0xCA, 0xFE) for cell in range(0xA1, 0xFF))
    assert "".join(characters for _, characters in table()) == "".join(
        code.decode("euc_kr") for code in codes
    )


def test_the_readings_ascend_as_the_standard_sorts() -> None:
    readings = [reading for reading, _ in table()]
    assert readings == sorted(set(readings))
    assert all(len(reading) == 1 and is_syllable(reading) for reading in readings)


def test_a_compatibility_ideograph_carries_its_reading_and_the_plain_one_does_not() -> None:
    for reading, characters in table():
        for character in characters:
            if unicodedata.normalize("NFC", character) != character:
                assert final_sound(character) is final_of_reading(reading)
    assert final_sound("樂") is Final.UNDECIDABLE


def test_initial_sound_law_makes_nothing_undecidable() -> None:
    # 女 녀·여, 老 로·노 and their like differ at the beginning only.
    undecidable = {c for c, final in hanja_finals().items() if final is Final.UNDECIDABLE}
    assert undecidable == set("龜樂度讀北復數塞識惡若易刺炙暴宿畫畵")
    in_part = {c for c, final in hanja_finals().items() if final is Final.NOT_CONSONANT}
    assert in_part == set("契不泌殺說切帥")
    assert {c for c, final in hanja_finals().items() if final is Final.NOT_VOWEL} == {"咽"}
