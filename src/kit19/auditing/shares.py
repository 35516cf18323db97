"""Merge the results in the folder of an audit, which several processes or machines have written."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from kit19.auditing.allowed import read_allowed
from kit19.auditing.clean import By, CleanFile, CopyOptions, copy_files, require_clean_folder
from kit19.auditing.folder import place_audit
from kit19.auditing.merge import Merged, merge
from kit19.auditing.plan import Part
from kit19.auditing.record import Record, read_record
from kit19.auditing.result import AllowedPair, Audit
from kit19.auditing.shards import Result, Store
from kit19.core.arguments import Count, OnProgress, public, silent
from kit19.core.errors import ArgumentError, Problem, ReadError
from kit19.writing.place import locked, remove_leftovers

_MOST_MISSING = 10  # listed in a message


@dataclass(frozen=True)
class FilesAudit:
    """The audit of many files.

    Attributes:
        audit: The audit of all files; None for a share of them.
        files: How many files there are, or are in the share.
        reused: How many of their results were there already.
        failures: What is wrong with files that could not be searched, by name.
        cleaned: What became of the copy of each file; None if none were asked for.
        undivided: Large files that one process read from beginning to end: their names, and why.
    """

    audit: Audit | None
    files: int
    reused: int
    failures: Mapping[str, Problem]
    cleaned: Sequence[CleanFile] | None = None
    undivided: Mapping[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Convert it to JSON data."""
        return {
            "audit": self.audit.to_dict() if self.audit else None,
            "files": self.files,
            "reused": self.reused,
            "failures": {name: asdict(one) for name, one in self.failures.items()},
            "cleaned": None if self.cleaned is None else [one.to_dict() for one in self.cleaned],
            "undivided": dict(self.undivided),
        }


@public
def merge_audit(  # noqa: PLR0913  one parameter an option of the command
    out: str | Path,
    *,
    jobs: Count = 1,
    shard: tuple[Count, Count] | None = None,
    clean: str | Path | None = None,
    clean_by: By = "touched",
    mask: str | None = None,
    allow: str | Path | Collection[str | Path] = (),
    on_progress: OnProgress = silent,
) -> FilesAudit:
    """Merge the results in a folder, written by ``audit_files`` with ``shard``.

    Args:
        out: The folder.
        jobs: How many processes write copies.
        shard: ``(i, n)`` to write copies of the i-th of n shares of the files, and no merged audit.
        clean: As in ``audit_files``. The files are where they were, relative to the working folder.
        clean_by: As in ``audit_files``.
        mask: As in ``audit_files``.
        allow: As in ``audit``.
        on_progress: Called with ``COPYING``, how many files are done, and how many there are.

    Raises:
        ReadError: The folder has no results, or results of files are missing.
        OutputError: The audit or a copy cannot be written.
    """
    if shard and (clean is None or shard[0] > shard[1]):
        raise ArgumentError(Problem("needs `clean`, and i of n to be at most n", "shard"))
    if mask is not None and (clean is None or not mask):
        raise ArgumentError(Problem("needs `clean`, and a name", "mask"))
    pairs = read_allowed(allow)
    folder = Path(out)
    record = read_record(folder)
    if clean is not None:
        require_clean_folder(Path(clean), record.plan)
    with nullcontext() if shard else locked(folder):
        merged = merge_results(record, folder, shard is None, pairs)
    cleaned = None
    if clean is not None:
        how = CopyOptions(clean_by, mask, record.options.header, shard)
        cleaned = copy_files(record.plan, merged, Path(clean), how, jobs, on_progress)
    files = len(record.plan.as_files())
    return FilesAudit(merged.audit, files, files - len(merged.failures), merged.failures, cleaned)


def merge_results(
    record: Record, folder: Path, is_kept: bool, allow: Collection[AllowedPair] = ()
) -> Merged:
    """Merge the results in a folder."""
    store = Store(folder, record.key)
    missing = [part for part in record.plan.parts if not store.path(part).is_file()]
    if missing:
        fix = "run its share again, or run the audit without --shard"
        problems = [
            Problem("has no result yet", part.file, fix) for part in missing[:_MOST_MISSING]
        ]
        more = len(missing) - _MOST_MISSING
        rest = [Problem(f"and {more:,} more", fix=fix)] if more > 0 else []
        raise ReadError([*problems, *rest])

    def results() -> Iterator[tuple[Part, Result]]:
        for part in record.plan.parts:
            result = store.load(part)
            if result is None:
                what = "has a result of another file, of other items or of another kit19"
                raise ReadError(Problem(what, part.file, "run the audit again"))
            yield part, result

    merged = merge(record.plan, results(), record.sought, record.options.columns, allow)
    if is_kept:
        place_audit(merged.audit, merged.failures, folder)
        store.remove_others(record.plan.parts)
        remove_leftovers(folder)
    return merged
