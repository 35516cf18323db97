"""Find near duplicates: records whose text is almost that of an earlier kept record.

Two texts are near if their sets of character trigrams (of the bare text) have a Jaccard similarity of
at least 0.8. Texts shorter than ``MIN_NEAR`` characters are near only if they are equal in bare form.
In both cases their signs must be equal too (see ``signs``): a different number, operator or emoji makes
a different text. A text without any letter or digit is near only to its equals.

Two records are near if every field of their identity is near, and if their label and answer are equal
apart from punctuation. So two questions about one paragraph are not near.

Everything that must be equal is one hash of 64 bits for each record. All else is compared exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from kit19.core.order import stable_hash
from kit19.curating.contamination import MIN_NEAR
from kit19.curating.grams import composed
from kit19.curating.near_search import choose
from kit19.curating.near_texts import U64, AllTexts, NearTexts
from kit19.curating.workers import Workers

_FACTOR, _HALF = np.uint64(0x9E3779B97F4A7C15), np.uint64(32)
# Other characters have no case, also in NFKC: blanks, ASCII without capitals, punctuation, CJK, Hangul.
_MAY_HAVE_CASE = r"[^\t\n\r -@\[-~‘-”…\u{3000}-〟ㄱ-ㆎ가-힣]"


@dataclass(frozen=True)
class NearFields:
    """What of a record is compared.

    Attributes:
        fields: The fields of the identity.
        answers: Fields in which near records must agree. They may be part of the identity.
    """

    fields: Sequence[str]
    answers: Sequence[str] = ()

    @property
    def texts(self) -> list[str]:
        """The fields and the answers."""
        return list(dict.fromkeys([*self.fields, *self.answers]))

    def convert(self, records: pl.DataFrame, plain: pl.DataFrame, signs: pl.DataFrame) -> NearTexts:
        """Convert records, to compare them.

        Args:
            records: The fields and the answers.
            plain: The same ``texts`` in bare form (see ``bare``).
            signs: Their signs (see ``extract_signs``).
        """
        texts = {name: records[name].fill_null("") for name in self.texts}
        equal = [signs[name] for name in self.texts]
        equal += [_with_case(plain[name], texts[name]) for name in self.answers]
        long = []
        for name in self.fields:
            text = _bare_or_original(plain[name], texts[name]).to_frame("text")
            is_long = pl.col("text").str.len_chars() >= MIN_NEAR
            long.append(text.select(pl.when(is_long).then("text").otherwise(pl.lit("")))["text"])
            equal.append(text.select(pl.when(~is_long).then("text"))["text"])
        return NearTexts.create(long, _hash_all(equal))


class NearSearch:
    """Searches the records of one subset for near duplicates.

    Which record of two near ones is dropped depends on those kept before it, so ``find`` can be asked
    again for another order.
    """

    def __init__(self, fields: int, workers: Workers) -> None:
        """Search for near duplicates.

        Args:
            fields: The number of fields of the identity.
            workers: What does the work.
        """
        self._workers = workers
        self._ids = pl.Series("id", [], dtype=pl.String)
        self._added = AllTexts(fields)

    def add(self, ids: pl.Series, texts: NearTexts) -> None:
        """Add records.

        Args:
            ids: Their ids. None of them was added before.
            texts: What of them is compared (see ``NearFields.convert``).
        """
        self._ids.append(ids)
        self._added.append(texts)

    def find(self, batch: pl.Series, kept: pl.Series) -> pl.DataFrame:
        """Find records of a batch that are near a kept record or an earlier record of the batch.

        Args:
            batch: Ids of candidates in the order of choice. All were added.
            kept: Ids of records kept before, in order. All were added.

        Returns:
            Columns id, evidence (the id of the kept record).
        """
        ids = pl.concat([kept, batch])
        number = self._ids.to_frame("id").with_row_index("number")
        numbers = ids.to_frame("id").join(number, on="id", how="left", maintain_order="left")
        order = numbers["number"].to_numpy().astype(np.int64)
        del number, numbers
        chosen = choose(self._added.texts(), order[: len(kept)], order[len(kept) :], self._workers)
        found = np.flatnonzero(chosen >= 0)
        return pl.DataFrame({"id": batch.gather(found), "evidence": ids.gather(chosen[found])})


def _hash_all(columns: list[pl.Series]) -> U64:
    """Hash the texts (or nulls) of each row."""
    keys = np.zeros(len(columns[0]), dtype=np.uint64)
    for column in columns:
        hashed = column.to_frame("text").select(stable_hash(pl.col("text")).fill_null(0))
        keys = (keys ^ (keys >> _HALF)) * _FACTOR ^ hashed.to_series().to_numpy()
    return keys


def _bare_or_original(plain: pl.Series, texts: pl.Series) -> pl.Series:
    """Return the bare form of texts, but texts without any letter or digit as they are."""
    empty = ((plain == "") & (texts != "")).arg_true()
    return plain.scatter(empty, texts.gather(empty)) if len(empty) else plain


def _with_case(plain: pl.Series, texts: pl.Series) -> pl.Series:
    """Reduce texts to letters and digits, as in bare form, but keep their case."""
    cased = texts.str.contains(_MAY_HAVE_CASE).arg_true()
    letters = composed(texts.gather(cased)).str.replace_all(r"[^\p{L}\p{N}]", "")
    return plain.scatter(cased, letters) if len(cased) else plain
