"""Stories: one file, a server that fails in a way drawn by a seed, then an honest one."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from pathlib import Path

from kit19.catalog import Catalog
from kit19.fetching import Cache, FetchedFile, Http, Progress, Use, fetch_files, wanted_files
from kit19.fetching.part import Part
from tests.support.origins_server import (
    ASSETS,
    KINDS,
    SAYINGS,
    Fault,
    Origins,
    Request,
    later,
    soon,
)
from tests.support.small_origins import ADDRESSES, HASTY, PLACES, QUICK, TRUTH

SEEDS = range(280)
STRONG = ("digest", "blob", "release")
"""Sources whose card knows a digest: of these no wrong byte may ever pass."""


@dataclass
class Story:
    """What happened.

    Attributes:
        source: The source whose file was fetched.
        faults: What the server does, in this order.
        met: What it came to do.
        first: What came of the fetch among faults.
        data: What stood under the file's name afterwards, if anything did.
        requests: Requests of that fetch.
        reports: Its progress.
        kept: Bytes of the right file that were there to go on from.
        second: What came of the fetch from the honest server.
        data_then: What stood under the name then.
        requests_then: Requests of that fetch.
        strays: Files in the data folder that were not requested.
    """

    source: str
    faults: list[Fault]
    met: list[Fault] = field(default_factory=list)
    first: FetchedFile | None = None
    data: bytes | None = None
    requests: list[Request] = field(default_factory=list)
    reports: list[Progress] = field(default_factory=list)
    kept: int = 0
    second: FetchedFile | None = None
    data_then: bytes | None = None
    requests_then: list[Request] = field(default_factory=list)
    strays: list[str] = field(default_factory=list)


def draw(seed: int) -> tuple[str, list[Fault]]:
    """A source and what goes wrong with its file, try after try."""
    rng = random.Random(seed)
    source = sorted(PLACES)[seed % len(PLACES)]
    kinds = sorted(KINDS)
    # Every kind comes first in some story; what follows is chance.
    drawn = [kinds[seed // len(PLACES) % len(kinds)], *rng.choices(kinds, k=rng.randrange(0, 5))]
    if rng.random() < 0.35:
        drawn.insert(0, "cut")  # so that there is something to go on from, and to be led astray by
    faults = []
    for kind in drawn:
        say = rng.choice(SAYINGS.get(kind, ("",)))
        if kind in ("429", "503") and rng.random() < 0.3:
            say = soon(rng.choice((-5, 0.01, 3600)))
        faults.append(
            Fault(kind, round(rng.choice((*(rng.random() for _ in range(4)), 0, 1)), 3), say)
        )
    return source, faults


def play(seed: int, origins: Origins, catalog: Catalog, folder: Path) -> Story:
    """Fetch among faults, then from an honest server."""
    source, faults = draw(seed)
    story = Story(source, faults)
    address, place = ADDRESSES[source], folder / "data" / PLACES[source]
    cache = Cache(folder / "cache")
    origins.requests.clear()
    origins.script.clear()
    origins.script[address].extend(faults)

    def fetch(http: Http, reports: list[Progress] | None = None) -> FetchedFile:
        card = catalog.source(source)
        wants = wanted_files(
            [Use("rows", card, ["rows"], list(card.tables["rows"].files))], folder / "data"
        )
        listen = reports.append if reports is not None else lambda _progress: None
        (result,) = fetch_files(wants, cache, http, jobs=1, on_progress=listen)
        return result

    is_silent = any(fault.kind in ("stall", "trickle") for fault in faults)
    story.first = fetch(HASTY if is_silent else QUICK, story.reports)
    left = len(origins.script[address]) + len(origins.script[ASSETS + address])
    story.met = faults[: len(faults) - min(left, len(faults))]
    story.requests = origins.settled()
    story.data = place.read_bytes() if place.exists() else None
    story.kept = kept(cache, origins, source)
    origins.script.clear()
    story.second = fetch(QUICK)
    story.requests_then = origins.settled()[len(story.requests) :]
    story.data_then = place.read_bytes() if place.exists() else None
    there = {path.relative_to(folder / "data").as_posix() for path in place.parent.glob("*")}
    story.strays = sorted(there - {PLACES[source]})
    story.strays += [blob.name for blob in cache.blobs.glob("*") if not sound(blob)]
    return story


def kept(cache: Cache, origins: Origins, source: str) -> int:
    """Bytes on their way that an honest server would let us go on from."""
    with cache.part(PLACES[source]) as path:
        have, validator = Part(path).resume_point(origins.base + ADDRESSES[source])
        data = path.read_bytes() if have else b""
    right = data and TRUTH[source].startswith(data) and "W/" not in validator
    return have if right else 0


def sound(blob: Path) -> bool:
    from tests.support.small_origins import sha

    return sha(blob.read_bytes()) == blob.name and not blob.stat().st_mode & 0o222


def could_be(source: str, data: bytes, flips: int) -> bool:
    """Whether bytes are one version of upstream's file, whole, but for bytes flipped on the way."""
    for version in (TRUTH[source], later(TRUTH[source])):
        if len(version) == len(data):
            differing = sum(a != b for a, b in zip(version, data, strict=True))
            if differing <= flips:
                return True
    return False


