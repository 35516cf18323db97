"""Query the analyzer about particles, spacing and spelling, and classify its disagreements."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from kit19.catalog import Catalog
from kit19.core.order import hash_order
from kit19.curating import find_empty
from kit19.fetching import Leniency, select_files, subset_use
from kit19.korean import Particle
from kit19.linting import View
from kit19.reading import read_subset
from kit19.rendering import load_templates
from kit19.sample import SAMPLE

SEED = 19
EXAMPLES = 5
OTHER = "unexplained"
KINDS = {
    "no reading": "text that is neither Hangul nor a number counts as ending in a vowel",
    "bare number": "a number in figures counts as ending in a vowel, and as a word of its own",
    "behind a mark": "이다 keeps its 이 behind a closing mark",
    "에요": "에요 where 이에요 is contracted to 예요",
    "last in brackets": "the text in the parenthesis decides, not the word before it",
    "letter name": "a letter of Hangul counts as ending in a vowel",
    "short form": "a contraction instead of the full form",
    "spoken form": "the full form instead of a contraction",
    "beside a sign": "a blank after / · … _ and before text of a sign or Latin letters; none "
    "between a colon and figures",
    "하다 apart": "no blank between an ending and 하다",
    "dictionary word": "a word of the dictionary taken apart",
    "compound": "a compound with a noun of one syllable taken apart",
    "name": "a name or term of others taken apart",
    "loanword": "a loanword taken apart",
    "particle or ending": "a particle, an ending or a suffix taken for a word",
    "chat spelling": "the spacing or spelling of careful writing where a user types in a chat",
    "unknown form": "a form that is not in its dictionary",
}
"""What the judge does, by kind of disagreement. ``docs/korean.md`` explains why we keep our form."""
UNREAD = ("no reading", "letter name")
"""Kinds for which the judge cannot read the word. If its form equals ours, that is chance."""
_CLOSING = "’”'\"」』》〉]】"


class Judge:
    """The analyzer, with queries about particles, spacing and spelling."""

    def __init__(self) -> None:
        try:
            from kiwipiepy import Kiwi
        except ModuleNotFoundError:
            raise SystemExit("the judge needs kiwipiepy: pip install 'kit19[judge]'") from None
        self.kiwi: Any = Kiwi()
        self._written: dict[tuple[str, str], str] = {}

    def writes(self, word: str, pair: Particle) -> str:
        """Return the form that the analyzer writes after a word (``Kiwi.join``)."""
        key = (word, pair.name)
        if key not in self._written:
            joined: str = self.kiwi.join([(word, "NNP"), *morphemes(pair)])
            self._written[key] = joined.removeprefix(word)
        return self._written[key]

    def prefers(self, texts: list[tuple[str, str]]) -> list[float]:
        """Return the log probability of the first text of each pair minus that of the second."""
        flat = [text for both in texts for text in both]
        scores = [analyses[0][1] for analyses in self.kiwi.analyze(flat)]
        return [a - b for a, b in zip(scores[::2], scores[1::2], strict=True)]


def morphemes(pair: Particle) -> list[tuple[str, str]]:
    """Convert a pair to the analyzer's morphemes, which do not fix a form: 은 JX, 이 VCP + 라고 EC."""
    form = pair.after_consonant
    if form in ("이", "은", "을", "과"):
        return [(form, {"이": "JKS", "은": "JX", "을": "JKO", "과": "JC"}[form])]
    if form.startswith("으로"):
        return [(form, "JKB")]
    rest = form.removeprefix("이")
    return [("이", "VCP"), (rest, "ETM" if rest.endswith("는") else "EF")]


DIGITS = "영일이삼사오육칠팔구"
_NUMBER = re.compile(
    r"(?:^|(?<=[\s가-힣‘“(])(?<![A-Za-z]\s))[-−±]?"
    r"(?P<whole>\d{1,3}(?:,\d{3})+|\d+)(?:\.(?P<rest>\d+)|/(?P<under>\d+))?$"
)

# A year and a month, which are read with their units: 2024. 12. is 이천이십사 년 십이월.
_MONTH = re.compile(r"(?<!\d)(?:1[5-9]|20)\d\d[-./] ?(?:0?[1-9]|1[0-2])$")


def in_hangul(word: str) -> str:
    """Spell out the number at the end of a word, because the analyzer cannot read digits.

    This is independent of ``kit19.korean``: 1,200 → 천이백, 3/4 → 사분의 삼. Months and the figures
    of names (Windows 7) stay as they are.
    """
    word = unicodedata.normalize("NFC", word)
    bare = word.rstrip(_CLOSING + ". ")
    match = _NUMBER.search(bare)
    if match is None or _MONTH.search(bare):
        return word
    spelled = _spell_integer(match["whole"])
    if match["rest"]:
        spelled += "점" + "".join(DIGITS[int(digit)] for digit in match["rest"])
    elif match["under"]:
        spelled = f"{_spell_integer(match['under'])}분의 {spelled}"
    return bare[: match.start()] + spelled + word[len(bare) :]


def _spell_integer(text: str) -> str:
    digits = text.replace(",", "")
    if len(digits) > 16:
        return text
    if digits.startswith("0"):
        return "".join(DIGITS[int(digit)] for digit in digits)
    spelled = ""
    for place, digit in zip(range(len(digits) - 1, -1, -1), digits, strict=True):
        great, small = divmod(place, 4)
        if digit != "0":
            spelled += ("" if digit == "1" and small else DIGITS[int(digit)]) + " 십백천"[
                small
            ].strip()
        if not small and any(one != "0" for one in digits[-place - 4 : len(digits) - place]):
            spelled += " 만억조"[great].strip()
    return spelled


def load_records(catalog: Catalog, name: str, data_dir: Path | None) -> tuple[View, pl.DataFrame]:
    """Load a subset and its records in hash order; no records if the folder has no usable file."""
    source, card = catalog.subset(name)
    use = subset_use(catalog, name, all_splits=True)
    files = select_files([use], data_dir or SAMPLE, Leniency(partial=True))[0].used
    view = View(load_templates(catalog, name), source, card).by_record()
    if not files:
        return view, pl.DataFrame()
    records = read_subset(name, source, card, files).frame
    records = records.join(find_empty(records, card), on="id", how="anti")
    return view, records.sort(hash_order(pl.col("id"), "sample", SEED), "id")


class Tally:
    """Counts of each kind of disagreement, with the first examples."""

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

    def figures(self) -> dict[str, dict[str, int]]:
        """Return how often each kind occurs, and how many of its cases are distinct."""
        return {
            kind: {"times": count, "distinct": self.distinct[kind]}
            for kind, count in self.counts.most_common()
        }

    def table(self) -> list[str]:
        """Format as a Markdown table: kind, count, distinct count, examples."""
        lines = [
            "| kind | the judge | times | distinct | ours → the judge's |",
            "|---|---|--:|--:|---|",
        ]
        for kind, count in self.counts.most_common():
            shown = "; ".join(table_cell(one) for one in self.examples[kind])
            what = KINDS.get(kind, "needs review")
            lines.append(f"| {kind} | {what} | {count:,} | {self.distinct[kind]:,} | {shown} |")
        return lines


@dataclass(frozen=True)
class Judgment:
    """One part of the report.

    Attributes:
        title: Its heading.
        lines: The report, as Markdown.
        figures: The same counts as data.
        tallies: The disagreements.
    """

    title: str
    lines: list[str]
    figures: dict[str, Any]
    tallies: list[Tally]


def table_cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
