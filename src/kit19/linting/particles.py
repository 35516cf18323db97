"""Rules on particles: inserted ones are compared with the reference, literal ones with the word."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator

import polars as pl

from kit19.korean import PARTICLES, Particle, choose, choose_expr, parse_particle
from kit19.linting.view import RenderViolation, View, Violation, joints, literals
from kit19.rendering import ParsedTemplate
from kit19.rendering.parse import Insertion, Literal

_FORMS = {form: p for p in PARTICLES for form in (p.after_consonant, p.after_vowel)}
_CLOSED = re.compile(r"(?P<closing>[’”'\"」』》〉\]】]*)(?P<word>[가-힣]+)")
_BOTH = re.compile(
    "|".join(re.escape(p.both) for p in sorted(PARTICLES, key=lambda p: -len(p.both)))
)
# 은/는 without its braces; with them it is a leftover of syntax.
_EITHER = re.compile(r"(?<!\{)(?:은/는|는/은|이/가|가/이|을/를|를/을|와/과|과/와|으로/로|로/으로)")
_TWICE = re.compile("은는|을를|를을|은은 |는는 |를를")
# 이다 keeps its 이 behind any word (표준국어대사전, 이다: it may go after a vowel, and need not).
_INVARIANT = re.compile("이(?:다|며|고|지만)")
# What reports speech is 라고 after most sentences (“좋다”라고), but 이라고 after a consonant
# (“좋음”이라고; 표준국어대사전, 이라고). So the end of the quotation decides, record by record.
_REPORTS = re.compile("이?(?P<form>라(?:고|는|면서|던|니))")


def both_form_particle(view: View) -> Iterator[Violation]:
    """The template's text contains both forms of a particle."""
    for template in view.templates.templates:
        for text in literals(template):
            if match := _BOTH.search(text) or _EITHER.search(text):
                yield Violation(template.id, f"its text contains {match.group()!r}")
        for piece, value, word in _insertable_words(view, template):
            if piece.particle and choose(word, piece.particle) == piece.particle.both:
                yield Violation(
                    template.id,
                    f"the last sound of {value!r} is unknown: {word}{piece.particle.both}",
                )


def wrong_particle(view: View) -> Iterator[Violation]:
    """A particle in the template's text does not fit a word before it."""
    for template in view.templates.templates:
        glued = {id(piece): (form, pair) for piece, form, pair in _literal_particles(template)}
        for piece, _, word in _insertable_words(view, template):
            form, pair = glued.get(id(piece), ("", None))
            if pair and choose(word, pair) != form:
                yield Violation(template.id, f"{word}{form} should be {word}{choose(word, pair)}")


def doubled_particle(view: View) -> Iterator[Violation]:
    """One particle follows another."""
    for template in view.templates.templates:
        for joint in joints(template):
            piece, literal = joint.left, joint.right
            if isinstance(piece, Insertion) and piece.particle and isinstance(literal, Literal):
                first = re.match("[가-힣]+", literal.text)
                if first and first.group() in _FORMS:
                    yield Violation(
                        template.id, f"{first.group()!r} follows {{{piece.particle.name}}}"
                    )
        for text in literals(template):
            if match := _TWICE.search(text):
                yield Violation(template.id, f"its text contains {match.group()!r}")
        for piece, _, word in _insertable_words(view, template):
            # 부정은 + 은/는: the word ends in a particle that fits the text before it.
            pair = _FORMS.get(word[-1:])
            if piece.particle and pair and piece.particle == pair and len(word) > 2:
                stem = word[:-1].rstrip()
                if choose(stem, pair) == word[-1]:
                    yield Violation(
                        template.id, f"{word!r} ends in a particle before {{{pair.name}}}"
                    )


def particle_after_free_text(view: View) -> Iterator[Violation]:
    """A particle in one fixed form follows free text or its closing quote."""
    for template in view.templates.templates:
        for piece, form, _ in _literal_particles(template):
            if view.is_free_text(piece):
                yield Violation(
                    template.id, f"{form!r} follows {piece.written}, which may end in any sound"
                )


