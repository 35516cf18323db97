"""What a training calls at its checkpoints, such as an upload."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, runtime_checkable

from kit19.core.runs import RunRecord


@runtime_checkable
class RunCallback(Protocol):
    """Called during a training, by the main process only. The training waits for it.

    Attributes:
        notes: Added to ``Trained.notes`` at the end.
    """

    notes: list[str]

    def on_start(self, record: RunRecord) -> None:
        """Before the model is loaded. An error that is raised here prevents the training.

        Args:
            record: The record of the run, without steps and metrics.
        """

    def on_checkpoint(self, checkpoint: Path, step: int, total: int) -> None:
        """After a checkpoint is complete. Must not raise for what is no fault of the training.

        Args:
            checkpoint: Its folder: loadable weights or adapter, tokenizer, curves, model card and
                ``run.json``, as in a finished run, and the state of the training.
            step: The steps done.
            total: The steps of the run.
        """

    def on_end(self, run: Path) -> None:
        """After the run is written.

        Args:
            run: The folder of the finished run.
        """
