"""Examine records by themselves: what is found in them, and what to compare them by.

Nothing here depends on other records (derived pairs aside, whose groups are searched before), so any
process can examine any part of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from kit19.catalog.source import Subset
from kit19.core.ledger import Reason
from kit19.core.rows import MESSAGES
from kit19.curating.across import hash_texts
from kit19.curating.evidence import ItemSearch
from kit19.curating.letters import letters_of
from kit19.curating.near import NearFields
from kit19.curating.near_texts import NearTexts
from kit19.curating.personal import find_personal
from kit19.curating.signs import extract_signs
from kit19.curating.turns import find_contaminated_turns, find_personal_turns

# What is found of a part takes several times as much memory as its texts.
_MOST_RECORDS = 20_000
_MOST_BYTES = 16_000_000


@dataclass(frozen=True)
class Rules:
    """What is examined in the records of a subset.

    Attributes:
        card: The subset's card.
        near: What is compared of records; None to compare none.
        personal: Fields in which personal data drops a record; None to check none.
        groups: Derived pairs: the contaminated groups (columns id, evidence), see
            ``find_contaminated_groups``. Otherwise None.
    """

    card: Subset
    near: NearFields | None
    personal: list[str] | None
    groups: pl.DataFrame | None

    @property
    def fields(self) -> list[str]:
        """The fields whose texts are examined."""
        compared = self.near.texts if self.near else []
        return list(dict.fromkeys([*self.card.exposed, *compared]))


@dataclass(frozen=True)
class Examined:
    """What was found of some records.

    Attributes:
        evidence: Columns id, reason and evidence (null for a clean record), text_hash.
        near: What of the clean records is compared; None if nothing is.
    """

    evidence: pl.DataFrame
    near: NearTexts | None


def examine_records(rules: Rules, items: ItemSearch | None, records: pl.DataFrame) -> Examined:
    """Examine some records of a subset.

    Args:
        rules: What is examined.
        items: Benchmark items to search for; None for none.
        records: The records.
    """
    exposed = rules.card.exposed
    texts = records.select(pl.col(rules.fields).fill_null(""))
    hits = [with_reason("contaminated", _find_contaminated(rules, items, records))]
    if rules.personal:
        clean = records.join(hits[0], on="id", how="anti", maintain_order="left")
        hits.append(with_reason("pii", _find_personal(clean, rules.personal)))
    plain = pl.DataFrame([letters_of(text) for text in texts])
    signs = pl.DataFrame([extract_signs(text) for text in texts])
    hashes = hash_texts(plain.select(exposed), signs.select(exposed))
    found = records.select("id").join(pl.concat(hits), on="id", how="left", maintain_order="left")
    near = None
    if rules.near:
        is_clean = found["reason"].is_null()
        near = rules.near.convert(
            records.filter(is_clean), plain.filter(is_clean), signs.filter(is_clean)
        )
    return Examined(found.with_columns(hashes.alias("text_hash")), near)


def slices_to_examine(rules: Rules, records: pl.DataFrame) -> list[pl.DataFrame]:
    """Divide records into parts that are examined in little memory each."""
    lengths = [pl.col(name).str.len_bytes().fill_null(0) for name in rules.fields]
    if MESSAGES in records.columns:
        turns = pl.element().struct.field("content").str.len_bytes()
        lengths.append(pl.col(MESSAGES).list.eval(turns).list.sum().fill_null(0))
    ends = records.select(pl.sum_horizontal(lengths)).to_series().to_numpy().cumsum(dtype=np.int64)
    parts, start = [], 0
    while start < records.height:
        before = ends[start - 1] if start else 0
        most = int(np.searchsorted(ends, before + _MOST_BYTES, side="right")) - start
        count = min(max(most, 1), _MOST_RECORDS)
        parts.append(records[start : start + count])
        start += count
    return parts


def find_contaminated_groups(live: pl.DataFrame, items: ItemSearch) -> pl.DataFrame:
    """For derived pairs: search each text once. A match drops every pair of its group.

    Returns:
        Columns id (of a group), evidence.
    """
    sides = [("group", "sentence1"), ("partner", "sentence2")]
    every = pl.concat([live.select(id=group, text=text) for group, text in sides])
    texts = every.unique().sort("id", "text")
    return items.find_contaminated(texts, ["text"])


def _find_contaminated(
    rules: Rules, items: ItemSearch | None, records: pl.DataFrame
) -> pl.DataFrame:
    """Find contaminated records: columns id, evidence."""
    if rules.groups is not None:
        return _find_pairs(records, rules.groups)
    if items is None:
        return records.select("id", evidence="id").clear()
    fields = rules.card.exposed
    if MESSAGES not in records:
        return items.find_contaminated(records, fields)
    is_pair = records[MESSAGES].is_null()
    found = items.find_contaminated(records.filter(is_pair), fields)
    return pl.concat([found, find_contaminated_turns(records.filter(~is_pair), items)])


def _find_pairs(records: pl.DataFrame, groups: pl.DataFrame) -> pl.DataFrame:
    hits = [
        records.select("id", group=name).join(groups, left_on="group", right_on="id")
        for name in ("group", "partner")
    ]
    ordered = pl.concat(hits).select("id", "evidence").sort("id", "evidence")
    return ordered.unique("id", keep="first", maintain_order=True)


def _find_personal(records: pl.DataFrame, fields: list[str]) -> pl.DataFrame:
    """Find records with personal data in the fields, or in a turn: columns id, evidence."""
    if MESSAGES not in records:
        return find_personal(records, fields)
    is_pair = records[MESSAGES].is_null()
    found = find_personal(records.filter(is_pair), fields)
    return pl.concat([found, find_personal_turns(records.filter(~is_pair))])


def with_reason(reason: Reason, found: pl.DataFrame) -> pl.DataFrame:
    """Add the reason to records to drop (id, evidence): columns id, reason, evidence."""
    return found.select("id", pl.lit(reason).alias("reason"), "evidence")
