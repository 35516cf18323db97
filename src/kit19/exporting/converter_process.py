"""Run llama.cpp's converter in a process of its own: ``… SCRIPT PRE ARGUMENTS``.

The converter is used as it is, but for two gaps. It knows pre-tokenizers by a hash of how they encode
one text, so it knows no tokenizer that somebody has just trained: ``PRE`` names its pre-tokenizer. And
it reads configurations through transformers, whose version 5 renamed a setting of GPT-NeoX.
"""

from __future__ import annotations

import functools
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


def main() -> None:
    """Load the script, fill the gaps, and run it."""
    path, pre, *arguments = sys.argv[1:]
    script = Path(path).resolve()
    sys.argv = [str(script), *arguments]
    sys.path.insert(0, str(script.parent))
    spec = importlib.util.spec_from_file_location(script.stem, script)
    assert spec is not None and spec.loader is not None  # noqa: S101, PT018  a path that ends in .py
    module = importlib.util.module_from_spec(spec)
    sys.modules[script.stem] = module
    spec.loader.exec_module(module)
    for loaded in list(sys.modules.values()):
        if Path(getattr(loaded, "__file__", None) or "/").is_relative_to(script.parent):
            for found in list(vars(loaded).values()):
                _fill_gaps(found, pre)
    module.main()


def _fill_gaps(found: Any, pre: str) -> None:
    known = vars(found) if isinstance(found, type) else {}
    chosen, loaded = known.get("get_vocab_base_pre"), known.get("load_hparams")
    if pre and chosen and not hasattr(chosen, "__wrapped__"):
        found.get_vocab_base_pre = _or_else(chosen, pre)
    if isinstance(loaded, staticmethod) and not hasattr(loaded.__func__, "__wrapped__"):
        found.load_hparams = staticmethod(_with_old_names(loaded.__func__))


def _or_else(known: Callable[..., str], pre: str) -> Callable[..., str]:
    @functools.wraps(known)
    def choose(*arguments: Any, **named: Any) -> str:
        try:
            return known(*arguments, **named)
        except NotImplementedError:
            return pre

    return choose


def _with_old_names(load: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    @functools.wraps(load)
    def load_both(*arguments: Any, **named: Any) -> dict[str, Any]:
        config = load(*arguments, **named)
        rope = config.get("rope_parameters") or {}
        if config.get("model_type") == "gpt_neox" and "partial_rotary_factor" in rope:
            config.setdefault("rotary_pct", rope["partial_rotary_factor"])
        return config

    return load_both


if __name__ == "__main__":
    main()
