"""An independent judge of our Korean: kiwipiepy, a morphological analyzer that shares nothing with us.

``python -m benchmarks.judge --data-dir ../shared/data`` prints a Markdown report: where the analyzer
agrees with the particles that templates put down, and with the spelling and spacing of what templates
say themselves; where it does not, every kind of disagreement with examples. ``docs/korean.md`` explains
each kind; a disagreement of no known kind is *unexplained*, and the exit code is then 3.

It needs ``pip install kit19[judge]``, which is no part of the development layer.
"""

from __future__ import annotations

import argparse
import difflib
import re
import sys
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from kit19.catalog import Catalog, load_catalog
from kit19.curate import find_empty
from kit19.fetch import find_files, usable
from kit19.korean import PARTICLES, Final, Particle, attach, choose, parse_particle
from kit19.linting import View
from kit19.order import hash_order
from kit19.read import read_subset
from kit19.render import ParsedTemplate, load_templates
from kit19.render.choose import eligible
from kit19.render.parse import Insertion, Literal, Piece
from kit19.render.templates import TEXTS
from kit19.sample import SAMPLE

SEED = 19
RECORDS = 3_000
EXAMPLES = 5
HARD_WORDS = Path(__file__).parent.parent / "tests" / "korean" / "final_sound.yaml"

OTHER = "unexplained"
KINDS = {
    "no reading": "what is neither Hangul nor a number counts as ending in a vowel",
    "bare number": "a number in figures counts as ending in a vowel",
    "behind a mark": "이다 keeps its 이 behind a closing mark",
    "에요": "에요 where 이에요 is contracted to 예요",
    "last in brackets": "what stands in the parenthesis decides, not the word before it",
    "letter name": "a letter of Hangul counts as ending in a vowel",
    "short form": "a contraction where the full form stands",
    "spoken form": "the full form where a contraction stands",
    "beside a sign": "a blank behind / · … and before what belongs to a sign or Latin letters; none "
    "between a colon and figures",
    "하다 apart": "no blank between an ending and 하다",
    "dictionary word": "a word of the dictionary taken apart",
    "compound": "a compound with a noun of one syllable taken apart",
    "name": "a name or term of others taken apart",
    "particle or ending": "a particle or an ending taken for a noun or adverb",
    "unknown form": "a form that its dictionary lacks",
}
"""What the judge does, by kind of disagreement; why we keep to ours stands in ``docs/korean.md``."""

UNREAD = ("no reading", "letter name")
"""Kinds where it has no opinion: that it may name the form we did is chance, and no agreement."""

WHOLE = {
    "dictionary word": """문제없 한마디 이다음 빈칸 머리글 앞말 물어봤 불러온 함께하 인공지능
        양자택일 전제 문장""",
    "compound": """별점 점검표 정답표 정리표 비교표 분석표 평가표 기준표 영화평 관람평 용어집 판례집
        검색창 유사도""",
    "name": """성소수자 위키백과 국민청원 판결요지 정치개혁 경제민주화 성장동력 보건복지 고령화대책
        성평등""",
    "particle or ending": "이려는데 배우는데 경위보다 뭐라는",
}
"""Words that we write in one piece and the judge in two. Listed one by one, so that another split is
unexplained until somebody has looked at it."""

NAMED = {"맞음"}
"""Words unknown to the judge that somebody has looked at."""

SLIPS = """
    됬어요 어떻해요 몇일이에요 깨끗히 곰곰히 오랫만에 할께요 뵈요 되요 설겆이 희안한 어의없는
    왠만하면 가르켜 알맞는 않했다 요컨데 일일히 사과은 책를 집로 감라고 나무으로 학생는 글와 사과 는
    글 에서 문장 이예요 읽을수 아는것 두개 하지않고 이글을 할때 맞는지를알려
"""
"""Mistakes of spelling, of particles and of spacing, planted to see what the judge notices."""

_CLOSING = "’”'\"」』》〉]】"
_SIGN = re.compile(r"[/·…×]|[A-Za-z]")
_HADA = re.compile(r"(?:려고|야|곤|싶어|다르게)$")


# What the judge is asked.


