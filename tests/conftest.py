"""Fixtures: a safe world for every test, the sample, and the real files where they are."""

from __future__ import annotations

import gc
import importlib.util
import os
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from kit19.building.pipeline import build
from kit19.sample import SAMPLE
from tests.support.browsing import CHROMIUM, open_browser, open_tab
from tests.support.bucket import Wire, bucket_server
from tests.support.golden import Golden
from tests.support.harness_files import parse_once
from tests.support.hub_server import WRITE, HubServer
from tests.support.invoking import printed_by
from tests.support.network import only_this_machine, refuse
from tests.support.once import made_once
from tests.support.slow import mark_slow

REPOSITORY = Path(__file__).parent.parent
REAL = REPOSITORY.parent / "shared" / "data"

# Read at import: the fixture clean_environ takes KIT19_* away from every test.
RENEWING = bool(os.environ.get("KIT19_RENEW"))

# On a busy machine, an example takes as long as it takes.
for profile, examples in (("quick", 50), ("thorough", 2000)):
    settings.register_profile(
        profile,
        max_examples=examples,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
settings.load_profile(os.environ.get("KIT19_TEST_EFFORT", "quick"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    mark_slow(items)
    for item in items:
        if "golden" in getattr(item, "fixturenames", ()):
            item.add_marker("golden")


_frozen = 0


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Take modules and collected tests out of the garbage collector's sight.

    They are millions of objects that stay to the end, and every full collection looks at each: a
    third of the CPU time of the tests that train, where transformers asks for one in every run.
    """
    global _frozen  # noqa: PLW0603  as the collector's, for the whole process
    if len(sys.modules) > _frozen + 300:  # at first, and after a test loaded something large
        gc.collect()
        gc.freeze()
        _frozen = len(sys.modules)


@pytest.fixture
def golden() -> Golden:
    """Compares files of the tree with what they should hold; ``make renew`` writes them."""
    return Golden(RENEWING)


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test reads or fills the cache of who runs it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True)
def clean_environ(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("KIT19_", "HF_")) and name != "KIT19_TEST_EFFORT":
            monkeypatch.delenv(name)
    monkeypatch.delenv("COLUMNS", raising=False)  # tests in several processes are given one


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture
def loopback(no_network: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine may be reached, nothing else."""
    monkeypatch.setattr(socket.socket, "connect", only_this_machine)


@pytest.fixture
def hub(loopback: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[HubServer]:
    """An empty Hub on this machine, a token that may write there, and an empty cache."""
    from huggingface_hub import close_session, constants
    from huggingface_hub.utils.tqdm import disable_progress_bars

    with HubServer() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        monkeypatch.setenv("HF_TOKEN", WRITE)
        # The client reads its environment once, when it is loaded; other tests may have loaded it.
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub-cache"))
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))
        monkeypatch.setattr(constants, "HF_STORED_TOKENS_PATH", str(tmp_path / "no-tokens"))
        disable_progress_bars()
        yield server
        close_session()


@pytest.fixture(scope="session")
def bucket_store() -> Iterator[tuple[Wire, Any]]:
    for package in ("s3fs", "moto", "flask", "flask_cors"):
        pytest.importorskip(package, reason=f"{package} is not installed")
    with bucket_server() as opened:
        yield opened


@pytest.fixture
def bucket(
    bucket_store: tuple[Wire, Any], loopback: None, monkeypatch: pytest.MonkeyPatch
) -> tuple[Wire, Any]:
    """An S3 server on this machine: the wire to it, and a client of the server itself."""
    wire, direct = bucket_store
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{wire.server_address[1]}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "k")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    # The client's own retries wait for seconds.
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setattr("s3fs.S3FileSystem.retries", 1)
    monkeypatch.setattr("kit19.fetching.remote._BACKOFF", 0.001)
    wire.every = None
    wire.cuts.clear()
    wire.cut.clear()
    return wire, direct


@pytest.fixture(scope="session")
def sample_dir() -> Path:
    return SAMPLE


@pytest.fixture(scope="session")
def real_data() -> Path:
    if not REAL.is_dir():
        pytest.skip("the real upstream files (../shared/data) are not here")
    return REAL


@pytest.fixture(scope="session")
def sample_build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One build of the sample, shared by tests that only read it."""
    return made_once(tmp_path_factory, "sample", lambda out: build("sample", out))


@pytest.fixture(scope="session")
def real_build(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """One build of a recipe from the real files that are there, shared by tests that only read it.

    The folder that the command ran in is two levels up; `printed.txt` there is what it printed.
    """

    def built(recipe: str) -> Path:
        def make(place: Path) -> None:
            place.mkdir()
            (place / "data").symlink_to(real_data.resolve())
            line = f"kit19 build {recipe} --data-dir data --partial --out out/{recipe}"
            (place / "printed.txt").write_text(printed_by(line, place), encoding="utf-8")

        return made_once(tmp_path_factory, f"real-{recipe}", make) / "out" / recipe

    return built


@pytest.fixture(scope="session")
def harness_files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The harness lists its own tasks as always, but parses each of its files once.

    Nor does it describe the machine in its results: it runs `pip list` for it, in every evaluation.
    """
    with pytest.MonkeyPatch.context() as patch:
        if importlib.util.find_spec("lm_eval"):
            parse_once(patch, tmp_path_factory)
            patch.setattr("torch.utils.collect_env.get_pretty_env_info", str)
        yield


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A browser, closed after the module: Playwright keeps an event loop running in this thread.

    Until it ends, `asyncio.run` fails here, which the harness's API models call.
    """
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not CHROMIUM:
        pytest.skip("no chromium to open the page in")
    with playwright.sync_playwright() as started:
        opened = open_browser(started)
        yield opened
        opened.close()


@pytest.fixture
def opened(browser: Any) -> Iterator[Callable[..., Any]]:
    """Opens a file, and fails afterwards at any console message or any request but the file's own."""
    page = open_tab(browser)
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: said.append(dialog.message))
    page.on("request", lambda request: asked.append(request.url))

    def go(path: Path, waits_for: str, width: int = 1200) -> Any:
        page.set_viewport_size({"width": width, "height": 900})
        page.goto(path.as_uri())
        page.wait_for_selector(waits_for)
        return page

    yield go
    page.close()
    assert said == []
    assert len([url for url in asked if not url.startswith("data:")]) == 1
