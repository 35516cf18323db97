"""Tasks whose data is on the Hub, with the benchmark's files that are here instead.

The harness's task files name a dataset on the Hub (``dataset_path``, ``dataset_name``). If a
benchmark's card names the same dataset (``harness``) and its files are in the data folder, the task
reads these verified files. All else is the harness's: prompts, ``process_docs``, examples, metrics.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from datasets import Dataset, DatasetDict, concatenate_datasets
from lm_eval.api.task import ConfigurableTask
from lm_eval.tasks._factory import TaskFactory

from kit19.catalog import Benchmark, load_catalog
from kit19.catalog.file_formats import Read
from kit19.core.errors import FilesError, Problem, ReadError
from kit19.evaluating.source import BenchmarkFiles, current_location, remembered
from kit19.evaluating.splits import IN_TASK_FILE, scored_split, shots_split
from kit19.fetching import UpstreamFile, select_files
from kit19.fetching.data_dir import is_sample, resolve_data_dir
from kit19.fetching.selection import Use
from kit19.reading import read_table

ITEM = "item"


class HubTask(ConfigurableTask):  # type: ignore[misc]
    """A task of the harness that reads a benchmark's local files if its card has its dataset.

    Attributes:
        files: The files that it reads; None if its data comes from the Hub.
    """

    files: BenchmarkFiles | None = None

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__(config={key: value for key, value in config.items() if key != "class"})

    def download(self, dataset_kwargs: dict[str, Any] | None = None, **kwargs: Any) -> None:
        """Load the documents; called by the harness.

        Raises:
            FilesError: Neither the data folder nor the Hub has them, or a file differs from its card.
        """
        found = _find_files(self, self._examples)
        if found is not None:
            self.files = found
            self.dataset = self._documents(found)
            return
        card, name = _card_of(self.DATASET_PATH, self.DATASET_NAME), self._name
        fix = f"run `kit19 fetch {card.source}`" if card else ""
        if is_sample(resolve_data_dir(current_location())):
            what = "kit19's sample has no file of it"
            raise FilesError(Problem(what, name, "give a folder with --data-dir"))
        try:
            super().download(dataset_kwargs, **kwargs)
        except Exception as error:  # whatever the Hub, its client or a dataset's files raise
            lines = str(error).strip().splitlines() or [type(error).__name__]
            what = f"is not in the data folder, and cannot be loaded from the Hub: {lines[0][:300]}"
            raise FilesError(Problem(what, name, fix)) from error

    @property
    def lacks_examples(self) -> str:
        """The split of the examples, if it is to be read from files that are not here; or empty."""
        if self.files is None or not self._examples:
            return ""
        return "" if len(self.dataset[self._examples]) else self._examples

    @property
    def _name(self) -> str:
        return f"{self.DATASET_PATH} {self.DATASET_NAME or ''}".strip()

    @property
    def _examples(self) -> str:
        split = shots_split(self)
        return "" if split == IN_TASK_FILE else split

    def _documents(self, found: BenchmarkFiles) -> DatasetDict:
        config = self.config
        named = (config.training_split, config.validation_split, config.test_split, self._examples)
        scored = _load(found.card, found.scored)
        # The harness looks at the examples of every task, also where none are asked for.
        splits = {split: scored.select([]) for split in named if split}
        if found.shots:
            splits[self._examples] = _load(found.card, found.shots)
        return DatasetDict(splits | {scored_split(self): scored})


class LocalTaskFactory(TaskFactory):  # type: ignore[misc]
    """The harness's factory of tasks, which makes a ``HubTask`` where a card has the dataset."""

    def _build_task(self, entry: Any, overrides: dict[str, Any] | None) -> Any:
        config = self._load_full_config(entry, overrides)
        is_known = _card_of(config.get("dataset_path"), config.get("dataset_name")) is not None
        if is_known and "class" not in config:
            overrides = {**(overrides or {}), "class": HubTask}
        return super()._build_task(entry, overrides)


