"""Adapters: find the base model of an adapter, with the weights that the adapter was trained on."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kit19.core.errors import Kit19Error, Problem, TrainError
from kit19.core.paths import read_json
from kit19.core.runs import RunRecord, read_run
from kit19.training.model.weights import weight_files, weights_digest

if TYPE_CHECKING:
    from kit19.training.model.base import Base

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"

_PATH_KEY = "base_model_name_or_path"


@dataclass(frozen=True)
class BaseLocation:
    """The location of an adapter's base model.

    Attributes:
        name: A folder, or a Hub id.
        revision: Commit on the Hub; empty for a folder, or if the adapter does not name one.
    """

    name: str
    revision: str


def locate_base(adapter: Path, error: type[Kit19Error] = TrainError) -> BaseLocation:
    """Find the base model of an adapter. If it is a folder, check its weights.

    A relative path is resolved from the working directory, as in PEFT, else from the adapter's
    folder. If a kit19 run was moved together with its base, the base is found next to it by its digest.

    Args:
        adapter: The folder of an adapter.
        error: The exception to raise.

    Raises:
        Kit19Error: The adapter does not name its base model, the model is missing, or it has other
            weights than the adapter was trained on.
    """
    config = read_config(adapter, error)
    name = config.get(_PATH_KEY)
    where = str(adapter / CONFIG)
    if not isinstance(name, str) or not name:
        raise error(Problem(f"does not name its base model: no `{_PATH_KEY}`", where))
    record = read_run(adapter)
    found = [
        path for path in _candidates(name, adapter, record) if (path / "config.json").is_file()
    ]
    expected = record.base.digest if record else ""
    if found and not expected:
        return BaseLocation(str(found[0]), "")
    digests = []
    for path in found:
        digests.append(weights_digest(weight_files(str(path))))
        if digests[-1] == expected:
            return BaseLocation(str(path), "")
    if found:
        raise error(_wrong_weights(str(found[0]), adapter, digests[0], expected))
    if _is_path(name, record):
        fix = f"move it there, or set `{_PATH_KEY}` in {where} to its path"
        raise error(Problem(f"its base model is missing: {name}", str(adapter), fix))
    revision = config.get("revision") or (record.base.revision if record else "")
    return BaseLocation(name, str(revision or ""))


def check_base_weights(
    place: BaseLocation, files: list[Path], adapter: Path, error: type[Kit19Error] = TrainError
) -> None:
    """Check that a base model has the weights that an adapter was trained on.

    Args:
        place: The base model.
        files: Its weight files.
        adapter: The folder of the adapter. If it is not a kit19 run, there is no digest to check.
        error: The exception to raise.

    Raises:
        Kit19Error: The digests differ; the message names both.
    """
    record = read_run(adapter)
    if not record or not record.base.digest:
        return
    digest = weights_digest(files)
    if digest != record.base.digest:
        raise error(_wrong_weights(place.name, adapter, digest, record.base.digest))


def read_config(adapter: Path, error: type[Kit19Error] = TrainError) -> dict[str, Any]:
    """Read the configuration of an adapter.

    Raises:
        Kit19Error: It cannot be read.
    """
    path = adapter / CONFIG
    try:
        config = read_json(path)
    except (OSError, ValueError) as reason:
        raise error(Problem(f"cannot be read: {reason}", str(path))) from None
    if not isinstance(config, dict):
        raise error(Problem("is not a mapping of keys to values", str(path)))
    return config


def download_adapter(name: str) -> Path | None:
    """Download an adapter from the Hub and return its folder; None if the name is something else.

    Raises:
        OSError: There is no such repository.
    """
    if Path(name).is_dir():
        return None
    from huggingface_hub import snapshot_download  # noqa: PLC0415
    from transformers.utils import cached_file  # noqa: PLC0415

    found = cached_file(
        name,
        CONFIG,
        _raise_exceptions_for_missing_entries=False,
        _raise_exceptions_for_connection_errors=False,  # a cached model needs no network
    )
    if not found:
        return None
    commit = Path(found).parent.name
    patterns = ["*.json", "*.jinja", "*.model", "*.txt", "adapter_model.*"]
    return Path(snapshot_download(name, revision=commit, allow_patterns=patterns))


def load_with_adapter(adapter: Path, **options: Any) -> Any:
    """Load an adapter on its base model with PEFT.

    Args:
        adapter: The folder of the adapter.
        **options: For ``from_pretrained`` of the base model. ``trust_remote_code`` is False by default.

    Raises:
        TrainError: The base model is missing, or has other weights than the adapter was trained on.
        Exception: Anything that transformers and PEFT raise.
    """
    from peft import PeftModel  # noqa: PLC0415  a second to load, and only for adapters

    from kit19.training.model.loading import read_tokenizer, read_weights  # noqa: PLC0415

    trust = options.setdefault("trust_remote_code", False)
    place = locate_base(adapter)
    if not Path(place.name).is_dir():
        check_base_weights(place, weight_files(place.name, place.revision), adapter)
    revision = place.revision or None
    model = read_weights(place.name, revision=revision, **options)
    if (adapter / "tokenizer_config.json").is_file():
        tokens = len(read_tokenizer(str(adapter), trust=trust))
        if tokens > model.get_input_embeddings().weight.shape[0]:  # the adapter has added tokens
            model.resize_token_embeddings(tokens)
    with ignore_peft_warnings():
        return PeftModel.from_pretrained(model, adapter)


@contextmanager
def ignore_peft_warnings() -> Iterator[None]:
    """Suppress PEFT warnings that do not apply: ``merge`` unties tied embeddings, for example."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Model has `tie_word_embeddings=True`")
        warnings.filterwarnings("ignore", message="Setting `save_embedding_layers` to `True`")
        # GPT-2 stores the weights of linear layers transposed, and PEFT corrects the setting itself.
        # The ranks of experts are set by PEFT, and `all-linear` includes no experts.
        warnings.filterwarnings("ignore", message="fan_in_fan_out is set to False")
        warnings.filterwarnings("ignore", message="The following (rank|alpha)_pattern keys did")
        yield


def record_base(model: Any, base: Base, name: str) -> None:
    """Record the base model in an adapter's configuration, so that it is found from any folder.

    Args:
        model: A PEFT model.
        base: Its base model.
        name: The base model as the user gave it.
    """
    for config in model.peft_config.values():
        is_folder = Path(name).is_dir()
        config.base_model_name_or_path = os.path.abspath(name) if is_folder else name  # noqa: PTH100
        config.revision = base.entry.revision or None


def _candidates(name: str, adapter: Path, record: RunRecord | None) -> Iterator[Path]:
    path = Path(name)
    yield path
    if not path.is_absolute():
        yield adapter / path
        yield adapter.parent / path
    if record and record.base.digest:  # its digest identifies it
        yield adapter.parent / path.name


def _is_path(name: str, record: RunRecord | None) -> bool:
    """Whether a name is a path and not a Hub id."""
    # A run on a model of the Hub records its id and commit; early runs record only the id.
    trained_on_folder = record is not None and bool(record.base.digest) and not record.base.revision
    if trained_on_folder and record and (record.base.name != name or "/" not in name):
        return True
    return name.startswith((".", "/", "~")) or name.count("/") > 1


def _wrong_weights(base: str, adapter: Path, digest: str, expected: str) -> Problem:
    what = (
        f"its base model has other weights than it was trained on: {base} has sha256 {digest}, "
        f"the adapter was trained on {expected}"
    )
    fix = f"restore these weights, or set `{_PATH_KEY}` in {CONFIG} to their path"
    return Problem(what, str(adapter), fix)
