"""The expensive reasons to drop a candidate: contaminated, pii, duplicate_across, near_duplicate."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from kit19.catalog.source import Subset
from kit19.core.ledger import Reason
from kit19.core.rows import MESSAGES
from kit19.curating.across import find_across, hash_texts
from kit19.curating.evidence import ItemSearch
from kit19.curating.letters import letters_of
from kit19.curating.near import NearSearch
from kit19.curating.personal import find_personal
from kit19.curating.signs import extract_signs
from kit19.curating.turns import find_contaminated_turns, find_personal_turns

Examine = Callable[[pl.DataFrame, pl.DataFrame], pl.DataFrame]
"""Takes candidates (in order) and the records kept before them; returns columns id, reason, evidence of
the candidates to drop. Each has one reason: the first that applies, in the order of ``REASONS``."""

_Finder = Callable[[pl.DataFrame], pl.DataFrame]
# What is found of a record takes as much memory as its texts; only their bare form is kept.
_RECORDS_PER_SLICE = 20_000


class Examiner:
    """Examines the records of one subset, each at most once, and remembers the evidence.

    Whether a record is contaminated or contains personal data depends on nothing else. Whether it is a
    duplicate depends on what is kept before it, so this is decided anew for each choice, from hashes
    and letters that were computed once.
    """

    def __init__(
        self,
        live: pl.DataFrame,
        card: Subset,
        items: ItemSearch | None,
        *,
        near: bool,
        personal: list[str] | None = None,
    ) -> None:
        """Prepare to examine the records of a subset.

        Args:
            live: All records that the cheap reasons kept.
            card: The subset's card.
            items: Benchmark items to keep out; None for no decontamination.
            near: Whether to drop near duplicates. Derived pairs combine the same texts again and again
                by design, so they are never near duplicates.
            personal: Fields in which personal data drops a record; None to check none.
        """
        self._card, self._personal = card, personal
        self._find_contaminated = _contamination_finder(live, card, items)
        self._near = NearSearch(card.identity, card.answers) if near and not card.pairs else None
        schema = {"id": pl.String, "reason": pl.String, "evidence": pl.String}
        self._examined = pl.DataFrame(schema={**schema, "text_hash": pl.UInt64})

    def against(self, earlier: pl.DataFrame | None) -> Examine:
        """Return the examination of one choice of records.

        Args:
            earlier: Columns id, text_hash: kept records of earlier subsets, whose texts are dropped;
                None to allow them.
        """

        def examine(batch: pl.DataFrame, kept: pl.DataFrame) -> pl.DataFrame:
            known = self._look_up(batch)
            hits = [known.drop_nulls("reason").select("id", "reason", "evidence")]
            clean = known.filter(pl.col("reason").is_null())
            if earlier is not None:
                found = find_across(clean.select("id", "text_hash"), earlier)
                hits.append(with_reason("duplicate_across", found))
                clean = clean.join(hits[-1], on="id", how="anti", maintain_order="left")
            if self._near:
                near_ones = self._near.find(clean["id"], kept["id"])
                hits.append(with_reason("near_duplicate", near_ones))
            return pl.concat(hits)

        return examine

    def text_hashes(self, ids: pl.Series) -> pl.DataFrame:
        """Return columns id, text_hash of those examined records that have any text."""
        hashed = self._examined.select("id", "text_hash").drop_nulls()
        return hashed.join(ids.to_frame("id"), on="id", how="semi")

    def _look_up(self, batch: pl.DataFrame) -> pl.DataFrame:
        """Return id, reason, evidence (null for a clean record) and hash of each record, in order."""
        new = batch.join(self._examined, on="id", how="anti", maintain_order="left")
        if new.height:
            self._examine(new)
        return batch.select("id").join(self._examined, on="id", how="left", maintain_order="left")

    def _examine(self, new: pl.DataFrame) -> None:
        starts = range(0, new.height, _RECORDS_PER_SLICE)
        slices = [self._examine_slice(new.slice(start, _RECORDS_PER_SLICE)) for start in starts]
        found = pl.concat([found for found, _, _ in slices])
        self._examined = pl.concat([self._examined, found])
        if self._near:
            is_clean = found["reason"].is_null()
            plain = pl.concat([plain for _, plain, _ in slices]).filter(is_clean)
            signs = pl.concat([signs for _, _, signs in slices]).filter(is_clean)
            self._near.add(new.filter(is_clean), plain.to_dict(), signs.to_dict())

    def _examine_slice(self, part: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
        """Return the evidence of some records, their fields in bare form, and the signs of those."""
        exposed, compared = self._card.exposed, self._near.texts if self._near else []
        fields = list(dict.fromkeys([*exposed, *compared]))
        texts = part.select(pl.col(fields).fill_null(""))
        hits = [with_reason("contaminated", self._find_contaminated(part))]
        if self._personal:
            clean = part.join(hits[0], on="id", how="anti", maintain_order="left")
            hits.append(with_reason("pii", _find_personal(clean, self._personal)))
        plain = pl.DataFrame([letters_of(text) for text in texts])
        signs = pl.DataFrame([extract_signs(text) for text in texts])
        hashes = hash_texts(plain.select(exposed), signs.select(exposed))
        found = part.select("id").join(pl.concat(hits), on="id", how="left", maintain_order="left")
        evidence = found.with_columns(hashes.alias("text_hash"))
        return evidence, plain.select(compared), signs.select(compared)


def _contamination_finder(live: pl.DataFrame, card: Subset, items: ItemSearch | None) -> _Finder:
    """Return what finds contaminated records (id, evidence)."""
    if items is None:
        return lambda batch: batch.select("id", evidence="id").clear()
    if not card.pairs:
        return _record_finder(card.exposed, items)
    return _group_finder(live, items)


def _record_finder(fields: list[str], items: ItemSearch) -> _Finder:
    """Search the fields of each record, or the turns of those that have turns."""

    def find(batch: pl.DataFrame) -> pl.DataFrame:
        if MESSAGES not in batch:
            return items.find_contaminated(batch, fields)
        is_pair = batch[MESSAGES].is_null()
        found = items.find_contaminated(batch.filter(is_pair), fields)
        return pl.concat([found, find_contaminated_turns(batch.filter(~is_pair), items)])

    return find


def _find_personal(records: pl.DataFrame, fields: list[str]) -> pl.DataFrame:
    """Find records with personal data in the fields, or in a turn: columns id, evidence."""
    if MESSAGES not in records:
        return find_personal(records, fields)
    is_pair = records[MESSAGES].is_null()
    found = find_personal(records.filter(is_pair), fields)
    return pl.concat([found, find_personal_turns(records.filter(~is_pair))])


def _group_finder(live: pl.DataFrame, items: ItemSearch) -> _Finder:
    """For derived pairs: search each text once. A match drops every pair of its group."""
    sides = [("group", "sentence1"), ("partner", "sentence2")]
    every = pl.concat([live.select(id=group, text=text) for group, text in sides])
    texts = every.unique().sort("id", "text")
    found = items.find_contaminated(texts, ["text"])

    def find(batch: pl.DataFrame) -> pl.DataFrame:
        hits = [
            batch.select("id", group=name).join(found, left_on="group", right_on="id")
            for name, _ in sides
        ]
        ordered = pl.concat(hits).select("id", "evidence").sort("id", "evidence")
        return ordered.unique("id", keep="first", maintain_order=True)

    return find


def with_reason(reason: Reason, found: pl.DataFrame) -> pl.DataFrame:
    """Add the reason to records to drop (id, evidence): columns id, reason, evidence."""
    return found.select("id", pl.lit(reason).alias("reason"), "evidence")
