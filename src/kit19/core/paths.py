"""The cache and data folders, and safe access to files that users name."""

from __future__ import annotations

import errno
import json
import os
import stat
import unicodedata
from pathlib import Path
from typing import Any

_MAX_BYTES = 1_000_000_000  # real files of this kind have a thousandth of it


def cache_dir() -> Path:
    """Return ``KIT19_CACHE``, or ``kit19`` in the user's cache folder."""
    if folder := os.environ.get("KIT19_CACHE"):
        return Path(folder)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "kit19"


def default_data_dir() -> Path:
    """Return the default data folder: ``KIT19_DATA_DIR``, or ``data`` in the cache."""
    if folder := os.environ.get("KIT19_DATA_DIR"):
        return Path(folder)
    return cache_dir() / "data"


def require_regular_file(path: Path) -> None:
    """Refuse anything but a regular file: reading a pipe or a device may never end.

    Raises:
        OSError: The file does not exist or is not a regular file; the error names it.
    """
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "it is a folder, not a file", str(path))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "it is a pipe or a device, not a file", str(path))


def read_small_file(path: Path) -> bytes:
    """Read the bytes of a small file: one written by hand, or one that describes other files.

    Raises:
        OSError: The file cannot be read, is not a regular file or is too large; the error names it.
    """
    require_regular_file(path)
    if path.stat().st_size > _MAX_BYTES:
        raise OSError(errno.EFBIG, f"it is larger than {_MAX_BYTES:,} bytes", str(path))
    return path.read_bytes()


def read_json(path: Path) -> Any:
    """Read a JSON file in UTF-8.

    Raises:
        OSError: As :func:`read_small_file`.
        ValueError: The file is not valid JSON or UTF-8, nests too deep, or contains a number of
            thousands of digits.
    """
    try:
        return json.loads(read_small_file(path).decode("utf-8"))
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def path_exists(path: Path) -> bool:
    """Whether the path exists, even if its folder may not be read.

    False for names that are too long or impossible.
    """
    try:
        return path.exists()
    except PermissionError:
        return True
    except (OSError, ValueError):
        return False


def resolve_composition(path: Path) -> Path:
    """Find a path that exists in another Unicode composition, else return it unchanged.

    macOS writes names decomposed (NFD) and keyboards type them composed (NFC); both look the same.
    """
    if path_exists(path) or str(path).isascii():
        return path
    found = Path(path.anchor)
    for part in path.parts[1 if path.anchor else 0 :]:
        names = [] if path_exists(found / part) else _list_names(found)
        found /= next((name for name in names if _compose(name) == _compose(part)), part)
    return found if path_exists(found) else path


def _list_names(folder: Path) -> list[str]:
    try:
        return sorted(path.name for path in folder.iterdir())
    except OSError:
        return []


def _compose(name: str) -> str:
    return unicodedata.normalize("NFC", name)
