"""Pairs derived from groups of paraphrases, as the authors of ParaKQC and StyleKQC define them.

Record number ``n`` belongs to group ``n // size``; a malformed record leaves a gap, so the others
keep their places. A pair of records ``a`` and ``b`` has the key ``a-b``.

- ``same``: every two records of one group (itertools.combinations order).
- ``different``, rule ``by_group_pair`` (ParaKQC's authors): one pair for every two groups i < j,
  ``groups[i][j % size]`` with ``groups[j][i % size]``.
- ``different``, rule ``drawn``: our own draw, for sources whose authors did not publish theirs. The
  first record of each ``same`` pair gets one partner from another group, chosen by hash. These pairs
  are marked ``made_by: kit19``.
"""

from __future__ import annotations

import polars as pl

from kit19.catalog.source import Pairs
from kit19.core.order import hash_order
from kit19.reading.rows import ROW

# Record ids depend on the drawn negatives, so the draw never uses a recipe's seed.
_SEED = 0
_MAX_ROUNDS = 64


def derive_pairs(records: pl.DataFrame, pairs: Pairs, key: str, prefix: str) -> pl.DataFrame:
    """Derive all pairs of one file's records.

    Args:
        records: Columns ``#row`` and the fields that ``pairs`` names.
        pairs: The rule.
        key: The name of the key column.
        prefix: The prefix that makes group names unique, ``<subset>/<split>/``.

    Returns:
        Columns ``key``, ``group``, ``partner`` (the groups of the two records), ``sentence1``,
        ``sentence2``, ``label`` (same, different), ``similarity``, ``made_by``, the fields of
        ``pairs.alike`` (``topic`` of the first record, ``topic2`` of the second), and with
        ``pairs.styles`` the fields ``style1``, ``style2`` (null where ``pairs.marks`` contradict
        the place) and ``place``. ``similarity`` follows
        ParaKQC's scale: 4 within one group; otherwise 2 if the first field of ``alike`` agrees,
        plus 1 if the second does. It is null where ``alike`` is empty.
    """
    numbers = pl.DataFrame({"a": records[ROW]}).with_columns(g=pl.col("a") // pairs.size)
    same = _same_group(numbers)
    different = (
        _draw_negatives(same, numbers)
        if pairs.negatives == "drawn"
        else _by_group_pair(numbers, pairs.size)
    )
    author = "kit19" if pairs.negatives == "drawn" else "authors"
    both = pl.concat(
        [
            same.select("a", "b", label=pl.lit("same"), made_by=pl.lit("authors")),
            different.select("a", "b", label=pl.lit("different"), made_by=pl.lit(author)),
        ]
    )
    fields = records.select(ROW, pairs.of, *pairs.alike)
    joined = both.join(fields, left_on="a", right_on=ROW, maintain_order="left").join(
        fields, left_on="b", right_on=ROW, suffix="#b", maintain_order="left"
    )
    group = [pl.concat_str(pl.lit(f"{prefix}group "), pl.col(n) // pairs.size) for n in "ab"]
    return joined.select(
        pl.concat_str("a", pl.lit("-"), "b").alias(key),
        group=group[0],
        partner=group[1],
        sentence1=pl.col(pairs.of),
        sentence2=pl.col(f"{pairs.of}#b"),
        label="label",
        similarity=_similarity(pairs.alike),
        made_by="made_by",
        **{name: pl.col(name) for name in pairs.alike},
        **{f"{name}2": pl.col(f"{name}#b") for name in pairs.alike},
        **_styles(pairs),
    )


def _styles(pairs: Pairs) -> dict[str, pl.Expr]:
    """The style of both records, and whether both are the nth of their styles."""
    if not pairs.styles:
        return {}
    styles = [name for name, count in pairs.styles.items() for _ in range(count)]
    nth = [n for count in pairs.styles.values() for n in range(count)]
    a, b = ((pl.col(name) % pairs.size).cast(pl.Int64) for name in "ab")
    places = range(pairs.size)
    first, second = (
        _worded(place.replace_strict(places, styles, return_dtype=pl.String), pl.col(text), pairs)
        for place, text in ((a, pairs.of), (b, f"{pairs.of}#b"))
    )
    same = a.replace_strict(places, nth) == b.replace_strict(places, nth)
    place = pl.when(same).then(pl.lit("same")).otherwise(pl.lit("other"))
    return {"style1": first, "style2": second, "place": place}


def _worded(style: pl.Expr, text: pl.Expr, pairs: Pairs) -> pl.Expr:
    """The style, or null where the text has another's marks or lacks its own."""
    agrees = pl.lit(True)
    for marked, pattern in pairs.marks.items():
        agrees &= text.str.contains(pattern) == (style == marked)
    return pl.when(agrees).then(style)


def _same_group(numbers: pl.DataFrame) -> pl.DataFrame:
    """Columns a < b, g: every two records of one group."""
    other = numbers.select(pl.col("a").alias("b"), "g")
    joined = numbers.join(other, on="g", maintain_order="left_right")
    return joined.filter(pl.col("a") < pl.col("b"))


def _by_group_pair(numbers: pl.DataFrame, size: int) -> pl.DataFrame:
    """Columns a, b: the authors' one pair for every two groups; gaps give no pair."""
    groups = numbers.select(pl.col("g").unique().sort())
    i, j = pl.col("g"), pl.col("h")
    crossed = groups.join(groups.rename({"g": "h"}), how="cross", maintain_order="left_right")
    pairs = crossed.filter(i < j).select(a=i * size + j % size, b=j * size + i % size)
    present = numbers.select("a")
    return pairs.join(present, on="a", how="semi", maintain_order="left").join(
        present.rename({"a": "b"}), on="b", how="semi", maintain_order="left"
    )


def _draw_negatives(same: pl.DataFrame, numbers: pl.DataFrame) -> pl.DataFrame:
    """Columns a, b: for each same pair, its first record with one of another group."""
    count = numbers.height
    places = numbers.select(b="a", h="g").with_row_index("place")
    pending = same.select("a", "g", tag=pl.concat_str("a", pl.lit("-"), "b"))
    accepted = pl.DataFrame(schema={"a": pl.UInt32, "b": pl.UInt32})
    attempt = 0
    # A draw that hits its own group or an earlier pair is repeated, salted with the attempt number.
    # A corpus of very few groups can run out of partners; it then gets fewer negatives.
    while pending.height and attempt < _MAX_ROUNDS:
        ids = pl.concat_str("tag", pl.lit(f"#{attempt}"))
        place = (hash_order(ids, "negative", _SEED) % count).cast(pl.UInt32).alias("place")
        drawn_now = pending.with_columns(place).join(places, on="place", maintain_order="left")
        drawn_now = drawn_now.with_columns(
            lo=pl.min_horizontal("a", "b"), hi=pl.max_horizontal("a", "b")
        ).with_columns(
            is_new=(pl.col("g") != pl.col("h")) & pl.struct("lo", "hi").is_first_distinct()
        )
        drawn = drawn_now.filter("is_new").select(a="lo", b="hi")
        new = drawn.join(accepted, on=["a", "b"], how="anti", maintain_order="left")
        accepted = pl.concat([accepted, new])
        used = drawn_now.filter("is_new").join(
            new, left_on=["lo", "hi"], right_on=["a", "b"], how="semi", maintain_order="left"
        )
        pending = pending.join(used.select("tag"), on="tag", how="anti", maintain_order="left")
        attempt += 1
    return accepted


def _similarity(alike: list[str]) -> pl.Expr:
    if not alike:
        return pl.lit(None, dtype=pl.String)
    weights = [
        pl.when(pl.col(name) == pl.col(f"{name}#b")).then(weight).otherwise(0)
        for weight, name in zip((2, 1), alike, strict=True)
    ]
    grade = pl.sum_horizontal(weights)
    return pl.when(pl.col("label") == "same").then(4).otherwise(grade).cast(pl.String)
