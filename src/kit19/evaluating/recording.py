"""The record of an evaluation: model, tasks, versions, and cautions."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from kit19.catalog import PromptFormat
from kit19.core.paths import cache_dir
from kit19.core.results import Caution, EvalRecord, Sample, ScoredModel, TaskEntry
from kit19.evaluating import cautions
from kit19.evaluating.generation_cautions import generation_cautions
from kit19.evaluating.options import EvalOptions
from kit19.evaluating.score_cache import ScoreCache

if TYPE_CHECKING:
    from kit19.evaluating.scorer import Kit19LM
    from kit19.evaluating.servers import ServedLM
    from kit19.evaluating.source import BenchmarkFiles
    from kit19.training.model.reference import ModelRef

_VERSIONS = ("kit19", "lm_eval", "peft", "torch", "transformers")


@dataclass(frozen=True)
class EvalRequest:
    """A model of the harness, its origin, and how to evaluate it.

    Attributes:
        scorer: The loaded model, or the one that a server runs.
        scored: What results say about it.
        options: How to evaluate.
        prompt_format: The prompt format; None for raw prompts and the chat template.
        device: ``cpu``, ``cuda`` …, or ``server``.
        hardware: The name of the device; empty for a server.
        cache: The cache of scores; None without one.
    """

    scorer: Kit19LM | ServedLM
    scored: ScoredModel
    options: EvalOptions
    prompt_format: PromptFormat | None
    device: str
    hardware: str
    cache: ScoreCache | None


def request_of_model(
    scorer: Kit19LM, ref: ModelRef, options: EvalOptions, prompt_format: PromptFormat | None
) -> EvalRequest:
    """The evaluation of a loaded model."""
    model = scorer.model
    scored = ScoredModel(
        name=ref.complete.name,
        revision=ref.complete.revision,
        digest=ref.digest(),
        adapter=ref.name if ref.base else "",
        architecture=(model.config.architectures or [type(model).__name__])[0],
        parameters=sum(weights.numel() for weights in model.parameters()),
        dtype=str(model.dtype).removeprefix("torch."),
        context=scorer.max_length,
        run=ref.record,
    )
    may_change = options.trust_remote_code and ref.has_code_elsewhere
    cache = None
    if options.use_cache and not may_change:
        cache = ScoreCache(cache_dir() / "scores", scoring_identity(scorer, ref))
    device = scorer.device.type
    return EvalRequest(scorer, scored, options, prompt_format, device, _hardware(scorer), cache)


def request_of_server(
    scorer: ServedLM, options: EvalOptions, prompt_format: PromptFormat | None
) -> EvalRequest:
    """The evaluation of a model that a server runs, of which only the name is known."""
    scored = ScoredModel(
        name=scorer.endpoint.model,
        revision="",
        digest="",
        adapter="",
        architecture="",
        parameters=0,
        dtype="",
        context=scorer.max_length,
        run=None,
        base_url=scorer.endpoint.base_url,
    )
    return EvalRequest(scorer, scored, options, prompt_format, "server", "", None)


def scoring_identity(scorer: Kit19LM, ref: ModelRef) -> dict[str, Any]:
    """Everything that affects a score besides the tokens."""
    return {
        "model": ref.digest(),
        "dtype": str(scorer.model.dtype),
        "device": _hardware(scorer),
        "versions": {name: version(name) for name in _VERSIONS},
    }


def task_entry(
    name: str,
    task: Any,
    files: BenchmarkFiles | None,
    scorer: Kit19LM | ServedLM,
    results: Mapping[str, Any],
) -> TaskEntry:
    """Describe a scored task: items, files, examples and truncations.

    Args:
        name: The task's name.
        task: The harness's task.
        files: Files of a benchmark that kit19 reads; None for other tasks.
        scorer: The model, after scoring.
        results: The harness's results.
    """
    from kit19.evaluating.splits import scored_split, shots_split  # noqa: PLC0415

    counts = results["n-samples"][name]
    truncations = {cut.doc_id: 0 for cut in scorer.truncations if cut.task == name}
    for cut in scorer.truncations:
        if cut.task == name:
            truncations[cut.doc_id] = max(truncations[cut.doc_id], cut.tokens)
    # The harness keeps a task's own number if it is a fixed 0, whatever the request.
    shots = int(results["n-shot"][name])
    used = [*files.scored, *(files.shots if shots else [])] if files else []
    shown = files.shots_split if files else shots_split(task)
    return TaskEntry(
        version=str(results["versions"][name]),
        split=files.card.scored if files else scored_split(task),
        shots=shots,
        shots_from=shown if shots else "",
        items=counts["original"],
        scored=counts["effective"],
        files={found.name: found.sha256 for found in used},
        truncated=len(truncations),
        tokens_cut=sum(truncations.values()),
    )


def eval_record(
    request: EvalRequest,
    entries: dict[str, TaskEntry],
    samples: Mapping[str, Sequence[Any]],
    more_cautions: Iterable[Caution] = (),
) -> EvalRecord:
    """Everything that kit19 adds to the harness's figures.

    Args:
        request: The model and how it was evaluated.
        entries: The tasks.
        samples: Scored items by task: ``Sample``, or as the harness logs them.
        more_cautions: Cautions of the caller's, in addition to those about model and tasks.
    """
    scorer, options = request.scorer, request.options
    return EvalRecord(
        kit19_version=version("kit19"),
        versions={name: version(name) for name in _VERSIONS},
        model=request.scored,
        format=options.format,
        format_id=request.prompt_format.id if request.prompt_format else "",
        seed=options.seed,
        limit=options.limit,
        sample=options.sample,
        system=options.system or "",
        batch_size=options.batch_size,
        device=request.device,
        hardware=request.hardware,
        tasks=entries,
        fallbacks=dict(sorted(scorer.fallbacks.items())),
        cautions=[*_cautions(request, entries, samples), *more_cautions],
    )


def _cautions(
    request: EvalRequest, entries: Mapping[str, TaskEntry], samples: Mapping[str, Sequence[Any]]
) -> list[Caution]:
    texts = [one.prompt for logged in samples.values() for one in logged if isinstance(one, Sample)]
    reasons = request.scorer.fallbacks
    for_all = request.scorer.fallback if request.scorer.fallback in reasons.values() else ""
    found = cautions.model_cautions(
        request.scored.run,
        has_chat_template=bool(getattr(request.scorer.tokenizer, "chat_template", None)),
        raw=request.options.format == "raw",
        fallback=for_all,
    )
    found += cautions.fallback_cautions(
        {task: reason for task, reason in reasons.items() if reason != for_all}
    )
    if request.scorer.prompts_without_system:
        found.append(cautions.system_turn_caution(request.scorer.prompts_without_system))
    if request.scorer.tokenizer is not None:
        found += cautions.tokenizer_cautions(request.scorer.tokenizer, texts)
    for name, logged in samples.items():
        if name in entries:
            found += cautions.task_cautions(name, entries[name])
        if logged and isinstance(logged[0], Sample):
            found += cautions.answer_cautions(name, logged)
        elif logged and isinstance(logged[0]["filtered_resps"][0], str):
            found += generation_cautions(name, logged)
    return found


def _hardware(scorer: Kit19LM) -> str:
    if scorer.device.type == "cuda":
        import torch  # noqa: PLC0415

        return str(torch.cuda.get_device_name(scorer.device))
    return platform.processor() or platform.machine()
