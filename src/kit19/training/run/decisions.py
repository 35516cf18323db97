"""What is decided once a model is loaded: whether rows share lines, and how losses are computed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kit19.core.errors import Problem, TrainError
from kit19.training import processes
from kit19.training.model.base import Base
from kit19.training.model.device import device
from kit19.training.model.isolation import (
    evaluation_mode,
    in_training_precision,
    why_not_pack,
    why_not_pack_by_config,
)
from kit19.training.model.loss_method import LossMethod, choose_loss_method
from kit19.training.model.twin import make_twin, vocabulary_of
from kit19.training.model_errors import convert_model_errors
from kit19.training.rows.batches import Collate, Sequences
from kit19.training.rows.tokens import Tokens
from kit19.training.run.folder import choose, chosen
from kit19.training.settings import Settings

_UNTRIED = "whether rows may share a line could not be tried"


@dataclass(frozen=True)
class Decisions:
    """What was decided.

    Attributes:
        unpacked_because: Why each row has a line of its own; empty where rows may share one.
        head: How losses are computed.
    """

    unpacked_because: str
    head: LossMethod


def decide(
    model: Any,
    settings: Settings,
    base: Base,
    tokens: Tokens,
    sequences: Sequences,
    run: Path,
    *,
    begun: bool,
) -> Decisions:
    """Try the loaded model on rows of the run.

    The main process decides for all. Whether rows share lines stays with the run: one that goes on from
    a checkpoint trains in the layout that it began in.

    Args:
        model: With its weights; it goes to the device of training.
        settings: Those to train with.
        base: The model's configuration and tokenizer.
        tokens: Rows to train on.
        sequences: The lines that they stand in.
        run: The run's folder.
        begun: Whether the run goes on from a checkpoint.

    Raises:
        TrainError: The run began with shared lines, and now they are found to mix rows; or as
            ``why_not_pack``.
    """
    found = None
    if processes.is_main():
        why = chosen(run).get("unpacked_because", "")
        shared = begun and not why
        with convert_model_errors(settings.model or "tiny", "the model fails"):
            why = why or _why_own_lines(model, settings, base, tokens, sequences)
            head = _head(model, settings, base, tokens)
        if shared and why:
            fix = "use --restart to begin anew, with each row in its own line"
            raise TrainError(Problem(f"the run began in shared lines, but {why}", str(run), fix))
        choose(run, unpacked_because=why)
        found = Decisions(why, head)
    decided: Decisions = processes.share(found)
    return decided


def _why_own_lines(
    model: Any, settings: Settings, base: Base, tokens: Tokens, sequences: Sequences
) -> str:
    if processes.is_sharded():  # one device may not hold the whole model
        why = why_not_pack_by_config(settings, base, tokens, sequences)
        return _UNTRIED if why is None else why
    with in_training_precision(model, settings):
        return why_not_pack(model, tokens, sequences, Collate(base.tokenizer.pad_token_id))


def _head(model: Any, settings: Settings, base: Base, tokens: Tokens) -> LossMethod:
    row = tokens.row(0)[0]
    if processes.is_sharded():
        twin = make_twin(base.config, settings.attn_implementation, trust=base.trust)
        small: LossMethod = "trl"
        if twin is not None:
            small = choose_loss_method(twin, row % vocabulary_of(twin), on_cpu=False)
        return small
    with in_training_precision(model, settings), evaluation_mode(model):
        head: LossMethod = choose_loss_method(model, row, on_cpu=device() == "cpu")
    return head
