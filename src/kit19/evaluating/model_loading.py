"""Loads the model that is scored, and gives it the prompts of its training."""

from __future__ import annotations

from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from kit19.catalog import PromptFormat, load_catalog
from kit19.core.errors import ModelError, Problem
from kit19.core.runs import RunRecord
from kit19.evaluating.options import EvalOptions

if TYPE_CHECKING:
    from kit19.evaluating.scorer import Kit19LM
    from kit19.training.model.reference import ModelRef

# transformers replaces torch's default dtype and initializers while it loads a model.
_LOADING = Lock()


def choose_prompt_format(
    options: EvalOptions, model: str, run: RunRecord | None
) -> PromptFormat | None:
    """The prompt format of an ``instruction`` evaluation; None for other formats.

    Args:
        options: The options of the evaluation.
        model: The model's name, for errors.
        run: Its training run, whose format is the default.

    Raises:
        ModelError: The format is unknown, or the model was trained with its chat template.
    """
    if options.format != "instruction":
        return None
    if options.prompt_format:
        chosen = load_catalog().prompt_format(options.prompt_format)
    elif run is not None:
        chosen = PromptFormat.model_validate(run.format)
    else:
        what = "is not a kit19 training run, so its prompt format is unknown"
        fix = "name one: --prompt-format alpaca, koalpaca, kullm, or your own YAML file"
        raise ModelError(Problem(what, model, fix))
    if chosen.chat:
        fix = "use --format chat"
        raise ModelError(Problem("was trained with the chat template", model, fix))
    return chosen


def load_scorer(ref: ModelRef, options: EvalOptions) -> Kit19LM:
    """Load a model for the harness.

    Raises:
        ModelError: The model cannot be loaded, or its weights are incomplete.
    """
    import lm_eval.models  # noqa: F401, PLC0415  registers the harness's model types before ours

    from kit19.evaluating.scorer import Kit19LM  # noqa: PLC0415
    from kit19.training.model.device import device  # noqa: PLC0415
    from kit19.training.model.loading import check_complete  # noqa: PLC0415
    from kit19.training.model_errors import convert_model_errors  # noqa: PLC0415

    fix = ""
    if not options.trust_remote_code and "auto_map" in _config(ref.complete.folder):
        fix = "a model with its own code needs --trust-remote-code"
    check_complete(
        str(ref.complete.folder), ModelError, trust_remote_code=bool(options.trust_remote_code)
    )
    with _LOADING, convert_model_errors(ref.name, "cannot be loaded", fix, ModelError):
        return Kit19LM(
            pretrained=str(ref.complete.folder),
            peft=str(ref.folder) if ref.base else None,
            tokenizer=str(ref.tokenizer),
            batch_tokens=options.batch_tokens,
            batch_size=options.batch_size or 1,
            device=options.device or device(),
            dtype=options.dtype,
            trust_remote_code=options.trust_remote_code,
            use_safetensors=None if options.allow_pickle else True,
        )


def _config(folder: Path) -> str:
    return (folder / "config.json").read_text(encoding="utf-8")


def use_format(
    scorer: Kit19LM,
    options: EvalOptions,
    ref: ModelRef,
    prompt_format: PromptFormat | None,
) -> None:
    """Use the prompts of training for a prompt format, and for runs trained with a chat template."""
    from kit19.evaluating.formats import (  # noqa: PLC0415
        require_chat_template,
        require_system_turn,
        use_training_prompts,
    )
    from kit19.training.rows.prompts import end_ids_of, prompts_of_run  # noqa: PLC0415

    chosen, run = prompt_format, ref.record
    if options.format == "chat" and run is not None and run.format.get("chat"):
        chosen = PromptFormat.model_validate(run.format)
    if chosen is not None:
        stops = end_ids_of(scorer.model.generation_config)
        prompts = prompts_of_run(scorer.tokenizer, chosen, run, stops)
        use_training_prompts(scorer, prompts)
    if options.format == "chat":
        require_chat_template(scorer)
    if options.system and options.format != "raw":
        require_system_turn(scorer, options.system)
