"""Connecting to a model on a server: its tokenizer, its window, and what the server can give."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kit19.calling.client import Client
from kit19.calling.endpoint import make_endpoint
from kit19.catalog import PromptFormat
from kit19.core.errors import ModelError, Problem, TrainError
from kit19.evaluating.formats import PromptEncoder
from kit19.evaluating.options import EvalOptions
from kit19.evaluating.servers import ServedLM, find_window, require_logprobs
from kit19.evaluating.task_files import LoadedTasks
from kit19.training.model.loading import read_tokenizer
from kit19.training.rows.prompts import make_prompts

_GENERATED = "generate_until"


def connect(
    model: str, options: EvalOptions, tasks: LoadedTasks, prompt_format: PromptFormat | None
) -> ServedLM:
    """Connect to a model on a server, and check what the tasks need of it.

    Args:
        model: Its name on the server.
        options: How to evaluate.
        tasks: The tasks.
        prompt_format: The prompt format of ``instruction``.

    Raises:
        ModelError: The server cannot be reached, has no such model, or cannot give what a task needs.
            The tokenizer cannot be read. An option is for loaded models only.
    """
    _refuse_local_options(options)
    endpoint = make_endpoint(options.base_url, model, options.key_env)
    client = Client(endpoint, retries=2)
    scored = any(task.OUTPUT_TYPE != _GENERATED for task in tasks.tasks.values())
    needs_tokens = scored or options.format != "chat"
    tokenizer: Any = None
    if needs_tokens or options.tokenizer:
        tokenizer = _find_tokenizer(options.tokenizer or model, options)
    window = find_window(client, tokenizer)
    if scored:
        if options.format == "chat" and not tokenizer.chat_template:
            fix = "name one that has it: --tokenizer; or use --format raw"
            raise ModelError(Problem("the tokenizer has no chat template", model, fix))
        require_logprobs(client, tokenizer)
    served = ServedLM(
        endpoint,
        tokenizer,
        window=window,
        batch_size=options.batch_size or 1,
        concurrency=options.concurrency,
    )
    if prompt_format is not None:
        served.use_prompts(PromptEncoder(make_prompts(tokenizer, prompt_format)))
    return served


def _refuse_local_options(options: EvalOptions) -> None:
    """Refuse options that a server would ignore.

    Raises:
        ModelError: One is set.
    """
    given = {
        "--peft": options.adapter,
        "--device": options.device,
        "--dtype": None if options.dtype == "auto" else options.dtype,
        "--batch-tokens": options.batch_tokens,
        "--allow-pickle": options.allow_pickle or None,
    }
    named = [name for name, value in given.items() if value is not None]
    if named:
        what = f"{', '.join(named)}: the server decides this"
        raise ModelError(Problem(what, options.base_url, "leave it out with --base-url"))


def _find_tokenizer(name: str, options: EvalOptions) -> Any:
    place, _, revision = (name, "", "") if Path(name).is_dir() else name.partition("@")
    try:
        return read_tokenizer(place, revision or options.revision, trust=options.trust_remote_code)
    except TrainError as error:
        fix = "name the model's tokenizer: --tokenizer FOLDER or owner/name"
        raise ModelError(Problem(error.problems[0].what, name, fix)) from None
