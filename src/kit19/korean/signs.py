"""Tables: what is not read aloud, and how signs and unit symbols are read.

Readings follow 표준국어대사전 (National Institute of Korean Language, NIKL) where it has the
word. The tables are complete on purpose instead of asking ``unicodedata``, whose categories
change with the version of Python: the same text must get the same particle everywhere.
"""

from __future__ import annotations

from kit19.korean.finals import Final, final_of_reading, final_of_readings


def _span(first: int, last: int) -> str:
    return "".join(map(chr, range(first, last + 1)))


DIGITS = "0123456789"

# Fullwidth forms are the ASCII characters in another width, subscripts are digits set lower.
SAME_AS_ASCII = {0xFF01 + i: 0x21 + i for i in range(94)} | {
    0x2080 + i: 0x30 + i for i in range(10)
}
SAME_AS_ASCII |= {0x2010: 0x2D, 0x2011: 0x2D}  # hyphens of typesetters: GPT‑4

# Roman numerals that are one character (Ⅱ, ⅱ), and the letters that they are made of.
ROMAN_LETTERS = {
    character: letters
    for characters in ("ⅠⅡⅢⅣⅤⅥⅦⅧⅨⅩⅪⅫⅬⅭⅮⅯ", "ⅰⅱⅲⅳⅴⅵⅶⅷⅸⅹⅺⅻⅼⅽⅾⅿ")
    for character, letters in zip(
        characters,
        ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII", *"LCDM"),
        strict=True,
    )
}

# Marks that Korean does not read (한글 맞춤법, appendix 문장 부호): closing or opening, they are
# looked through. Parentheses are not here: sound.py weighs them. Nor are signs that are read
# (% & +) or may be (# @ = ^). ~ < > ` | are used as punctuation in Korean text; ™ ® © are mute.
_ASCII_MARKS = "!\"'(,-./:;<>?[\\]_`{|}~"
LOOK_THROUGH = (
    "\t\n\x0b\x0c\r "
    + _ASCII_MARKS
    + "".join(chr(ord(mark) + 0xFEE0) for mark in _ASCII_MARKS)
    + "\x85\u00a0¡§©«\u00ad®¶·»¿™※‼⁇⁈⁉\u1680\u3164・"
    + _span(0x2000, 0x2027)  # blanks, zero widths, dashes, quotes, daggers, bullets, ellipses
    + _span(0x2028, 0x202F)  # line separators, marks of direction, narrow blank
    + "‹›‽⁃⁄\u205f"
    + _span(0x2060, 0x206F)  # invisible operators and marks of direction
    + "⦅⦆｟｠"
    + "♡♥❣❤♩♪♫♬"  # hearts and notes hang on a word as ™ does; more in emoji.py
    + "\u3000、。〃"
    + _span(0x3008, 0x3011)  # 〈〉《》「」『』【】
    + _span(0x3014, 0x301F)  # 〔〕〖〗〘〙〚〛〜〝〞〟
    + "〰"
    + _span(0xFE10, 0xFE19)  # vertical forms of punctuation
    + _span(0xFE30, 0xFE4F)
    + _span(0xFE50, 0xFE58)  # small forms
    + _span(0xFE5B, 0xFE5E)
    + "\ufe0e\ufe0f\ufeff\ufffc"  # variation selectors, byte order mark, object replacement
    + _span(0xFF61, 0xFF65)  # halfwidth CJK punctuation
)

_READINGS = {
    "퍼센트": "%",
    "퍼밀": "‰",
    "도": "°℃℉",
    "플러스": "+",  # 더하기 ends in a vowel too
    "마이너스": "−",
    "나누기": "÷",
    "곱하기": "×",  # 엑스 ends in a vowel too
    "앤드": "&",
    "루트": "√",
    "달러": "$",
    "원": "₩￦",
    "유로": "€",
    "파운드": "£￡",
    "엔": "¥￥",  # 위안 ends in ㄴ too
    "센트": "¢￠",
    "루블": "₽",
    "루피": "₹",
    "동": "₫",
    "밧": "฿",
    "비트코인": "₿",
    "주식회사": "㈜",  # read 주 by others: a vowel too
    "넘버": "№",
    "미터": "㎙㎚㎛㎜㎝㎞㎟㎠㎡㎢㎣㎤㎥㎦",  # squares are 제곱미터
    "매초": "㎧",
    "그램": "㎍㎎㎏",
    "톤": "㏏",
    "리터": "ℓ㎕㎖㎗㎘",
    "시시": "㏄",
    "헤르츠": "㎐㎑㎒㎓㎔",
    "바이트": "㎅㎆㎇",
    "칼로리": "㎈㎉",
    "와트": "㎻㎼㎽㎾㎿",
    "볼트": "㎴㎵㎶㎷㎸㎹",
    "암페어": "㎀㎁㎂㎃㎄",
    "옴": "㏀㏁",
    "파스칼": "㎩㎪㎫㎬",
    "데시벨": "㏈",
    "헥타르": "㏊",
    "몰": "㏖",
    # Fractions are read 분모 + 분의 + 분자, so the numerator is last.
    "일": "½⅓¼⅕⅙⅛",
    "이": "⅔⅖",
    "삼": "¾⅗⅜",
    "사": "⅘",
    "오": "⅚⅝",
    "칠": "⅞",
}
CURRENCIES = frozenset("$₩￦€£￡¥￥¢￠₽₹₫฿₿")  # read after the number they stand before

