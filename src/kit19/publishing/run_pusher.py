"""Publishes a training run while it is trained: each checkpoint, then the finished run."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

from kit19.catalog import CatalogLike, load_catalog
from kit19.core.errors import Kit19Error, first_line
from kit19.core.runs import RunRecord
from kit19.publishing.pushing import Pushed, check_new_run, push
from kit19.publishing.terms import Accepted

_NOT_LOADABLE = "only the finished run is pushed: its checkpoints hold {} that nobody could load"


def _ignore(_message: str) -> None:
    pass


class RunPusher:
    """A callback of ``kit19.train`` that pushes each checkpoint, and the finished run, to the Hub.

    Checkpoints are commits of the main branch, without the state of the optimizer. A push that fails
    does not stop the training: it is a note, and the next checkpoint, or the end, pushes again.

    Args:
        repo_id: ``owner/name``; created at the first checkpoint if it does not exist.
        private: Create a new repository as private. A repository that is already public is refused.
        accept: Properties to accept, as for ``kit19.push``.
        catalog: A folder of cards to add to kit19's own, or a loaded catalog.
        on_failure: Called at once with a sentence about each push of a checkpoint that failed.

    Attributes:
        notes: A sentence about each push that failed, and about checkpoints that are not pushed.
        pushed: The last push that succeeded; None before.
        error: Why the last push failed; None if it succeeded.
    """

    def __init__(
        self,
        repo_id: str,
        *,
        private: bool = False,
        accept: Accepted | Collection[Accepted] = (),
        catalog: CatalogLike = None,
        on_failure: Callable[[str], None] = _ignore,
    ) -> None:
        self.repo_id, self.private, self.accept = repo_id, private, accept
        self.catalog, self.on_failure = load_catalog(catalog), on_failure
        self.notes: list[str] = []
        self.pushed: Pushed | None = None
        self.error: Kit19Error | None = None
        self._title = ""
        self._unloadable = ""

    def on_start(self, record: RunRecord) -> None:
        """Check everything that ``kit19 push`` checks and that is known before the first step.

        Raises:
            OutputError: The run may not be published, the repository has other data, there is no
                token, or the Hub cannot be reached.
        """
        check_new_run(
            record, self.repo_id, private=self.private, accept=self.accept, catalog=self.catalog
        )
        self._title = f"kit19 {record.kit19_version}: {record.base.name}, {record.method}"
        if record.method == "lora" and record.settings["lora"]["variant"] == "pissa":
            self._unloadable = "an adapter (PiSSA) for other weights than the base model's"

    def on_checkpoint(self, checkpoint: Path, step: int, total: int) -> None:
        """Push a checkpoint, if it holds weights that can be loaded."""
        if not any(checkpoint.glob("*.safetensors")):
            self._unloadable = "sharded weights"
        if self._unloadable:
            note = _NOT_LOADABLE.format(self._unloadable)
            self.notes += [] if note in self.notes else [note]
            return
        self._push(checkpoint, f"after step {step}", f"{self._title}, step {step} of {total}")
        if self.error:
            self.on_failure(self.notes[-1])

    def on_end(self, run: Path) -> None:
        """Push the finished run, as ``kit19 push`` does."""
        self._push(run, "of the finished run")

    def _push(self, folder: Path, which: str, message: str = "") -> None:
        try:
            self.pushed = push(
                folder,
                self.repo_id,
                private=self.private,
                message=message,
                accept=self.accept,
                catalog=self.catalog,
            )
            self.error = None
        except (Kit19Error, OSError) as error:
            failed = error if isinstance(error, Kit19Error) else Kit19Error(first_line(error))
            self.error = failed
            self.notes.append(f"the push {which} failed: {first_line(failed)}")
