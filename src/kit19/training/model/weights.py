"""Which weights a base model has: its commit on the Hub, the files that hold them, and their digest.

An adapter is a difference to certain weights. On others it still runs, and gives wrong answers without
a word; so a run keeps the commit and the digest of its base, and both are checked where an adapter
meets a base.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

from kit19.core.paths import read_json

_WHOLE = ("model.safetensors", "pytorch_model.bin")
"""Weights in one file; in several, an index of the same name and ``.index.json`` lists them."""

_SNAPSHOT = re.compile(r"/snapshots/([0-9a-f]{40})/")


def hub_commit(name: str, revision: str = "") -> str:
    """The commit of a model on the Hub; empty for a folder.

    transformers 5.24 has no attribute for it, so it is read from where the Hub's cache keeps a file.

    Args:
        name: Hub id or folder.
        revision: Commit, tag or branch; default: the repository's main branch.

    Raises:
        OSError: There is no such model, or no way to it.
    """
    if Path(name).is_dir():
        return ""
    from transformers.utils import cached_file  # noqa: PLC0415

    found = cached_file(name, "config.json", revision=revision or None)
    match = _SNAPSHOT.search(Path(found or "").as_posix())
    return match[1] if match else ""


def weight_files(name: str, revision: str = "") -> list[Path]:
    """The files that ``from_pretrained`` reads weights from; brought from the Hub if need be.

    Safetensors come before pickles, as in transformers: other files beside them are not looked at.

    Raises:
        OSError: There is no such model, or no way to it.
        ValueError: An index is no JSON.
    """
    for whole in _WHOLE:
        if path := _file(name, whole, revision):
            return [path]
        if index := _file(name, f"{whole}.index.json", revision):
            parts = sorted(set(read_json(index)["weight_map"].values()))
            folder = index.parent if Path(name).is_dir() else _bring(name, revision, parts)
            return [folder / part for part in parts]
    return []


def weights_digest(files: Sequence[Path]) -> str:
    """sha256 over the names and bytes of weight files, in order of name."""
    whole = hashlib.sha256()
    for path in sorted(files, key=lambda path: path.name):
        with path.open("rb") as stream:
            whole.update(path.name.encode() + hashlib.file_digest(stream, "sha256").digest())
    return whole.hexdigest()


def _file(name: str, filename: str, revision: str) -> Path | None:
    if Path(name).is_dir():
        path = Path(name) / filename
        return path if path.is_file() else None
    from transformers.utils import cached_file  # noqa: PLC0415

    found = cached_file(
        name, filename, revision=revision or None, _raise_exceptions_for_missing_entries=False
    )
    return Path(found) if found else None


def _bring(name: str, revision: str, files: list[str]) -> Path:
    from huggingface_hub import snapshot_download  # noqa: PLC0415

    return Path(snapshot_download(name, revision=revision or None, allow_patterns=files))
