"""The same text in several subsets: always told, dropped where the recipe says ``dedup: across``.

Two records of different subsets say the same if the texts that their cards list under ``exposed`` are
equal, field by field, in bare form (letters and digits, without case) and in their signs (see
``signs``): field names differ between sources, and so do spacing and punctuation of what they copied
from one place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import polars as pl

from kit19.core.manifest import SharedText
from kit19.core.order import stable_hash
from kit19.curating.grams import bare
from kit19.curating.signs import signs_of

_SEPARATOR = "\x1f"
_EXAMPLES = 3
_AT_ONCE = 50_000


@dataclass(frozen=True)
class SubsetTexts:
    """What the kept records of one subset say.

    Attributes:
        texts: Columns id, said (hash of the texts), label; records without a letter left out.
        task: The subset's task.
        labels: The values that its label may have.
    """

    texts: pl.DataFrame
    task: str
    labels: frozenset[str]


def texts_of(records: pl.DataFrame, fields: list[str], label: str | None) -> pl.DataFrame:
    """What records say: columns id, said, label."""
    # In slices, since the bare texts are as large as the texts themselves.
    slices = range(0, max(records.height, 1), _AT_ONCE)
    return pl.concat([_texts(records.slice(start, _AT_ONCE), fields, label) for start in slices])


def _texts(records: pl.DataFrame, fields: list[str], label: str | None) -> pl.DataFrame:
    plain = {name: bare(records[name].fill_null("")) for name in fields}
    signs = {f"#{name}": signs_of(records[name].fill_null("")) for name in fields}
    letters, whole = (
        pl.DataFrame(parts).select(text=pl.concat_str(pl.all(), separator=_SEPARATOR)).to_series()
        for parts in (plain, plain | signs)
    )
    named = pl.col(label).cast(pl.String) if label else pl.lit(None, dtype=pl.String)
    texts = records.select("id", label=named).with_columns(whole)
    texts = texts.filter(letters.str.strip_chars(_SEPARATOR) != "")
    return texts.select("id", "label", said=stable_hash(pl.col("text")))


def texts_of_subset(
    records: pl.DataFrame, fields: list[str], earlier: pl.DataFrame
) -> pl.DataFrame:
    """Records whose text an earlier subset keeps.

    Args:
        records: Candidates.
        fields: The fields that hold their text.
        earlier: Columns id, said: kept records of earlier subsets.

    Returns:
        Columns id, evidence (the id that stays).
    """
    stays = earlier.unique("said", keep="first", maintain_order=True)
    found = texts_of(records, fields, None).join(stays.select("said", evidence="id"), on="said")
    return found.select("id", "evidence")


def shared_texts(subsets: Mapping[str, SubsetTexts]) -> tuple[list[SharedText], dict[str, int]]:
    """What subsets of one build share.

    Args:
        subsets: In the recipe's order.

    Returns:
        An entry for each two of them that share something; and for each subset that does, how many of
        its records say what a record of any other says.
    """
    every = [part.texts.with_columns(subset=pl.lit(name)) for name, part in subsets.items()]
    texts = pl.concat(every).filter(pl.col("subset").n_unique().over("said") > 1).sort("id")
    parts = {
        str(name): part for (name,), part in texts.partition_by("subset", as_dict=True).items()
    }
    found = []
    for one, other in combinations([name for name in subsets if name in parts], 2):
        first = parts[one].unique("said", keep="first", maintain_order=True)
        both = parts[other].join(first, on="said", suffix="_first", maintain_order="left")
        if both.height:
            differ = both.filter(pl.col("label") != pl.col("label_first")).height
            found.append(
                SharedText(
                    subset=other,
                    earlier=one,
                    records=both.height,
                    other_label=differ if _comparable(subsets[one], subsets[other]) else 0,
                    examples=both.select("id", "id_first").head(_EXAMPLES).rows(),
                )
            )
    return found, {name: part.height for name, part in parts.items()}


def _comparable(one: SubsetTexts, other: SubsetTexts) -> bool:
    """Whether a label of the one is wrong where the other says another."""
    if one.task != other.task or not one.labels or not other.labels:
        return False
    return one.labels <= other.labels or other.labels <= one.labels
