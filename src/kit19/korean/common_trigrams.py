"""How common trigrams of letters are in Korean text, roughly.

``common_trigrams.txt`` holds the 60,000 most common ones, in bare form, without anything between
them: a line for each level, those of the first line at least twice as common as those of the
second, and so on.
Counted in reviews (NSMC) and petitions; ``python -m studies.common_trigrams`` writes the file.
The counts decide how fast a search is, never what it finds.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files

LEVELS_FILE = "common_trigrams.txt"


@lru_cache(1)
def common_trigrams() -> tuple[str, ...]:
    """Return the trigrams of each level, the most common level first, one after the other."""
    text = files("kit19.korean").joinpath(LEVELS_FILE).read_text("utf-8")
    return tuple(text.splitlines())
