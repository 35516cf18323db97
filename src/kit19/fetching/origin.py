"""The addresses of a file, from the origins of its card."""

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
    """List the addresses of a file (or of its archive), in the order to try.

    ``KIT19_MIRROR`` (a base address) replaces every host: ``<mirror>/<host>/<path>``. If
    ``HF_ENDPOINT`` is set, it replaces the Hub.

    Raises:
        OutputError: ``KIT19_MIRROR`` is not an allowed address.
    """
    hub = os.environ.get("HF_ENDPOINT") or HUB
    return [_apply_mirror(url) for url in _direct_addresses(source, table, file, hub)]


def identity(source: Source, table: str, file: File) -> str:
    """Return a file's identity: its name and its addresses without mirrors.

    An address contains the revision, so a file of another pinned commit has another identity.
    """
    path = file.archive.path if file.archive else file.path
    return "\n".join([f"{source.id}/{path}", *_direct_addresses(source, table, file, HUB)])


def is_allowed(url: str) -> bool:
    """Whether an address is allowed: https anywhere, plain http only on this machine.

    Addresses whose host is ambiguous between parsers (a backslash, a user name) are not allowed.
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


def _direct_addresses(source: Source, table: str, file: File, hub: str) -> list[str]:
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
        return f"{hub}/datasets/{origin.repo}/resolve/{quote(origin.revision, safe='')}/{inner}"
    if origin.provider == "gcs":
        return f"{_GCS}/{origin.repo}/{inner}"
    return f"https://{origin.repo}.s3.{origin.region}.amazonaws.com/{inner}"


def _apply_mirror(url: str) -> str:
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
