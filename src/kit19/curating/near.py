"""Near duplicates: a record that says almost what an earlier kept one says.

Two texts are near if their sets of character trigrams (of the bare text) overlap by at least
``SIMILAR`` (Jaccard), texts shorter than ``MIN_NEAR`` characters if they are equal in bare form; and if
their signs are the same (see ``signs``): a number, an operator or an emoji makes another text. A text
without a letter or digit is near to nothing but what it is equal to.

Two records are near if every field of their identity is (two questions about one paragraph are not) and
all that is asked of them besides, label and answer, is equal but for punctuation.

Candidates come from prefix filtering (Bayardo et al., 2007; Xiao et al., PPJoin, 2008): ordered by
rarity, two sets that overlap enough share one of their few rarest grams, so only those are joined.
"""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from kit19.curating.contamination import MIN_NEAR
from kit19.curating.grams import GRAM, bare, composed, trigrams_of
from kit19.curating.signs import signs_of

SIMILAR = 0.8
# Fields are compared one by one afterwards; together they may overlap a little less.
_TOGETHER = 0.75
_PREFIX_SHARE = 0.1
_EVERY = 7
_LARGE = 600  # trigrams from which a text is compared by a sample of them first
_TOGETHER_SAMPLED = 0.5  # a sample of some 80 trigrams strays from the whole
_SEPARATOR = "\x1f"


def find_near(
    batch: pl.DataFrame, kept: pl.DataFrame, fields: list[str], answers: list[str] | None = None
) -> pl.DataFrame:
    """Records of a batch that are near to a kept record or to an earlier one of the batch.

    Args:
        batch: Candidates in the order of choice: id and the fields.
        kept: Records kept before, likewise.
        fields: The identity.
        answers: Fields in which near records must agree; they may be of the identity.

    Returns:
        Columns id, evidence (the id that stays).
    """
    answers = answers or []
    columns = list(dict.fromkeys(["id", *fields, *answers]))
    both = pl.concat([kept.select(columns), batch.select(columns)])
    plain = {name: _bare_or_itself(both[name].fill_null("")) for name in fields}
    whole = pl.DataFrame(plain).select(pl.concat_str(fields, separator=_SEPARATOR)).to_series()
    pairs = _pairs(whole, first_new=kept.height)
    for name in fields:
        pairs = _near_in(pairs, plain[name])
    for name in columns[1:]:
        pairs = _agreeing(pairs, both[name].fill_null(""), signs_of)
    for name in answers:
        pairs = _agreeing(pairs, both[name].fill_null(""), _letters)
    found: dict[int, int] = {}
    # In order of the later record: by then it is settled whether the earlier one stays.
    for earlier, later in pairs.sort("later", "earlier").iter_rows():
        if later not in found and earlier not in found:
            found[later] = earlier
    ids = both["id"]
    schema = {"id": pl.String, "evidence": pl.String}
    rows = [(ids[later], ids[earlier]) for later, earlier in found.items()]
    return pl.DataFrame(rows, schema=schema, orient="row")


def _bare_or_itself(texts: pl.Series) -> pl.Series:
    """Texts in bare form; a text of which that leaves nothing as it is, so that it stays what it is."""
    plain = bare(texts)
    empty = ((plain == "") & (texts != "")).arg_true()
    return plain.scatter(empty, texts.gather(empty))


def _letters(texts: pl.Series) -> pl.Series:
    """Letters and digits of an answer, in their own case."""
    return composed(texts).str.replace_all(r"[^\p{L}\p{N}]", "")


def _agreeing(
    pairs: pl.DataFrame, texts: pl.Series, said: Callable[[pl.Series], pl.Series]
) -> pl.DataFrame:
    """Pairs whose texts say the same, by a function of n texts."""
    places = pl.concat([pairs["earlier"], pairs["later"]]).unique().sort()
    keys = pl.DataFrame({"place": places, "key": said(texts.gather(places))})
    earlier = pairs.join(keys, left_on="earlier", right_on="place", maintain_order="left")
    both = earlier.join(keys, left_on="later", right_on="place", maintain_order="left")
    return both.filter(pl.col("key") == pl.col("key_right")).select("earlier", "later")


