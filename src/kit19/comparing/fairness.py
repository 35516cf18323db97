"""Settings that must be equal for a fair comparison."""

from __future__ import annotations

from collections.abc import Iterator

from kit19.comparing.model_results import ChoiceResults, ModelResults, TaskResults
from kit19.comparing.result import Mismatch


def find_mismatches(base: ModelResults, other: ModelResults, name: str = "") -> Iterator[Mismatch]:
    """Find settings that differ between two results and make the comparison unfair.

    Settings that one side does not record are ignored.

    Args:
        base: The base's results.
        other: The other results.
        name: The name of the other model; default: that of its results.
    """
    name = name or other.name
    missing = [sorted(set(a.tasks) - set(b.tasks)) for a, b in ((base, other), (other, base))]
    if missing[0] or missing[1]:
        named = [f"also {', '.join(tasks)}" if tasks else "no other" for tasks in missing]
        yield Mismatch(model=name, task="", aspect="tasks", base_has=named[0], model_has=named[1])
    for aspect, ours, theirs in (
        ("asked", base.prompting, other.prompting),
        ("dtype", base.dtype, other.dtype),
    ):
        if ours and theirs and ours != theirs:
            yield Mismatch(model=name, task="", aspect=aspect, base_has=ours, model_has=theirs)
    for task in sorted(set(base.tasks) & set(other.tasks)):
        for aspect, ours, theirs, stops in _task_mismatches(base, other, task):
            yield Mismatch(
                model=name,
                task=task,
                aspect=aspect,
                base_has=ours,
                model_has=theirs,
                stops=stops,
            )


def _task_mismatches(
    base: ModelResults, other: ModelResults, task: str
) -> Iterator[tuple[str, str, str, bool]]:
    """Yield (aspect, the base's value, the other's value, whether it prevents pairing)."""
    one, two = base.tasks[task], other.tasks[task]
    if not one.items["doc_id"].equals(two.items["doc_id"]):
        yield "items", _items(one), _items(two), True
        return
    differ = _different_golds(one, two, alike=base.writer == other.writer)
    if differ:
        yield "gold", "its answers", f"different ones for {differ:,} items", True
        return
    settings = {
        "version": (one.version, two.version),
        "shots": (_shots(one), _shots(two)),
        "shots_from": (one.shots_from, two.shots_from),
        "files": (_files(one), _files(two)),
        "truncated": (_truncated(one), _truncated(two)),
    }
    if base.record and other.record and one.shots and one.shots == two.shots:
        settings["seed"] = (str(base.record.seed), str(other.record.seed))
    for aspect, (ours, theirs) in settings.items():
        if ours and theirs and not _same_version(ours, theirs):
            yield aspect, ours, theirs, False
    same_program = base.is_foreign == other.is_foreign
    if same_program and base.prompting == other.prompting and one.shots == two.shots:
        differ = int((one.items["prompt"] != two.items["prompt"]).sum())
        if differ:
            yield (
                "prompts",
                "its prompts",
                f"different ones for {differ:,} of {one.items.height:,} items",
                False,
            )


def _different_golds(one: TaskResults, two: TaskResults, *, alike: bool) -> int:
    """The number of items whose right answers differ.

    Graded answers are compared where both results record the right one in the same way: if one program
    wrote both, or as one of the item's choices.
    """
    if isinstance(one, ChoiceResults) and isinstance(two, ChoiceResults):
        return int((one.items["gold"] != two.items["gold"]).sum())
    if type(one) is not type(two):
        return 0
    golds, others = one.items["target"], two.items["target"]
    if alike:
        return int(((golds != others) & (golds != "") & (others != "")).sum())
    rows = zip(golds, one.items["choices"], others, two.items["choices"], strict=True)
    return sum(a != b for a, choices, b, other in rows if a in choices and b in other)


def _shots(task: TaskResults) -> str | None:
    return None if task.shots is None else str(task.shots)


def _same_version(one: str, two: str) -> bool:
    """Compare versions; the harness writes them as numbers, so 1 equals 1.0."""
    return one == two or (one.removesuffix(".0") == two.removesuffix(".0"))


def _items(task: TaskResults) -> str:
    ids = task.items["doc_id"]
    return f"{len(ids):,} items (rows {ids[0]} to {ids[-1]})"


def _files(task: TaskResults) -> str | None:
    if not task.files:
        return None
    return ", ".join(f"{name} {digest[:12]}" for name, digest in sorted(task.files.items()))


def _truncated(task: TaskResults) -> str | None:
    return None if task.truncated is None else f"{task.truncated:,} items truncated"
