"""Check a model's files for faults before transformers reads them.

transformers accepts most values: it builds a model of a billion layers until the memory is full, and a
tokenizer file that holds a list ends in a Python error without the file's name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kit19.core.errors import Kit19Error, Problem, TrainError

_JSON = (
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "adapter_config.json",
    "model.safetensors.index.json",
    "pytorch_model.bin.index.json",
)
_LAYERS = re.compile(r"(num|n)_(hidden_|encoder_|decoder_)?layers?")
_SIZES = re.compile(
    r"(hidden|intermediate|ffn|embedding|moe_intermediate)_(size|dim)|n_embd|n_inner|d_model|head_dim"
    r"|num_(attention|key_value)_heads|n_heads?|num_heads|vocab_size"
)
_EXPERTS = re.compile(r"(num|n)_(local_|routed_)?experts")
_LIMITS = {_LAYERS: 2_000, _SIZES: 10_000_000, _EXPERTS: 100_000}
"""More than any model has. A larger number is a mistake that would fill the memory."""
_FIX = "download the model's files again, or correct this one"


def check_folder(folder: Path, error: type[Kit19Error] = TrainError) -> None:
    """Check the JSON and safetensors files of a model.

    Args:
        folder: The folder of a model or an adapter.
        error: The exception to raise.

    Raises:
        Kit19Error: Lists every fault, with file and key.
    """
    problems: list[Problem] = []
    for name in _JSON:
        path = folder / name
        if path.is_file():
            problems += _json_problems(path)
    problems += [
        problem
        for path in sorted(folder.glob("*.safetensors"))
        for problem in _header_problems(path)
    ]
    if problems:
        raise error(problems)


def _json_problems(path: Path) -> Iterator[Problem]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        yield Problem("is not UTF-8 text", str(path), _FIX)
    except (ValueError, RecursionError) as reason:
        yield Problem(f"is not valid JSON: {reason}", str(path), _FIX)
    else:
        if not isinstance(document, dict):
            what = f"is {_kind(document)} and not a mapping of keys to values"
            yield Problem(what, str(path), _FIX)
        elif path.name in ("config.json", "generation_config.json"):
            yield from _config_problems(document, path)


def _config_problems(config: dict[str, Any], path: Path, inside: str = "") -> Iterator[Problem]:
    for key, value in config.items():
        named = f"{inside}{key}"
        if key == "eos_token_id" and not _is_token(value):
            what = f"`{named}` is {value!r:.60}: expected a token id, or a list of them"
            yield Problem(what, str(path), _FIX)
            continue
        if isinstance(value, dict) and len(inside) < 100:
            yield from _config_problems(value, path, f"{named}.")
            continue
        limit = next((limit for kind, limit in _LIMITS.items() if kind.fullmatch(key)), None)
        if limit is None or value is None:  # some sizes may be null; they are derived from others
            continue
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, bool) or not isinstance(one, int):
                yield Problem(f"`{named}` is {one!r:.60}, not an integer", str(path), _FIX)
                break
            if not 1 <= one <= limit:
                what = f"`{named}` is {one:,}: it must be from 1 to {limit:,}"
                yield Problem(what, str(path), _FIX)
                break


def _is_token(value: Any) -> bool:
    numbers = value if isinstance(value, list) else [] if value is None else [value]
    return all(isinstance(one, int) and not isinstance(one, bool) for one in numbers)


def _header_problems(path: Path) -> Iterator[Problem]:
    """Faults in the header of a safetensors file; its tensors are not read."""
    with path.open("rb") as stream:
        start = stream.read(8)
        size = path.stat().st_size
        length = int.from_bytes(start, "little")
        if len(start) < 8 or length > min(size - 8, 100_000_000):
            pickled = start[:2] == b"PK" or start[:1] == b"\x80"
            what = "is a torch pickle" if pickled else "is truncated"
            yield Problem(f"{what}, or is not a safetensors file", str(path), _FIX)
            return
        try:
            header = json.loads(stream.read(length))
            tensors = [one for name, one in header.items() if name != "__metadata__"]
            end = max((one["data_offsets"][1] for one in tensors), default=0)
        except (ValueError, RecursionError, TypeError, KeyError, IndexError, AttributeError):
            yield Problem("has a header that cannot be read", str(path), _FIX)
            return
        if not isinstance(end, int) or end != size - 8 - length:
            what = f"is truncated: its tensors end at byte {end}, the file at {size - 8 - length}"
            yield Problem(what, str(path), _FIX)


def _kind(value: Any) -> str:
    names = {list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")
