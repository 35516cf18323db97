"""The harness's own task files, thousands of YAML files, parsed once in a process."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest


def parse_once(patch: pytest.MonkeyPatch) -> None:
    """Let the harness's list of tasks remember each of its own files as it was first parsed."""
    from lm_eval.tasks import _index

    own = Path(_index.__file__).parent
    parse = _index.load_yaml
    # As bytes: who gets a parsed file may change it.
    known: dict[tuple[Any, ...], bytes] = {}

    def load_yaml(path: Path, **options: Any) -> Any:
        if own not in path.parents:
            return parse(path, **options)
        key = (path, *sorted(options.items()))
        if key not in known:
            known[key] = pickle.dumps(parse(path, **options))
        return pickle.loads(known[key])  # noqa: S301  written three lines above

    patch.setattr(_index, "load_yaml", load_yaml)