def example_problems(tasks: Iterable[Any], shots: int | None) -> Iterator[Problem]:
    """Problems of tasks that shall have examples, but whose files of examples are not here.

    Args:
        tasks: The harness's tasks.
        shots: The number of examples that was asked for; None for each task's own.
    """
    for task in tasks:
        if not isinstance(task, HubTask) or task.files is None or not task.lacks_examples:
            continue
        own = task.config.num_fewshot
        if own if shots is None or own == 0 else shots:
            what = f"has no file of the split {task.lacks_examples} to draw examples from"
            fix = f"run `kit19 fetch {task.files.card.source}`"
            yield Problem(what, str(task.config.task), fix)


def _card_of(dataset: str | None, config: str | None) -> Benchmark | None:
    """The card whose files are a configuration of a dataset."""
    catalog = load_catalog()
    for card in catalog.benchmarks.values():
        hub = card.harness
        if hub is None or hub.dataset != dataset:
            continue
        files = catalog.source(card.source).tables[card.table].files
        if any(hub.files_of(config, split, specs) for split, specs in files.items()):
            return card
    return None


def _find_files(task: HubTask, examples: str) -> BenchmarkFiles | None:
    """The verified files of a task's scored split and of its examples; None if some are not here."""
    scored, config = scored_split(task), task.DATASET_NAME
    card = _card_of(task.DATASET_PATH, config)
    if card is None or card.harness is None:
        return None
    source = load_catalog().source(card.source)
    table = source.tables[card.table]
    wanted = {
        split: card.harness.files_of(config, split, table.files.get(split, []))
        for split in (card.harness.card_split(scored), card.harness.card_split(examples))
    }
    only = table.model_copy(update={"files": {name: one for name, one in wanted.items() if one}})
    use = Use(
        f"benchmark {card.id}",
        source.model_copy(update={"tables": {card.table: only}}),
        [card.table],
        list(only.files),
        complete=True,
        optional=list(only.files),
    )
    folder = resolve_data_dir(current_location())
    (selected,) = select_files([use], folder) if folder.is_dir() else (None,)
    if selected is None:
        return None
    used = {split: [one for one in selected.used if one.split == split] for split in wanted}
    target, pool = card.harness.card_split(scored), card.harness.card_split(examples)
    # The sample has a few files of each source.
    enough = 1 if is_sample(folder) else len(wanted[target])
    if not wanted[target] or len(used[target]) < enough:
        return None
    has_pool = pool != target and len(used[pool]) == len(wanted[pool])
    return BenchmarkFiles(card, used[target], used[pool] if has_pool else [], pool)


def _load(card: Benchmark, files: list[UpstreamFile]) -> Dataset:
    """The rows of files with upstream's columns and types, and the ids that audits give them."""
    key = (card.id, *(str(file.path) for file in files), *(file.sha256 for file in files))
    return remembered(key, lambda: _read(card, files))


def _read(card: Benchmark, files: list[UpstreamFile]) -> Dataset:
    source = load_catalog().source(card.source)
    read = source.tables[card.table].read
    rows = concatenate_datasets([_READERS[read.format](file.path, read) for file in files])
    items = read_table(source, card.table, files).select("split", "#id")
    if items.height != len(rows):
        what = f"has {len(rows)} rows for the Hub's reader, and {items.height} as its card reads it"
        raise ReadError(Problem(what, str(files[0].path), "replace the file"))
    return rows.add_column(ITEM, [f"{split}/{key}" for split, key in items.iter_rows()])


def _read_csv(path: Path, read: Any) -> Dataset:
    import pandas  # noqa: PLC0415  slow to load

    # As the Hub reads them: types are inferred, and an empty cell is missing.
    return Dataset.from_pandas(
        pandas.read_csv(path, sep=_SEPARATORS[read.delimiter]), preserve_index=False
    )


def _read_json(path: Path, _read: Any) -> Dataset:
    return Dataset.from_list(json.loads(path.read_text("utf-8-sig")))


def _read_parquet(path: Path, _read: Any) -> Dataset:
    from pyarrow import parquet  # type: ignore[import-untyped, unused-ignore]  # noqa: PLC0415

    return Dataset(parquet.read_table(path))


_SEPARATORS = {"tab": "\t", "comma": ","}
_READERS: dict[str, Callable[[Path, Read], Dataset]] = {
    "delimited": _read_csv,
    "json": _read_json,
    "parquet": _read_parquet,
}
