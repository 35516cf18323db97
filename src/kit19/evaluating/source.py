"""Benchmark files as the harness's documents: verified upstream files, in file order.

Task files use ``load`` as their dataset, so they work in the harness's command line too, with files of
``KIT19_DATA_DIR`` or kit19's cache. ``kit19 eval`` passes its options through ``use_files``, not as
task metadata: the harness passes metadata to every task, and a user's task may not accept it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from datasets import Dataset, DatasetDict
from lm_eval.api.task import ConfigurableTask

from kit19.catalog import Benchmark, load_catalog
from kit19.fetching import UpstreamFile, benchmark_use, select_files
from kit19.fetching.data_dir import resolve_data_dir
from kit19.reading import read_table

SHOTS_SPLIT = "train"

Rows = list[dict[str, Any]]
Value = TypeVar("Value")

_LOCATION: ContextVar[Path | None] = ContextVar("place", default=None)
_REMEMBERED: ContextVar[dict[Any, Any] | None] = ContextVar("remembered", default=None)


@dataclass(frozen=True)
class BenchmarkFiles:
    """The files of one benchmark.

    Attributes:
        card: Its card.
        scored: Files of the scored split.
        shots: Files of the pool of examples; empty if there are none.
        pool: The split of this pool.
    """

    card: Benchmark
    scored: list[UpstreamFile]
    shots: list[UpstreamFile]
    pool: str = SHOTS_SPLIT

    @property
    def shots_split(self) -> str:
        """The split of the examples: the pool's, or the scored split without a file of it."""
        return self.pool if self.shots else self.card.scored

    @property
    def scored_split_may_give_shots(self) -> bool:
        """Whether examples may come from the scored split, because no other split was released."""
        return self.card.splits == [self.card.scored]


def find_benchmark(name: str, data_dir: Path | None = None) -> BenchmarkFiles:
    """Find and verify the files of a benchmark.

    Args:
        name: The benchmark's name.
        data_dir: The folder of upstream files. Default: ``KIT19_DATA_DIR``, or kit19's cache.

    Raises:
        FilesError: The scored file is missing, or the sha256 of a file differs from its card.
    """
    catalog = load_catalog()
    card = catalog.benchmarks[name]
    folder = resolve_data_dir(data_dir)
    use = replace(
        benchmark_use(catalog, card),
        splits=[SHOTS_SPLIT, card.scored],
        optional=[SHOTS_SPLIT],  # few evaluations need examples
        instead="give --data-dir or set KIT19_DATA_DIR",
    )
    (selected,) = select_files([use], folder)
    return BenchmarkFiles(
        card,
        [file for file in selected.used if file.split == card.scored],
        [file for file in selected.used if file.split == SHOTS_SPLIT],
    )


@contextmanager
def use_files(data_dir: Path | None) -> Iterator[None]:
    """Set where ``load`` finds files while the context lasts; its own arguments take precedence."""
    token, memory = _LOCATION.set(data_dir), _REMEMBERED.set({})
    try:
        yield
    finally:
        _LOCATION.reset(token)
        _REMEMBERED.reset(memory)


def current_location() -> Path | None:
    """The folder that ``use_files`` set."""
    return _LOCATION.get()


def remembered(key: Hashable, make: Callable[[], Value]) -> Value:
    """What ``make`` returns, called once for a key while a context of ``use_files`` lasts."""
    memory = _REMEMBERED.get()
    if memory is None:
        return make()
    if key not in memory:
        memory[key] = make()
    value: Value = memory[key]
    return value


def load(benchmark: str, data_dir: str | None = None, **_metadata: Any) -> DatasetDict:
    """Load the documents of a benchmark; called by the harness.

    Returns:
        Splits ``train`` (empty without a train file) and the scored split. A document has the card's
        fields as text, the label (if it is one of several classes) as its index in the card's order,
        and ``item`` (``<split>/<id>``). Its index in the split is its row in the file.

    Raises:
        FilesError: As in ``find_benchmark``.
    """
    folder = resolve_data_dir(data_dir) if data_dir else _LOCATION.get()
    files = find_benchmark(benchmark, folder)
    scored = _documents(files, files.scored)
    train = _documents(files, files.shots) if files.shots else []
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
    # The label of some benchmarks is a text, not one of several classes.
    classes = source.tables[card.table].categories().get(card.label or "")
    fields = [name for name in rows.columns if not name.startswith("#") and name != "split"]
    return [
        {name: row[name] or "" for name in fields}
        | ({card.label: classes.index(row[card.label])} if classes and card.label else {})
        | {"item": f"{row['split']}/{row['#id']}"}
        for row in rows.iter_rows(named=True)
    ]


class TaskWithShots(ConfigurableTask):  # type: ignore[misc]
    """A task whose examples are from the train split if its file exists, otherwise from the scored one.

    KLUE's test files were never released, so dev is scored. The scored item must not be among its own
    examples: the harness leaves it out if the split of the examples is the scored one.
    """

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__(config={key: value for key, value in config.items() if key != "class"})

    def download(self, dataset_kwargs: dict[str, Any] | None = None, **kwargs: Any) -> None:
        """Load the documents, and choose the split of the examples; called by the harness."""
        super().download(dataset_kwargs, **kwargs)
        has_train = len(self.dataset[SHOTS_SPLIT]) > 0
        self.fewshot_cfg.split = SHOTS_SPLIT if has_train else self.config.test_split
