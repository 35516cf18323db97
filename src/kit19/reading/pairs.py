"""Pairs derived from groups of paraphrases, as the authors of ParaKQC and StyleKQC define them.

Record number ``n`` belongs to group ``n // size``; a malformed record leaves a gap, so the others
keep their places. A pair of records ``a`` and ``b`` has the key ``a-b``.

- ``same``: every two records of one group (itertools.combinations order).
- ``different``, rule ``by_group_pair`` (ParaKQC's authors): one pair for every two groups i < j,
  ``groups[i][j % size]`` with ``groups[j][i % size]``.
- ``different``, rule ``drawn``: where the authors' draw is not published, ours: for each ``same``
  pair one partner for its first record, from another group, by hash. Marked ``made_by: kit19``.
"""

from __future__ import annotations

import polars as pl

from kit19.catalog.source import Pairs
from kit19.core.order import hash_order
from kit19.reading.rows import ROW

# The drawn negatives are part of what a record id means, so they never follow a recipe's seed.
_SEED = 0
_MOST_TURNS = 64


def derive_pairs(records: pl.DataFrame, pairs: Pairs, key: str, prefix: str) -> pl.DataFrame:
    """Derive all pairs of one file's records.

    Args:
        records: Columns ``#row`` and the fields that ``pairs`` names.
        pairs: The rule.
        key: The name of the key column to make.
        prefix: What makes group names unique, ``<subset>/<split>/``.

    Returns:
        Columns ``key``, ``group``, ``partner`` (the groups of the two records), ``sentence1``,
        ``sentence2``, ``label`` (same, different), ``similarity``, ``made_by`` and the fields of
        ``pairs.alike`` (of the first record). ``similarity`` is 4 for one group, else 2 for the
        first and 1 for the second field of ``alike`` that agrees, added up (ParaKQC's scale);
        null where ``alike`` is empty.
    """
    numbers = pl.DataFrame({"a": records[ROW]}).with_columns(g=pl.col("a") // pairs.size)
    same = _same(numbers)
    different = (
        _drawn(same, numbers) if pairs.negatives == "drawn" else _by_rule(numbers, pairs.size)
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
    )


def _same(numbers: pl.DataFrame) -> pl.DataFrame:
    """Columns a < b, g: every two records of one group."""
    other = numbers.select(pl.col("a").alias("b"), "g")
    joined = numbers.join(other, on="g", maintain_order="left_right")
    return joined.filter(pl.col("a") < pl.col("b"))


def _by_rule(numbers: pl.DataFrame, size: int) -> pl.DataFrame:
    """Columns a, b: the authors' one pair for every two groups; gaps give no pair."""
    groups = numbers.select(pl.col("g").unique().sort())
    i, j = pl.col("g"), pl.col("h")
    crossed = groups.join(groups.rename({"g": "h"}), how="cross", maintain_order="left_right")
    made = crossed.filter(i < j).select(a=i * size + j % size, b=j * size + i % size)
    present = numbers.select("a")
    return made.join(present, on="a", how="semi", maintain_order="left").join(
        present.rename({"a": "b"}), on="b", how="semi", maintain_order="left"
    )


def _drawn(same: pl.DataFrame, numbers: pl.DataFrame) -> pl.DataFrame:
    """Columns a, b: for each same pair, its first record with one of another group."""
    count = numbers.height
    places = numbers.select(b="a", h="g").with_row_index("place")
    todo = same.select("a", "g", tag=pl.concat_str("a", pl.lit("-"), "b"))
    done = pl.DataFrame(schema={"a": pl.UInt32, "b": pl.UInt32})
    turn = 0
    # A draw that meets its own group or an earlier pair is drawn again, salted with the turn.
    # A corpus of very few groups can run out of partners: then there are fewer negatives.
    while todo.height and turn < _MOST_TURNS:
        ids = pl.concat_str("tag", pl.lit(f"#{turn}"))
        place = (hash_order(ids, "negative", _SEED) % count).cast(pl.UInt32).alias("place")
        tried = todo.with_columns(place).join(places, on="place", maintain_order="left")
        tried = tried.with_columns(
            lo=pl.min_horizontal("a", "b"), hi=pl.max_horizontal("a", "b")
        ).with_columns(
            fresh=(pl.col("g") != pl.col("h")) & pl.struct("lo", "hi").is_first_distinct()
        )
        drawn = tried.filter("fresh").select(a="lo", b="hi")
        new = drawn.join(done, on=["a", "b"], how="anti", maintain_order="left")
        done = pl.concat([done, new])
        used = tried.filter("fresh").join(
            new, left_on=["lo", "hi"], right_on=["a", "b"], how="semi", maintain_order="left"
        )
        todo = todo.join(used.select("tag"), on="tag", how="anti", maintain_order="left")
        turn += 1
    return done


def _similarity(alike: list[str]) -> pl.Expr:
    if not alike:
        return pl.lit(None, dtype=pl.String)
    weights = [
        pl.when(pl.col(name) == pl.col(f"{name}#b")).then(weight).otherwise(0)
        for weight, name in zip((2, 1), alike, strict=True)
    ]
    grade = pl.sum_horizontal(weights)
    return pl.when(pl.col("label") == "same").then(4).otherwise(grade).cast(pl.String)
