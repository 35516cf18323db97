"""The text that two texts share, as the audit compares them: by letters and digits alone."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from kit19.viewing.data.searching import Span

_RUN = 4
"""Fewest letters and digits in a row that count as shared."""
_MOST = 200_000


def shared_spans(left: str, right: str) -> tuple[list[Span], list[Span]]:
    """Where two texts have the same letters and digits, in runs of at least four.

    Spacing, punctuation, width and case do not count. If one text has fewer letters, all of them must
    be in the other.

    Returns:
        Begin and end of each shared part in both texts, in order.
    """
    ours, theirs = _Bare(left[:_MOST]), _Bare(right[:_MOST])
    size = min(_RUN, len(ours.letters), len(theirs.letters))
    if not size:
        return [], []
    return list(ours.spans(theirs.grams(size), size)), list(theirs.spans(ours.grams(size), size))


class _Bare:
    """The letters and digits of a text, and where each is in it."""

    def __init__(self, text: str) -> None:
        letters: list[str] = []
        self._places: list[int] = []
        for place, character in enumerate(text):
            for one in unicodedata.normalize("NFKC", character).casefold():
                if one.isalnum():
                    letters.append(one)
                    self._places.append(place)
        self.letters = "".join(letters)

    def grams(self, size: int) -> set[str]:
        return {self.letters[at : at + size] for at in range(len(self.letters) - size + 1)}

    def spans(self, shared: set[str], size: int) -> Iterator[Span]:
        """The parts of the text whose letters are in shared sequences."""
        begin = end = stop = -1
        for at in range(len(self.letters) - size + 1):
            if self.letters[at : at + size] not in shared:
                continue
            first, last = self._places[at], self._places[at + size - 1] + 1
            if begin >= 0 and at > stop:  # letters between them are not shared
                yield begin, end
                begin = -1
            begin = first if begin < 0 else begin
            end, stop = last, at + size
        if begin >= 0:
            yield begin, end
