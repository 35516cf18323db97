"""``ModelRef``: what the name of a model refers to; ``finding.find_model`` returns one.

Training, evaluation, chat and merging load models by it, and its digest identifies the model in the
records of runs and evaluations.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kit19.core.arguments import OnProgress, silent
from kit19.core.errors import Kit19Error, Problem, TrainError
from kit19.core.paths import read_json
from kit19.core.runs import RunRecord
from kit19.training.model.digest import (
    ADAPTER_CONFIG,
    TOKENIZER_FILES,
    adapted_digest,
    hash_file,
    model_digest,
    other_files,
    weights_digest,
)

CONFIG = "config.json"
ADAPTER_WEIGHTS = "adapter_model.safetensors"
SMALL_FILES = ("*.json", "*.txt", "*.model", "*.tiktoken", "*.jinja", "*.py")
"""Patterns of a Hub model's files that are downloaded before its weights."""

MODEL_WEIGHTS = ("model.safetensors", "pytorch_model.bin")
_ADAPTER_WEIGHTS = (ADAPTER_WEIGHTS, "adapter_model.bin")
_FIX = "copy its weights there, or download the model again"


@dataclass(frozen=True)
class ModelRef:
    """A model on this machine. The weights of a Hub model are downloaded when they are needed.

    Attributes:
        name: Hub id, or the last part of the folder's path.
        folder: The folder with its files; for a Hub model, the commit's in the Hub's cache.
        revision: The commit; empty if the model is not from the Hub.
        run: The record of the kit19 training run; None for other models.
        base: The base model of an adapter; None if the folder has complete weights.
        error: The exception of its faults.
    """

    name: str
    folder: Path
    revision: str = ""
    run: RunRecord | None = None
    base: ModelRef | None = None
    error: type[Kit19Error] = field(default=TrainError, repr=False, compare=False)
    _hashes: dict[Path, str] = field(default_factory=dict, repr=False, compare=False)

    @property
    def source(self) -> str:
        """The name to load it by, with ``revision``: its Hub id, or the path of its folder.

        A Hub model is loaded by its id: only then do copies of its configuration name the repository
        that its code is in.
        """
        return self.name if self.revision else str(self.folder)

    @property
    def complete(self) -> ModelRef:
        """The model with complete weights: itself, or the base of an adapter."""
        return self.base or self

    @property
    def record(self) -> RunRecord | None:
        """The record of the run that trained it, or its base."""
        return self.run or self.complete.run

    @property
    def tokenizer(self) -> Path:
        """The folder of the tokenizer and its chat template: the adapter's if it has them."""
        return self.folder if has_tokenizer(self.folder) else self.complete.folder

    @property
    def has_code_elsewhere(self) -> bool:
        """Whether the config refers to code in another repository, which the digest does not cover."""
        try:
            config = json.loads((self.complete.folder / CONFIG).read_text(encoding="utf-8"))
        except ValueError:
            return False
        return "--" in json.dumps(config.get("auto_map") if isinstance(config, dict) else None)

    def weight_files(self, *, allow_pickle: bool = True) -> list[Path]:
        """The files that ``from_pretrained`` reads weights from, downloaded from the Hub if necessary.

        As in transformers, safetensors take precedence over pickles, and other files are ignored.

        Raises:
            Kit19Error: As ``error``: there are none, or some of them are missing.
        """
        singles = _ADAPTER_WEIGHTS if is_adapter(self.folder) else MODEL_WEIGHTS
        for single in singles if allow_pickle else singles[:1]:
            index = self.folder / f"{single}.index.json"
            if self._has([single]):
                return [self.folder / single]
            if index.is_file():
                return self._shards(index)
        if not allow_pickle and any(self.folder.glob(f"{singles[1]}*")):
            what = "has weights in torch's pickle format only; loading them may run code"
            raise self.error(Problem(what, self.source, "if you trust the model: --allow-pickle"))
        raise self.error(Problem(f"has no weights ({singles[0]})", self.source, _FIX))

    def weights_digest(self, on_progress: OnProgress = silent) -> str:
        """sha256 over the names and contents of its weight files."""
        return weights_digest(self._hash(self._weights(), on_progress))

    def digest(self, on_progress: OnProgress = silent) -> str:
        """The digest of the model, with its base model if it is an adapter; see ``digest``."""
        files = self._weights() | other_files(self.folder)
        own = model_digest(self._hash(files, on_progress))
        return adapted_digest(self.base.digest(on_progress), own) if self.base else own

    def _weights(self) -> dict[str, Path]:
        return {path.name: path for path in self.weight_files()}

    def _hash(self, files: Mapping[str, Path], on_progress: OnProgress) -> dict[str, str]:
        """sha256 by name. Each file is read once: weights have gigabytes."""
        new = [path for path in files.values() if path not in self._hashes]
        for done, path in enumerate(new):
            on_progress("hashing the model", done, len(new))
            self._hashes[path] = hash_file(path)
        return {name: self._hashes[path] for name, path in files.items()}

    def _shards(self, index: Path) -> list[Path]:
        try:
            names = sorted(set(read_json(index)["weight_map"].values()))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as reason:
            what = f"is not an index of weights: {type(reason).__name__}: {reason}"
            raise self.error(Problem(what, str(index), _FIX)) from None
        if not self._has(names):
            missing = [name for name in names if not (self.folder / name).is_file()]
            what = f"lacks weights that {index.name} lists: {', '.join(missing)}"
            raise self.error(Problem(what, self.source, _FIX))
        return [self.folder / name for name in names]

    def _has(self, names: list[str]) -> bool:
        """Whether all files are there, after a download from the Hub if some are not."""
        missing = [name for name in names if not (self.folder / name).is_file()]
        if missing and self.revision:
            download_model(self.name, self.revision, names, self.error)
            missing = [name for name in names if not (self.folder / name).is_file()]
        return not missing


def is_adapter(folder: Path) -> bool:
    """Whether a folder holds an adapter. As in transformers, its configuration decides."""
    return (folder / ADAPTER_CONFIG).is_file()


def has_tokenizer(folder: Path) -> bool:
    """Whether a folder has the files of a tokenizer."""
    return any(path.is_file() for one in TOKENIZER_FILES for path in folder.glob(one))


def download_model(name: str, revision: str, patterns: list[str], error: type[Kit19Error]) -> Path:
    """Download files of a model on the Hub into the Hub's cache, and return the commit's folder.

    Raises:
        Kit19Error: As ``error``: they cannot be downloaded.
    """
    from kit19.fetching.hub import HubContext, open_hub  # noqa: PLC0415  the Hub's client is slow to load
    from kit19.fetching.snapshot import download_files  # noqa: PLC0415

    hub = open_hub(HubContext(error, "load", "model"))
    return download_files(hub, name, revision or None, patterns)
