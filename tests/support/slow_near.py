"""Find near duplicates with joins of polars: slower than native code, and written otherwise.

Two texts are near if their sets of character trigrams (of the bare text) have a Jaccard similarity of
at least ``MIN_SIMILARITY``. Texts shorter than ``MIN_NEAR`` characters are near only if they are equal
in bare form. In both cases their signs must be equal too (see ``signs``): a different number, operator
or emoji makes a different text. A text without any letter or digit is near only to its equals.

Two records are near if every field of their identity is near, and if their label and answer are equal
apart from punctuation. So two questions about one paragraph are not near.

Candidates come from prefix filtering (Bayardo et al., 2007; Xiao et al., PPJoin, 2008). If the grams of
each set are ordered by rarity, two sets that overlap enough share one of their few rarest grams, so
only these grams are joined.
"""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from kit19.curating.contamination import MIN_NEAR
from kit19.curating.grams import GRAM, composed
from kit19.curating.signs import extract_signs
from tests.support.slow_grams import extract_trigrams

MIN_SIMILARITY = 0.8
# A looser threshold for candidates: the fields are compared one by one afterwards.
_CANDIDATE_THRESHOLD = 0.75
_PREFIX_SHARE = 0.1
_SAMPLED_ONE_IN = 7
_LARGE = 600  # texts with more trigrams are compared by a sample of them first
_SAMPLED_THRESHOLD = 0.5  # looser: an estimate from some 80 trigrams is inexact
_SEPARATOR = "\x1f"


class SlowNearSearch:
    """Searches the records of one subset for near duplicates.

    Each pair of near records is found once, when the later of them is added. Which record of a pair is
    dropped depends on those kept before it, so ``find`` can be asked again for another order.
    """

    def __init__(self, fields: list[str], answers: list[str] | None = None) -> None:
        """Search for near duplicates.

        Args:
            fields: The fields of the identity.
            answers: Fields in which near records must agree. They may be part of the identity.
        """
        self._fields, self._answers = fields, answers or []
        self._texts = list(dict.fromkeys([*fields, *self._answers]))
        self._records: pl.DataFrame | None = None
        self._pairs = pl.DataFrame(schema={"earlier": pl.UInt32, "later": pl.UInt32})

    def add(self, records: pl.DataFrame, plain: pl.DataFrame, _signs: pl.DataFrame) -> None:
        """Add records, and find the pairs that they form with each other and with those before.

        Args:
            records: Columns id, the fields and the answers. None of them was added before.
            plain: The fields in bare form, in the same order (see ``bare``).
        """
        new = records.select(
            "id",
            *(records[name].fill_null("") for name in self._texts),
            *(
                _bare_or_original(plain[name], records[name].fill_null("")).alias(f"#{name}")
                for name in self._fields
            ),
        )
        before = self._records if self._records is not None else new.clear()
        self._records = every = pl.concat([before, new])
        joined = every.select(
            pl.concat_str([f"#{name}" for name in self._fields], separator=_SEPARATOR)
        ).to_series()
        pairs = _candidate_pairs(joined, first_new=before.height)
        for name in self._fields:
            pairs = _filter_near(pairs, every[f"#{name}"])
        for name in self._texts:
            pairs = _filter_equal(pairs, every[name], extract_signs)
        for name in self._answers:
            pairs = _filter_equal(pairs, every[name], _letters_and_digits)
        self._pairs = pl.concat([self._pairs, pairs])

    def find(self, batch: pl.Series, kept: pl.Series) -> pl.DataFrame:
        """Find records of a batch that are near a kept record or an earlier record of the batch.

        Args:
            batch: Ids of candidates in the order of choice. All were added.
            kept: Ids of records kept before, in order. All were added.

        Returns:
            Columns id, evidence (the id of the kept record).
        """
        found: dict[int, int] = {}
        ids = pl.concat([kept, batch])
        if self._records is not None and self._pairs.height:
            number = self._records.select("id").with_row_index("number")
            places = pl.DataFrame({"id": ids}).with_row_index("place").join(number, on="id")
            pairs = self._pairs
            for side in ("earlier", "later"):
                renamed = places.select(
                    pl.col("number").alias(side), pl.col("place").alias(f"#{side}")
                )
                pairs = pairs.join(renamed, on=side)
            ordered = pairs.select(
                earlier=pl.min_horizontal("#earlier", "#later"),
                later=pl.max_horizontal("#earlier", "#later"),
            ).filter(pl.col("later") >= len(kept))
            # In order of the later record: it is then decided whether the earlier one is kept.
            for earlier, later in ordered.sort("later", "earlier").iter_rows():
                if later not in found and earlier not in found:
                    found[later] = earlier
        evidence = ids.gather(list(found.values()))
        return pl.DataFrame({"id": ids.gather(list(found)), "evidence": evidence})


def _bare_or_original(plain: pl.Series, texts: pl.Series) -> pl.Series:
    """Return the bare form of texts, but texts without any letter or digit as they are."""
    empty = ((plain == "") & (texts != "")).arg_true()
    return plain.scatter(empty, texts.gather(empty))


def _letters_and_digits(texts: pl.Series) -> pl.Series:
    """Reduce answers to letters and digits, and keep their case."""
    return composed(texts).str.replace_all(r"[^\p{L}\p{N}]", "")


