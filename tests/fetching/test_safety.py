"""Tokens go to their host alone; nothing leads away from https; proxies are used as they are set."""

from __future__ import annotations

import json
import logging
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kit19.catalog import Catalog
from kit19.core.errors import OutputError
from kit19.fetching import Cache, FetchedFile, Http, Use, fetch_files, wanted_files
from kit19.fetching.connect import TransferError, credentials
from kit19.fetching.origin import addresses, is_allowed
from kit19.fetching.resumable_download import ExpectedFile, Transfer
from kit19.fetching.sources import fetch_sources
from tests.support.origins_server import Fault, Origins, serving, soon
from tests.support.proxy import proxying
from tests.support.small_origins import (
    ADDRESSES,
    COMMIT,
    PLACES,
    QUICK,
    TRUTH,
    card,
    environ,
    write_catalog,
)

TOKEN = "a-token-that-nobody-else-may-see"  # noqa: S105  of no host
HUB_FILE = f"/datasets/someone/some-data/resolve/{COMMIT}/here.jsonl"


def fetch(cards: Path, data: Path, name: str, http: Http = QUICK) -> FetchedFile:
    (result,) = fetch_sources([name], data_dir=data, http=http, catalog=cards)
    return result


@pytest.fixture
def hub(origins: Origins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A catalog with one source on a Hub of this machine, which has tokens for every host."""
    origins.files[HUB_FILE] = b'{"id": 1}\n'
    monkeypatch.setenv("HF_ENDPOINT", origins.base)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
    origin = f"{{kind: hub, repo: someone/some-data, revision: {COMMIT}}}"
    text = card("hub", origin, "{format: jsonl}", {"train": "{path: here.jsonl, rows: 1}"})
    return write_catalog(tmp_path / "hub", {"hub": text})


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://github.com/a/b/releases/download/v1/c", "GITHUB_TOKEN"),
        ("https://raw.githubusercontent.com/a/b/c/d", "GITHUB_TOKEN"),
        ("https://huggingface.co/datasets/a/b/resolve/c/d", "HF_TOKEN"),
        ("https://evilgithub.com/a", ""),
        ("https://github.com.example.org/a", ""),
        ("https://huggingface.co.example.org/a", ""),
        ("https://huggingface.co:8443/a", ""),
        ("http://huggingface.co/a", ""),
        ("https://cdn-lfs.huggingface.co/a", ""),
        ("https://objects.githubusercontent.com/a", ""),
        ("https://storage.googleapis.com/a", ""),
    ],
)
def test_a_token_goes_to_its_own_host_alone(
    url: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "GITHUB_TOKEN")
    monkeypatch.setenv("HF_TOKEN", "HF_TOKEN")
    assert credentials(url) == ({"Authorization": f"Bearer {name}"} if name else {})


def test_with_another_hub_the_token_goes_there_and_no_longer_to_the_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setenv("HF_ENDPOINT", "https://hub.example.org/sub/")
    assert credentials("https://hub.example.org/sub/datasets/a")
    assert not credentials("https://huggingface.co/datasets/a")


def test_a_token_is_sent_to_the_hub_and_not_to_where_it_redirects(
    hub: Path, origins: Origins, tmp_path: Path
) -> None:
    elsewhere = f"{origins.other}{HUB_FILE}"
    origins.script[HUB_FILE].append(Fault("redirect to http", say=elsewhere))
    assert fetch(hub, tmp_path / "data", "hub").outcome == "fetched"
    assert [request.token for request in origins.settled()] == [f"Bearer {TOKEN}", ""]


def test_nobody_can_have_a_token_sent_by_redirecting_to_its_host(
    cards: Path, origins: Origins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", origins.other)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    address = ADDRESSES["digest"]
    origins.script[address].append(Fault("redirect to http", say=f"{origins.other}{address}"))
    assert fetch(cards, tmp_path / "data", "digest").outcome == "fetched"
    assert [request.token for request in origins.settled()] == ["", ""]


def test_a_mirror_gets_no_token(
    cards: Path, origins: Origins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
    assert fetch(cards, tmp_path / "data", "release").outcome == "fetched"
    assert {request.token for request in origins.settled()} == {""}


@pytest.mark.parametrize("status", ["401", "403", "loop", "garbage"])
def test_no_token_and_no_signature_is_in_errors_json_or_logs(
    hub: Path,
    origins: Origins,
    tmp_path: Path,
    status: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    if status in ("401", "403"):
        del origins.files[HUB_FILE]
    kinds = {"loop": Fault("redirect loop"), "garbage": Fault("not HTTP")}
    origins.script[HUB_FILE].extend([kinds.get(status, Fault("cut"))] * 10)
    result = fetch(hub, tmp_path / "data", "hub")
    assert result.outcome == "failed"
    assert TOKEN not in repr(result)
    assert TOKEN not in caplog.text
    environment = environ(
        origins, tmp_path / "cache", HF_ENDPOINT=origins.base, HF_TOKEN=TOKEN, GITHUB_TOKEN=TOKEN
    )
    origins.script[HUB_FILE].clear()
    origins.script[HUB_FILE].extend([Fault("redirect loop")] * 20)
    command = [sys.executable, "-m", "kit19", "fetch", "hub", "--catalog", str(hub), "--json"]
    done = subprocess.run(
        [*command, "--data-dir", str(tmp_path / "data")],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 1
    assert json.loads(done.stdout)[0]["outcome"] == "failed"
    assert TOKEN not in done.stdout + done.stderr
    for kept in (tmp_path / "cache").rglob("*"):
        assert kept.is_dir() or TOKEN.encode() not in kept.read_bytes()


@pytest.mark.parametrize("token", ["two\nlines", "vertical\x0btab", "한글", "null\0byte"])
def test_a_token_that_cannot_be_one_is_refused_by_name_and_not_shown(
    token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = "HF_TOKEN"
    monkeypatch.setattr("os.environ", {real: token})
    with pytest.raises(TransferError, match=r"^HF_TOKEN has characters that no token has$"):
        credentials("https://huggingface.co/a")


def test_blanks_around_a_token_are_not_part_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", f" {TOKEN}\n")
    assert credentials("https://huggingface.co/a") == {"Authorization": f"Bearer {TOKEN}"}


@pytest.mark.parametrize(
    "url",
    [
        "https://raw.githubusercontent.com/a",
        "https://example.org:8443/a?b=c",
        "http://127.0.0.1:8000/a",
        "http://localhost/a",
        "http://[::1]:80/a",
    ],
)
def test_https_and_this_machine_are_allowed(url: str) -> None:
    assert is_allowed(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/a",
        "http://127.0.0.1.example.org/a",
        "http://localhost.example.org/a",
        "http://127.0.0.1@example.org/a",
        "http://example.org\\@127.0.0.1/a",
        "https://user:word@example.org/a",
        "http://0.0.0.0/a",
        "ftp://127.0.0.1/a",
        "file:///etc/passwd",
        "//127.0.0.1/a",
        "https:///a",
        "https://[/a",
        "https://example.org:x/a",
        "http://127.0.0.1/a\r\nHost: example.org",
        "http://127.0.0.1/a b",
        "",
    ],
)
def test_nothing_else_is_allowed(url: str) -> None:
    assert not is_allowed(url)


@pytest.mark.parametrize("mirror", ["http://mirror.example.org", "ftp://x", "https://me:pw@m.org"])
def test_a_mirror_that_is_not_allowed_is_an_error(
    cards: Path, origins: Origins, tmp_path: Path, mirror: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KIT19_MIRROR", mirror)
    with pytest.raises(OutputError, match="KIT19_MIRROR must be https") as caught:
        fetch(cards, tmp_path / "data", "digest")
    assert "pw" not in str(caught.value)


def test_a_mirror_replaces_every_host_but_this_machine(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KIT19_MIRROR", "https://mirror.example.org/kit19/")
    table = catalog.source("google").tables["rows"]
    (url,) = addresses(catalog.source("google"), "rows", table.files["one"][0])
    inner = "storage.googleapis.com/the-bucket/deep/bundle.tar.gz"
    assert url == f"https://mirror.example.org/kit19/{inner}"


def test_the_next_origin_is_tried_when_one_cannot_give_the_file(
    origins: Origins, tmp_path: Path
) -> None:
    first = "{kind: bucket, repo: gone, provider: gcs}, {kind: bucket, repo: wrong, provider: gcs}"
    last = "{kind: bucket, repo: good, provider: s3, region: eu-west-1, path: folder}"
    data = b'{"id": 1}\n'
    file = f"{{path: a.jsonl, bytes: {len(data)}, git_blob: 12345678}}"
    from tests.support.small_origins import git_blob

    file = file.replace("12345678", git_blob(data))
    text = card("three", f"{first}, {last}", "{format: jsonl}", {"train": file})
    origins.files["/storage.googleapis.com/wrong/a.jsonl"] = b'{"id": 2}\n'
    origins.files["/good.s3.eu-west-1.amazonaws.com/folder/a.jsonl"] = data
    cards = write_catalog(tmp_path / "three", {"three": text})
    assert fetch(cards, tmp_path / "data", "three").outcome == "fetched"
    assert (tmp_path / "data" / "three" / "a.jsonl").read_bytes() == data
    assert len(origins.settled()) == 3


def test_all_reasons_are_reported_when_no_origin_works(origins: Origins, tmp_path: Path) -> None:
    two = "{kind: bucket, repo: one, provider: gcs}, {kind: bucket, repo: two, provider: gcs}"
    text = card("two", two, "{format: jsonl}", {"train": "{path: a.jsonl, bytes: 10}"})
    origins.files["/storage.googleapis.com/two/a.jsonl"] = b"{}\n"
    cards = write_catalog(tmp_path / "two", {"two": text})
    assert fetch(cards, tmp_path / "data", "two").why == (
        "127.0.0.1: the server answers 404; 127.0.0.1: has 3 bytes, where the card says 10"
    )


def test_many_failures_in_a_row_leave_connections_for_what_follows(
    catalog: Catalog, origins: Origins, tmp_path: Path
) -> None:
    # A connection that is not given back would be waited for by the next request, for ever.
    source = catalog.source("release")
    http = Http(timeout=60, attempts=20, backoff=0.001, max_wait=0.01, per_host=1)
    address = ADDRESSES["release"]
    origins.script[address].extend([Fault("429"), Fault("503"), Fault("416"), Fault("500")] * 4)
    wants = wanted_files([Use("rows", source, ["rows"], ["train"])], tmp_path / "data")
    results: list[FetchedFile] = []
    cache = Cache()
    thread = threading.Thread(
        target=lambda: results.extend(fetch_files(wants, cache, http)), daemon=True
    )
    thread.start()
    thread.join(300)
    assert [result.outcome for result in results] == ["fetched"]
    assert (tmp_path / "data" / PLACES["release"]).read_bytes() == TRUTH["release"]


class Waits(threading.Event):
    """Notes how long it is asked to wait, and does not."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waits.append(timeout or 0.0)
        return False


@pytest.mark.parametrize("name", ["google", "sized", "counted", "amazon"])
def test_a_server_that_ignores_if_range_does_not_make_one_file_of_two(
    cards: Path, origins: Origins, tmp_path: Path, name: str
) -> None:
    faults = [Fault("cut", 0.6), Fault("changed, If-Range ignored")]
    origins.script[ADDRESSES[name]].extend(faults)
    assert fetch(cards, tmp_path / "data", name).outcome == "fetched"
    assert (tmp_path / "data" / PLACES[name]).read_bytes() == TRUTH[name]


@pytest.mark.parametrize("as_date", [False, True])
def test_a_requested_wait_is_respected(origins: Origins, tmp_path: Path, as_date: bool) -> None:
    address, waits = ADDRESSES["digest"], Waits()
    output = soon(300) if as_date else "300"
    origins.script[address].extend([Fault("429", say=output), Fault("503"), Fault("503")])
    patient = Transfer(Http(timeout=60, max_wait=400, backoff=0.5), waits)
    size = len(TRUTH["digest"])
    patient.download(
        origins.base + address, tmp_path / "a.part", ExpectedFile(size), lambda *_: None
    )
    assert 200 < waits.waits[0] <= 300
    assert waits.waits[1:] == [1.0, 2.0]  # the server names no time: twice as long each time


@contextmanager
def refusing() -> Iterator[str]:
    """An address that nobody listens on, and nobody else can."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"


def test_a_server_that_refuses_connections_and_then_comes_up(
    cards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KIT19_CACHE", str(tmp_path / "cache"))
    with refusing() as base:
        monkeypatch.setenv("KIT19_MIRROR", base)
        result = fetch(cards, tmp_path / "data", "digest")
    assert (result.outcome, result.why) == (
        "failed",
        "127.0.0.1: no connection (Connection refused) (4 attempts)",
    )
    with serving(Origins(files={ADDRESSES["digest"]: TRUTH["digest"]})) as origins:
        monkeypatch.setenv("KIT19_MIRROR", origins.base)
        assert fetch(cards, tmp_path / "data", "digest").outcome == "fetched"


def test_a_host_that_is_down_is_not_waited_for_once_a_file(
    cards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KIT19_CACHE", str(tmp_path / "cache"))
    names = ("digest", "blob", "sized")
    with refusing() as base:
        monkeypatch.setenv("KIT19_MIRROR", base)
        results = fetch_sources(
            names, data_dir=tmp_path / "data", http=QUICK, jobs=1, catalog=cards
        )
    assert [one.why.rpartition("(")[2] for one in results] == [
        "4 attempts)",
        "1 attempt)",
        "1 attempt)",
    ]


def test_an_unknown_host_is_a_clear_error(
    cards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_: object, **__: object) -> object:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setenv("KIT19_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    result = fetch(cards, tmp_path / "data", "digest")
    assert result.why == "raw.githubusercontent.com: the host is unknown (4 attempts)"


def test_only_the_proxy_gets_its_password(
    cards: Path, origins: Origins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with proxying() as proxy:
        address = f"127.0.0.1:{proxy.server_port}"
        monkeypatch.setenv("http_proxy", f"http://me:p%40ss@{address}")
        assert fetch(cards, tmp_path / "data", "digest").outcome == "fetched"
        assert proxy.lines == [f"GET {origins.base}{ADDRESSES['digest']} HTTP/1.1"]
        assert proxy.headers[0]["proxy-authorization"] == "Basic bWU6cEBzcw=="
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        assert fetch(cards, tmp_path / "data", "blob").outcome == "fetched"
        assert len(proxy.lines) == 1


def test_https_goes_through_a_proxy_as_a_tunnel_which_sees_no_token(
    cards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KIT19_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
    with proxying() as proxy:
        # Written without http://, as many people do.
        monkeypatch.setenv("https_proxy", f"127.0.0.1:{proxy.server_port}")
        result = fetch(cards, tmp_path / "data", "digest")
        reports = "raw.githubusercontent.com: the proxy cannot connect (4 attempts)"
        assert result.why == reports
        assert {line.rpartition(" ")[0] for line in proxy.lines} == {
            "CONNECT raw.githubusercontent.com:443"
        }
        assert TOKEN not in str(proxy.headers)


@pytest.mark.parametrize("proxy", ["socks5://me:pw@127.0.0.1:1080", "http://[", "http://:x"])
def test_a_proxy_that_cannot_be_used_is_one_clear_error(
    cards: Path, origins: Origins, tmp_path: Path, proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", proxy)
    with pytest.raises(
        OutputError, match="http_proxy: is not the address of an HTTP proxy"
    ) as caught:
        fetch(cards, tmp_path / "data", "digest")
    assert "pw" not in str(caught.value)
