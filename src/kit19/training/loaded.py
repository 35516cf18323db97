"""What is decided once a model is loaded: whether rows share lines, and how losses are computed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kit19.core.errors import Problem, TrainError
from kit19.training import processes
from kit19.training.arguments import device
from kit19.training.batches import Collate, Lines
from kit19.training.heads import Head, choose_head
from kit19.training.isolation import as_trained, evaluating, why_not_shared, why_twin_not_shared
from kit19.training.models import Base
from kit19.training.run_folder import choose, chosen
from kit19.training.settings import Settings
from kit19.training.tokens import Tokens
from kit19.training.translate import translated
from kit19.training.twin import make_twin, vocabulary_of

_UNTRIED = "whether rows may share a line could not be tried"


@dataclass(frozen=True)
class Decisions:
    """What was decided.

    Attributes:
        own_lines: Why each row has a line of its own; empty where rows may share one.
        head: How losses are computed.
    """

    own_lines: str
    head: Head


def decide(
    model: Any,
    settings: Settings,
    base: Base,
    tokens: Tokens,
    lines: Lines,
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
        lines: The lines that they stand in.
        run: The run's folder.
        begun: Whether the run goes on from a checkpoint.

    Raises:
        TrainError: The run began with shared lines, and now they are found to mix rows; or as
            ``why_not_shared``.
    """
    found = None
    if processes.is_main():
        why = chosen(run).get("own_lines", "")
        shared = begun and not why
        with translated(settings.model or "tiny", "the model fails"):
            why = why or _why_own_lines(model, settings, base, tokens, lines)
            head = _head(model, settings, base, tokens)
        if shared and why:
            fix = "use --restart to begin anew, with each row in its own line"
            raise TrainError(Problem(f"the run began in shared lines, but {why}", str(run), fix))
        choose(run, own_lines=why)
        found = Decisions(why, head)
    decided: Decisions = processes.share(found)
    return decided


def _why_own_lines(model: Any, settings: Settings, base: Base, tokens: Tokens, lines: Lines) -> str:
    if processes.in_pieces():  # one device may not hold the whole model
        why = why_twin_not_shared(settings, base, tokens, lines)
        return _UNTRIED if why is None else why
    with as_trained(model, settings):
        return why_not_shared(model, tokens, lines, Collate(base.tokenizer.pad_token_id))


def _head(model: Any, settings: Settings, base: Base, tokens: Tokens) -> Head:
    row = tokens.row(0)[0]
    if processes.in_pieces():
        twin = make_twin(base.config, settings.attention, trust=base.trust)
        small: Head = "trl"
        if twin is not None:
            small = choose_head(twin, row % vocabulary_of(twin), on_cpu=False)
        return small
    with as_trained(model, settings), evaluating(model):
        head: Head = choose_head(model, row, on_cpu=device() == "cpu")
    return head