class Judge:
    """The analyzer, asked about particles, spacing and spelling."""

    def __init__(self) -> None:
        try:
            from kiwipiepy import Kiwi
        except ModuleNotFoundError:
            raise SystemExit("the judge needs kiwipiepy: pip install 'kit19[judge]'") from None
        self.kiwi: Any = Kiwi()
        self._written: dict[tuple[str, str], str] = {}

    def writes(self, word: str, pair: Particle) -> str:
        """The form that it would write behind a word (``Kiwi.join``)."""
        key = (word, pair.name)
        if key not in self._written:
            made: str = self.kiwi.join([(word, "NNP"), *morphemes(pair)])
            self._written[key] = made.removeprefix(word)
        return self._written[key]

    def prefers(self, texts: list[tuple[str, str]]) -> list[float]:
        """How much more likely (log probability) the first text of each pair reads than the second."""
        flat = [text for both in texts for text in both]
        scores = [analyses[0][1] for analyses in self.kiwi.analyze(flat)]
        return [a - b for a, b in zip(scores[::2], scores[1::2], strict=True)]


def morphemes(pair: Particle) -> list[tuple[str, str]]:
    """A pair as the analyzer's morphemes, which name no form: 은 JX, 이 VCP + 라고 EC."""
    form = pair.after_consonant
    if form in ("이", "은", "을", "과"):
        return [(form, {"이": "JKS", "은": "JX", "을": "JKO", "과": "JC"}[form])]
    if form.startswith("으로"):
        return [(form, "JKB")]
    rest = form.removeprefix("이")
    return [("이", "VCP"), (rest, "ETM" if rest.endswith("는") else "EF")]


DIGITS = "영일이삼사오육칠팔구"
_NUMBER = re.compile(
    r"(?:^|(?<=[\s가-힣‘“(]))[-−±]?"
    r"(?P<whole>\d{1,3}(?:,\d{3})+|\d+)(?:\.(?P<rest>\d+)|/(?P<under>\d+))?$"
)


def in_hangul(word: str) -> str:
    """The word with the number at its end written out, since the analyzer reads no figures.

    Written for the judge alone, apart from ``kit19.korean``: 1,200 → 천이백, 3/4 → 사분의 삼.
    """
    word = unicodedata.normalize("NFC", word)
    bare = word.rstrip(_CLOSING + ". ")
    match = _NUMBER.search(bare)
    if match is None:
        return word
    told = _whole(match["whole"])
    if match["rest"]:
        told += "점" + "".join(DIGITS[int(digit)] for digit in match["rest"])
    elif match["under"]:
        told = f"{_whole(match['under'])}분의 {told}"
    return bare[: match.start()] + told + word[len(bare) :]


def _whole(text: str) -> str:
    digits = text.replace(",", "")
    if len(digits) > 16:
        return text
    if digits.startswith("0"):
        return "".join(DIGITS[int(digit)] for digit in digits)
    told = ""
    for place, digit in zip(range(len(digits) - 1, -1, -1), digits, strict=True):
        great, small = divmod(place, 4)
        if digit != "0":
            told += ("" if digit == "1" and small else DIGITS[int(digit)]) + " 십백천"[
                small
            ].strip()
        if not small and any(one != "0" for one in digits[-place - 4 : len(digits) - place]):
            told += " 만억조"[great].strip()
    return told


# Particles.


@dataclass(frozen=True)
class Place:
    """A particle that a template put down: where, behind which word, in which form."""

    subset: str
    template: str
    word: str
    pair: Particle
    form: str
    before: str = ""
    after: str = ""

    def kind(self, judge: Judge) -> str:
        """The kind of disagreement about it; empty where the judge writes the same."""
        told = in_hangul(self.word)
        written = judge.writes(told, self.pair)
        end = re.sub(r"[\W_]+$", "", told)
        if not re.search(r"[가-힣]$", end):
            return "letter name" if re.search(r"[ㄱ-ㅣ]$", end) else "no reading"
        if written == self.form:
            return ""
        if written == "에요" and self.form == "예요":
            return "에요"
        forms = (self.form, self.form.replace("예", "에"))  # see the kind 에요
        if end != told and judge.writes(end, self.pair) in forms:
            return "behind a mark"
        before = _without_parentheses(told)
        if before != told and judge.writes(before, self.pair) in forms:
            return "last in brackets"
        return OTHER


