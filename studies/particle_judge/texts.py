"""Check the spacing and spelling of the templates' own text."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from kit19.catalog import Catalog
from kit19.core.order import hash_order
from kit19.korean import PARTICLES, attach
from kit19.linting import View
from kit19.rendering import ParsedTemplate
from kit19.rendering.escape import escaped_word
from kit19.rendering.fit import eligible
from kit19.rendering.parse import Literal, OptionPart, Piece, Slot
from kit19.rendering.templates import TEXTS
from studies.particle_judge.judge import _CLOSING, OTHER, SEED, Judge, Judgment, Tally, load_records
from studies.particle_judge.reviewed import KNOWN_TO_US, TYPED_IN_A_CHAT, UNSPLIT_WORDS

SLIPS = """
    됬어요 어떻해요 몇일이에요 깨끗히 곰곰히 오랫만에 할께요 뵈요 되요 설겆이 희안한 어의없는
    왠만하면 가르켜 알맞는 않했다 요컨데 일일히 사과은 책를 집로 감라고 나무으로 학생는 글와 사과 는
    글 에서 문장 이예요 읽을수 아는것 두개 하지않고 이글을 할때 맞는지를알려
"""
"""Planted mistakes of spelling, particles and spacing, to test what the judge detects."""
_KNOWN, _TYPED = frozenset(KNOWN_TO_US.split()), frozenset(TYPED_IN_A_CHAT.split())
_SIGN = re.compile(r"[/·…×_]|[A-Za-z]")
_HADA = re.compile(r"(?:려고|야|곤|싶어|도록|기도|다르게|고르게)$")


@dataclass(frozen=True)
class Line:
    """One line of a render.

    Attributes:
        where: Its subset and template.
        text: The line.
        own: Which of its characters come from the template.
        asked: Whether it is of a prompt in casual speech, where a user may type carelessly.
    """

    where: str
    text: str
    own: tuple[bool, ...]
    asked: bool = False

    @property
    def solid(self) -> list[int]:
        """The positions of the characters that are not blanks."""
        return [n for n, char in enumerate(self.text) if not char.isspace()]

    def eojeol(self, at: int) -> str:
        """Return the text between the blanks around a position."""
        start = max(self.text.rfind(" ", 0, at) + 1, 0)
        return self.text[start:].split(" ")[0]


LONGEST = 600  # longer lines are rulings and petitions of the sample, not template text


def own_lines(catalog: Catalog) -> list[Line]:
    """Render every line of the templates, in each wording by label, with sample records."""
    lines: dict[str, Line] = {}
    for name in sorted(catalog.owners):
        view, records = load_records(catalog, name, None)
        for template in view.templates.templates:
            fitting = records.filter(eligible(template, view.templates.many))
            row = fitting.sort(
                hash_order(pl.col("id"), "template", SEED, suffix=f"|{template.id}")
            ).row(0, named=True)
            for text in TEXTS:
                for labels in view.label_combinations(template, text):
                    rendered, own = "", list[bool]()
                    for piece in template.texts[text]:
                        for part, ours in _spans(view, template, piece, labels, row):
                            rendered += part
                            own += [ours] * len(part)
                    asked = text != "output" and template.card.style == "해체"
                    for line in _split(f"{name}: {template.id}", rendered, own):
                        lines.setdefault(line.text, replace(line, asked=asked))
    return list(lines.values())


def _spans(
    view: View,
    template: ParsedTemplate,
    piece: Piece,
    labels: Mapping[str, str],
    row: Mapping[str, Any],
) -> Iterator[tuple[str, bool]]:
    if isinstance(piece, Literal):
        yield piece.text, True
    elif isinstance(piece, OptionPart | Slot):
        yield pl.DataFrame([row]).select(view.inserted(piece, template)).item(), False
    elif piece.form:
        word = view.templates.words[piece.field][piece.form][labels[piece.field]]
        word = escaped_word(word, piece.escape) + piece.closing
        yield attach(word, piece.particle) if piece.particle else word, True
    else:
        text = row[piece.field]
        yield text, False
        closed = text + piece.closing
        complete = attach(closed, piece.particle) if piece.particle else closed
        yield complete.removeprefix(text), True


def _split(where: str, text: str, own: list[bool]) -> Iterator[Line]:
    at = 0
    for part in text.split("\n"):
        ours = tuple(own[at : at + len(part)])
        at += len(part) + 1
        theirs = any(o and "가" <= char <= "힣" for char, o in zip(part, ours, strict=True))
        if theirs and len(part) <= LONGEST:
            yield Line(where, part, ours)


def spacing(judge: Judge, line: Line) -> Iterator[tuple[str, str]]:
    """Yield kind and example of each difference in spacing in or next to the template's own words."""
    spaced = judge.kiwi.space(line.text)
    solid, theirs = line.solid, blanks(spaced)
    if "".join(spaced.split()) != "".join(line.text.split()):
        yield OTHER, f"{line.text} → {spaced}"
        return
    for n, (here, there) in enumerate(zip(blanks(line.text), theirs, strict=True)):
        at, before = solid[n], solid[n - 1] if n else 0
        if here != there and n and (line.own[at] or line.own[before]):
            left, right = line.eojeol(before), line.eojeol(at)
            cut = at - (line.text.rfind(" ", 0, at) + 1)
            shown = f"{left} {right} → {left}{right}"
            if there:
                shown = f"{right} → {right[:cut]} {right[cut:]}"
            careless = there and line.asked and right in _TYPED
            kind = _spacing_kind(line.text, before, at, splits=there)
            yield "chat spelling" if careless else kind, shown


