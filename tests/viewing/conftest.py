"""One server of the sample's build, and one of a folder of each kind, for all tests that only read."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("starlette", reason="kit19[view] is not installed")
pytest.importorskip("uvicorn", reason="kit19[view] is not installed")

import kit19
from kit19.sample import SAMPLE
from tests.support.browsing import open_tab
from tests.support.network import only_this_machine
from tests.support.simulate import model, run_record
from tests.support.viewing import Client, viewing

CURVES = {
    "loss": [[20, 7.5], [40, 1.25], [60, 0.5]],
    "eval_loss": [[30, 2.0], [60, 1.5]],
    "eval_nli_loss": [[30, 2.5], [60, None]],
    "learning_rate": [[20, 0.003], [40, 0.001], [60, 0.0]],
}


@dataclass(frozen=True)
class Shown:
    """Folders of every kind.

    Attributes:
        root: The folder that holds them.
        audit: The audit of ``leaks.tsv``.
    """

    root: Path
    audit: Path


@pytest.fixture(scope="session")
def shown(sample_build: Path, tmp_path_factory: pytest.TempPathFactory) -> Shown:
    root = tmp_path_factory.mktemp("shown")
    shutil.copytree(sample_build, root / "build")
    leaks = root / "data" / "leaks.tsv"
    leaks.parent.mkdir()
    shutil.copy(SAMPLE / "kobest" / "v1.0" / "BoolQ" / "test.tsv", leaks)
    against = ["kobest_boolq", "kobest_wic"]
    kit19.audit(leaks, against, data_dir="sample").write(root / "audit")
    tasks = ("kobest_boolq", "kobest_copa")
    base = model(root / "results" / "base", 0.2, tasks=tasks)
    tuned = model(root / "results" / "tuned", 1.5, seed=1, tasks=tasks)
    run = root / "run"
    run.mkdir()
    (run / "run.json").write_text(run_record().to_json(), "utf-8")
    (run / "curves.json").write_text(json.dumps(CURVES), "utf-8")
    compared = kit19.compare([base, tuned], replicates=100)
    (root / "comparison").mkdir()
    document = json.dumps(compared.to_dict(), ensure_ascii=False)
    (root / "comparison" / "compare.json").write_text(document, "utf-8")
    return Shown(root, root / "audit")


@pytest.fixture(scope="session")
def served(sample_build: Path) -> Iterator[Client]:
    with viewing(sample_build) as client:
        yield client


@pytest.fixture
def client(served: Client, monkeypatch: pytest.MonkeyPatch) -> Client:
    monkeypatch.setattr(socket.socket, "connect", only_this_machine)
    return served


@pytest.fixture(scope="session")
def all_served(shown: Shown) -> Iterator[Client]:
    with viewing(shown.root) as client:
        yield client


@pytest.fixture
def every(all_served: Client, monkeypatch: pytest.MonkeyPatch) -> Client:
    monkeypatch.setattr(socket.socket, "connect", only_this_machine)
    return all_served


@pytest.fixture
def visit(browser: Any) -> Iterator[Callable[..., Any]]:
    """Opens a server in a new browser, and fails afterwards at any message or request to another."""
    contexts = []
    said: list[str] = []
    asked: list[str] = []

    def go(client: Client, path: str = "/", *, width: int = 1200, **options: Any) -> Any:
        context = browser.new_context(viewport={"width": width, "height": 900}, **options)
        contexts.append((context, client))
        page = open_tab(context)
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("dialog", lambda dialog: said.append(dialog.message))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(client.entry)
        page.goto(client.url + path)
        return page

    yield go
    for context, _ in contexts:
        context.close()
    assert said == []
    assert {
        url for url in asked if not any(url.startswith(one.url) for _, one in contexts)
    } == set()