@dataclass(frozen=True)
class Words:
    """The words of the table in one language.

    Attributes:
        head: The names of its columns.
        kinds: Names of faults; those that are missing are named as in ``KINDS``.
        every: The name of the last row.
        claims: The paragraph below it, with the places ``count``, ``most``, ``mean`` and ``ranges``.
    """

    head: str
    kinds: dict[str, str]
    every: str
    claims: str


ENGLISH = Words(
    "| fault | scenarios | fetched correctly | failed with a reason | of these resumed later "
    "| undetectable: no digest in the card |",
    {},
    "**all**",
    "In all {count} scenarios, no file whose card states a digest had a wrong byte, and no file was "
    "incomplete. A file took at most {most} requests, {mean:.1f} on average. In {ranges} scenarios a "
    "later attempt requested only the rest. Afterwards every missing file was fetched correctly from a "
    "server without faults.",
)
KOREAN = Words(
    "| 오류 | 시나리오 | 올바르게 받음 | 이유를 알리고 실패 | 그중 나중에 이어받음 "
    "| 알아낼 수 없음: 카드에 다이제스트가 없음 |",
    {
        "cut": "중간에 끊김",
        "connection reset": "연결 재설정",
        "no answer": "응답 없음",
        "stall": "전송이 멈춤",
        "trickle": "아주 느린 전송",
        "wrong length": "잘못된 길이",
        "wrong byte": "잘못된 바이트",
        "another range": "다른 범위",
        "wrong Content-Range": "잘못된 Content-Range",
        "shorter range": "더 짧은 범위",
        "range ignored": "범위를 무시함",
        "redirect loop": "끝없는 리디렉션",
        "redirect to http": "http로 리디렉션",
        "redirect to nowhere": "없는 곳으로 리디렉션",
        "upstream changed": "원본이 바뀜",
        "changed, If-Range ignored": "원본이 바뀌고 If-Range를 무시함",
        "gzip, cut": "gzip, 중간에 끊김",
        "unknown encoding": "모르는 인코딩",
        "endless body": "끝나지 않는 본문",
        "weak ETag, cut": "약한 ETag, 중간에 끊김",
        "no validator, cut": "검증자 없음, 중간에 끊김",
        "no length, cut": "길이 없음, 중간에 끊김",
        "chunks, cut": "청크 전송, 중간에 끊김",
        "not HTTP": "HTTP가 아님",
    },
    "**전체**",
    "시나리오 {count}개 모두에서, 카드에 다이제스트가 있는 파일에는 잘못된 바이트가 하나도 없었고, "
    "불완전한 파일도 없었습니다. 요청은 파일 하나에 최대 {most}번, 평균 {mean:.1f}번이었습니다. "
    "시나리오 {ranges}개에서는 다시 시도할 때 나머지만 요청했습니다. 그 뒤 오류가 없는 서버에서 빠진 "
    "파일을 모두 올바르게 받았습니다.",
)


def table(stories: list[Story], words: Words = ENGLISH) -> str:
    """The scenarios and their outcomes, as Markdown."""
    rows = [words.head, "|---|---:|---:|---:|---:|---:|"]
    for kind in [*KINDS, ""]:
        # What is drawn depends on seeds alone; what is met, on how far a story came.
        drawn = [one for one in stories if not kind or kind in {f.kind for f in one.faults}]
        right = [one for one in drawn if one.data == TRUTH[one.source]]
        refused = [one for one in drawn if one.data is None]
        resumed = [one for one in refused if one.kept]
        other = [one for one in drawn if one.data not in (None, TRUTH[one.source])]
        counts = (len(drawn), len(right), len(refused), len(resumed), len(other))
        name = words.kinds.get(kind, kind) or words.every
        rows.append(f"| {name} | {' | '.join(map(str, counts))} |")
    requests = [len(one.requests) for one in stories]
    claims = words.claims.format(
        count=len(stories),
        most=max(requests),
        mean=sum(requests) / len(stories),
        ranges=sum(any(request.range for request in one.requests) for one in stories),
    )
    return "\n".join(rows) + f"\n\n{claims}\n"
