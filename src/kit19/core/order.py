"""The one stable hash. Every choice that kit19 makes is a function of it.

xxh3-64 of the UTF-8 bytes of ``"{seed}:{purpose}:{id}"``. The purpose salts the hash: without it
the sample and the validation set would be the same rows. An engine's own ``hash()`` is never used,
since it may change from version to version; this one is the published XXH3 algorithm and is
tested against the ``xxhash`` library.
"""

from __future__ import annotations

from typing import Literal

import polars as pl
import polars_hash  # noqa: F401  registers the ``nchash`` namespace on expressions

Purpose = Literal["sample", "template", "validation", "shuffle", "negative"]


def stable_hash(text: pl.Expr) -> pl.Expr:
    """xxh3-64 of a String column: n values → n UInt64, null where the text is null."""
    hashed: pl.Expr = text.nchash.xxh3_64()  # type: ignore[attr-defined]
    return hashed


def hash_order(ids: pl.Expr, purpose: Purpose, seed: int, suffix: str = "") -> pl.Expr:
    """The place of each id in the order of one purpose.

    Args:
        ids: String expression, n record ids.
        purpose: What the order is for; different purposes give independent orders.
        seed: The recipe's seed.
        suffix: Written behind every id.

    Returns:
        UInt64 expression, n hashes; null ids give null.
    """
    return stable_hash(pl.concat_str(pl.lit(f"{seed}:{purpose}:"), ids, pl.lit(suffix)))
