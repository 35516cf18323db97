"""In what results differ that should be alike."""

from __future__ import annotations

from collections.abc import Iterator

from kit19.comparing.result import Unfair
from kit19.comparing.scored import Scored, ScoredTask


def unfair_aspects(base: Scored, other: Scored) -> Iterator[Unfair]:
    """Everything that makes ``other``'s scores no fair match for ``base``'s.

    What one side does not record is not held against it.
    """
    missing = [sorted(set(a.tasks) - set(b.tasks)) for a, b in ((base, other), (other, base))]
    if missing[0] or missing[1]:
        named = [f"also {', '.join(one)}" if one else "no other" for one in missing]
        yield Unfair(
            model=other.name, task="", aspect="tasks", base_has=named[0], model_has=named[1]
        )
    for aspect, ours, theirs in (
        ("asked", base.asked, other.asked),
        ("dtype", base.dtype, other.dtype),
    ):
        if ours and theirs and ours != theirs:
            yield Unfair(model=other.name, task="", aspect=aspect, base_has=ours, model_has=theirs)
    for task in sorted(set(base.tasks) & set(other.tasks)):
        for aspect, ours, theirs, stops in _of_task(base, other, task):
            yield Unfair(
                model=other.name,
                task=task,
                aspect=aspect,
                base_has=ours,
                model_has=theirs,
                stops=stops,
            )


def _of_task(base: Scored, other: Scored, task: str) -> Iterator[tuple[str, str, str, bool]]:
    one, two = base.tasks[task], other.tasks[task]
    if not one.items["doc_id"].equals(two.items["doc_id"]):
        yield "items", _items(one), _items(two), True
        return
    if not one.items["gold"].equals(two.items["gold"]):
        differ = int((one.items["gold"] != two.items["gold"]).sum())
        yield "gold", "its own answers", f"others for {differ:,} items", True
        return
    plain = {
        "version": (one.version, two.version),
        "shots": (str(one.shots), str(two.shots)),
        "shots_from": (one.shots_from, two.shots_from),
        "files": (_files(one), _files(two)),
        "truncated": (_cut(one), _cut(two)),
    }
    if base.record and other.record and one.shots and one.shots == two.shots:
        plain["seed"] = (str(base.record.seed), str(other.record.seed))
    for aspect, (ours, theirs) in plain.items():
        if ours and theirs and not _same_version(ours, theirs):
            yield aspect, ours, theirs, False
    if base.asked == other.asked and one.shots == two.shots:
        differ = int((one.items["prompt"] != two.items["prompt"]).sum())
        if differ:
            yield (
                "prompts",
                "its own",
                f"others for {differ:,} of {one.items.height:,} items",
                False,
            )


def _same_version(one: str, two: str) -> bool:
    """The harness writes a version as a number: 1 and 1.0 are one version."""
    return one == two or (one.removesuffix(".0") == two.removesuffix(".0"))


def _items(task: ScoredTask) -> str:
    ids = task.items["doc_id"]
    return f"{len(ids):,} items (rows {ids[0]} to {ids[-1]})"


def _files(task: ScoredTask) -> str | None:
    if not task.files:
        return None
    return ", ".join(f"{name} {digest[:12]}" for name, digest in sorted(task.files.items()))


def _cut(task: ScoredTask) -> str | None:
    return None if task.truncated is None else f"{task.truncated:,} items cut"