# Marks of enumeration are read by what stands in them: ① 일, ㉠ 기역, ㉮ 가.
_NUMBERS = ["십" if n % 10 == 0 else "일이삼사오육칠팔구"[n % 10 - 1] for n in range(1, 21)]
_LETTERS = "역은귿을음읍옷응읒읓읔읕읖읗"  # the ends of 기역 니은 디귿 리을 …
_SYLLABLES = "가나다라마바사아자차카타파하"

SIGNS: dict[str, Final] = {
    character: final_of_reading(reading)
    for reading, characters in _READINGS.items()
    for character in characters
}
for _first, _names in (
    (0x2460, _NUMBERS),  # ①
    (0x2474, _NUMBERS),  # ⑴
    (0x2776, _NUMBERS[:10]),  # ❶
    (0x3200, _LETTERS),  # ㈀
    (0x3260, _LETTERS),  # ㉠
    (0x320E, _SYLLABLES),  # ㈎
    (0x326E, _SYLLABLES),  # ㉮
):
    for _offset, _name in enumerate(_names):
        SIGNS[chr(_first + _offset)] = final_of_reading(_name)

# Greek letters by name (알파, 베타 …): all end in a vowel but 엡실론, 오미크론, 입실론.
GREEK = dict.fromkeys("αβγδζηθικλμνξπρστφχψωΑΒΓΔΖΗΘΙΚΛΜΝΞΠΡΣΤΦΧΨΩµ", Final.VOWEL) | dict.fromkeys(
    "εουΕΟΥ", Final.CONSONANT
)

# Unit symbols as written after a number; the same letters elsewhere are letters or words.
_UNIT_READINGS = {
    "미터": "m km cm mm nm μm",
    "그램": "g kg mg μg",
    "톤": "t",
    "킬로톤|노트": "kt",
    "노트": "kn",
    "리터": "L l mL ml dL dl kL kl μL",
    "시시": "cc",
    "초": "s ms ns μs",
    "분": "min",
    "시간": "h hr",
    "시": "Wh kWh MWh GWh mAh Ah",  # 킬로와트시, 밀리암페어시
    "헤르츠": "Hz kHz MHz GHz THz",
    "와트": "W kW MW GW TW mW",
    "볼트": "V kV mV",
    "암페어": "A mA",
    "줄": "J kJ MJ",
    "칼로리": "cal kcal Cal",
    "파스칼": "Pa hPa kPa MPa GPa",
    "뉴턴": "N kN",
    "데시벨": "dB",
    "옹스트롬": "Å",
    "도": "°C °F",
    "시버트": "Sv mSv μSv",
    "베크렐": "Bq kBq MBq",
    "전자볼트": "eV keV MeV GeV TeV",
    "밀리몰|밀리몰라": "mM μM nM",
    "루멘": "lm",
    "룩스": "lx",
    "알피엠": "rpm",
    "비피엠": "bpm",
    "피피엠": "ppm",
    "마일|엠피에이치": "mph",
    "킬로그램힘": "kgf",
    "비트": "Kb Mb Gb",
    "몰": "mol mmol",
    "옴": "Ω kΩ MΩ",
    "바이트": "KB MB GB TB PB kB",
    "헥타르": "ha",
    "인치": "in",
    "피트": "ft",
    "야드": "yd",
    "파운드": "lb",
    "온스": "oz",
    "마일": "mi",
    "픽셀": "px",
    "포인트": "%p %P pt",
    "미터 매 시": "km/h m/h",  # 시속 … 킬로미터 ends in a vowel too
    "미터 매 초": "m/s km/s cm/s",
}
UNITS: dict[str, Final] = {
    symbol: final_of_readings(readings)
    for readings, symbols in _UNIT_READINGS.items()
    for written in symbols.split()
    for symbol in (written, written.replace("μ", "µ"))  # Greek letter or sign of micro
}
# Symbols that are nothing else, so that they are units without a number too.
_ALONE = (
    "Å °C °F km cm mm kg mg ml mL kcal kW kWh kHz MHz GHz Hz dB hPa kPa μm km/h m/s rpm ppm mph"
)
UNITS_ALONE = frozenset(_ALONE.split())
LENGTHS = frozenset(
    ("m", "km", "cm", "mm", "nm", "μm", "µm", "Å")
)  # with ² and ³: 제곱미터, 세제곱미터
