"""The demo: build rows, train a small model on them, and show what it learned.

``train_demo`` writes two model folders that can be evaluated: the model before its first step, and the
run.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kit19.building.pipeline import build
from kit19.comparing import Comparison, compare
from kit19.core.arguments import OnProgress, silent
from kit19.core.errors import FilesError
from kit19.demo.gains import Gain, find_gains
from kit19.demo.sample_build import TRAINED_SUBSETS
from kit19.evaluating.pipeline import evaluate
from kit19.training import load_preset
from kit19.training.pipeline import Trained, train
from kit19.training.preparation import TrainOptions, prepare, silence_libraries, use_threads
from kit19.training.requirements import require_training

if TYPE_CHECKING:
    from kit19.demo.before_after import DemoAnswers
    from kit19.demo.held_out_loss import LossChange
    from kit19.training.rows.files import RowSource

_SAMPLE: dict[str, Any] = {"validation": 100, "views": 4, "cap": 3_000}
_SAMPLE_TRAINING = {"max_steps": 300, "eval_steps": 100, "save_steps": 300, "best": False}
"""The last weights: after 100 steps the held-out loss rises where answers get better all the same."""
_SAMPLE_CARDS = Path(__file__).parent / "cards"
_REAL: dict[str, Any] = {"validation": 500, "cap": 30_000}
_REAL_TRAINING = {"max_steps": 800}


@dataclass(frozen=True)
class DemoTraining:
    """A small model before and after its training.

    Attributes:
        rows: The folder of the build that the model was trained on.
        real: Its subsets of real upstream files; empty for the sample.
        before: The folder of the model before its first step.
        run: The result of the training.
        untrained: Its answers before.
        trained: Its answers after.
        loss: Its loss on held-out rows, before and after; None without such rows.
        train: The rows that it was trained on.
    """

    rows: Path
    real: list[str]
    before: Path
    run: Trained
    untrained: DemoAnswers
    trained: DemoAnswers
    loss: LossChange | None
    train: RowSource

    def to_dict(self) -> dict[str, Any]:
        """Return folders, subsets, seconds and scores as a JSON-serializable dict."""
        return {
            "before": str(self.before),
            "run": str(self.run.folder),
            "real": self.real,
            "seconds": round(self.run.seconds, 1),
            "loss": self.loss and self.loss.to_dict(),
            "scores": {
                name: {one.name: one.to_dict() for one in answers.scores}
                for name, answers in (("before", self.untrained), ("after", self.trained))
            },
        }


def train_demo(
    out: Path,
    data_dir: Path | None = None,
    on_progress: OnProgress = silent,
) -> DemoTraining:
    """Train the preset ``tiny`` on ``TRAINED_SUBSETS``, and score it before and after.

    Args:
        out: A folder for ``rows``, ``before`` and ``run``; results of an earlier call are replaced.
        data_dir: Upstream files, if they are there; None for the sample.
        on_progress: Called with progress.

    Raises:
        Kit19Error: As ``build`` and ``train``.
    """
    require_training()
    real = _build(out / "rows", data_dir, on_progress)
    settings = load_preset("tiny", _REAL_TRAINING if real else _SAMPLE_TRAINING)
    run = train(out / "rows", out / "run", settings, restart=True, on_progress=on_progress)
    # torch is loaded by now
    from kit19.demo.before_after import save_untrained, score_model  # noqa: PLC0415
    from kit19.demo.held_out_loss import loss_change  # noqa: PLC0415

    before = out / "before"
    with silence_libraries(), use_threads(1):
        on_progress("answers before and after", 0, 1)
        prepared = prepare(out / "rows", settings, TrainOptions(), on_progress)
        save_untrained(settings, prepared.base, prepared.prompts, before)
        untrained, trained = (score_model(folder, prepared) for folder in (before, out / "run"))
    loss = loss_change(untrained.losses, trained.losses)
    train_rows = prepared.data.train
    return DemoTraining(
        out / "rows", real, before, run, untrained, trained, loss=loss, train=train_rows
    )


def evaluate_demo(
    shown: DemoTraining, out: Path, on_progress: OnProgress = silent
) -> tuple[Comparison, list[Gain]]:
    """Score the model before and after on the sample's benchmarks, and compare the two.

    Args:
        shown: The two models.
        out: A folder for ``results`` and ``report``; results of an earlier call are replaced.
        on_progress: Called with progress.

    Returns:
        The comparison, and the benchmarks on which the model became significantly better.

    Raises:
        Kit19Error: As ``evaluate`` and ``compare``.
    """
    folders = {"before": shown.before, "after": shown.run.folder}
    with use_threads(1):
        for name, folder in folders.items():
            evaluate(
                folder,
                out / "results" / name,
                format="instruction",  # the format of its training, for both models
                prompt_format=str(shown.run.record.format["id"]),
                data_dir="sample",
                use_cache=False,
                device="cpu",
                dtype="float32",
                on_progress=on_progress,
            )
    named = [f"{name}={out / 'results' / name}" for name in folders]
    compared = compare(named, on_progress=on_progress)
    compared.write(out / "report")
    return compared, find_gains(compared, out / "results" / "after", shown.train)


def _build(rows: Path, data_dir: Path | None, on_progress: OnProgress) -> list[str]:
    """Build the training rows; return the subsets of real files, or none for the sample."""
    subsets = list(TRAINED_SUBSETS)
    if data_dir is not None:
        try:
            manifest = build(
                "kit19",
                rows,
                data_dir=data_dir,
                partial=True,
                changes={"subsets": subsets, **_REAL},
                on_progress=on_progress,
            )
        except FilesError:  # none of the files is there
            if not data_dir.is_dir():
                raise
        else:
            return list(manifest.subsets)
    changes = {"subsets": subsets, **_SAMPLE}
    build("sample", rows, catalog=_SAMPLE_CARDS, changes=changes, on_progress=on_progress)
    return []
