"""Selects the files of a folder or archive that hold rows; all others are named in remarks."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from glob import glob
from pathlib import Path, PurePosixPath

from kit19.core.errors import Problem, ReadError
from kit19.core.paths import path_exists, resolve_composition
from kit19.reading.opening import COMPRESSED, require_plain_file
from kit19.reading.remarks import Remarks

SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".txt", ".parquet", ".arrow")
ARCHIVE = ".zip"
READABLE = (
    f"{', '.join(SUFFIXES)}, those compressed ({', '.join(COMPRESSED)}), and {ARCHIVE} of them"
)
# Files that tools write next to the rows of a dataset, about them. On their own they are a dataset.
_ABOUT = {
    "audit.json", "croissant.json", "dataset_dict.json", "dataset_info.json", "dataset_infos.json",
    "dropped.parquet", "hits.parquet", "manifest.json", "requirements.txt", "state.json",
}  # fmt: skip
_DOCUMENTS = {
    "changelog", "citation", "contributing", "copying", "licence", "license", "notice", "readme",
}  # fmt: skip
_DOCUMENT_SUFFIXES = {"", ".bib", ".cff", ".html", ".md", ".rst"}
_TOOLS = {
    ".cache", ".ds_store", ".git", ".gitattributes", ".github", ".gitignore", ".gitkeep",
    ".huggingface", ".ipynb_checkpoints", ".lock", ".locks", ".venv", "__macosx", "__pycache__",
}  # fmt: skip


AUDIT_PLAN = "shards/audit-plan.json"
"""What marks a folder as that of an audit, whose results hold text of the data that it searched."""
_AUDIT_RESULTS = ("audit.json", "failed.jsonl", "hits.parquet", "report.html", "shards/")


def format_suffix(name: str) -> str:
    """Return the lowercase suffix that names a file's format, ignoring that of a compression."""
    path = PurePosixPath(name.lower())
    return PurePosixPath(path.stem).suffix if path.suffix in COMPRESSED else path.suffix


def dataset_files(path: Path, remarks: Remarks | None = None) -> list[Path]:
    """List the files of a dataset: the path itself, or the data files below a folder.

    Links are followed.

    Args:
        path: A file or folder, or a pattern (``*``, ``?``, ``[…]``) if nothing has exactly this name.
            The name may be in another Unicode normalization than that on disk.
        remarks: Receives every file that is left out.

    Raises:
        ReadError: There is nothing to read.
    """
    remarks = Remarks() if remarks is None else remarks
    path = resolve_composition(path)
    try:
        is_folder = path.is_dir()
    except OSError:  # require_plain_file reports what is wrong with the path
        is_folder = False
    if not is_folder:
        if is_pattern(path) and (matches := _matches(path)):
            return [one for match in matches for one in dataset_files(match, remarks)]
        require_plain_file(path)
        return [path]
    below = _walk(path, remarks)
    found = data_names(below, remarks)
    if not found:
        left = [Problem(one.what, f"{path / one.where}") for one in remarks.not_searched[:10]]
        raise ReadError(
            [Problem("has no dataset files", str(path), f"kit19 reads {READABLE}"), *left]
        )
    return [below[name] for name in found]


def is_pattern(path: Path) -> bool:
    """Whether a path is a pattern of names: it has ``*``, ``?`` or ``[``, and nothing has this name."""
    return any(sign in str(path) for sign in "*?[") and not path_exists(path)


def _matches(pattern: Path) -> list[Path]:
    # Unlike Path.glob, it leaves hidden files out, as shells do.
    return sorted(map(Path, glob(str(pattern), recursive=True)))  # noqa: PTH207


