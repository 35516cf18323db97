"""The folder of a run: what stands in it while it trains, and when it is done.

While it trains: ``plan.json`` (what would be trained) and ``checkpoints/``. Done: a model that
transformers loads, ``curves.json``, ``curves.svg``, ``README.md``, and ``run.json``, written last.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from kit19.core.errors import OutputError, Problem, TrainError
from kit19.core.paths import read_json
from kit19.core.runs import NAME, RunRecord
from kit19.training import processes
from kit19.training.run import checkpoint, curves, model_card

PLAN = "plan.json"
_CHOSEN = "chosen"  # in the plan: what was decided on the loaded model


@contextmanager
def running(run: Path, plan: dict[str, Any], *, restart: bool) -> Iterator[Path | None]:
    """Take a folder for a run; gives the checkpoint to go on from, if it is there.

    Of several processes one takes it; the others wait until it has.

    Args:
        run: The folder. It may be new, empty, or hold the same run, unfinished.
        plan: All that decides the run; what was begun with another plan is not gone on with.
        restart: Remove what an earlier run left there, and begin.

    Raises:
        OutputError: The folder holds something else, a finished run, or another kit19 writes there.
        TrainError: It holds an unfinished run of another plan.
    """
    if not processes.is_main():
        processes.wait()
        yield _last(run)
        return
    with _locked(run):
        with _writable(run):
            _begin(run, plan, restart=restart)
        processes.wait()
        yield _last(run)


@contextmanager
def _locked(run: Path) -> Iterator[None]:
    lock = FileLock(run.with_name(f".{run.name}.kit19-lock"), timeout=0)
    try:
        with _writable(run):
            run.parent.mkdir(parents=True, exist_ok=True)
            lock.acquire()
    except Timeout:
        fix = "wait for it, or use another --out"
        raise OutputError(Problem("another kit19 is training there", str(run), fix)) from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _writable(run: Path) -> Iterator[None]:
    try:
        yield
    except Timeout:  # it is an OSError too
        raise
    except OSError as error:
        if checkpoint.is_disk_full(error):
            raise checkpoint.explain_write_error(error, run) from None
        what = f"cannot be written: {error.strerror or error}"
        raise OutputError(Problem(what, str(run), "use another --out")) from None


def _last(run: Path) -> Path | None:
    whole = checkpoint.complete_checkpoints(run)
    return whole[-1] if whole else None


def _begin(run: Path, plan: dict[str, Any], *, restart: bool) -> None:
    # The plan's own beginnings are ours too: a disk that was full left nothing else.
    there = run.exists() and any(path.name != _new(PLAN) for path in run.iterdir())
    ours = (run / PLAN).is_file() or (run / NAME).is_file()
    if there and not ours:
        what = "holds files that kit19 did not write; they will not be replaced"
        raise OutputError(Problem(what, str(run), "use another --out, or empty it"))
    if there and restart:
        shutil.rmtree(run)
    elif (run / NAME).is_file():
        fix = "use another --out, or --restart to train it anew"
        raise OutputError(Problem("holds a finished run", str(run), fix))
    if _last(run):  # without one nothing is lost by beginning anew
        _refuse_another(run, plan)
        plan = {**plan, _CHOSEN: chosen(run)}
    run.mkdir(exist_ok=True)
    checkpoint.sweep(run)
    _write(run / PLAN, json.dumps(plan, ensure_ascii=False, indent=1) + "\n")


def _refuse_another(run: Path, plan: dict[str, Any]) -> None:
    begun = _read(run)
    base, was_base = plan.get("base", {}), begun.get("base", {})
    if {**base, "digest": ""} == {**was_base, "digest": ""} and base != was_base:
        what = (
            "the base model has other weights than when this run was begun: sha256 was "
            f"{was_base.get('digest') or 'not kept'}, is {base['digest']}"
        )
        fix = "bring back these weights to go on, or begin anew on the new ones: --restart"
        raise TrainError(Problem(what, str(run), fix))
    differ = [name for name in _flat(plan) if _flat(plan)[name] != _flat(begun).get(name)]
    if differ:
        was, now = _flat(begun).get(differ[0]), _flat(plan)[differ[0]]
        what = f"an unfinished run of another plan is there: {differ[0]} was {was}, is {now}"
        more = f" (and {len(differ) - 1} more)" if len(differ) > 1 else ""
        fix = "use another --out, the same settings to go on, or --restart to begin anew"
        raise TrainError(Problem(what + more, str(run), fix))


def _flat(plan: dict[str, Any]) -> dict[str, Any]:
    return {**plan, **plan.get("settings", {}), "settings": None}


def chosen(run: Path) -> dict[str, Any]:
    """What an unfinished run decided once its model was loaded; empty before that."""
    found: dict[str, Any] = _read(run).get(_CHOSEN, {})
    return found


def choose(run: Path, **decisions: Any) -> None:
    """Write decisions into the plan, so that the run goes on with the same ones."""
    plan = _read(run)
    plan[_CHOSEN] = plan.get(_CHOSEN, {}) | decisions
    with _writable(run):
        _write(run / PLAN, json.dumps(plan, ensure_ascii=False, indent=1) + "\n")


def _read(run: Path) -> dict[str, Any]:
    try:
        plan = read_json(run / PLAN)
    except (OSError, ValueError):
        return {}
    return plan if isinstance(plan, dict) else {}


def finish(run: Path, record: RunRecord, history: list[dict[str, Any]]) -> None:
    """Write what explains the run, its record last, and remove its checkpoints.

    Args:
        run: The folder; it holds the model already.
        record: The run's record.
        history: What was logged.
    """
    curves.write_curves(run, curves.curves_of(history), f"{record.base.name}: loss")
    _write(run / model_card.NAME, model_card.model_card(record, run.name))
    # torch pickles it beside the model; it says nothing that run.json does not, and holds a path.
    (run / "training_args.bin").unlink(missing_ok=True)
    _write(run / NAME, record.to_json())
    (run / PLAN).unlink()
    shutil.rmtree(run / checkpoint.FOLDER, ignore_errors=True)


def _write(path: Path, text: str) -> None:
    new = path.with_name(_new(path.name))
    try:
        new.write_text(text, encoding="utf-8")
        new.replace(path)
    except OSError:
        new.unlink(missing_ok=True)
        raise


def _new(name: str) -> str:
    return f".{name}.new"
