"""Where a file can be had: the addresses that a card's origins give it."""

from __future__ import annotations

import os
from urllib.parse import quote, urlsplit

from kit19.catalog.source import File, Origin, Source
from kit19.errors import OutputError, Problem

_GITHUB_RAW = "https://raw.githubusercontent.com"
_GITHUB = "https://github.com"
_GCS = "https://storage.googleapis.com"
_HUB = "https://huggingface.co"
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def addresses(source: Source, table: str, file: File) -> list[str]:
    """Addresses of a file (of its archive, if it is shipped in one), in the order to try.

    ``KIT19_MIRROR`` (a base address) stands for every host: ``<mirror>/<host>/<path>``. The Hub is
    reached through ``HF_ENDPOINT`` where that is set.
    """
    path = file.archive.path if file.archive else file.path
    found = []
    for origin in source.origins:
        if not origin.tables or table in origin.tables:
            found.append(_mirrored(_address(origin, path.removeprefix(origin.strip))))
    return found


def is_allowed(url: str) -> bool:
    """Whether an address may be asked: https anywhere, plain http on this machine alone."""
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)


def _address(origin: Origin, path: str) -> str:
    inner = quote("/".join(part for part in (origin.path.strip("/"), path) if part))
    if origin.kind == "github":
        return f"{_GITHUB_RAW}/{origin.repo}/{origin.revision}/{inner}"
    if origin.kind == "release":
        return f"{_GITHUB}/{origin.repo}/releases/download/{quote(origin.revision)}/{inner}"
    if origin.kind == "hub":
        hub = os.environ.get("HF_ENDPOINT") or _HUB
        return f"{hub.rstrip('/')}/datasets/{origin.repo}/resolve/{origin.revision}/{inner}"
    if origin.provider == "gcs":
        return f"{_GCS}/{origin.repo}/{inner}"
    return f"https://{origin.repo}.s3.{origin.region}.amazonaws.com/{inner}"


def _mirrored(url: str) -> str:
    mirror = os.environ.get("KIT19_MIRROR")
    parts = urlsplit(url)
    if not mirror or parts.hostname in _LOOPBACK:
        return url
    if not is_allowed(mirror):
        what = f"KIT19_MIRROR is {mirror!r}: a mirror must be https, or http on this machine"
        raise OutputError(Problem(what))
    return f"{mirror.rstrip('/')}/{parts.netloc}{parts.path}"