def blanks(text: str) -> list[bool]:
    """Return for each character that is not a blank whether a blank precedes it."""
    preceded, blank = [], False
    for char in text:
        if not char.isspace():
            preceded.append(blank)
        blank = char.isspace()
    return preceded


def _spacing_kind(text: str, before: int, at: int, *, splits: bool) -> str:
    if not splits:
        hada = _HADA.search(text[: before + 1]) and text[at] in "하할합해"
        return "beside a sign" if text[before] == ":" else "하다 apart" if hada else OTHER
    if _SIGN.match(text[before]) or text[at] == "_":
        return "beside a sign"
    if text[before].isdigit():
        return "bare number"
    for kind, words in UNSPLIT_WORDS.items():
        for word in words.split():
            found = text.rfind(word, 0, before + len(word))
            if found >= 0 and found <= before and at < found + len(word):
                return kind
    return OTHER


def spelling(judge: Judge, line: Line) -> Iterator[tuple[str, str]]:
    """Yield the template's own words that the judge does not know or spells differently.

    The judge splits the line into morphemes and joins them again with correct spelling.
    """
    tokens = judge.kiwi.tokenize(line.text)
    for token in tokens:
        if token.oov and line.own[token.start]:
            careless = line.asked and line.eojeol(token.start) in _TYPED
            kind = "unknown form" if token.form in _KNOWN else OTHER
            yield "chat spelling" if careless else kind, token.form
    solid = line.solid
    ours = "".join(line.text[at] for at in solid)
    theirs = "".join(judge.kiwi.join(tokens).split())
    for what, a, b, c, d in difflib.SequenceMatcher(None, ours, theirs, False).get_opcodes():
        touched = solid[max(a - 1, 0) : max(b, a + 1)]
        if what != "equal" and any(line.own[at] for at in touched):
            shown = line.eojeol(solid[min(a, len(solid) - 1)])
            careless = line.asked and shown in _TYPED
            kind = _spelling_kind(ours[:a], ours[a:b], theirs[c:d])
            yield (
                "chat spelling" if careless else kind,
                f"{shown} → {ours[a:b] or '∅'} becomes {theirs[c:d] or '∅'}",
            )