def particle_flags(
    view: View, template: ParsedTemplate, renders: pl.DataFrame
) -> Iterator[RenderViolation]:
    """Compare the particles of ``columns.py`` with those of ``sound.py``, once per distinct word."""
    for piece in template.insertions():
        if piece.particle and (not piece.form or piece.field in view.templates.many):
            yield from _inserted_flags(view, template, piece, renders)
    for piece, form, pair in _literal_particles(template):
        if not piece.form and not view.is_free_text(piece):
            text = view.inserted(piece, template)
            words = renders.select(text).to_series().unique()
            odd = [word for word in words if _cached_choose(word, pair) != form]
            if odd:
                what = f"{form!r} follows {piece.written}{piece.closing}"
                yield RenderViolation("wrong_particle", what, text.is_in(odd))
    for piece, form, pair in _reporting_particles(template):
        fitting = choose_expr(view.inserted(piece, template), pair)
        # Where the last sound is unknown (ㅋㅋ, ^^), no form is wrong.
        what = f"{form!r} follows {piece.written} in quotation marks"
        yield RenderViolation("wrong_particle", what, ~fitting.is_in([form, pair.both]))


def _inserted_flags(
    view: View, template: ParsedTemplate, piece: Insertion, renders: pl.DataFrame
) -> Iterator[RenderViolation]:
    assert piece.particle is not None  # noqa: S101  the caller checks it
    alone = Insertion(piece.field, piece.form)
    bare = pl.concat_str(view.inserted(alone, template), pl.lit(piece.closing))
    pairs = renders.select(
        bare.alias("word"), view.inserted(piece, template).alias("rendered")
    ).unique()
    wrong, both = [], []
    for word, rendered in pairs.sort("word").iter_rows():
        form = _cached_choose(word, piece.particle)
        if rendered != word + form:
            wrong.append(word)
        elif form == piece.particle.both:
            both.append(word)
    insertion = f"{piece.written}{piece.closing}{{{piece.particle.name}}}"
    if wrong:
        yield RenderViolation(
            "wrong_particle", f"{insertion} takes another form", bare.is_in(wrong)
        )
    if both:
        yield RenderViolation(
            "both_form_particle", f"the last sound of {insertion} is unknown", bare.is_in(both)
        )


_cached_choose = functools.lru_cache(maxsize=1 << 16)(choose)


def _insertable_words(view: View, template: ParsedTemplate) -> Iterator[tuple[Insertion, str, str]]:
    """Yield every label word that the template may insert: (insertion, value, word)."""
    for piece in template.insertions():
        if piece.form:
            words = view.templates.words[piece.field][piece.form]
            for value in view.values(template, piece.field):
                yield piece, value, words[value]


def _literal_particles(template: ParsedTemplate) -> Iterator[tuple[Insertion, str, Particle]]:
    """Yield particles in the template's text that follow an insertion: (insertion, form, pair)."""
    for piece, closing, word in _followed_insertions(template):
        reports = closing and _REPORTS.fullmatch(word)
        if word in _FORMS and not reports and not _INVARIANT.fullmatch(word):
            yield piece, word, _FORMS[word]


def _reporting_particles(template: ParsedTemplate) -> Iterator[tuple[Insertion, str, Particle]]:
    """Yield what reports an insertion in quotation marks: (insertion, form, pair)."""
    for piece, closing, word in _followed_insertions(template):
        if closing and (match := _REPORTS.fullmatch(word)):
            yield piece, word, parse_particle(f"이{match['form']}/{match['form']}")


def _followed_insertions(template: ParsedTemplate) -> Iterator[tuple[Insertion, str, str]]:
    """Yield insertions without a particle, with the closing marks and the syllables after them."""
    for joint in joints(template):
        piece, literal = joint.left, joint.right
        if not isinstance(piece, Insertion) or piece.particle or not isinstance(literal, Literal):
            continue
        if match := _CLOSED.match(literal.text):
            yield piece, match["closing"], match["word"]
