"""The walkthrough of docs/catalog.md, followed line by line: its files, its commands, its outputs."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit19.catalog import load_catalog
from kit19.core.manifest import read_manifest
from tests.support.golden import missing_lines
from tests.support.invoking import invoke

PAGE = Path(__file__).parents[2] / "docs" / "catalog.md"
SECTION = "## A catalog of yours\n"
_BLOCK = re.compile(r"(?:^`(?P<file>\S+)`:\n\n)?^```(?P<kind>\w+)\n(?P<body>.*?)^```", re.M | re.S)


def blocks() -> list[tuple[str, str, str]]:
    """The code blocks of the section: the file that each is, if any, its language and its text."""
    _, _, rest = PAGE.read_text("utf-8").partition(SECTION)
    section = rest.partition("\n## ")[0]
    return [(one["file"] or "", one["kind"], one["body"]) for one in _BLOCK.finditer(section)]


def follow(more: list[str]) -> Iterator[tuple[str, str]]:
    """Do what the page says in the current folder; give each shown output and the real one.

    Args:
        more: Options to add to each build.
    """
    real = ""
    for file, kind, body in blocks():
        if file:
            Path(file).parent.mkdir(parents=True, exist_ok=True)
            Path(file).write_text(body, encoding="utf-8")
        elif kind == "python":
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                exec(compile(body, PAGE.name, "exec"), {})  # noqa: S102  our own page
            real = printed.getvalue()
        elif kind == "console":
            for line in body.splitlines():
                _, command, *options = shlex.split(line)
                done = invoke(command, *options, *(more if command == "build" else []))
                assert done.code == 0, done.err
                real = done.out
        else:
            assert kind == "text"
            yield body, real


@pytest.mark.parametrize(
    "origin", ["sample_dir", pytest.param("real_data", marks=pytest.mark.real)]
)
def test_the_walkthrough_does_what_the_page_says(
    origin: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data").mkdir()
    for source in Path(request.getfixturevalue(origin)).resolve().iterdir():
        if source.is_dir():
            (tmp_path / "data" / source.name).symlink_to(source)
    monkeypatch.chdir(tmp_path)
    # The sample stands in for the datasets where they are not there, so its files differ from cards.
    # What the page adds is small, so of the rest a few rows will do.
    few = ["--set", "cap=50", "--set", "validation=0"]
    outputs = list(follow([*few, "--unverified"] if origin == "sample_dir" else few))
    assert len(outputs) == 4
    for claimed, real in outputs:
        assert claimed.strip()
        assert missing_lines(claimed, real) == []
    manifest = read_manifest(tmp_path / "out" / "mine")
    assert manifest.subsets["cafe_reviews"].ledger.train == 4
    assert len(manifest.subsets) >= 10
    # The sample has items of every benchmark; a build can do without some upstream files.
    optional = load_catalog().choose_benchmarks(["today"]).if_present
    allowed = optional if origin == "real_data" else frozenset()
    assert set(manifest.not_decontaminated_against) <= allowed
    without = invoke("explain", "out/mine", "cafe_reviews/train/c3")
    assert without.code == 1
    assert "give the folder of that catalog: --catalog" in without.err


def test_the_page_is_followed_in_its_order() -> None:
    kinds = [("file" if file else kind) for file, kind, _ in blocks()]
    assert kinds[0] == "python"
    assert kinds.count("file") == 3
    assert kinds.count("console") == 3
