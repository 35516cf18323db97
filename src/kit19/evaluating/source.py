"""Benchmark files as the harness's documents: raw upstream bytes, verified, in file order.

The task files name ``load`` as their data set, so that they work in the harness's own command line too,
with files from ``KIT19_DATA_DIR`` or kit19's cache. ``kit19 eval`` gives its options by ``files_from``,
not as task metadata: the harness hands that to every task, and a user's own may not take it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from datasets import Dataset, DatasetDict
from lm_eval.api.samplers import ContextSampler

from kit19.catalog import Benchmark, load_catalog
from kit19.core.errors import FilesError, Problem
from kit19.core.paths import default_data_dir
from kit19.fetching import UpstreamFile, find_files, usable
from kit19.reading import read_table
from kit19.sample import SAMPLE

SHOTS_SPLIT = "train"
_BENCHMARK = "benchmark"

Rows = list[dict[str, Any]]

_PLACE: ContextVar[tuple[Path | None, bool]] = ContextVar("place", default=(None, False))


@dataclass(frozen=True)
class BenchmarkFiles:
    """The files of one benchmark.

    Attributes:
        card: Its card.
        scored: Files of the split that is scored.
        shots: Files of the train split, from which examples are drawn; none where it is not there.
    """

    card: Benchmark
    scored: list[UpstreamFile]
    shots: list[UpstreamFile]

    @property
    def shots_split(self) -> str:
        """The split that examples come from: without a train file, the scored one."""
        return SHOTS_SPLIT if self.shots else self.card.scored

    @property
    def may_ask_itself(self) -> bool:
        """Whether examples may come from the scored split: where no further split was ever released."""
        return self.card.splits == [self.card.scored]


def find_benchmark(
    name: str, data_dir: Path | None = None, *, sample: bool = False
) -> BenchmarkFiles:
    """Find and verify the files of a benchmark.

    Args:
        name: The benchmark's name.
        data_dir: Where upstream files lie; default as everywhere.
        sample: Use kit19's own small sample instead.

    Raises:
        FilesError: The scored file is missing, or a file is not what its card says.
    """
    catalog = load_catalog()
    card = catalog.benchmarks[name]
    folder = SAMPLE if sample else (data_dir or default_data_dir())
    found = find_files(
        catalog.source(card.source),
        [card.table],
        [SHOTS_SPLIT, card.scored],
        folder,
        check=not sample,
    )
    # Examples are wanted by few: a train file that is not there is no error, an altered one is.
    wanted = [one for one in found if one.split == card.scored or one.status != "missing"]
    try:
        good, _ = usable(wanted, partial=False, unverified=False)
    except FilesError as error:
        fix = f"run `kit19 fetch {card.source}`, or give --data-dir (or set KIT19_DATA_DIR)"
        raise FilesError([Problem(p.what, p.where, fix) for p in error.problems]) from None
    return BenchmarkFiles(
        card,
        [one for one in good if one.split == card.scored],
        [one for one in good if one.split == SHOTS_SPLIT],
    )


@contextmanager
def files_from(data_dir: Path | None, *, sample: bool) -> Iterator[None]:
    """Where ``load`` finds its files while this lasts, unless a call says it itself."""
    token = _PLACE.set((data_dir, sample))
    try:
        yield
    finally:
        _PLACE.reset(token)


def load(
    benchmark: str, data_dir: str | None = None, sample: bool = False, **_metadata: Any
) -> DatasetDict:
    """The documents of a benchmark, as the harness calls for them.

    Returns:
        Splits ``train`` (empty where the file is not there) and the scored one. A document has the
        card's fields as text, ``label`` as the index of its class in the card's order, ``item``
        (``<split>/<id>``) and ``benchmark``; its place in the split is its row in the file.

    Raises:
        FilesError: As ``find_benchmark`` raises it.
    """
    place = (Path(data_dir) if data_dir else None, sample)
    folder, small = place if any(place) else _PLACE.get()
    files = find_benchmark(benchmark, folder, sample=small)
    scored = _documents(files, files.scored)
    train = _documents(files, files.shots) if files.shots else []
    Shots.pools[benchmark] = train
    empty: dict[str, list[Any]] = {name: [] for name in scored[0]}
    return DatasetDict(
        {
            SHOTS_SPLIT: Dataset.from_list(train) if train else Dataset.from_dict(empty),
            files.card.scored: Dataset.from_list(scored),
        }
    )


def _documents(files: BenchmarkFiles, found: list[UpstreamFile]) -> Rows:
    card = files.card
    source = load_catalog().source(card.source)
    rows = read_table(source, card.table, found, trim=False)
    classes = source.tables[card.table].categories()[card.label]
    fields = [name for name in rows.columns if not name.startswith("#") and name != "split"]
    return [
        {name: row[name] or "" for name in fields}
        | {
            card.label: classes.index(row[card.label]),
            "item": f"{row['split']}/{row['#id']}",
            _BENCHMARK: card.id,
        }
        for row in rows.iter_rows(named=True)
    ]


class Shots(ContextSampler):  # type: ignore[misc]
    """Examples from the train split where its file is there, else from the scored one.

    KLUE's test files were never released, so dev is scored. The asked item must not be among the
    examples; the harness tells it only to a sampler whose split is named like the scored one.
    """

    pools: ClassVar[dict[str, Rows]] = {}
    """Train documents of each benchmark that was loaded."""

    def sample(
        self,
        n: int,
        eval_doc: dict[str, Any] | None = None,
        df: Sequence[dict[str, Any]] | None = None,
        **kwargs: Any,
    ) -> Sequence[dict[str, Any]]:
        """Draw ``n`` documents, as the harness draws them from a split of that name."""
        pool = self.pools.get(eval_doc[_BENCHMARK], []) if eval_doc else []
        drawn: Sequence[dict[str, Any]] = (
            self.rnd.sample(pool, n) if pool else super().sample(n, eval_doc, df, **kwargs)
        )
        return drawn
