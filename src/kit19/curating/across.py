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
from kit19.curating.grams import bare
from kit19.curating.signs import extract_signs

_SEPARATOR = "\x1f"
_EXAMPLES = 3
_RECORDS_PER_SLICE = 50_000


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


def hash_texts(records: pl.DataFrame, fields: list[str], label: str | None) -> pl.DataFrame:
    """Hash the texts of each record: columns id, label, text_hash."""
    # In slices, because the bare texts take as much memory as the texts themselves.
    slices = range(0, max(records.height, 1), _RECORDS_PER_SLICE)
    return pl.concat(
        [_hash_slice(records.slice(start, _RECORDS_PER_SLICE), fields, label) for start in slices]
    )


def _hash_slice(records: pl.DataFrame, fields: list[str], label: str | None) -> pl.DataFrame:
    plain = {name: bare(records[name].fill_null("")) for name in fields}
    signs = {f"#{name}": extract_signs(records[name].fill_null("")) for name in fields}
    letters, complete = (
        pl.DataFrame(parts).select(text=pl.concat_str(pl.all(), separator=_SEPARATOR)).to_series()
        for parts in (plain, plain | signs)
    )
    named = pl.col(label).cast(pl.String) if label else pl.lit(None, dtype=pl.String)
    texts = records.select("id", label=named).with_columns(complete)
    texts = texts.filter(letters.str.strip_chars(_SEPARATOR) != "")
    return texts.select("id", "label", text_hash=stable_hash(pl.col("text")))


def find_across(records: pl.DataFrame, fields: list[str], earlier: pl.DataFrame) -> pl.DataFrame:
    """Find records whose text an earlier subset already keeps.

    Args:
        records: Candidates.
        fields: The fields with their text.
        earlier: Columns id, text_hash: kept records of earlier subsets.

    Returns:
        Columns id, evidence (the id of the kept record).
    """
    first = earlier.unique("text_hash", keep="first", maintain_order=True)
    found = hash_texts(records, fields, None).join(
        first.select("text_hash", evidence="id"), on="text_hash"
    )
    return found.select("id", "evidence")


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
