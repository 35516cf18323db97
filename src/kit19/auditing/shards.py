"""Results of the parts of a dataset, in files that are complete or missing: ``OUT/shards/``.

Each part has one file, a table of its hits with a header. The header has a key of all that the result
depends on: the bytes of the part, the items, the rules and the options. A result with another key
is ignored. A file is written under a temporary name, flushed to disk and renamed, so that a killed
process never leaves half of one.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl

from kit19.auditing.broken_lines import MARGIN, has_plain_lines
from kit19.auditing.items import BenchmarkItems
from kit19.auditing.plan import Options, Part
from kit19.auditing.search import HITS, Found
from kit19.core.cached import digest_code
from kit19.core.errors import Problem
from kit19.core.order import stable_hash
from kit19.core.parquet import UNREADABLE
from kit19.reading.spans import digest
from kit19.writing.place import placing, write_errors

FOLDER = "shards"
_HEADER = "kit19"
_UNKNOWN = "?"  # the version of a file whose server tells none: it is searched by every run
_UNREADABLE: tuple[type[BaseException], ...] = (*UNREADABLE, KeyError, ValueError, TypeError)
_COUNTS = ("rows", "lines", "texts", "bytes", "matched", "names", "remarks")
_RULES = (
    *("auditing/search.py", "auditing/excerpts.py", "auditing/broken_lines.py"),
    *("curating", "korean", "reading"),
)


@dataclass(frozen=True)
class Failure:
    """A part that could not be searched.

    Attributes:
        problem: The reason.
    """

    problem: Problem


Result = Found | Failure


def audit_key(benchmarks: Mapping[str, BenchmarkItems], options: Options) -> str:
    """Return a digest of everything that all results depend on: items, rules and options."""
    hashed = hashlib.sha256(_rules_digest().encode())
    hashed.update(json.dumps(options.to_dict(), sort_keys=True).encode())
    for name, one in benchmarks.items():
        columns = ["split", "#id", *one.card.texts, *one.card.only_with]
        head = [name, one.card.model_dump(mode="json"), one.names, one.rows.height]
        hashed.update(json.dumps(head).encode())
        for column in columns:
            values = one.rows.select(stable_hash(pl.col(column).fill_null(""))).to_series()
            hashed.update(values.to_numpy().tobytes())
    return hashed.hexdigest()


@cache
def _rules_digest() -> str:
    """A digest of the code that decides what is found."""
    house = Path(__file__).parents[1]
    return pl.__version__ + digest_code(house / name for name in _RULES)


class Store:
    """The results in the folder of an audit.

    Args:
        out: The folder of the audit.
        key: What ``audit_key`` gives.
    """

    def __init__(self, out: Path, key: str) -> None:
        self.folder, self.key = out / FOLDER, key

    def path(self, part: Part) -> Path:
        """Return the file of a part's result."""
        return self.folder / f"{part.name}.parquet"

    def part_key(self, part: Part) -> str:
        """Return the key of a part's result. A file that is elsewhere is known by its version there.

        Raises:
            ReadError: The file cannot be read.
        """
        if not part.remote:
            margin = MARGIN if has_plain_lines(part.file) else 0
            return f"{self.key}:{digest(part.path, part.span, margin)}"
        return f"{self.key}:{part.remote.version or _UNKNOWN}"

    def load(self, part: Part, key: str | None = None) -> Result | None:
        """Return the result of a part.

        Args:
            part: The part.
            key: What ``part_key`` gives; None to believe that the file is still the same.

        Returns:
            None if there is no result, or it is of another file, other items, rules or options.
        """
        try:
            data = self.path(part).read_bytes()
            header = json.loads(pl.read_parquet_metadata(io.BytesIO(data))[_HEADER])
            is_valid = (
                header["key"] == key and not key.endswith(_UNKNOWN)
                if key
                else header["key"].startswith(f"{self.key}:")
            )
            if not is_valid or header["size"] != part.size:
                return None
            if failure := header.get("failure"):
                return Failure(Problem(*failure))
            return Found(**header["found"], hits=pl.read_parquet(io.BytesIO(data)))
        except _UNREADABLE:
            return None

    def save(self, part: Part, key: str, result: Result) -> None:
        """Write the result of a part, completely or not at all.

        Args:
            part: The part.
            key: What ``part_key`` gives.
            result: The result; a failure is kept for the summary, and tried again by every run.

        Raises:
            OutputError: It cannot be written.
        """
        header: dict[str, Any] = {
            "file": part.file,
            "size": part.size,
            "span": part.span and str(part.span),
        }
        if isinstance(result, Failure):
            one = result.problem
            hits = pl.DataFrame(schema=HITS)
            header |= {"key": f"{self.key}:failed", "failure": [one.what, one.where, one.fix]}
        else:
            hits = result.hits
            header |= {"key": key, "found": {name: getattr(result, name) for name in _COUNTS}}
        with placing(self.path(part)) as place:
            hits.write_parquet(place, compression="zstd", metadata={_HEADER: json.dumps(header)})

    def remove_others(self, parts: Iterable[Part]) -> None:
        """Remove the results of parts that are no longer in the dataset."""
        names = {self.path(part).name for part in parts}
        with write_errors(self.folder):
            for path in self.folder.glob("*.parquet"):
                if path.name not in names:
                    path.unlink(missing_ok=True)
