"""The plan of an audit: its files in order, the parts that are searched by themselves, who does which.

A plan depends only on the inputs, on the names and sizes of their files, and on the options. So
machines that see the same files make the same plan without talking to each other.
"""

from __future__ import annotations

import hashlib
import heapq
import os
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kit19.auditing.hub import download_dataset, is_on_hub
from kit19.auditing.remote import data_files
from kit19.core.errors import ReadError
from kit19.core.paths import resolve_composition
from kit19.fetching.remote import RemoteFile, is_remote
from kit19.reading import Remarks, dataset_files, is_pattern
from kit19.reading.spans import SPAN, Span, find_spans

ID_COLUMNS = ("id", "guid", "_id", "idx", "uid", "doc_id", "document_id")
"""Usual columns of a document's id; the first that a row has is taken."""
_STEM = 60  # characters of a file's name in the name of its result


@dataclass(frozen=True)
class Part:
    """A file, or a span of a large one.

    Attributes:
        file: The file's name, relative to the folder of the dataset.
        path: The file.
        size: Its bytes, divided by the number of its parts.
        span: The part of it; None for all.
        remote: Where the file is, if it is not on this machine. Then ``path`` is only its name.
    """

    file: str
    path: Path
    size: int
    span: Span | None = None
    remote: RemoteFile | None = None

    @property
    def where(self) -> str:
        """The path or address of its file, for messages."""
        return self.remote.url if self.remote else str(self.path)

    @property
    def name(self) -> str:
        """The name of its result: readable, and different for every part."""
        span = f":{self.span.begin}:{self.span.end}" if self.span else ""
        digest = hashlib.sha256(os.fsencode(self.file + span)).hexdigest()[:16]
        stem = re.sub(r"[^\w.-]", "_", Path(self.file).name.encode("utf-8", "replace").decode())
        return f"{stem[:_STEM]}-{digest}"


@dataclass(frozen=True)
class Options:
    """What a result depends on, besides the file and the items.

    Attributes:
        columns: Search only these columns.
        header: Whether delimited files have a header line; None to detect it.
        ids: Columns of a document's id.
    """

    columns: tuple[str, ...] = ()
    header: bool | None = None
    ids: tuple[str, ...] = ID_COLUMNS

    def to_dict(self) -> dict[str, Any]:
        """Convert the options to JSON data."""
        return {"columns": list(self.columns), "header": self.header, "ids": list(self.ids)}


@dataclass(frozen=True)
class Plan:
    """Everything that is to be searched.

    Attributes:
        dataset: The name of the dataset in the result.
        base: The folder that names of files are relative to.
        folders: The inputs that are folders.
        parts: All parts, in the order of their rows; the parts of a file follow each other.
        remarks: What listing the files already tells.
        undivided: Files that are larger than a part, and can only be read from the beginning: their
            names, and why.
    """

    dataset: str
    base: str
    folders: list[str]
    parts: list[Part]
    remarks: Remarks = field(default_factory=Remarks)
    undivided: dict[str, str] = field(default_factory=dict)

    def as_files(self) -> list[Part]:
        """Return the files, each as one part."""
        files: dict[str, Part] = {}
        for part in self.parts:
            size = files[part.file].size if part.file in files else 0
            files[part.file] = Part(part.file, part.path, size + part.size, remote=part.remote)
        return list(files.values())


