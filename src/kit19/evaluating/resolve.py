"""Resolving the model to evaluate: a folder or a Hub id, checked before it is loaded."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from kit19.core.errors import ModelError, Problem
from kit19.core.runs import RunRecord, read_run
from kit19.training.model.adapters import BaseLocation, check_base_weights, locate_base
from kit19.training.model.files import check_folder
from kit19.training.model.weights import weight_files

_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "spiece.model", "vocab.txt")
_SAFETENSORS = "*.safetensors"
_PICKLE = "*.bin"
_PATTERNS = [_SAFETENSORS, "*.json", "*.model", "*.txt", "*.jinja", "*.py"]
_ADAPTER = "adapter_config.json"
_CHUNK = 1 << 22


@dataclass(frozen=True)
class ResolvedModel:
    """A model on this machine.

    Attributes:
        name: Hub id, or the last part of the folder's path.
        folder: The folder with config, tokenizer and weights.
        revision: The commit; empty if the model is not from the Hub.
        adapter: The adapter's folder; None without an adapter.
        adapter_name: The adapter's name; empty without an adapter.
        digest: sha256 over the model's files.
        run: The record of the kit19 training run; None for other models.
    """

    name: str
    folder: Path
    revision: str
    adapter: Path | None
    adapter_name: str
    digest: str
    run: RunRecord | None

    @property
    def tokenizer(self) -> Path:
        """The folder of the tokenizer and its chat template: the adapter's if it has them."""
        return self.adapter if self.adapter and _has_tokenizer(self.adapter) else self.folder

    @property
    def has_code_elsewhere(self) -> bool:
        """Whether the config refers to code in another repository, which the digest does not cover."""
        try:
            config = json.loads((self.folder / "config.json").read_text(encoding="utf-8"))
        except ValueError:
            return False
        return "--" in json.dumps(config.get("auto_map") if isinstance(config, dict) else None)


def resolve_model(
    model: str,
    revision: str | None = None,
    adapter: str | None = None,
    *,
    allow_pickle: bool = False,
) -> ResolvedModel:
    """Find a model in a folder or on the Hub; Hub models are downloaded into the Hub's cache.

    For a folder with only an adapter, the adapter's base model is found as well.

    Args:
        model: Folder or Hub id.
        revision: Commit, tag or branch on the Hub.
        adapter: Folder or Hub id of a PEFT adapter to load on the model.
        allow_pickle: Accept weights in torch's pickle format too; loading them may run code.

    Raises:
        ModelError: The model does not exist, or is incomplete.
    """
    folder, commit = _find_model(model, revision, allow_pickle=allow_pickle)
    run = read_run(folder)
    name = model if commit else folder.resolve().name
    if (folder / _ADAPTER).is_file() and not (folder / "config.json").is_file():
        if adapter:
            fix = "merge one of them first"
            raise ModelError(
                Problem("is an adapter itself, so --peft cannot add another", model, fix)
            )
        check_folder(folder, ModelError)
        base, base_commit = _find_base(folder, allow_pickle=allow_pickle)
        _check_files(base, str(base), allow_pickle=allow_pickle, adapter=folder)
        _check_base_matches(base, folder)
        digest = _model_digest([base, folder])
        return ResolvedModel(name, base, base_commit or commit, folder, name, digest, run)
    if adapter is None:
        _check_files(folder, model, allow_pickle=allow_pickle)
        return ResolvedModel(name, folder, commit, None, "", _model_digest([folder]), run)
    place, adapter_commit = _find_model(adapter, None, allow_pickle=allow_pickle)
    _check_files(folder, model, allow_pickle=allow_pickle, adapter=place)
    if not (place / _ADAPTER).is_file():
        raise ModelError(Problem(f"is not an adapter: it has no {_ADAPTER}", adapter))
    check_folder(place, ModelError)
    _check_base_matches(folder, place)
    adapter_name = adapter if adapter_commit else place.resolve().name
    digest = _model_digest([folder, place])
    return ResolvedModel(name, folder, commit, place, adapter_name, digest, read_run(place) or run)


def _find_base(adapter: Path, *, allow_pickle: bool) -> tuple[Path, str]:
    place = locate_base(adapter, ModelError)
    return _find_model(place.name, place.revision or None, allow_pickle=allow_pickle)


def _check_base_matches(base: Path, adapter: Path) -> None:
    files = weight_files(str(base))
    check_base_weights(BaseLocation(str(base), ""), files, adapter, ModelError)


def _find_model(model: str, revision: str | None, *, allow_pickle: bool) -> tuple[Path, str]:
    """The folder, and the commit if the model is from the Hub."""
    path = Path(model)
    if path.is_dir():
        return path, ""
    if path.exists():
        raise ModelError(Problem("is a file; a model is a folder", model))
    if model.count("/") != 1 or model.startswith((".", "/", "~")) or model.endswith("/"):
        fix = "give a folder with config.json, tokenizer and weights, or a Hub id owner/name"
        raise ModelError(Problem("there is no such folder, and it is not a Hub id", model, fix))
    from kit19.fetching.hub import HubContext, open_hub  # noqa: PLC0415  the Hub's client is slow to load
    from kit19.fetching.snapshot import download_files  # noqa: PLC0415

    hub = open_hub(HubContext(ModelError, "evaluate"))
    patterns = [*_PATTERNS, _PICKLE] if allow_pickle else _PATTERNS
    folder = download_files(hub, model, revision, patterns, verb="evaluate", repo_type="model")
    return folder, folder.name


def _has_tokenizer(folder: Path) -> bool:
    return any((folder / name).is_file() for name in _TOKENIZERS)


def _check_files(
    folder: Path, name: str, *, allow_pickle: bool, adapter: Path | None = None
) -> None:
    if not (folder / "config.json").is_file():
        fix = "a model's folder holds config.json, a tokenizer and weights"
        raise ModelError(Problem("is not a model: it has no config.json", name, fix))
    if not _has_tokenizer(folder) and not (adapter and _has_tokenizer(adapter)):
        fix = f"copy the tokenizer's files into it (one of {', '.join(_TOKENIZERS)})"
        raise ModelError(Problem("has no tokenizer", name, fix))
    if not any(folder.glob(_SAFETENSORS)):
        if any(folder.glob(_PICKLE)) and allow_pickle:
            return
        if any(folder.glob(_PICKLE)):
            what = "has weights in torch's pickle format only; loading them may run code"
            raise ModelError(Problem(what, name, "if you trust the model: --allow-pickle"))
        raise ModelError(Problem("has no weights (*.safetensors)", name))
    check_folder(folder, ModelError)


def _model_digest(folders: list[Path]) -> str:
    """sha256 over names and contents of weights, configuration, tokenizer and code."""
    total = hashlib.sha256()
    for folder in folders:
        kinds = (
            _SAFETENSORS,
            _PICKLE,
            "*config*.json",
            "*token*",
            "*.model",
            "vocab*",
            "merges*",
            "*.py",
        )
        for path in sorted(
            {path for kind in kinds for path in folder.glob(kind) if path.is_file()}
        ):
            digest = hashlib.sha256()
            with path.open("rb") as stream:
                while chunk := stream.read(_CHUNK):
                    digest.update(chunk)
            total.update(f"{path.name}\0{digest.hexdigest()}\n".encode())
    return total.hexdigest()
