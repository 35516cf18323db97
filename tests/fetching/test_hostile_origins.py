"""Whatever the network does, a name has the right bytes or there is no such name.

Each seed draws a source (one for each thing that a card may know of a file) and a series of faults,
one for each request (`server.py` says what they are). The same stories make the table in
docs/reliability.md and its Korean page.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kit19.catalog import Catalog
from tests.support.golden import FIX, Golden
from tests.support.origins_server import KINDS, serving
from tests.support.small_origins import QUICK, TRUTH, honest_origins, sha
from tests.support.stories import (
    ENGLISH,
    KOREAN,
    SEEDS,
    STRONG,
    Story,
    Words,
    could_be,
    play,
    table,
)

DOCS = Path(__file__).parents[2] / "docs"
BEGIN, END = (
    "<!-- written by tests/fetching: begin -->\n",
    "<!-- written by tests/fetching: end -->\n",
)


@pytest.fixture(scope="module")
def stories(catalog: Catalog, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Story]]:
    """Every story, played once."""
    folder = tmp_path_factory.mktemp("stories")
    with serving(honest_origins()) as origins, pytest.MonkeyPatch.context() as patch:
        patch.setenv("KIT19_MIRROR", origins.base)
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            patch.delenv(name, raising=False)
        yield [play(seed, origins, catalog, folder / str(seed)) for seed in SEEDS]


def test_there_are_at_least_200_stories_and_every_kind_of_fault_is_met(
    stories: list[Story],
) -> None:
    assert len(stories) >= 200
    assert {fault.kind for story in stories for fault in story.met} == set(KINDS)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_name_has_the_right_bytes_or_is_not_there_and_why_is_said(
    stories: list[Story], seed: int
) -> None:
    story = stories[seed]
    assert story.first
    assert (story.data is not None) == (story.first.outcome == "fetched"), story
    assert story.strays == []
    if story.data is None:
        assert story.first.outcome == "failed"
        assert story.first.why.startswith("127.0.0.1: ")
        assert len(story.first.why) > len("127.0.0.1: ")
        assert "secret" not in story.first.why
        assert story.first.bytes == 0
    elif story.source in STRONG:
        assert story.data == TRUTH[story.source]
    else:
        # No digest can tell: one version of upstream all the same, whole, never pieces of two.
        flips = sum(fault.kind == "wrong byte" for fault in story.met)
        assert could_be(story.source, story.data, flips)


@pytest.mark.parametrize("seed", SEEDS)
def test_requests_come_to_an_end(stories: list[Story], seed: int) -> None:
    hops, rounds = 6, 2
    assert 1 <= len(stories[seed].requests) <= QUICK.attempts * hops * rounds
    assert len(stories[seed].requests) <= len(stories[seed].faults) + hops + 4


@pytest.mark.parametrize("seed", SEEDS)
def test_progress_never_exceeds_its_total_and_both_are_equal_at_the_end(
    stories: list[Story], seed: int
) -> None:
    story = stories[seed]
    assert all(0 <= now.bytes <= now.bytes_total for now in story.reports)
    assert story.reports[-1].bytes == story.reports[-1].bytes_total
    assert (story.reports[-1].files, story.reports[-1].files_total) == (1, 1)
    if story.data is not None:
        assert story.reports[-1].bytes == len(story.data)


@pytest.mark.parametrize("seed", SEEDS)
def test_when_the_faults_are_over_the_next_fetch_goes_on_and_succeeds(
    stories: list[Story], seed: int
) -> None:
    story = stories[seed]
    truth = TRUTH[story.source]
    assert story.second
    assert story.second.outcome == ("fetched" if story.data is None else "present")
    assert story.data_then == (truth if story.data is None else story.data)
    came = sum(one.sent for one in story.requests_then)
    if story.data is not None:
        assert story.requests_then == []
    elif story.kept:
        assert came == len(truth) - story.kept
        if story.kept < len(truth):
            assert story.requests_then[-1].range == f"bytes={story.kept}-"
    else:
        assert came == len(truth)


def test_many_stories_go_on_from_what_was_there(stories: list[Story]) -> None:
    assert sum(story.kept > 0 for story in stories if story.data is None) >= 15
    assert sum(any(one.range for one in story.requests) for story in stories) >= 50


@pytest.mark.parametrize(
    ("name", "words"), [("reliability.md", ENGLISH), ("reliability.ko.md", KOREAN)]
)
def test_reliability_tells_what_was_tried_and_what_came_of_it(
    stories: list[Story], golden: Golden, name: str, words: Words
) -> None:
    text = (DOCS / name).read_text("utf-8")
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    now = table(stories, words)
    fresh = _is_fresh(rest.partition(END)[0], now)
    if golden.renewing and not fresh:
        golden.check(DOCS / name, f"{head}{BEGIN}{now}{END}{tail}")
        return
    assert fresh, FIX


def _is_fresh(written: str, now: str) -> bool:
    """Whether a table is of these stories, with the same outcomes but for a few.

    A busy machine may let a pause look like a stall: what came of a story can then differ.
    """
    (drawn, came), (drawn_now, came_now) = _counts(written), _counts(now)
    return drawn == drawn_now and all(
        abs(a - b) <= 2
        for name, row in came_now.items()
        for a, b in zip(row, came[name], strict=True)
    )


def _counts(written: str) -> tuple[dict[str, str], dict[str, list[int]]]:
    """Of each row, the number of stories (decided by seeds), and what came of them."""
    drawn: dict[str, str] = {}
    came: dict[str, list[int]] = {}
    for line in written.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) > 2 and cells[1].isdigit():
            drawn[cells[0]] = cells[1]
            came[cells[0]] = [int(cell) for cell in cells[2:]]
    return drawn, came


def test_the_digests_of_the_stories_are_those_of_their_bytes() -> None:
    assert len({sha(data) for data in TRUTH.values()}) == len(TRUTH)
