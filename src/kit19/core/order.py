"""The stable hash behind every choice that kit19 makes.

xxh3-64 of the UTF-8 bytes of ``"{seed}:{purpose}:{id}"``. The purpose salts the hash: without it
the sample and the validation set would be the same rows. An engine's own ``hash()`` may change between
versions, so it is never used. This one is the published XXH3 algorithm; tests compare it with the
``xxhash`` library.
"""

from __future__ import annotations

from typing import Literal

import polars as pl
import polars_hash  # noqa: F401  registers the ``nchash`` namespace on expressions

Purpose = Literal[
    "sample", "template", "validation", "shuffle", "negative", "options", "shots", "conversation"
]


def stable_hash(text: pl.Expr) -> pl.Expr:
    """Hash a String column with xxh3-64: n values → n UInt64; null stays null."""
    hashed: pl.Expr = text.nchash.xxh3_64()  # type: ignore[attr-defined]
    return hashed


def hash_order(ids: pl.Expr, purpose: Purpose, seed: int, suffix: str = "") -> pl.Expr:
    """Return the position of each id in the order of one purpose.

    Args:
        ids: String expression, n record ids.
        purpose: What the order is for; different purposes give independent orders.
        seed: The recipe's seed.
        suffix: Appended to every id.

    Returns:
        UInt64 expression, n hashes; null ids give null.
    """
    return stable_hash(pl.concat_str(pl.lit(f"{seed}:{purpose}:"), ids, pl.lit(suffix)))
