"""The harness's own task files, thousands of YAML files, parsed once for all processes of the tests."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.support.once import made_once

_LISTING = {"recursive": True, "resolve_func": False}
"""How the harness parses a file to list it."""


def parse_once(patch: pytest.MonkeyPatch, factory: pytest.TempPathFactory) -> None:
    """Let the harness's list of tasks take each of its own files from those that are parsed."""
    from lm_eval.tasks import _index

    own = Path(_index.__file__).parent
    parse: Callable[..., Any] = _index.load_yaml
    # As bytes: who gets a parsed file may change it.
    known: dict[str, bytes] = {}

    def parse_all(out: Path) -> None:
        parsed: dict[str, bytes] = {}
        for path in _index.TaskIndex._iter_yaml_files(own):
            with suppress(Exception):  # the harness leaves it out of its list, whatever it is
                parsed[str(path)] = pickle.dumps(parse(path, **_LISTING))
        out.write_bytes(pickle.dumps(parsed))

    def load_yaml(path: Path, **options: Any) -> Any:
        if own not in path.parents or options != _LISTING:
            return parse(path, **options)
        if not known:
            stored = made_once(factory, "harness-files", parse_all)
            known.update(pickle.loads(stored.read_bytes()))  # noqa: S301  written above
        if str(path) not in known:
            return parse(path, **options)
        return pickle.loads(known[str(path)])  # noqa: S301  written above

    patch.setattr(_index, "load_yaml", load_yaml)