def make_plan(inputs: Sequence[str | Path], remarks: Remarks, span: int = SPAN) -> Plan:
    """Plan an audit of files, folders, patterns of names, addresses, or datasets on the Hub.

    Several inputs are taken in the order of their names, and a file that several of them have once.

    Args:
        inputs: At least one. Text may also be an address (``s3://…``) or name a dataset on the Hub.
        remarks: Receives every file that is left out.
        span: The size in bytes above which a file has several parts.

    Raises:
        ReadError: There is nothing to read.
        FilesError: A dataset on the Hub cannot be downloaded, or an address not be listed.
    """
    given = sorted(dict.fromkeys(inputs), key=str)
    addresses = [str(one) for one in given if is_remote(str(one))]
    paths = [_local_path(one, remarks) for one in given if not is_remote(str(one))]
    if len(given) > 1:  # names are relative to a folder that all of them have
        paths = [Path(os.path.abspath(path)) for path in paths]  # noqa: PTH100  links stay
    base = _base(paths) if paths else ""
    listed: list[Path] = []
    for path in paths:
        # Remarks on a folder's files are relative to it; here several may have such a file.
        found = Remarks()
        listed += dataset_files(path, found)
        inside = "" if len(given) == 1 else f"{str(path).removeprefix(base)}/"
        for one in found.skipped:
            remarks.skip(inside + one.where, one.what)
        for one in found.notes:
            remarks.note(inside + one.where, one.what)
    remarks.base = base
    parts: list[Part] = []
    undivided: dict[str, str] = {}
    seen: set[str] = set()
    for path in listed:
        name = str(path).removeprefix(base)
        if name in seen:
            remarks.note(name, "is in several inputs, and searched once")
        else:
            seen.add(name)
            found_parts, why = _file_parts(name, path, span)
            parts += found_parts
            if why:
                undivided[name] = why
    for address in addresses:
        remote = _remote_parts(address, remarks, seen, alone=len(given) == 1)
        undivided |= {one.file: "is in an object store" for one in remote if one.size > span}
        parts += remote
    more = f" and {len(given) - 1:,} more" if len(given) > 1 else ""
    folders = [str(path) for path in paths if _is_folder(path)]
    return Plan(f"{given[0]}{more}", base, folders, parts, remarks, undivided)


def choose_parts(parts: Sequence[Part], number: int, count: int) -> list[Part]:
    """Return the parts of one of several machines: shares of nearly the same size.

    Args:
        parts: All parts.
        number: The machine, from 1.
        count: How many machines there are.
    """
    loads = [(0, share) for share in range(count)]
    chosen: list[Part] = []
    for part in sorted(parts, key=lambda part: (-part.size, part.name)):
        load, share = heapq.heappop(loads)
        heapq.heappush(loads, (load + max(1, part.size), share))
        if share == number - 1:
            chosen.append(part)
    return chosen


def _local_path(given: str | Path, remarks: Remarks) -> Path:
    if isinstance(given, str) and is_on_hub(given):
        return download_dataset(given, remarks)
    return resolve_composition(Path(given))


def _remote_parts(address: str, remarks: Remarks, seen: set[str], *, alone: bool) -> list[Part]:
    """Return the files at an address, each as one part: it is downloaded by who searches it."""
    parts = []
    for file in data_files(address, remarks, inside="" if alone else f"{address}/"):
        if file.url in seen:
            remarks.note(file.url, "is in several inputs, and searched once")
            continue
        seen.add(file.url)
        name = file.name if alone else file.url
        parts.append(Part(name, Path(file.name), file.size or 0, remote=file))
    return parts


def _base(paths: Collection[Path]) -> str:
    """Return the folder that names of files are relative to, with its separator."""
    if len(paths) == 1:
        (path,) = paths
        return f"{path if _is_folder(path) else _literal_parent(path)}/"
    parents = [_literal_parent(path) for path in paths]
    return f"{os.path.commonpath(parents)}/"


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # listing its files reports what is wrong
        return False


def _literal_parent(path: Path) -> Path:
    """Return the deepest folder of a path that is no pattern."""
    parent = path.parent
    while is_pattern(parent):
        parent = parent.parent
    return parent


def _file_parts(name: str, path: Path, span: int) -> tuple[list[Part], str]:
    """Return the parts of a file, and why a large one has only one."""
    try:
        size = path.stat().st_size
        spans, why = find_spans(path, span)
    except (OSError, ReadError):  # the search reports it
        return [Part(name, path, 0)], ""
    if not spans:
        return [Part(name, path, size)], why
    return [Part(name, path, size // len(spans), one) for one in spans], ""
