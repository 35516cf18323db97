"""Rules on particles: inserted ones against the slow reference, literal ones against the word."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator

import polars as pl

from kit19.korean import PARTICLES, Final, Particle, choose, final_sound
from kit19.linting.view import Fault, Flag, View, joints, literals
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
# 이다 keeps its 이 behind any word (표준국어대사전, 이다: it may go after a vowel, and need not); what
# reports speech follows a closing quote in one form (“좋다”라고, “좋아요”라는: 인용격 조사).
_INVARIANT = re.compile("이(?:다|며|고|지만)")
_REPORTS = re.compile("라(?:고|는|며|면서|던|니)")


def both_form_particle(view: View) -> Iterator[Fault]:
    """Both forms of a particle stand in the template's own text."""
    for template in view.templates.templates:
        for text in literals(template):
            if match := _BOTH.search(text) or _EITHER.search(text):
                yield Fault(template.id, f"{match.group()!r} stands in its text")
        for piece, value, word in _words(view, template):
            if piece.particle and final_sound(word) is Final.UNDECIDABLE:
                yield Fault(
                    template.id, f"nobody can say how {value!r} ends: {word}{piece.particle.both}"
                )


def wrong_particle(view: View) -> Iterator[Fault]:
    """A particle in the template's own text does not fit a word before it."""
    for template in view.templates.templates:
        glued = {id(piece): (form, pair) for piece, form, pair in _glued(template)}
        for piece, _, word in _words(view, template):
            form, pair = glued.get(id(piece), ("", None))
            if pair and choose(word, pair) != form:
                yield Fault(template.id, f"{word}{form} should be {word}{choose(word, pair)}")


def doubled_particle(view: View) -> Iterator[Fault]:
    """One particle follows another."""
    for template in view.templates.templates:
        for joint in joints(template):
            piece, literal = joint.left, joint.right
            if isinstance(piece, Insertion) and piece.particle and isinstance(literal, Literal):
                first = re.match("[가-힣]+", literal.text)
                if first and first.group() in _FORMS:
                    yield Fault(template.id, f"{first.group()!r} follows {{{piece.particle.name}}}")
        for text in literals(template):
            if match := _TWICE.search(text):
                yield Fault(template.id, f"{match.group()!r} stands in its text")
        for piece, _, word in _words(view, template):
            # 부정은 + 은/는: the word ends in a particle that is right for what stands before it.
            pair = _FORMS.get(word[-1:])
            if piece.particle and pair and piece.particle == pair and len(word) > 2:
                stem = word[:-1].rstrip()
                if choose(stem, pair) == word[-1]:
                    yield Fault(template.id, f"{word!r} ends in a particle before {{{pair.name}}}")


def particle_after_free_text(view: View) -> Iterator[Fault]:
    """A particle of one form is glued to free text, or to the quote that closes it."""
    for template in view.templates.templates:
        for piece, form, _ in _glued(template):
            if view.is_free(piece):
                yield Fault(template.id, f"{form!r} follows {piece.written}, whatever it ends in")


def particle_flags(view: View, template: ParsedTemplate, renders: pl.DataFrame) -> Iterator[Flag]:
    """What the columns chose against what ``sound.py`` says, once for each word that occurs."""
    for piece in template.insertions():
        if piece.particle and (not piece.form or piece.field in view.templates.many):
            yield from _inserted_flags(view, piece, renders)
    for piece, form, pair in _glued(template):
        if not piece.form and not view.is_free(piece):
            text = view.inserted(piece)
            words = renders.select(text).to_series().unique()
            odd = [word for word in words if _asked(word, pair) != form]
            if odd:
                what = f"{form!r} follows {piece.written}{piece.closing}"
                yield Flag("wrong_particle", what, text.is_in(odd))


def _inserted_flags(view: View, piece: Insertion, renders: pl.DataFrame) -> Iterator[Flag]:
    assert piece.particle is not None  # noqa: S101  asked for by the caller
    alone = Insertion(piece.field, piece.form)
    bare = pl.concat_str(view.inserted(alone), pl.lit(piece.closing))
    pairs = renders.select(bare.alias("word"), view.inserted(piece).alias("made")).unique()
    wrong, both = [], []
    for word, made in pairs.sort("word").iter_rows():
        form = _asked(word, piece.particle)
        if made != word + form:
            wrong.append(word)
        elif form == piece.particle.both:
            both.append(word)
    told = f"{piece.written}{piece.closing}{{{piece.particle.name}}}"
    if wrong:
        yield Flag("wrong_particle", f"{told} takes another form", bare.is_in(wrong))
    if both:
        yield Flag("both_form_particle", f"nobody can say how {told} ends", bare.is_in(both))


_asked = functools.lru_cache(maxsize=1 << 16)(choose)


def _words(view: View, template: ParsedTemplate) -> Iterator[tuple[Insertion, str, str]]:
    """Every word that the template may insert: insertion, value, word."""
    for piece in template.insertions():
        if piece.form:
            words = view.templates.words[piece.field][piece.form]
            for value in view.values(template, piece.field):
                yield piece, value, words[value]


def _glued(template: ParsedTemplate) -> Iterator[tuple[Insertion, str, Particle]]:
    """Particles of the template's own text that are glued to an insertion: which, form, pair."""
    for joint in joints(template):
        piece, literal = joint.left, joint.right
        if not isinstance(piece, Insertion) or piece.particle or not isinstance(literal, Literal):
            continue
        match = _CLOSED.match(literal.text)
        word = match["word"] if match else ""
        reports = match and match["closing"] and _REPORTS.fullmatch(word)
        if word in _FORMS and not reports and not _INVARIANT.fullmatch(word):
            yield piece, word, _FORMS[word]
