"""An adapter and the base model that it belongs to: found, with the weights that it was trained on."""

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
    """Where the base model of an adapter is.

    Attributes:
        name: A folder, or a Hub id.
        revision: Commit on the Hub; empty for a folder, or where the adapter does not say.
    """

    name: str
    revision: str


def locate_base(adapter: Path, error: type[Kit19Error] = TrainError) -> BaseLocation:
    """Where the base model of an adapter is; a folder has the weights that the adapter was trained on.

    A relative path counts from here, as PEFT takes it, and else from the adapter's folder. Where a run
    of kit19's was moved together with its base, the base is found beside it, by its digest.

    Args:
        adapter: The folder of an adapter.
        error: What to raise.

    Raises:
        Kit19Error: The adapter does not say which model it belongs to, it is not there, or its weights
            are not those that the adapter was trained on.
    """
    config = read_config(adapter, error)
    name = config.get(_PATH_KEY)
    where = str(adapter / CONFIG)
    if not isinstance(name, str) or not name:
        raise error(Problem(f"does not say which model it belongs to: no `{_PATH_KEY}`", where))
    record = read_run(adapter)
    found = [
        path for path in _candidates(name, adapter, record) if (path / "config.json").is_file()
    ]
    wanted = record.base.digest if record else ""
    if found and not wanted:
        return BaseLocation(str(found[0]), "")
    digests = []
    for path in found:
        digests.append(weights_digest(weight_files(str(path))))
        if digests[-1] == wanted:
            return BaseLocation(str(path), "")
    if found:
        raise error(_other_weights(str(found[0]), adapter, digests[0], wanted))
    if _is_path(name, record):
        fix = f"put it there, or write where it is as `{_PATH_KEY}` in {where}"
        raise error(Problem(f"its base model is not there: {name}", str(adapter), fix))
    revision = config.get("revision") or (record.base.revision if record else "")
    return BaseLocation(name, str(revision or ""))


def check_weights(
    place: BaseLocation, files: list[Path], adapter: Path, error: type[Kit19Error] = TrainError
) -> None:
    """Stop where a base has other weights than those that a run's adapter was trained on.

    Args:
        place: The base model.
        files: Its weights.
        adapter: The folder of the adapter; of one that is no run of kit19's, nothing is known.
        error: What to raise.

    Raises:
        Kit19Error: It names both digests.
    """
    record = read_run(adapter)
    if not record or not record.base.digest:
        return
    digest = weights_digest(files)
    if digest != record.base.digest:
        raise error(_other_weights(place.name, adapter, digest, record.base.digest))


def read_config(adapter: Path, error: type[Kit19Error] = TrainError) -> dict[str, Any]:
    """The adapter's own configuration.

    Raises:
        Kit19Error: It cannot be read.
    """
    path = adapter / CONFIG
    try:
        config = read_json(path)
    except (OSError, ValueError) as reason:
        raise error(Problem(f"cannot be read: {reason}", str(path))) from None
    if not isinstance(config, dict):
        raise error(Problem("is no mapping of keys to values", str(path)))
    return config


def download_adapter(name: str) -> Path | None:
    """The folder of an adapter on the Hub, brought here; None where a name is something else.

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
        _raise_exceptions_for_connection_errors=False,  # a model in the cache needs no network
    )
    if not found:
        return None
    commit = Path(found).parent.name
    patterns = ["*.json", "*.jinja", "*.model", "*.txt", "adapter_model.*"]
    return Path(snapshot_download(name, revision=commit, allow_patterns=patterns))


def load_with_adapter(adapter: Path, **given: Any) -> Any:
    """An adapter on its base model, as PEFT has it.

    Args:
        adapter: The folder of the adapter.
        **given: For ``from_pretrained`` of the base model; without a word of it, code that the model
            brings is not run.

    Raises:
        TrainError: The base model is not there, or has other weights than the adapter was trained on.
        Exception: Whatever transformers and PEFT raise.
    """
    from peft import PeftModel  # noqa: PLC0415  a second to load, and only for adapters

    from kit19.training.model.loading import read_tokenizer, read_weights  # noqa: PLC0415

    trust = given.setdefault("trust_remote_code", False)
    place = locate_base(adapter)
    if not Path(place.name).is_dir():
        check_weights(place, weight_files(place.name, place.revision), adapter)
    revision = place.revision or None
    model = read_weights(place.name, revision=revision, **given)
    if (adapter / "tokenizer_config.json").is_file():
        tokens = len(read_tokenizer(str(adapter), trust=trust))
        if tokens > model.get_input_embeddings().weight.shape[0]:  # tokens were added for it
            model.resize_token_embeddings(tokens)
    with ignore_peft_warnings():
        return PeftModel.from_pretrained(model, adapter)


@contextmanager
def ignore_peft_warnings() -> Iterator[None]:
    """Keep PEFT's warnings of adapters on embeddings from the user: ``merge`` unties them."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Model has `tie_word_embeddings=True`")
        warnings.filterwarnings("ignore", message="Setting `save_embedding_layers` to `True`")
        # GPT-2's linear layers have their weights transposed; PEFT sets it right by itself. Ranks of
        # experts are PEFT's own, where `all-linear` takes none.
        warnings.filterwarnings("ignore", message="fan_in_fan_out is set to False")
        warnings.filterwarnings("ignore", message="The following (rank|alpha)_pattern keys did")
        yield


def bind(model: Any, base: Base, name: str) -> None:
    """Write into an adapter's configuration which base it belongs to, wherever it is loaded from.

    Args:
        model: A model of PEFT.
        base: Its base model.
        name: As the user named the base.
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
    if record and record.base.digest:  # by its digest it is known for what it is
        yield adapter.parent / path.name


def _is_path(name: str, record: RunRecord | None) -> bool:
    """Whether a name is a folder's and no Hub id."""
    # A run on a Hub's model keeps its id and commit; early runs only its id.
    trained_on_folder = record is not None and bool(record.base.digest) and not record.base.revision
    if trained_on_folder and record and (record.base.name != name or "/" not in name):
        return True
    return name.startswith((".", "/", "~")) or name.count("/") > 1


def _other_weights(base: str, adapter: Path, has: str, wanted: str) -> Problem:
    what = (
        f"its base model has other weights than it was trained on: {base} has sha256 {has}, "
        f"the adapter was trained on {wanted}"
    )
    fix = f"bring back these weights, or write where they are as `{_PATH_KEY}` in {CONFIG}"
    return Problem(what, str(adapter), fix)