_SHORT = {"추어": "춰", "누어": "눠", "주어": "줘", "꾸어": "꿔", "보아": "봐", "되어": "돼"}
_SHORT |= {"두어": "둬", "두었": "뒀", "보았": "봤", "구인": "군"}  # 누구인지, 누군지
_SHORT |= {"하여": "해", "하였": "했"}  # 한글 맞춤법 제34항, 제35항
_SPOKEN = {("게", "것이"), ("", "고하"), ("걸", "거일")}  # 이게, 뭐라는, 걸까요
_FORMS = {(pair.after_consonant, pair.after_vowel) for pair in PARTICLES}
_FORMS |= {("으", ""), ("", "이")}  # what differs in 으로 and 로, and in 야 and 이야


def _spelling_kind(before: str, ours: str, theirs: str) -> str:
    last = before[-1:]
    if _SHORT.get(ours) == theirs or (_ends_in_vowel(last) and (ours, theirs) == ("이", "")):
        return "short form"
    if (ours, theirs) in _SPOKEN:
        return "spoken form"
    if (ours, theirs) not in _FORMS:
        return OTHER
    if ours == "" and last in _CLOSING + ")":
        return "behind a mark"
    kinds = {r"[0-9]": "bare number", r"\)": "last in brackets", r"[A-Za-z]": "no reading"}
    kinds[r"[ㄱ-ㅣ㉠-㉭]"] = "letter name"
    return next((kind for form, kind in kinds.items() if re.match(form, last)), OTHER)


def _ends_in_vowel(char: str) -> bool:
    return "가" <= char <= "힣" and (ord(char) - ord("가")) % 28 == 0


def judge_texts(judge: Judge, catalog: Catalog) -> Judgment:
    """Check the spelling and spacing of all template text, particles included."""
    lines = own_lines(catalog)
    gaps = sum(
        line.own[at] or line.own[before]
        for line in lines
        for before, at in zip(line.solid, line.solid[1:], strict=False)
    )
    tallies = []
    for check in (spacing, spelling):
        tally = Tally()
        seen = Counter((kind, shown) for line in lines for kind, shown in check(judge, line))
        for (kind, shown), count in seen.items():
            tally.add(kind, shown, count)
        tallies.append(tally)
    kept, own = _control(judge, lines)
    differ = tallies[0].counts.total()
    caught = [slip for slip in _slips() if _is_detected(judge, slip)]
    missed = [slip for slip in _slips() if slip not in caught]
    report = [
        (
            f"{len(lines):,} lines; between two characters there are {gaps:,} places for a blank. The "
            f"judge agrees with {gaps - differ:,} of them ({1 - differ / gaps:.2%})."
        ),
        "",
        *tallies[0].table(),
        "",
        (
            f"Control: given the same lines without any blank, it restores {kept / own:.1%} of our "
            f"{own:,} blanks."
        ),
        "",
        "Spelling: words that it does not know, or spells differently.",
        "",
        *tallies[1].table(),
        "",
        (
            f"Control: of {len(_slips())} planted mistakes it detects "
            f"{len(caught)}. It misses {', '.join(missed) or 'none'}."
        ),
    ]
    figures = {
        "lines": len(lines),
        "places": gaps,
        "same": gaps - differ,
        "blanks": own,
        "blanks_put_back": kept,
        "planted": len(_slips()),
        "noticed": len(caught),
        "missed": missed,
    }
    return Judgment("The templates' own text", report, figures, tallies)


def _control(judge: Judge, lines: list[Line]) -> tuple[int, int]:
    """Count how many blanks next to the template's own words the judge restores if all are removed."""
    kept = own = 0
    for line in lines:
        solid = line.solid
        again = blanks(judge.kiwi.space(line.text, reset_whitespace=True))
        for n, (here, there) in enumerate(zip(blanks(line.text), again, strict=True)):
            if n and here and (line.own[solid[n]] or line.own[solid[n - 1]]):
                own += 1
                kept += there
    return kept, own


def _slips() -> list[str]:
    # In some of them the blank is the mistake.
    return re.findall(r"(?:사과 는|글 에서|문장 이예요|\S+)", SLIPS)


def _is_detected(judge: Judge, slip: str) -> bool:
    text = f"이 글은 {slip} 그렇다."
    line = Line("", text, (True,) * len(text))
    return judge.kiwi.space(text) != text or any(kind == OTHER for kind, _ in spelling(judge, line))
