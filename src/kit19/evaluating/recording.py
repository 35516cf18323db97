"""What an evaluation writes down: who was asked what, with which versions, and what to mind."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from itertools import starmap
from typing import TYPE_CHECKING, Any

from kit19.catalog import PromptFormat
from kit19.core.results import Caution, EvalRecord, Sample, ScoredModel, TaskEntry
from kit19.evaluating import cautions as say
from kit19.evaluating.options import EvalOptions

if TYPE_CHECKING:
    from kit19.evaluating.bring import ResolvedModel
    from kit19.evaluating.scorer import SharedLM
    from kit19.evaluating.source import BenchmarkFiles

_VERSIONS = ("kit19", "lm_eval", "peft", "torch", "transformers")


@dataclass(frozen=True)
class Asked:
    """A loaded model, where it comes from, and how it is asked.

    ``prompt_format`` is None where prompts are raw or in the chat template.
    """

    scorer: SharedLM
    brought: ResolvedModel
    options: EvalOptions
    prompt_format: PromptFormat | None


def identity(scorer: SharedLM, brought: ResolvedModel) -> dict[str, Any]:
    """All that decides a score besides the tokens."""
    return {
        "model": brought.digest,
        "dtype": str(scorer.model.dtype),
        "device": _hardware(scorer),
        "versions": {name: version(name) for name in _VERSIONS},
    }


def entry_of(
    name: str, task: Any, files: BenchmarkFiles | None, scorer: SharedLM, results: Mapping[str, Any]
) -> TaskEntry:
    """What a task was scored on, and what of its prompts was cut.

    Args:
        name: The task's name.
        task: The harness's task.
        files: Of a benchmark that kit19 reads itself; None for other tasks.
        scorer: The model, after scoring.
        results: What the harness returned.
    """
    from kit19.evaluating.task_files import scored_split, shots_split  # noqa: PLC0415

    counts = results["n-samples"][name]
    cuts = {cut.doc_id: 0 for cut in scorer.cuts if cut.task == name}
    for cut in scorer.cuts:
        if cut.task == name:
            cuts[cut.doc_id] = max(cuts[cut.doc_id], cut.tokens)
    # The harness leaves a task's own number alone where it is a fixed 0, whatever was asked for.
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
        truncated=len(cuts),
        tokens_cut=sum(cuts.values()),
    )


def record_of(
    asked: Asked,
    entries: dict[str, TaskEntry],
    samples: Mapping[str, Sequence[Any]],
    not_finite: Iterable[tuple[str, str]] = (),
) -> EvalRecord:
    """All that kit19 writes beside the harness's figures.

    Args:
        asked: What was asked of what.
        entries: The tasks.
        samples: Scored items by task: ``Sample``, or as the harness logs them.
        not_finite: (task, metric) of figures that are NaN or infinite.
    """
    scorer, brought, options = asked.scorer, asked.brought, asked.options
    model = scorer.model
    return EvalRecord(
        kit19_version=version("kit19"),
        versions={name: version(name) for name in _VERSIONS},
        model=ScoredModel(
            name=brought.name,
            revision=brought.revision,
            digest=brought.digest,
            adapter=brought.adapter_name,
            architecture=(model.config.architectures or [type(model).__name__])[0],
            parameters=sum(weights.numel() for weights in model.parameters()),
            dtype=str(model.dtype).removeprefix("torch."),
            context=scorer.max_length,
            run=brought.run,
        ),
        format=options.format,
        format_id=asked.prompt_format.id if asked.prompt_format else "",
        seed=options.seed,
        limit=options.limit,
        sample=options.sample,
        system=options.system or "",
        batch_size=options.batch_size,
        device=scorer.device.type,
        hardware=_hardware(scorer),
        tasks=entries,
        fallbacks=dict(sorted(scorer.fallbacks.items())),
        cautions=[
            *_cautions(asked, entries, samples),
            *starmap(say.caution_of_figure, not_finite),
        ],
    )


def _cautions(
    asked: Asked, entries: Mapping[str, TaskEntry], samples: Mapping[str, Sequence[Any]]
) -> list[Caution]:
    texts = [one.prompt for logged in samples.values() for one in logged if isinstance(one, Sample)]
    found = say.cautions_of_model(
        asked.brought.run,
        has_chat_template=bool(getattr(asked.scorer.tokenizer, "chat_template", None)),
        raw=asked.options.format == "raw",
        fallback=asked.scorer.fallback,
    )
    if not asked.scorer.fallback:
        found += say.cautions_of_fallbacks(asked.scorer.fallbacks)
    if asked.scorer.without_system:
        found.append(say.caution_of_system(asked.scorer.without_system))
    found += say.cautions_of_tokenizer(asked.scorer.tokenizer, texts)
    for name, logged in samples.items():
        if name in entries:
            found += say.cautions_of_task(name, entries[name])
        if logged and isinstance(logged[0], Sample):
            found += say.cautions_of_answers(name, logged)
        elif logged and isinstance(logged[0]["filtered_resps"][0], str):
            found += say.cautions_of_outputs(name, logged)
    return found


def _hardware(scorer: SharedLM) -> str:
    if scorer.device.type == "cuda":
        import torch  # noqa: PLC0415

        return str(torch.cuda.get_device_name(scorer.device))
    return platform.processor() or platform.machine()
