"""The folder of a run, during training and afterwards.

During training it holds ``plan.json`` (everything that determines the run) and ``checkpoints/``.
Afterwards it holds a model that transformers loads, ``curves.json``, ``curves.svg``, ``README.md``,
``quarantined.jsonl`` if rows of users' files were malformed, and ``run.json``, which is written last.
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
from kit19.core.runs import CHECKPOINTS, NAME, PLAN, BaseModelEntry, RunRecord
from kit19.training import processes
from kit19.training.run import checkpoint, curves, model_card

_DECISIONS = "chosen"  # in the plan: decisions on the loaded model


@contextmanager
def open_run(run: Path, plan: dict[str, Any], *, restart: bool) -> Iterator[Path | None]:
    """Lock the folder of a run, and yield the checkpoint to resume from, if there is one.

    One of several processes takes the lock; the others wait for it.

    Args:
        run: The folder. It may be new, empty, or hold the same run, unfinished.
        plan: Everything that determines the run. A run with another plan cannot be resumed.
        restart: Remove an earlier run from the folder, and start again.

    Raises:
        OutputError: The folder holds other files or a finished run, another kit19 writes there, or the
            processes do not share it.
        TrainError: It holds an unfinished run with another plan.
    """
    if not processes.is_main():
        processes.wait_for_all()
        yield _shared_checkpoint(run)
        return
    with _locked(run):
        with _convert_write_errors(run):
            _prepare_folder(run, plan, restart=restart)
        processes.wait_for_all()
        yield _shared_checkpoint(run)


@contextmanager
def _locked(run: Path) -> Iterator[None]:
    lock = FileLock(run.with_name(f".{run.name}.kit19-lock"), timeout=0)
    try:
        with _convert_write_errors(run):
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
def _convert_write_errors(run: Path) -> Iterator[None]:
    try:
        yield
    except Timeout:  # Timeout is an OSError
        raise
    except OSError as error:
        if checkpoint.is_disk_full(error):
            raise checkpoint.explain_write_error(error, run) from None
        what = f"cannot be written: {error.strerror or error}"
        raise OutputError(Problem(what, str(run), "use another --out")) from None


def _shared_checkpoint(run: Path) -> Path | None:
    """The last checkpoint, if all processes see the same one.

    Raises:
        OutputError: This machine sees another folder than the main process.
    """
    found = _last_checkpoint(run)
    seen = [found.name if found else "", (run / PLAN).is_file()]
    if processes.broadcast(seen) != seen:
        what = "is not the folder that the main process writes"
        fix = "use an --out on a disk that all machines share"
        raise OutputError(Problem(what, str(run), fix))
    return found


def _last_checkpoint(run: Path) -> Path | None:
    found = checkpoint.complete_checkpoints(run)
    return found[-1] if found else None


def _prepare_folder(run: Path, plan: dict[str, Any], *, restart: bool) -> None:
    # A temporary plan file alone is kit19's: a full disk leaves it behind.
    occupied = run.exists() and any(path.name != _new(PLAN) for path in run.iterdir())
    ours = (run / PLAN).is_file() or (run / NAME).is_file()
    if occupied and not ours:
        what = "holds files that kit19 did not write; they will not be replaced"
        raise OutputError(Problem(what, str(run), "use another --out, or empty it"))
    if occupied and restart:
        shutil.rmtree(run)
    elif (run / NAME).is_file():
        fix = "use another --out, or --restart to train it again"
        raise OutputError(Problem("holds a finished run", str(run), fix))
    if _last_checkpoint(run):  # without a checkpoint, starting again loses nothing
        _check_same_plan(run, plan)
        plan = {**plan, _DECISIONS: read_decisions(run)}
    run.mkdir(exist_ok=True)
    checkpoint.remove_unfinished(run)
    _write(run / PLAN, json.dumps(plan, ensure_ascii=False, indent=1) + "\n")


def _check_same_plan(run: Path, plan: dict[str, Any]) -> None:
    started = _read_plan(run)
    _check_same_base(run, plan["base"], started.get("base", {}))
    now_flat, was_flat = ({**_flatten(one), "base": None} for one in (plan, started))
    differ = [name for name in now_flat if now_flat[name] != was_flat.get(name)]
    if differ:
        was, now = was_flat.get(differ[0]), now_flat[differ[0]]
        what = f"there is an unfinished run with another plan: {differ[0]} was {was}, is {now}"
        more = f" (and {len(differ) - 1} more)" if len(differ) > 1 else ""
        fix = "use another --out, the same settings to resume, or --restart to start again"
        raise TrainError(Problem(what + more, str(run), fix))


def _check_same_base(run: Path, base: dict[str, Any], started: dict[str, Any]) -> None:
    """Check that the base model is the one that an unfinished run started with."""
    now = BaseModelEntry.model_validate(base)
    was = BaseModelEntry.model_validate(started or {"name": "not recorded"})
    if not was.digest:  # the plan of an older kit19
        now = now.model_copy(update={"digest": ""})
    if now == was:
        return
    if (now.name, now.revision) != (was.name, was.revision):
        names = [f"{one.name} {one.revision}".strip() for one in (was, now)]
        what = f"there is an unfinished run on another base model: it was {names[0]}, is {names[1]}"
        fix = "use another --out, or --restart to start again"
        raise TrainError(Problem(what, str(run), fix))
    part, old, new = "weights", was.weights, now.weights
    if old == new:
        part, old, new = "configuration or tokenizer files", was.digest, now.digest
    what = f"the base model has other {part} than when this run started: sha256 was {old}, is {new}"
    fix = "restore these files to resume, or start again on the new ones: --restart"
    raise TrainError(Problem(what, str(run), fix))


def _flatten(plan: dict[str, Any]) -> dict[str, Any]:
    return {**plan, **plan.get("settings", {}), "settings": None}


def started_on(run: Path) -> str:
    """The date that an unfinished run's chat template writes; empty if there is no such run."""
    return str(_read_plan(run).get("date", ""))


