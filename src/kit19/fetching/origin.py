"""Where a file can be had: the addresses that a card's origins give it."""

from __future__ import annotations

import os
from urllib.parse import quote, urlsplit

from kit19.catalog.card import Origin
from kit19.catalog.source import Source
from kit19.catalog.tables import File
from kit19.core.errors import OutputError, Problem

HUB = "https://huggingface.co"
_GITHUB_RAW = "https://raw.githubusercontent.com"
_GITHUB = "https://github.com"
_GCS = "https://storage.googleapis.com"
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def addresses(source: Source, table: str, file: File) -> list[str]:
    """Addresses of a file (of its archive, if it is shipped in one), in the order to try.

    ``KIT19_MIRROR`` (a base address) stands for every host: ``<mirror>/<host>/<path>``. The Hub is
    reached through ``HF_ENDPOINT`` where that is set.

    Raises:
        OutputError: ``KIT19_MIRROR`` may not be asked.
    """
    hub = os.environ.get("HF_ENDPOINT") or HUB
    return [_mirrored(url) for url in _all(source, table, file, hub)]


def identity(source: Source, table: str, file: File) -> str:
    """What a file is, wherever it is brought from: its name and its addresses without mirrors.

    A revision is part of an address, so that another pinned commit is another file.
    """
    path = file.archive.path if file.archive else file.path
    return "\n".join([f"{source.id}/{path}", *_all(source, table, file, HUB)])


def is_allowed(url: str) -> bool:
    """Whether an address may be asked: https anywhere, plain http on this machine alone.

    Addresses that two parsers may read as two hosts (a backslash, a user name) are refused.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname
        _ = parts.port
    except ValueError:
        return False
    if not host or "\\" in url or "@" in parts.netloc or not url.isprintable() or " " in url:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK)


def _all(source: Source, table: str, file: File, hub: str) -> list[str]:
    path = file.archive.path if file.archive else file.path
    return [
        _address(origin, path.removeprefix(origin.strip), hub.rstrip("/"))
        for origin in source.origins
        if origin.kind != "local" and (not origin.tables or table in origin.tables)
    ]


def _address(origin: Origin, path: str, hub: str) -> str:
    inner = quote("/".join(part for part in (origin.path.strip("/"), path) if part))
    if origin.kind == "github":
        return f"{_GITHUB_RAW}/{origin.repo}/{origin.revision}/{inner}"
    if origin.kind == "release":
        return f"{_GITHUB}/{origin.repo}/releases/download/{quote(origin.revision)}/{inner}"
    if origin.kind == "hub":
        return f"{hub}/datasets/{origin.repo}/resolve/{origin.revision}/{inner}"
    if origin.provider == "gcs":
        return f"{_GCS}/{origin.repo}/{inner}"
    return f"https://{origin.repo}.s3.{origin.region}.amazonaws.com/{inner}"


def _mirrored(url: str) -> str:
    mirror = os.environ.get("KIT19_MIRROR")
    if not mirror or urlsplit(url).hostname in _LOOPBACK:
        return url
    if not is_allowed(mirror):
        what = "KIT19_MIRROR must be https (or http on this machine), without a user name"
        raise OutputError(
            Problem(what, fix="set it to a base address such as https://mirror.example")
        )
    parts = urlsplit(url)
    return f"{mirror.rstrip('/')}/{parts.netloc}{parts.path}"