def _without_parentheses(text: str) -> str:
    while (shorter := re.sub(r"\s*[(（][^()（）]*[)）]", "", text)) != text:
        text = shorter
    return re.sub(r"[\W_]+$", "", text)


def records_of(catalog: Catalog, name: str, data_dir: Path | None) -> tuple[View, pl.DataFrame]:
    """A subset and its records in hash order: none where the folder has no usable file of it."""
    source, card = catalog.subset(name)
    splits = source.splits_of(card)
    found = find_files(source, card.tables, splits, data_dir or SAMPLE, check=data_dir is not None)
    files, _ = usable(found, partial=True, unverified=False)
    view = View(load_templates(catalog, name), source, card)
    if not files:
        return view, pl.DataFrame()
    records = read_subset(name, source, card, files).frame
    records = records.join(find_empty(records, card), on="id", how="anti")
    return view, records.sort(hash_order(pl.col("id"), "sample", SEED), "id")


def places(view: View, template: ParsedTemplate, records: pl.DataFrame) -> Iterator[Place]:
    """Every particle that the language puts down in the renders of one template."""
    fitting = records.filter(eligible(template, view.templates.many))
    for text in TEXTS:
        pieces = template.texts[text]
        if not any(isinstance(piece, Insertion) and piece.particle for piece in pieces):
            continue
        columns = [_column(view, piece).alias(str(n)) for n, piece in enumerate(pieces)]
        bare = [
            _column(view, replace(piece, particle=None, closing="")).alias(f"w{n}")
            for n, piece in enumerate(pieces)
            if isinstance(piece, Insertion) and piece.particle
        ]
        for row in fitting.select(*columns, *bare).iter_rows(named=True):
            for n, piece in enumerate(pieces):
                if isinstance(piece, Insertion) and piece.particle:
                    word = row[f"w{n}"] + piece.closing
                    before = "".join(row[str(i)] for i in range(n)).rpartition("\n")[2]
                    after = "".join(row[str(i)] for i in range(n + 1, len(pieces)))
                    form = row[str(n)].removeprefix(word)
                    yield Place(
                        view.templates.subset,
                        template.id,
                        word,
                        piece.particle,
                        form,
                        before,
                        after.partition("\n")[0],
                    )


def _column(view: View, piece: Piece) -> pl.Expr:
    return pl.lit(piece.text) if isinstance(piece, Literal) else view.inserted(piece)


MARGIN = 2.0
"""A reading counts where it is e² times as likely; below, style decides (이에요 leads by 0.8 alone)."""