def read_decisions(run: Path) -> dict[str, Any]:
    """The decisions of an unfinished run on its loaded model; empty before they are made."""
    found: dict[str, Any] = _read_plan(run).get(_DECISIONS, {})
    return found


def save_decisions(run: Path, **decisions: Any) -> None:
    """Write decisions into the plan, so that a resumed run keeps them."""
    plan = _read_plan(run)
    plan[_DECISIONS] = plan.get(_DECISIONS, {}) | decisions
    with _convert_write_errors(run):
        _write(run / PLAN, json.dumps(plan, ensure_ascii=False, indent=1) + "\n")


def _read_plan(run: Path) -> dict[str, Any]:
    try:
        plan = read_json(run / PLAN)
    except (OSError, ValueError):
        return {}
    return plan if isinstance(plan, dict) else {}


def finish_run(run: Path, record: RunRecord, history: list[dict[str, Any]]) -> None:
    """Describe the run, and remove its checkpoints.

    Args:
        run: The folder, which already holds the model.
        record: The run's record.
        history: The log entries of the trainer.
    """
    # A pickle that the Trainer writes next to the model. It adds nothing to run.json, and holds a path.
    (run / "training_args.bin").unlink(missing_ok=True)
    describe(run, record, history, run.name)
    (run / PLAN).unlink()
    shutil.rmtree(run / CHECKPOINTS, ignore_errors=True)


def describe(folder: Path, record: RunRecord, history: list[dict[str, Any]], title: str) -> None:
    """Write curves, model card and record, in this order.

    Args:
        folder: The folder of a model: a run, or a checkpoint.
        record: The run's record.
        history: The log entries of the trainer.
        title: The title of the card.
    """
    curves.write_curves(folder, curves.curves_of(history), f"{record.base.name}: loss")
    _write(folder / model_card.NAME, model_card.model_card(record, title))
    _write(folder / NAME, record.to_json())


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
