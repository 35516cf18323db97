"""Check the particles that templates insert."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl
import yaml

from kit19.catalog import Catalog
from kit19.korean import Final, Particle, choose, parse_particle
from kit19.linting import View
from kit19.rendering import ParsedTemplate
from kit19.rendering.fit import eligible
from kit19.rendering.parse import Insertion, Literal, Piece
from kit19.rendering.templates import TEXTS
from studies.particle_judge.judge import (
    OTHER,
    UNREAD,
    Judge,
    Judgment,
    Tally,
    in_hangul,
    load_records,
    table_cell,
)

RECORDS = 3_000
HARD_WORDS = Path(__file__).parents[2] / "tests" / "korean" / "final_sound.yaml"


@dataclass(frozen=True)
class Place:
    """A particle in a render: its template, the word before it, and its form."""

    subset: str
    template: str
    word: str
    pair: Particle
    form: str
    before: str = ""
    after: str = ""

    def kind(self, judge: Judge) -> str:
        """Return the kind of disagreement; empty if the judge writes the same form."""
        word = in_hangul(self.word)
        written = judge.writes(word, self.pair)
        end = re.sub(r"[\W_]+$", "", word)
        if not re.search(r"[가-힣]$", end):
            return "letter name" if re.search(r"[ㄱ-ㅣ]$", end) else "no reading"
        if written == self.form:
            return ""
        if written == "에요" and self.form == "예요":
            return "에요"
        forms = (self.form, self.form.replace("예", "에"))  # see the kind 에요
        if end != word and judge.writes(end, self.pair) in forms:
            return "behind a mark"
        before = _without_parentheses(word)
        if before != word and judge.writes(before, self.pair) in forms:
            return "last in brackets"
        return OTHER


def _without_parentheses(text: str) -> str:
    while (shorter := re.sub(r"\s*[(（][^()（）]*[)）]", "", text)) != text:
        text = shorter
    return re.sub(r"[\W_]+$", "", text)


def places(view: View, template: ParsedTemplate, records: pl.DataFrame) -> Iterator[Place]:
    """Yield every particle in the renders of one template."""
    fitting = records.filter(eligible(template, view.templates.many))
    for text in TEXTS:
        pieces = template.texts[text]
        if not any(isinstance(piece, Insertion) and piece.particle for piece in pieces):
            continue
        columns = [_column(view, template, piece).alias(str(n)) for n, piece in enumerate(pieces)]
        bare = [
            _column(view, template, replace(piece, particle=None, closing="")).alias(f"w{n}")
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


def _column(view: View, template: ParsedTemplate, piece: Piece) -> pl.Expr:
    return pl.lit(piece.text) if isinstance(piece, Literal) else view.inserted(piece, template)


MARGIN = 2.0
"""A reading counts if it is e² times as likely; below, style decides (이에요 leads by only 0.8)."""
Key = tuple[str, str, str, str]


def judge_rows(judge: Judge, catalog: Catalog, data_dir: Path) -> Judgment:
    """Check the particles in the renders of a sample of every subset."""
    head = "subset|records|particles|distinct|writes ours|differs|no reading|reads ours|reads other"
    lines = [f"| {head.replace('|', ' | ')} |", "|---" + "|--:" * head.count("|") + "|"]
    tally, total = Tally(), Counter[str]()
    subsets: dict[str, dict[str, int]] = {}
    disliked: list[str] = []
    for name in sorted(catalog.owners):
        view, records = load_records(catalog, name, data_dir)
        count = f"{min(records.height, RECORDS):,}"
        if not records.height:
            view, records = load_records(catalog, name, None)
            count = f"{records.height:,} (sample)"
        seen, times = _collect_places(view, records.head(RECORDS))
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
        subsets[name] = {"records": min(records.height, RECORDS), **_counts(counts)}
        lines.append(_row(name, count, counts))
    lines += [_row("**all**", "", total), "", *tally.table()]
    if disliked:
        lines += [
            "",
            "It prefers the other form in: " + "; ".join(map(table_cell, disliked[:9])),
        ]
    title = f"Particles in renders of the first {RECORDS:,} records in hash order"
    return Judgment(title, lines, {"subsets": subsets, "all": _counts(total)}, [tally])


def _collect_places(view: View, records: pl.DataFrame) -> tuple[dict[Key, Place], Counter[Key]]:
    """Collect each distinct particle at its first place, and count how often it is inserted."""
    seen: dict[Key, Place] = {}
    times: Counter[Key] = Counter()
    for template in view.templates.templates:
        for place in places(view, template, records):
            key = (place.template, place.word, place.pair.name, place.form)
            seen.setdefault(key, place)
            times[key] += 1
    return seen, times


def _row(name: str, records: str, counts: Mapping[str, int]) -> str:
    cells = [f"{count:,}" for count in _counts(counts).values()]
    return f"| {name} | {records} | {' | '.join(cells)} |"


def _counts(counts: Mapping[str, int]) -> dict[str, int]:
    columns = ("places", "distinct", "same", "differs", "unread", "ours", "other")
    return {column: counts.get(column, 0) for column in columns}


def readings(judge: Judge, found: list[Place]) -> list[float]:
    """Return by how much each particle is more likely in its place than its other form."""
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


def judge_hard_words(judge: Judge) -> Judgment:
    """Check the words of our tests, each with several particles."""
    tally, counts = Tally(), Counter[str]()
    for block in yaml.safe_load(HARD_WORDS.read_text(encoding="utf-8")):
        for final in Final:
            for word in block.get(final.name.lower(), []):
                counts["words"] += 1
                if final is Final.UNDECIDABLE:
                    counts["undecidable"] += 1
                for pair in map(parse_particle, PAIRS):
                    place = Place("", "", word, pair, choose(word, pair))
                    if place.form == pair.both:
                        continue  # its readings differ for this pair
                    counts["choices"] += 1
                    kind = place.kind(judge)
                    counts[kind or "same"] += 1
                    if kind:
                        written = judge.writes(in_hangul(word), pair)
                        tally.add(kind, f"{word!r} {place.form} → {written}")
    unread = sum(counts[kind] for kind in UNREAD)
    judged = counts["choices"]
    lines = [
        (
            f"{counts['words']:,} words; {counts['undecidable']:,} are undecidable for kit19. "
            f"Of {judged:,} choices ({', '.join(PAIRS)}) the judge can read {judged - unread:,} "
            f"and agrees with {counts['same']:,} of these."
        ),
        "",
        *tally.table(),
    ]
    figures = {
        "words": counts["words"],
        "undecidable": counts["undecidable"],
        "choices": judged,
        "readable": judged - unread,
        "same": counts["same"],
    }
    return Judgment("Particles after hard words", lines, figures, [tally])