def _pairs(texts: pl.Series, first_new: int) -> pl.DataFrame:
    """Columns earlier, later (places): pairs that may be near; the later one is new."""
    grams = trigrams_of(texts).select("place", "gram")
    # Of a large set every seventh gram tells enough, the same ones in every text. (Modulo 7 a packed
    # gram is the sum of its three code points.)
    sample = grams.filter(pl.col("gram") % _EVERY == 0).unique()
    sizes = sample.group_by("place").agg(size=pl.len() * _EVERY)
    # Two near sets are of nearly one size, so each pair stands whole in one of the two parts, which
    # overlap by more than the estimate strays.
    large = sizes.filter(pl.col("size") >= _LARGE)
    too_large = sizes.filter(pl.col("size") > 2 * _LARGE)
    found = [
        _candidates(grams.join(too_large, on="place", how="anti").unique(), first_new, _TOGETHER),
        _candidates(sample.join(large, on="place", how="semi"), first_new, _TOGETHER_SAMPLED),
    ]
    # A text of one or two characters has no trigram: it is near to its equals alone.
    tiny = texts.str.len_chars() < GRAM
    numbered = pl.DataFrame({"text": texts}).with_row_index("earlier").filter(tiny)
    equal = numbered.join(numbered.rename({"earlier": "later"}), on="text")
    new = (pl.col("earlier") < pl.col("later")) & (pl.col("later") >= first_new)
    return pl.concat([*found, equal.filter(new).select("earlier", "later")]).unique()


def _candidates(grams: pl.DataFrame, first_new: int, together: float) -> pl.DataFrame:
    """Pairs of sets (columns place, gram) that overlap by ``together`` or nearly so."""
    sizes = grams.group_by("place").agg(size=pl.len())
    rarity = grams.group_by("gram").agg(rarity=pl.len()).filter(pl.col("rarity") > 1)
    common = grams.join(rarity, on="gram").join(sizes, on="place").sort("place", "rarity", "gram")
    # Two sets that overlap enough share one of this many of their rarest grams. Grams that stand in
    # one text alone come first in the order and can be shared with nobody.
    enough = pl.col("size") - (together * pl.col("size")).ceil() + 1
    alone = pl.col("size") - pl.len().over("place")
    rank = alone + pl.int_range(pl.len(), dtype=pl.UInt32).over("place")
    rarest = common.filter(rank < enough).lazy().select("gram", "size", earlier="place")
    return (
        rarest.join(rarest.rename({"earlier": "later"}), on="gram", suffix="_later")
        .filter(pl.col("earlier") < pl.col("later"), pl.col("later") >= first_new)
        .filter(
            pl.min_horizontal("size", "size_later")
            >= together * pl.max_horizontal("size", "size_later")
        )
        .group_by("earlier", "later")
        .agg(shared=pl.len(), size=pl.col("size").first())
        # Of long texts many share one rare gram by chance, and near ones share most of them.
        .filter(pl.col("shared") >= _PREFIX_SHARE * (1 - together) * pl.col("size"))
        .select("earlier", "later")
        .collect()
    )


def _near_in(pairs: pl.DataFrame, texts: pl.Series) -> pl.DataFrame:
    """Pairs whose texts are near."""
    one, other = texts.gather(pairs["earlier"]), texts.gather(pairs["later"])
    equal = one == other
    long = (one.str.len_chars() >= MIN_NEAR) & (other.str.len_chars() >= MIN_NEAR)
    same, unsure = pairs.filter(equal), pairs.filter(~equal & long)
    if not unsure.height:
        return same
    places = pl.concat([unsure["earlier"], unsure["later"]]).unique().sort()
    found = trigrams_of(texts.gather(places))
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
    near = shared.filter(pl.col("shared") >= SIMILAR * union).select("earlier", "later")
    return pl.concat([same, near])