def data_names(names: Iterable[str], remarks: Remarks, *, inside: str = "") -> list[str]:
    """Select, by name, the files of a folder that hold the rows of the dataset, in order.

    Args:
        names: Paths of all files in the folder.
        remarks: Receives every file that is left out.
        inside: A prefix for names in remarks.
    """
    listed = _without_audits(sorted(names), remarks, inside)
    exports = "exports/" if "manifest.json" in listed else None
    data: list[str] = []
    about: list[str] = []
    others = 0
    for name in listed:
        where, path = inside + name, PurePosixPath(name)
        readable = format_suffix(name) in SUFFIXES or (
            path.suffix.lower() == ARCHIVE and not inside
        )
        if hidden := [part for part in path.parts if _is_hidden(part)]:
            others += not _remark_hidden(where, hidden[0], remarks)
        elif exports and name.startswith(exports):
            remarks.note(where, "not searched: an export of the same rows")
        elif readable and path.name in _ABOUT:
            about.append(name)
        elif readable:
            data.append(name)
        elif path.stem.lower() in _DOCUMENTS and path.suffix.lower() in _DOCUMENT_SUFFIXES:
            remarks.note(where, "not searched: a document about the data")
        else:
            others += 1
            kind = format_suffix(name) or path.suffix or "files without a suffix"
            remarks.skip(where, f"kit19 does not read {kind}")
    # Files about a dataset are read only if there are no others.
    if not data and not others:
        data, about = about, []
    for name in about:
        remarks.note(inside + name, "not searched: metadata of the dataset")
    return sorted(data, key=lambda name: (format_suffix(name) != ".parquet", name))


def _without_audits(names: list[str], remarks: Remarks, inside: str) -> list[str]:
    """Leave out the results of audits, which hold text of the data that they searched."""
    audits = [
        name.removesuffix(AUDIT_PLAN)
        for name in names
        if name == AUDIT_PLAN or name.endswith(f"/{AUDIT_PLAN}")
    ]
    for audit in audits:
        remarks.note(f"{inside}{audit}shards", "not searched: results of an audit")
    results = tuple(audit + result for audit in audits for result in _AUDIT_RESULTS)
    return [name for name in names if not name.startswith(results)]


def _is_hidden(part: str) -> bool:
    return part.startswith(".") or part.lower() in _TOOLS


def _remark_hidden(where: str, part: str, remarks: Remarks) -> bool:
    """Record that a hidden file was left out. Returns whether a known tool creates such files."""
    place = where[: where.index(part) + len(part)]
    known = part.lower() in _TOOLS or part.startswith("._") or part.endswith(".kit19-lock")
    if known:
        remarks.note(place, "not searched: tools keep it here")
    else:
        remarks.skip(place, "it is hidden")
    return known


def _enters(root: Path, path: Path, seen: set[Path], remarks: Remarks) -> bool:
    """Whether to enter a folder. Each folder is entered once, whatever links lead to it."""
    where, target = path.relative_to(root).as_posix(), path.resolve()
    if _is_hidden(path.name):
        _remark_hidden(where, path.name, remarks)
    elif target in root.resolve().parents:
        remarks.skip(where, "is a link to a parent folder")
    elif target in seen:
        remarks.note(where, "is a second link to a folder that is searched")
    else:
        seen.add(target)
        return True
    return False


def _walk(folder: Path, remarks: Remarks) -> dict[str, Path]:
    """Map the names of all plain files below a folder to their paths; remark everything else."""
    found: dict[str, Path] = {}

    def skip(path: str | Path, what: str) -> None:
        remarks.skip(Path(path).relative_to(folder).as_posix(), what)

    def skip_unreadable(error: OSError) -> None:
        skip(error.filename, f"cannot be read: {error.strerror}")

    seen = {folder.resolve()}
    for place, folders, files in os.walk(folder, onerror=skip_unreadable, followlinks=True):
        folders[:] = [name for name in folders if _enters(folder, Path(place, name), seen, remarks)]
        for name in files:
            path = Path(place, name)
            try:
                mode = path.stat().st_mode
            except OSError as error:
                skip(path, f"cannot be read: {error.strerror}")
                continue
            if stat.S_ISREG(mode):
                found[path.relative_to(folder).as_posix()] = path
            else:
                skip(path, "is not a plain file")
    return found