def _filter_equal(
    pairs: pl.DataFrame, texts: pl.Series, key: Callable[[pl.Series], pl.Series]
) -> pl.DataFrame:
    """Keep the pairs whose texts have equal keys."""
    places = pl.concat([pairs["earlier"], pairs["later"]]).unique().sort()
    keys = pl.DataFrame({"place": places, "key": key(texts.gather(places))})
    earlier = pairs.join(keys, left_on="earlier", right_on="place", maintain_order="left")
    both = earlier.join(keys, left_on="later", right_on="place", maintain_order="left")
    return both.filter(pl.col("key") == pl.col("key_right")).select("earlier", "later")


def _candidate_pairs(texts: pl.Series, first_new: int) -> pl.DataFrame:
    """Find pairs that may be near: columns earlier, later (places). The later record is new."""
    grams = extract_trigrams(texts).select("place", "gram")
    # One gram in seven is enough for a large set, the same grams in every text. (Modulo 7, a packed
    # gram is the sum of its three code points.)
    sample = grams.filter(pl.col("gram") % _SAMPLED_ONE_IN == 0).unique()
    sizes = sample.group_by("place").agg(size=pl.len() * _SAMPLED_ONE_IN)
    # Two near sets have nearly the same size, so both sets of a pair are in one of the two parts. The
    # parts overlap by more than the error of the estimated size.
    large = sizes.filter(pl.col("size") >= _LARGE)
    too_large = sizes.filter(pl.col("size") > 2 * _LARGE)
    found = [
        _candidates(
            grams.join(too_large, on="place", how="anti").unique(), first_new, _CANDIDATE_THRESHOLD
        ),
        _candidates(sample.join(large, on="place", how="semi"), first_new, _SAMPLED_THRESHOLD),
    ]
    # A text of one or two characters has no trigram: it is near only to its equals.
    tiny = texts.str.len_chars() < GRAM
    numbered = pl.DataFrame({"text": texts}).with_row_index("earlier").filter(tiny)
    equal = numbered.join(numbered.rename({"earlier": "later"}), on="text")
    new = (pl.col("earlier") < pl.col("later")) & (pl.col("later") >= first_new)
    return pl.concat([*found, equal.filter(new).select("earlier", "later")]).unique()


def _candidates(grams: pl.DataFrame, first_new: int, threshold: float) -> pl.DataFrame:
    """Find pairs of sets (columns place, gram) whose overlap may reach the threshold."""
    sizes = grams.group_by("place").agg(size=pl.len())
    rarity = grams.group_by("gram").agg(rarity=pl.len()).filter(pl.col("rarity") > 1)
    common = grams.join(rarity, on="gram").join(sizes, on="place").sort("place", "rarity", "gram")
    # Two sets that overlap enough share one of their ``enough`` rarest grams. Grams that only one text
    # has come first in this order, and no other set shares them.
    enough = pl.col("size") - (threshold * pl.col("size")).ceil() + 1
    alone = pl.col("size") - pl.len().over("place")
    rank = alone + pl.int_range(pl.len(), dtype=pl.UInt32).over("place")
    rarest = common.filter(rank < enough).lazy().select("gram", "size", earlier="place")
    return (
        rarest.join(rarest.rename({"earlier": "later"}), on="gram", suffix="_later")
        .filter(pl.col("earlier") < pl.col("later"), pl.col("later") >= first_new)
        .filter(
            pl.min_horizontal("size", "size_later")
            >= threshold * pl.max_horizontal("size", "size_later")
        )
        .group_by("earlier", "later")
        .agg(shared=pl.len(), size=pl.col("size").first())
        # Many long texts share one rare gram by chance; near ones share most of theirs.
        .filter(pl.col("shared") >= _PREFIX_SHARE * (1 - threshold) * pl.col("size"))
        .select("earlier", "later")
        .collect()
    )


def _filter_near(pairs: pl.DataFrame, texts: pl.Series) -> pl.DataFrame:
    """Keep the pairs whose texts are near."""
    one, other = texts.gather(pairs["earlier"]), texts.gather(pairs["later"])
    equal = one == other
    long = (one.str.len_chars() >= MIN_NEAR) & (other.str.len_chars() >= MIN_NEAR)
    same, unsure = pairs.filter(equal), pairs.filter(~equal & long)
    if not unsure.height:
        return same
    places = pl.concat([unsure["earlier"], unsure["later"]]).unique().sort()
    found = extract_trigrams(texts.gather(places))
    grams = found.with_columns(place=places.gather(found["place"]))
    grams = grams.select("place", "gram").unique()
    sizes = grams.group_by("place").agg(size=pl.len())
    shared = (
        unsure.join(grams, left_on="earlier", right_on="place")
        .join(grams, left_on=["later", "gram"], right_on=["place", "gram"])
        .group_by("earlier", "later")
        .agg(shared=pl.len())
        .join(sizes, left_on="earlier", right_on="place")
        .join(sizes, left_on="later", right_on="place", suffix="_later")
    )
    union = pl.col("size") + pl.col("size_later") - pl.col("shared")
    near = shared.filter(pl.col("shared") >= MIN_SIMILARITY * union).select("earlier", "later")
    return pl.concat([same, near])
