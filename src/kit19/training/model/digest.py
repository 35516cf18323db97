"""The digest of a model: sha256 over the files that decide its answers.

These are the weight files that ``from_pretrained`` reads, as they are on disk, and the files of
``OTHER_FILES``: configuration, tokenizer, chat template and the model's own code. Each file gives a
line ``<name> NUL <sha256 of its bytes> LF``. The digest is ``model-v1:`` and the sha256 of all lines,
ordered by name. So a snapshot of the Hub and a folder with the same files have equal digests, whatever
else they contain. The same weights in other shards are other files.

In an adapter's configuration, the location of its base model is left out: it may move. An adapter on
a base model has the digest of two lines, ``base <digest> LF`` and ``adapter <digest> LF``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from kit19.core.paths import read_json

ADAPTER_CONFIG = "adapter_config.json"
BASE_NAME, BASE_REVISION = "base_model_name_or_path", "revision"
"""Keys of an adapter's configuration that locate its base model."""

TOKENIZER_FILES = (
    "tokenizer*.json",
    "tekken.json",
    "vocab*.json",
    "vocab*.txt",
    "merges*.txt",
    "*.model",
    "*.tiktoken",
)
OTHER_FILES = (
    "config.json",
    "generation_config.json",
    ADAPTER_CONFIG,
    *TOKENIZER_FILES,
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.json",
    "chat_template.jinja",
    "additional_chat_templates/*.jinja",
    "*.py",
)
"""Patterns of the files besides weights; ``reference.SMALL_FILES`` downloads all of them."""

_VERSION = "model-v1"


def other_files(folder: Path) -> dict[str, Path]:
    """The files of ``OTHER_FILES`` in a folder, by name."""
    found = (path for pattern in OTHER_FILES for path in folder.glob(pattern))
    return {path.relative_to(folder).as_posix(): path for path in found if path.is_file()}


def hash_file(path: Path) -> str:
    """sha256 of a file; of an adapter's configuration without the location of its base model."""
    if path.name == ADAPTER_CONFIG:
        config = read_json(path)
        kept = {key: config[key] for key in config if key not in (BASE_NAME, BASE_REVISION)}
        return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def model_digest(hashes: Mapping[str, str]) -> str:
    """The digest of a model or an adapter from the sha256 of its files by name."""
    return _versioned("".join(f"{name}\0{hashes[name]}\n" for name in sorted(hashes)))


def adapted_digest(base: str, adapter: str) -> str:
    """The digest of an adapter on a base model from the digests of both."""
    return _versioned(f"base {base}\nadapter {adapter}\n")


def weights_digest(hashes: Mapping[str, str]) -> str:
    """sha256 over the names and contents of weight files only.

    An adapter is a difference to weights. With another chat template it is still the same adapter, so
    this digest decides whether it belongs to a base model.
    """
    total = hashlib.sha256()
    for name in sorted(hashes):
        total.update(name.encode() + bytes.fromhex(hashes[name]))
    return total.hexdigest()


def _versioned(lines: str) -> str:
    return f"{_VERSION}:{hashlib.sha256(lines.encode()).hexdigest()}"
