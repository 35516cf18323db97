"""A small catalog with one file of each kind, its bytes, and the server that has them."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import random
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

from kit19.fetching import Http
from tests.support.origins_server import Origins

COMMIT = "0123456789abcdef0123456789abcdef01234567"
RAW = f"/raw.githubusercontent.com/someone/some-data/{COMMIT}"
RELEASE = "/github.com/someone/some-data/releases/download/v1"
QUICK = Http(timeout=60, attempts=4, backoff=0.001, max_wait=0.05, max_bytes=2 << 20)
HASTY = replace(QUICK, timeout=0.25)
"""For servers that stop in the middle of an answer. A busy machine may do so too."""
NETWORK_NAMES = (
    *("http_proxy", "https_proxy", "all_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY"),
    *("ALL_PROXY", "NO_PROXY", "GITHUB_TOKEN", "XDG_CACHE_HOME"),
)


def lines(count: int, seed: int, *, as_json: bool = False) -> bytes:
    """Rows of text that does not compress to nothing."""
    rng = random.Random(seed)
    words = ["".join(chr(rng.randrange(0xAC00, 0xD7A3)) for _ in range(3)) for _ in range(300)]
    rows = (f"{number}\t{' '.join(rng.choices(words, k=12))}" for number in range(count))
    if as_json:
        rows = (json.dumps({"id": row}, ensure_ascii=False) for row in rows)
    return ("\n".join(["id\ttext"] * (not as_json) + list(rows)) + "\n").encode()


def _zip(data: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as bundle:
        bundle.writestr(zipfile.ZipInfo("inside.tsv"), data)
    return stream.getvalue()


def _tar(data: bytes) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as bundle:
        for name in ("one.tsv", "two.tsv"):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            bundle.addfile(member, io.BytesIO(data))
    return gzip.compress(stream.getvalue(), 1, mtime=0)


def git_blob(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


DIGEST = lines(1500, 1)
BLOB = lines(900, 2)
SIZED = lines(700, 3, as_json=True)
COUNTED = lines(500, 4, as_json=True)
UNKNOWN = lines(300, 5, as_json=True)
ZIP = _zip(lines(2000, 6))
TAR = _tar(lines(1200, 7))

BYTES = {
    f"{RAW}/data/digest.tsv": DIGEST,
    f"{RAW}/with%20blank/blob.tsv": BLOB,
    f"{RAW}/sized.jsonl": SIZED,
    f"{RAW}/counted.jsonl": COUNTED,
    f"{RELEASE}/bundle.zip": ZIP,
    "/storage.googleapis.com/the-bucket/deep/bundle.tar.gz": TAR,
    "/the-bucket.s3.ap-northeast-2.amazonaws.com/v0/unknown.jsonl": UNKNOWN,
}
"""What the honest server serves."""

_HEAD = """\
id: {id}
title: A source of the tests
about: A source of the tests.
license: {{spdx: CC0-1.0, commercial: yes, redistribution: yes, derivatives: yes, stated_in: here}}
citation: none
notice: none
"""
_GITHUB = f"{{kind: github, repo: someone/some-data, revision: {COMMIT}}}"
_DELIMITED = "{format: delimited, delimiter: tab, quoting: none}"


def card(name: str, origin: str, read: str, files: dict[str, str], extra: str = "") -> str:
    """A source card with one table; ``files`` gives each split's one file."""
    listed = "".join(f"      {split}: [{file}]\n" for split, file in files.items())
    return (
        f"{_HEAD.format(id=name)}{extra}origins: [{origin}]\ntables:\n  rows:\n    read: {read}\n"
        f"    files:\n{listed}    columns: {{id: id}}\n"
    )


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


CARDS = {
    "digest": card(
        "digest",
        _GITHUB,
        _DELIMITED,
        {"train": f"{{path: data/digest.tsv, sha256: {sha(DIGEST)}, bytes: {len(DIGEST)}}}"},
    ),
    "blob": card(
        "blob",
        _GITHUB,
        _DELIMITED,
        {"train": f"{{path: with blank/blob.tsv, git_blob: {git_blob(BLOB)}}}"},
    ),
    "sized": card(
        "sized",
        _GITHUB,
        "{format: jsonl}",
        {"train": f"{{path: sized.jsonl, bytes: {len(SIZED)}}}"},
    ),
    "counted": card(
        "counted", _GITHUB, "{format: jsonl}", {"train": "{path: counted.jsonl, rows: 500}"}
    ),
    "release": card(
        "release",
        "{kind: release, repo: someone/some-data, revision: v1}",
        _DELIMITED,
        {
            "train": "{path: inside.tsv, archive: {path: bundle.zip, member: inside.tsv, "
            f"bytes: {len(ZIP)}, sha256: {sha(ZIP)}}}}}"
        },
    ),
    "google": card(
        "google",
        "{kind: bucket, repo: the-bucket, provider: gcs, path: deep}",
        _DELIMITED,
        {
            split: f"{{path: {split}.tsv, archive: {{path: bundle.tar.gz, member: {split}.tsv, "
            f"bytes: {len(TAR)}}}}}"
            for split in ("one", "two")
        },
    ),
    "amazon": card(
        "amazon",
        "{kind: bucket, repo: the-bucket, provider: s3, region: ap-northeast-2, path: v0}",
        "{format: jsonl}",
        {"train": "{path: unknown.jsonl}"},
    ),
    "person": card(
        "person",
        _GITHUB,
        "{format: jsonl}",
        {"train": "{path: asked.jsonl}"},
        "access: Sign the form at example.org, then save the file you are sent.\n",
    ),
}
"""One source for each thing that a card may know of a file: by id."""

PLACES = {
    "digest": "digest/data/digest.tsv",
    "blob": "blob/with blank/blob.tsv",
    "sized": "sized/sized.jsonl",
    "counted": "counted/counted.jsonl",
    "release": "release/bundle.zip",
    "google": "google/bundle.tar.gz",
    "amazon": "amazon/unknown.jsonl",
}
"""Where each source's file goes in a data folder."""

ADDRESSES = dict(zip(PLACES, BYTES, strict=True))
TRUTH = dict(zip(PLACES, BYTES.values(), strict=True))


def write_catalog(root: Path, cards: dict[str, str] | None = None) -> Path:
    """The folder of cards."""
    (root / "sources").mkdir(parents=True)
    for name, text in (cards or CARDS).items():
        (root / "sources" / f"{name}.yaml").write_text(text, "utf-8")
    return root


def honest_origins() -> Origins:
    return Origins(files=dict(BYTES))


def environ(origins: Origins, cache: Path, **more: str) -> dict[str, str]:
    """The environment of a ``kit19`` of its own that asks this server."""
    dropped = ("KIT19_", "HF_", *NETWORK_NAMES)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    return {**kept, "KIT19_MIRROR": origins.base, "KIT19_CACHE": str(cache), **more}
