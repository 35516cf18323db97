"""Where kit19 keeps things on a user's machine."""

from __future__ import annotations

import errno
import json
import os
import stat
import unicodedata
from pathlib import Path
from typing import Any

_LARGEST = 1_000_000_000  # bytes; such files have a thousandth of it


def cache_dir() -> Path:
    """``KIT19_CACHE``, else ``kit19`` in the user's cache folder."""
    if folder := os.environ.get("KIT19_CACHE"):
        return Path(folder)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "kit19"


def default_data_dir() -> Path:
    """Where upstream files are looked for: ``KIT19_DATA_DIR``, else ``data`` in the cache."""
    if folder := os.environ.get("KIT19_DATA_DIR"):
        return Path(folder)
    return cache_dir() / "data"


def require_regular_file(path: Path) -> None:
    """Refuse what is no regular file: reading a pipe or a device may never end.

    Raises:
        OSError: It is not there, or is something else; the error names it.
    """
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "it is a folder, not a file", str(path))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "it is a pipe or a device, not a file", str(path))


def read_small_file(path: Path) -> bytes:
    """The bytes of a file that somebody wrote by hand, or that describes other files.

    Raises:
        OSError: It cannot be read, is no regular file or is unreasonably large; the error names it.
    """
    require_regular_file(path)
    if path.stat().st_size > _LARGEST:
        raise OSError(errno.EFBIG, f"it is larger than {_LARGEST:,} bytes", str(path))
    return path.read_bytes()


def read_json(path: Path) -> Any:
    """The JSON document in a file, UTF-8.

    Raises:
        OSError: As :func:`read_small`.
        ValueError: It is no JSON or no UTF-8, nests too deep, or has a number of thousands of digits.
    """
    try:
        return json.loads(read_small_file(path).decode("utf-8"))
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def path_exists(path: Path) -> bool:
    """Whether something has this path, also if one may not look at it.

    False for names that are too long or impossible.
    """
    try:
        return path.exists()
    except PermissionError:
        return True
    except (OSError, ValueError):
        return False


def resolve_composition(path: Path) -> Path:
    """The path as its names are composed on disk, if it is there in another Unicode composition.

    macOS writes names decomposed (NFD), keyboards type them composed (NFC); both look the same.
    """
    if path_exists(path) or str(path).isascii():
        return path
    found = Path(path.anchor)
    for part in path.parts[1 if path.anchor else 0 :]:
        there = [] if path_exists(found / part) else _names(found)
        found /= next((name for name in there if _composed(name) == _composed(part)), part)
    return found if path_exists(found) else path


def _names(folder: Path) -> list[str]:
    try:
        return sorted(path.name for path in folder.iterdir())
    except OSError:
        return []


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)
