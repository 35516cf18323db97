"""An audit as its pages show it, with the hits that somebody marked as false."""

from __future__ import annotations

import functools
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from kit19.auditing.allow_edits import edit_allow_list
from kit19.auditing.allowed import KEY, read_allowed, with_readable_keys
from kit19.auditing.result import RULES, AllowedPair, Audit
from kit19.auditing.summary import find_compromised
from kit19.catalog import Benchmark
from kit19.core.errors import Problem, UnknownNameError, VerifyError, first_line
from kit19.core.parquet import UNREADABLE, read_parquet
from kit19.core.paths import read_json
from kit19.viewing.data.searching import contains
from kit19.writing.place import locked, placing

FACETS = ("benchmark", "rule", "overlap", "effect", "marked", "file", "column", "field")
_PLACE = "#place"
_WAIT = 10  # seconds for another server to write the list
_WRONG: tuple[type[BaseException], ...] = (*UNREADABLE, ValueError)
ORDERS = ("surest", "row")


class AuditFolder:
    """An audit.

    Args:
        folder: Its folder. The list of false hits is next to it: ``<folder>.allow.yaml``.

    Attributes:
        folder: The same.
        allow_path: The list of false hits.

    Raises:
        Kit19Error: The audit, or the list, cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.allow_path = folder.with_name(f"{folder.name}.allow.yaml")
        self._lock = threading.Lock()
        self._pairs: list[AllowedPair] = []
        self._version: tuple[int, ...] = ()
        _ = self.pairs  # a list that cannot be read is an error from the start
        try:
            document = read_json(folder / "audit.json")
            self.result = Audit.model_validate({**document, "hits": []})
            self._rows = self._described(read_parquet(folder / "hits.parquet"))
        except _WRONG as error:
            what = f"cannot be read: {first_line(error)}"
            raise VerifyError(Problem(what, str(folder), "run kit19 audit again")) from None
        self._keys = with_readable_keys(self._rows)

    def _described(self, rows: pl.DataFrame) -> pl.DataFrame:
        compromised = pl.DataFrame(
            [(name, item) for name, one in self.result.benchmarks.items() for item in one.ids],
            schema={"benchmark": pl.String, "item": pl.String},
            orient="row",
        ).with_columns(effect=pl.lit("compromised"))
        return (
            rows.rename({"overlap": "share"})
            .join(compromised, on=["benchmark", "item"], how="left", maintain_order="left")
            .with_columns(pl.col("effect").fill_null("touched"))
            .with_columns(overlap=_range_of(pl.col("share")))
            .with_row_index(_PLACE)
        )

    @property
    def pairs(self) -> Sequence[AllowedPair]:
        """The pairs that the list has now: another server, or an editor, may write it too."""
        with self._lock:
            version = _version(self.allow_path)
            if version != self._version:
                self._pairs = read_allowed(self.allow_path) if version else []
                self._version = version
            return self._pairs

    @property
    def hits(self) -> pl.DataFrame:
        """All hits, with five more columns.

        ``#place`` (their number), ``share`` (of the item that was found), ``overlap`` (its
        range), ``effect`` (``compromised`` or ``touched``) and ``marked`` (yes, no).
        """
        marked = pl.DataFrame(
            [{name: getattr(pair, name) for name in KEY} for pair in self.pairs],
            schema=dict.fromkeys(KEY, pl.String),
        ).unique()
        keys = self._keys.join(
            marked.with_columns(marked=pl.lit("yes")),
            on=list(KEY),
            how="left",
            maintain_order="left",
        )
        return self._rows.with_columns(keys["marked"].fill_null("no"))

    def find(
        self, chosen: Mapping[str, Sequence[str]], words: str, order: str
    ) -> tuple[pl.DataFrame, dict[str, dict[str, int]]]:
        """Hits by facets and words, and for each facet the hits with each value.

        Args:
            chosen: For facets by name, the values of which a hit has one.
            words: Part of a text, an item or an id.
            order: One of ``ORDERS``.
        """
        every = self.hits
        if words:
            texts = map(pl.col, ("text", "item_text", "item", "id", "file"))
            every = every.filter(contains(texts, words))
        where = {
            name: pl.col(name).fill_null("").is_in(list(values)) for name, values in chosen.items()
        }
        counts = {
            name: dict(
                every.filter(*(w for key, w in where.items() if key != name))[name]
                .fill_null("")
                .value_counts(sort=True)
                .rows()
            )
            for name in FACETS
        }
        found = every.filter(*where.values())
        if order == "surest":
            rank = pl.col("rule").replace_strict(
                {rule: n for n, rule in enumerate(RULES)}, default=9
            )
            found = found.sort(rank, -pl.col("share"), "row", maintain_order=True)
        return found, counts

    def mark(self, place: int, *, is_false: bool, why: str = "") -> None:
        """Mark a hit, and all with the same text and item, as false, or take the mark away.

        Raises:
            CatalogError: Somebody has changed the list so that it cannot be read.
            OutputError: The list cannot be written.
            UnknownNameError: There is no such hit.
        """
        if not 0 <= place < self._rows.height:
            raise UnknownNameError(Problem("has no such hit", str(self.folder)))
        row = self._keys.row(place, named=True)
        pair = AllowedPair(**{name: row[name] for name in KEY}, why=why)
        with locked(self.allow_path, _WAIT):  # no mark of another server is lost
            _ = self.pairs  # what is there now can be read
            text = self.allow_path.read_text("utf-8") if self._version else ""
            edited = edit_allow_list(text, pair, is_allowed=is_false)
            with placing(self.allow_path) as place_:
                place_.write_text(edited, encoding="utf-8")

    def still_compromised(self, benchmark: str, card: Benchmark | None) -> set[str]:
        """The compromised items of a benchmark, without those of which only false hits are left.

        Args:
            benchmark: The benchmark.
            card: Its card; without one, every text that was found of an item must have a hit left.
        """
        hits = self.hits.filter(
            pl.col("benchmark") == benchmark,
            pl.col("item").is_in(self.result.benchmarks[benchmark].ids),
        )
        # All texts of an item have hits if all of them were needed to compromise it.
        some = card.combinations() if card and card.compromised != "all" else None
        return find_compromised(hits.filter(marked="no"), hits, some)

    @functools.cached_property
    def by_file(self) -> list[dict[str, Any]]:
        """Hits and rows with a hit in each file, the most first."""
        counted = self._rows.group_by("file").agg(
            hits=pl.len(),
            rows=pl.col("file_row").n_unique(),
            items=pl.struct("benchmark", "item").n_unique(),
        )
        return counted.sort("hits", "file", descending=[True, False]).to_dicts()


def _range_of(share: pl.Expr) -> pl.Expr:
    """The range of a share of an item, as a label."""
    return (
        pl.when(share >= 0.995)
        .then(pl.lit("100%"))
        .when(share >= 0.9)
        .then(pl.lit("90–99%"))
        .when(share >= 0.7)
        .then(pl.lit("70–89%"))
        .otherwise(pl.lit("0–69%"))
    )


def _version(path: Path) -> tuple[int, ...]:
    """What changes with a file; empty if it is not there."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return ()
    return found.st_ino, found.st_mtime_ns, found.st_size
