"""Identify the weights of a base model: its commit on the Hub, its weight files, and their digest.

An adapter is a difference to particular weights. On others it still runs, but silently gives wrong
answers. So a run records the commit and the digest of its base model, and both are checked whenever an
adapter is loaded.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

from kit19.core.paths import read_json

_SINGLE_FILES = ("model.safetensors", "pytorch_model.bin")
"""Names of unsharded weight files. Sharded weights have an index with ``.index.json`` appended."""

_SNAPSHOT = re.compile(r"/snapshots/([0-9a-f]{40})/")


def hub_commit(name: str, revision: str = "") -> str:
    """The commit of a model on the Hub; empty for a folder.

    transformers 5.24 has no attribute for it, so it is read from the path of a file in the Hub's cache.

    Args:
        name: Hub id or folder.
        revision: Commit, tag or branch; default: the repository's main branch.

    Raises:
        OSError: There is no such model, or it cannot be reached.
    """
    if Path(name).is_dir():
        return ""
    from transformers.utils import cached_file  # noqa: PLC0415

    found = cached_file(name, "config.json", revision=revision or None)
    match = _SNAPSHOT.search(Path(found or "").as_posix())
    return match[1] if match else ""


def weight_files(name: str, revision: str = "") -> list[Path]:
    """The files that ``from_pretrained`` reads weights from, downloaded from the Hub if necessary.

    As in transformers, safetensors take precedence over pickles, and other files are ignored.

    Raises:
        OSError: There is no such model, or it cannot be reached.
        ValueError: An index is not JSON.
    """
    for single in _SINGLE_FILES:
        if path := _find_file(name, single, revision):
            return [path]
        if index := _find_file(name, f"{single}.index.json", revision):
            parts = sorted(set(read_json(index)["weight_map"].values()))
            folder = index.parent if Path(name).is_dir() else _download(name, revision, parts)
            return [folder / part for part in parts]
    return []


def weights_digest(files: Sequence[Path]) -> str:
    """sha256 over the names and contents of weight files, ordered by name."""
    total = hashlib.sha256()
    for path in sorted(files, key=lambda path: path.name):
        with path.open("rb") as stream:
            total.update(path.name.encode() + hashlib.file_digest(stream, "sha256").digest())
    return total.hexdigest()


def _find_file(name: str, filename: str, revision: str) -> Path | None:
    if Path(name).is_dir():
        path = Path(name) / filename
        return path if path.is_file() else None
    from transformers.utils import cached_file  # noqa: PLC0415

    found = cached_file(
        name, filename, revision=revision or None, _raise_exceptions_for_missing_entries=False
    )
    return Path(found) if found else None


def _download(name: str, revision: str, files: list[str]) -> Path:
    from huggingface_hub import snapshot_download  # noqa: PLC0415

    return Path(snapshot_download(name, revision=revision or None, allow_patterns=files))
