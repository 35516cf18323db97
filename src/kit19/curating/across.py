"""Find the same text in several subsets. It is always reported, and dropped under ``dedup: across``.

Two records of different subsets count as the same if the fields that their cards list under
``exposed`` are equal, field by field, in bare form (letters and digits, case ignored) and in their
signs (see ``signs``). Field names are ignored, since they differ between sources. So are spacing and
punctuation, which often differ even where two sources copied one text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import polars as pl

from kit19.core.manifest import SharedText
from kit19.core.order import stable_hash

_SEPARATOR = "\x1f"
_EXAMPLES = 3


@dataclass(frozen=True)
class SubsetTexts:
    """Hashes of the texts that one subset keeps.

    Attributes:
        texts: Columns id, text_hash, label. Records without any letter or digit are left out.
        task: The subset's task.
        labels: The possible values of its label.
    """

    texts: pl.DataFrame
    task: str
    labels: frozenset[str]


def hash_texts(plain: pl.DataFrame, signs: pl.DataFrame) -> pl.Series:
    """Hash the texts of each record (UInt64); null for a record without any letter or digit.

    Args:
        plain: The fields with their text, in bare form.
        signs: Their signs.
    """
    letters, complete = (
        parts.select(text=pl.concat_str(pl.all(), separator=_SEPARATOR)).to_series()
        for parts in (plain, plain.hstack(signs.select(pl.all().name.prefix("#"))))
    )
    has_text = letters.str.strip_chars(_SEPARATOR) != ""
    text = pl.when(has_text).then(stable_hash(pl.col("text")))
    return complete.to_frame("text").select(text).to_series()


def find_across(hashed: pl.DataFrame, earlier: pl.DataFrame) -> pl.DataFrame:
    """Find records whose text an earlier subset already keeps.

    Args:
        hashed: Columns id, text_hash: candidates.
        earlier: Columns id, text_hash: kept records of earlier subsets.

    Returns:
        Columns id, evidence (the id of the kept record).
    """
    first = earlier.unique("text_hash", keep="first", maintain_order=True)
    kept = first.select("text_hash", evidence="id")
    return hashed.join(kept, on="text_hash").select("id", "evidence")


def find_shared(subsets: Mapping[str, SubsetTexts]) -> tuple[list[SharedText], dict[str, int]]:
    """Count the texts that subsets of one build share.

    Args:
        subsets: Texts by subset, in the recipe's order.

    Returns:
        An entry for each pair of subsets that share a text. Then, for each of these subsets, the
        number of its records whose text occurs in any other subset.
    """
    every = [part.texts.with_columns(subset=pl.lit(name)) for name, part in subsets.items()]
    texts = pl.concat(every).filter(pl.col("subset").n_unique().over("text_hash") > 1).sort("id")
    parts = {
        str(name): part for (name,), part in texts.partition_by("subset", as_dict=True).items()
    }
    found = []
    for one, other in combinations([name for name in subsets if name in parts], 2):
        first = parts[one].unique("text_hash", keep="first", maintain_order=True)
        both = parts[other].join(first, on="text_hash", suffix="_first", maintain_order="left")
        if both.height:
            differ = both.filter(pl.col("label") != pl.col("label_first")).height
            found.append(
                SharedText(
                    subset=other,
                    earlier=one,
                    records=both.height,
                    other_label=differ
                    if _have_comparable_labels(subsets[one], subsets[other])
                    else 0,
                    examples=both.select("id", "id_first").head(_EXAMPLES).rows(),
                )
            )
    return found, {name: part.height for name, part in parts.items()}


def _have_comparable_labels(one: SubsetTexts, other: SubsetTexts) -> bool:
    """Whether labels of the two subsets mean the same, so that different ones contradict each other."""
    if one.task != other.task or not one.labels or not other.labels:
        return False
    return one.labels <= other.labels or other.labels <= one.labels
