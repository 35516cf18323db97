"""What holds the records: plain lists, or ``datasets``."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from typing import Any, Protocol

from benchmarks.language import Row

COLUMNS = [
    *("id", "task", "source", "subset", "upstream_split", "template"),
    *("instruction", "input", "output", "label", "license"),
]


class Engine(Protocol):
    """A way to store records. A table is whatever ``load`` returns."""

    def load(self, rows: list[Row]) -> Any: ...
    def column(self, table: Any, name: str) -> list[Any]: ...
    def filter(self, table: Any, keep: Callable[[Row], bool]) -> Any: ...
    def map(self, table: Any, make: Callable[[Row], Row]) -> Any: ...
    def select(self, table: Any, places: list[int]) -> Any: ...
    def concatenate(self, tables: list[Any]) -> Any: ...
    def write(self, table: Any, out: str) -> None: ...


class PlainPython:
    """Lists of dicts."""

    def load(self, rows: list[Row]) -> list[Row]:
        return rows

    def column(self, table: list[Row], name: str) -> list[Any]:
        return [row[name] for row in table]

    def filter(self, table: list[Row], keep: Callable[[Row], bool]) -> list[Row]:
        return [row for row in table if keep(row)]

    def map(self, table: list[Row], make: Callable[[Row], Row]) -> list[Row]:
        return [make(row) for row in table]

    def select(self, table: list[Row], places: list[int]) -> list[Row]:
        return [table[place] for place in places]

    def concatenate(self, tables: list[list[Row]]) -> list[Row]:
        return list(chain.from_iterable(tables))

    def write(self, table: list[Row], out: str) -> None:
        import pyarrow as pa  # type: ignore[import-untyped]

        write_parquet(pa.table({name: self.column(table, name) for name in COLUMNS}), out)


class Datasets:
    """``datasets.Dataset``. Fingerprints are given, or it would pickle and hash every closure."""

    def __init__(self) -> None:
        import datasets

        datasets.disable_progress_bars()
        self.library = datasets
        self.count = 0

    def _fingerprint(self) -> str:
        self.count += 1
        return f"step{self.count}"

    def load(self, rows: list[Row]) -> Any:
        names = list(rows[0]) if rows else ["id"]
        columns = {name: [row[name] for row in rows] for name in names}
        return self.library.Dataset.from_dict(columns)

    def column(self, table: Any, name: str) -> list[Any]:
        return list(table[name][:])

    def filter(self, table: Any, keep: Callable[[Row], bool]) -> Any:
        def keep_batch(columns: dict[str, list[Any]]) -> list[bool]:
            names = list(columns)
            rows = zip(*columns.values(), strict=True)
            return [keep(dict(zip(names, row, strict=True))) for row in rows]

        # In batches: row by row it would take twice as long.
        return table.filter(keep_batch, batched=True, new_fingerprint=self._fingerprint())

    def map(self, table: Any, make: Callable[[Row], Row]) -> Any:
        return table.map(
            make,
            remove_columns=table.column_names,
            features=self.library.Features(dict.fromkeys(COLUMNS, self.library.Value("string"))),
            new_fingerprint=self._fingerprint(),
        )

    def select(self, table: Any, places: list[int]) -> Any:
        return table.select(places, new_fingerprint=self._fingerprint())

    def concatenate(self, tables: list[Any]) -> Any:
        return self.library.concatenate_datasets(tables)

    def write(self, table: Any, out: str) -> None:
        write_parquet(table.with_format("arrow")[:], out)


ENGINES: dict[str, Callable[[], Engine]] = {"datasets": Datasets, "python": PlainPython}


def write_parquet(table: Any, out: str) -> None:
    # Not Dataset.to_parquet: given compression="zstd", it raises a TypeError.
    import pyarrow.parquet as pq  # type: ignore[import-untyped]

    pq.write_table(table, out, compression="zstd", compression_level=3)
