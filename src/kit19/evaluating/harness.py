"""Running the harness over loaded tasks."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from lm_eval.defaults import DEFAULT_OTHER_SEED, DEFAULT_RANDOM_SEED
from lm_eval.evaluator import evaluate

from kit19.evaluating.conversations import answer_in_turns
from kit19.evaluating.generation_cautions import FINISH
from kit19.evaluating.options import EvalOptions
from kit19.evaluating.task_files import LoadedTasks


def run_harness(scorer: Any, tasks: LoadedTasks, options: EvalOptions) -> dict[str, Any]:
    """Score tasks; no setting applies that the user did not choose.

    This is the harness's ``simple_evaluate`` for a loaded model and loaded tasks, without its queries
    of git and the system: they take seconds, git complains outside of a repository, and results
    contain neither.

    Args:
        scorer: A model of the harness.
        tasks: The tasks. Their numbers of examples are set to those requested.
        options: How to evaluate.

    Returns:
        The harness's results; empty in a process that does not collect them.
    """
    loaded = tasks.manager.load(tasks.runs)
    for task in loaded["tasks"].values():
        _set_shots(task, options)
    # As the harness does: tasks and models of others may draw from these generators.
    random.seed(DEFAULT_RANDOM_SEED)
    np.random.seed(DEFAULT_OTHER_SEED)
    torch.manual_seed(DEFAULT_OTHER_SEED)
    with answer_in_turns(scorer, options.system):
        results = evaluate(
            lm=scorer,
            task_dict=loaded,
            limit=options.limit,
            apply_chat_template=options.format != "raw",
            fewshot_as_multiturn=options.format == "chat",
            system_instruction=options.system,
        )
    for name, samples in (results or {}).get("samples", {}).items():
        _add_finish_reasons(scorer, name, samples)
    return results or {}


def _add_finish_reasons(scorer: Any, task: str, samples: Sequence[dict[str, Any]]) -> None:
    """Add to each logged sample why its answers ended, one for every request."""
    known = getattr(scorer, "ends", {})  # other model types of the harness have none
    for sample in samples:
        places = range(len(sample["resps"]))
        ends = [known.get((task, sample["doc_id"], place)) for place in places]
        if all(ends):
            sample[FINISH] = ["length" if end == "length" else "stop" for end in ends]


def _set_shots(task: Any, options: EvalOptions) -> None:
    """Set the number of examples and their seed, by the harness's rule: a task's own 0 stays."""
    own = task.config.num_fewshot
    if options.shots is None:
        task.set_config(key="num_fewshot", value=own or 0)
    elif own != 0:
        task.set_config(key="num_fewshot", value=options.shots)
    task.set_fewshot_seed(seed=options.seed)