class Tally:
    """Kinds of disagreement, counted, each with its first examples."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.distinct: Counter[str] = Counter()
        self.examples: dict[str, list[str]] = {}

    def add(self, kind: str, example: str, count: int = 1) -> None:
        """Count a disagreement."""
        self.counts[kind] += count
        self.distinct[kind] += 1
        shown = self.examples.setdefault(kind, [])
        if len(shown) < (EXAMPLES if kind != OTHER else 1_000) and example not in shown:
            shown.append(example)

    def table(self) -> list[str]:
        """Markdown: kind, how often, how many different, examples."""
        lines = [
            "| kind | the judge | times | distinct | ours → the judge's |",
            "|---|---|--:|--:|---|",
        ]
        for kind, count in self.counts.most_common():
            shown = "; ".join(_cell(one) for one in self.examples[kind])
            what = KINDS.get(kind, "somebody must look")
            lines.append(f"| {kind} | {what} | {count:,} | {self.distinct[kind]:,} | {shown} |")
        return lines


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


Key = tuple[str, str, str, str]


def judge_rows(judge: Judge, catalog: Catalog, data_dir: Path) -> tuple[list[str], Tally]:
    """Judge the particles in the renders of a sample of every subset."""
    head = "subset|records|particles|distinct|writes ours|differs|no reading|reads ours|reads other"
    lines = [f"| {head.replace('|', ' | ')} |", "|---" + "|--:" * head.count("|") + "|"]
    tally, total = Tally(), Counter[str]()
    disliked: list[str] = []
    for name in sorted(catalog.owners):
        view, records = records_of(catalog, name, data_dir)
        told = f"{min(records.height, RECORDS):,}"
        if not records.height:
            view, records = records_of(catalog, name, None)
            told = f"{records.height:,} (sample)"
        seen, times = _placed(view, records.head(RECORDS))
        if not seen:
            continue
        counts = Counter(places=times.total(), distinct=len(seen))
        found = list(seen.values())
        for key, place, preferred in zip(seen, found, readings(judge, found), strict=True):
            kind, start = place.kind(judge), place.before.rpartition(" ")[2]
            counts["unread" if kind in UNREAD else "differs" if kind else "same"] += times[key]
            if kind:
                written = judge.writes(in_hangul(place.word), place.pair)
                tally.add(kind, f"{start}{place.word}{place.form} → {written}", times[key])
            if abs(preferred) > MARGIN:
                counts["ours" if preferred > 0 else "other"] += times[key]
            if preferred < -MARGIN:
                disliked.append(f"{place.before}**{place.word}{place.form}**{place.after}")
        total.update(counts)
        lines.append(_row(name, told, counts))
    lines += [_row("**all**", "", total), "", *tally.table()]
    if disliked:
        lines += ["", "It reads the other form rather in: " + "; ".join(map(_cell, disliked[:9]))]
    return lines, tally


def _placed(view: View, records: pl.DataFrame) -> tuple[dict[Key, Place], Counter[Key]]:
    """Each different particle, where it stands first, and how often it is put down."""
    seen: dict[Key, Place] = {}
    times: Counter[Key] = Counter()
    for template in view.templates.templates:
        for place in places(view, template, records):
            key = (place.template, place.word, place.pair.name, place.form)
            seen.setdefault(key, place)
            times[key] += 1
    return seen, times


def _row(name: str, records: str, counts: Mapping[str, int]) -> str:
    figures = [
        f"{counts.get(key, 0):,}"
        for key in ("places", "distinct", "same", "differs", "unread", "ours", "other")
    ]
    return f"| {name} | {records} | {' | '.join(figures)} |"


def readings(judge: Judge, found: list[Place]) -> list[float]:
    """How much more likely each particle reads where it stands than its other form would."""
    texts = []
    for place in found:
        forms = {place.pair.after_consonant, place.pair.after_vowel} - {place.form}
        texts.append(
            (
                f"{place.before}{place.word}{place.form}{place.after}",
                f"{place.before}{place.word}{min(forms)}{place.after}",
            )
        )
    return judge.prefers(texts)


PAIRS = ("은/는", "을/를", "이/가", "과/와", "으로/로", "이라는/라는")


def judge_hard_words(judge: Judge) -> tuple[list[str], Tally]:
    """Judge the cases of our tests, each with several particles."""
    tally, counts = Tally(), Counter[str]()
    for block in yaml.safe_load(HARD_WORDS.read_text(encoding="utf-8")):
        for final in Final:
            for word in block.get(final.name.lower(), []):
                counts["words"] += 1
                if final is Final.UNDECIDABLE:
                    counts["undecidable"] += 1
                    continue
                for pair in map(parse_particle, PAIRS):
                    place = Place("", "", word, pair, choose(word, pair))
                    kind = place.kind(judge)
                    counts[kind or "same"] += 1
                    if kind:
                        written = judge.writes(in_hangul(word), pair)
                        tally.add(kind, f"{word!r} {place.form} → {written}")
    unread = sum(counts[kind] for kind in UNREAD)
    judged = (counts["words"] - counts["undecidable"]) * len(PAIRS)
    lines = [
        (
            f"{counts['words']:,} words; {counts['undecidable']:,} are undecidable to us. "
            f"Of {judged:,} choices ({', '.join(PAIRS)}) the judge can read {judged - unread:,} "
            f"and makes {counts['same']:,} of these as we do."
        ),
        "",
        *tally.table(),
    ]
    return lines, tally


# The templates' own words.


@dataclass(frozen=True)
class Line:
    """One line of a render; ``own`` says of each character whether the template wrote it."""

    where: str
    text: str
    own: tuple[bool, ...]

    @property
    def solid(self) -> list[int]:
        """Where its characters stand that are no blanks."""
        return [n for n, char in enumerate(self.text) if not char.isspace()]

    def eojeol(self, at: int) -> str:
        """What stands between blanks around a place."""
        start = max(self.text.rfind(" ", 0, at) + 1, 0)
        return self.text[start:].split(" ")[0]


LONGEST = 600  # rulings and petitions are the sample's text, not the templates'


def own_lines(catalog: Catalog) -> list[Line]:
    """Every line that templates write, in each wording that labels give it, around sample records."""
    lines: dict[str, Line] = {}
    for name in sorted(catalog.owners):
        view, records = records_of(catalog, name, None)
        for template in view.templates.templates:
            fitting = records.filter(eligible(template, view.templates.many))
            row = fitting.sort(
                hash_order(pl.col("id"), "template", SEED, suffix=f"|{template.id}")
            ).row(0, named=True)
            for text in TEXTS:
                for world in view.worlds(template, text):
                    made, own = "", list[bool]()
                    for piece in template.texts[text]:
                        for part, ours in _spans(view, piece, world, row):
                            made += part
                            own += [ours] * len(part)
                    for line in _split(f"{name}: {template.id}", made, own):
                        lines.setdefault(line.text, line)
    return list(lines.values())


def _spans(
    view: View, piece: Piece, world: Mapping[str, str], row: Mapping[str, Any]
) -> Iterator[tuple[str, bool]]:
    if isinstance(piece, Literal):
        yield piece.text, True
    elif piece.form:
        word = view.templates.words[piece.field][piece.form][world[piece.field]] + piece.closing
        yield attach(word, piece.particle) if piece.particle else word, True
    else:
        text = row[piece.field]
        yield text, False
        closed = text + piece.closing
        whole = attach(closed, piece.particle) if piece.particle else closed
        yield whole.removeprefix(text), True


def _split(where: str, text: str, own: list[bool]) -> Iterator[Line]:
    at = 0
    for part in text.split("\n"):
        ours = tuple(own[at : at + len(part)])
        at += len(part) + 1
        theirs = any(o and "가" <= char <= "힣" for char, o in zip(part, ours, strict=True))
        if theirs and len(part) <= LONGEST:
            yield Line(where, part, ours)


def spacing(judge: Judge, line: Line) -> Iterator[tuple[str, str]]:
    """Where the judge's spacing differs in or beside the template's own words: kind, example."""
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
            yield _spacing_kind(line.text, before, at, splits=there), shown


def blanks(text: str) -> list[bool]:
    """For each character that is no blank, whether a blank stands before it."""
    told, blank = [], False
    for char in text:
        if not char.isspace():
            told.append(blank)
        blank = char.isspace()
    return told


def _spacing_kind(text: str, before: int, at: int, *, splits: bool) -> str:
    if not splits:
        hada = _HADA.search(text[: before + 1]) and text[at] in "하할합해"
        return "beside a sign" if text[before] == ":" else "하다 apart" if hada else OTHER
    if _SIGN.match(text[before]):
        return "beside a sign"
    for kind, words in WHOLE.items():
        for word in words.split():
            found = text.rfind(word, 0, before + len(word))
            if found >= 0 and found <= before and at < found + len(word):
                return kind
    return OTHER


def spelling(judge: Judge, line: Line) -> Iterator[tuple[str, str]]:
    """Where the judge does not know the template's own words or would spell them otherwise.

    It takes the line apart and writes it again from the morphemes, which it spells correctly.
    """
    tokens = judge.kiwi.tokenize(line.text)
    for token in tokens:
        if token.oov and line.own[token.start]:
            yield "unknown form" if token.form in NAMED else OTHER, token.form
    solid = line.solid
    ours = "".join(line.text[at] for at in solid)
    theirs = "".join(judge.kiwi.join(tokens).split())
    for what, a, b, c, d in difflib.SequenceMatcher(None, ours, theirs, False).get_opcodes():
        touched = solid[max(a - 1, 0) : max(b, a + 1)]
        if what != "equal" and any(line.own[at] for at in touched):
            shown = line.eojeol(solid[min(a, len(solid) - 1)])
            kind = _spelling_kind(ours[:a], ours[a:b], theirs[c:d])
            yield kind, f"{shown} → {ours[a:b] or '∅'} becomes {theirs[c:d] or '∅'}"


_SHORT = {"추어": "춰", "누어": "눠", "주어": "줘", "꾸어": "꿔", "보아": "봐", "되어": "돼"}
_SHORT |= {"하여": "해", "하였": "했"}  # 한글 맞춤법 제34항, 제35항
_SPOKEN = {("게", "것이"), ("", "고하")}  # 이게, 뭐라는


def _spelling_kind(before: str, ours: str, theirs: str) -> str:
    if _SHORT.get(ours) == theirs:
        return "short form"
    if (ours, theirs) in _SPOKEN:
        return "spoken form"
    forms = {(p.after_consonant, p.after_vowel) for p in PARTICLES}
    if before[-1:].isdigit():
        particle = (ours, theirs) in forms or (ours, theirs) == ("", "이")
        return "bare number" if particle else OTHER
    if before[-1:] == ")" and (ours, theirs) in forms:
        return "last in brackets"
    return (
        "behind a mark" if (ours, theirs) == ("", "이") and before[-1:] in _CLOSING + ")" else OTHER
    )


def judge_texts(judge: Judge, catalog: Catalog) -> tuple[list[str], list[Tally]]:
    """Judge spelling and spacing of all that templates say themselves, particles included."""
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
    caught = [slip for slip in _slips() if _noticed(judge, slip)]
    missed = [slip for slip in _slips() if slip not in caught]
    report = [
        (
            f"{len(lines):,} lines; between two characters there are {gaps:,} places for a blank. The "
            f"judge decides {gaps - differ:,} of them as we do ({1 - differ / gaps:.2%})."
        ),
        "",
        *tallies[0].table(),
        "",
        (
            f"Does it notice? Given the same lines without any blank, it puts {kept / own:.1%} of our "
            f"{own:,} blanks back."
        ),
        "",
        "Spelling: what it does not know, or would write otherwise.",
        "",
        *tallies[1].table(),
        "",
        (
            f"Does it notice? Of {len(_slips())} mistakes planted on purpose it notices "
            f"{len(caught)}. It misses {', '.join(missed) or 'none'}."
        ),
    ]
    return report, tallies


def _control(judge: Judge, lines: list[Line]) -> tuple[int, int]:
    """Of the blanks beside the template's own words, how many come back when all are taken away."""
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
    # In some the blank is the mistake.
    return re.findall(r"(?:사과 는|글 에서|문장 이예요|\S+)", SLIPS)


def _noticed(judge: Judge, slip: str) -> bool:
    text = f"이 글은 {slip} 그렇다."
    line = Line("", text, (True,) * len(text))
    return judge.kiwi.space(text) != text or any(kind == OTHER for kind, _ in spelling(judge, line))


def main() -> int:
    """Print the report; 3 where a disagreement is of no known kind."""
    parser = argparse.ArgumentParser(description="An analyzer's opinion of our Korean.")
    parser.add_argument("--data-dir", required=True, type=Path)
    data_dir = parser.parse_args().data_dir.resolve()
    judge, catalog = Judge(), load_catalog()
    rows, of_rows = judge_rows(judge, catalog, data_dir)
    words, of_words = judge_hard_words(judge)
    texts, of_texts = judge_texts(judge, catalog)
    for title, lines in (
        (f"Particles in renders of the first {RECORDS:,} records in hash order", rows),
        ("Particles behind hard words", words),
        ("What templates say themselves", texts),
    ):
        print(f"## {title}\n", *lines, sep="\n", end="\n\n")
    unexplained = sum(tally.counts[OTHER] for tally in (of_rows, of_words, *of_texts))
    print(f"Unexplained disagreements: {unexplained}.")
    return 3 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
