"""An independent judge of our Korean: kiwipiepy, a morphological analyzer that shares nothing with us.

``python -m benchmarks.judge --data-dir ../shared/data`` prints a Markdown report: where the analyzer
agrees with the particles that templates put down, and with the spelling and spacing of what templates
say themselves; where it does not, every kind of disagreement with examples. ``docs/korean.md`` explains
each kind; a disagreement of no known kind is counted as *unexplained*, and the exit code is 3.

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
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import polars as pl

from kit19.catalog import load_catalog
from kit19.curate import find_empty
from kit19.fetch import find_files, usable
from kit19.korean import PARTICLES, Final, Particle, attach, choose, parse_particle
from kit19.linting import View
from kit19.order import hash_order
from kit19.read import read_subset
from kit19.render import ParsedTemplate, load_templates
from kit19.render.choose import eligible
from kit19.render.parse import Insertion, Literal
from kit19.render.templates import TEXTS
from kit19.sample import SAMPLE

SEED = 19
RECORDS = 3_000
HARD_WORDS = Path(__file__).parent.parent / "tests" / "korean" / "final_sound.yaml"
EXAMPLES = 4

KINDS = {
    "no reading": "what is neither Hangul nor a number counts as ending in a vowel",
    "behind a mark": "이다 keeps its 이 behind a closing mark: ‘차’이라는",
    "에요": "writes 에요 where 이에요 is contracted to 예요",
    "last in brackets": "what stands in a parenthesis decides, not the word before it",
    "letter name": "a single letter of Hangul counts as ending in a vowel",
    "contraction": "writes the short form of what may be written in full: 나눠 for 나누어",
    "bare number": "behind digits, which it does not read, the form after a vowel",
    "pronoun": "writes a pronoun and its particle in full: 이것이 for 이게",
    "slash": "a blank behind / or ·",
    "must be two": "joins -려고 하다, -어야 하다",
    "one word": "takes a word of the dictionary apart: 정답 표",
    "ending": "takes the ending -는데 for the noun 데, 보다 for the adverb, -라는 apart",
    "name": "takes a name of others apart: 위키 백과",
    "foreign": "parts a Latin word or a sign from its suffix or particle",
    "ellipsis": "a blank behind …",
    "unknown form": "a form that its dictionary lacks",
}
"""Kinds of disagreement, each explained in ``docs/korean.md``."""

OTHER = "unexplained"
