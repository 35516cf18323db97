"""Korean: the particle that a word takes, and text made comparable.

``attach("사과", "은/는")`` is 사과는. ``columns`` does the same for polars columns, ``sound`` says
what a word ends in, ``normalize`` makes keys for comparing. The rules: docs/korean.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit19.core.loaded_on_use import load_on_use

if TYPE_CHECKING:
    from kit19.korean.columns import attach_expr, choose_expr, final_expr
    from kit19.korean.finals import Final
    from kit19.korean.invisible import shows_something
    from kit19.korean.normalize import identity_key, indentation, nfc, nothing_if_invisible
    from kit19.korean.particles import PARTICLES, Particle, attach, choose, parse_particle
    from kit19.korean.sound import final_sound

__all__ = [
    "PARTICLES",
    "Final",
    "Particle",
    "attach",
    "attach_expr",
    "choose",
    "choose_expr",
    "final_expr",
    "final_sound",
    "identity_key",
    "indentation",
    "nfc",
    "nothing_if_invisible",
    "parse_particle",
    "shows_something",
]

__getattr__ = load_on_use(
    __name__,
    {
        "columns": ["attach_expr", "choose_expr", "final_expr"],
        "finals": ["Final"],
        "invisible": ["shows_something"],
        "normalize": ["identity_key", "indentation", "nfc", "nothing_if_invisible"],
        "particles": ["PARTICLES", "Particle", "attach", "choose", "parse_particle"],
        "sound": ["final_sound"],
    },
)
