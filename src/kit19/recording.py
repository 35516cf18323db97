"""What an evaluation writes down: who was asked what, with which versions, and what to mind."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from kit19.catalog import PromptFormat
from kit19.evaluate import cautions as say
from kit19.evaluate.options import EvalOptions
from kit19.results import Caution, EvalRecord, Sample, ScoredModel, TaskEntry

if TYPE_CHECKING:
    from kit19.evaluate.bring import Brought
    from kit19.evaluate.scorer import SharedLM
    from kit19.evaluate.source import BenchmarkFiles

_VERSIONS = ("kit19", "lm_eval", "peft", "torch", "transformers")


@dataclass(frozen=True)
class Asked:
    """A loaded model, where it comes from, and how it is asked.

    ``prompt_format`` is None where prompts are raw or in the chat template.
    """

    scorer: SharedLM
    brought: Brought
    options: EvalOptions
    prompt_format: PromptFormat | None


def identity(scorer: SharedLM, brought: Brought) -> dict[str, Any]:
    """All that decides a score besides the tokens."""
    return {
        "model": brought.digest,
        "dtype": str(scorer.model.dtype),
        "device": _hardware(scorer),
        "versions": {name: version(name) for name in _VERSIONS},
    }


def entry_of(
    name: str, files: BenchmarkFiles, asked: Asked, results: Mapping[str, Any]
) -> TaskEntry:
    """What a task was scored on, and what of its prompts was cut."""
    scorer, options = asked.scorer, asked.options
    counts = results["n-samples"][name]
    cuts = {cut.doc_id: 0 for cut in scorer.cuts if cut.task == name}
    for cut in scorer.cuts:
        if cut.task == name:
            cuts[cut.doc_id] = max(cuts[cut.doc_id], cut.tokens)
    used = [*files.scored, *(files.shots if options.shots else [])]
    return TaskEntry(
        version=str(results["versions"][name]),
        split=files.card.scored,
        shots=options.shots,
        shots_from=files.shots_split if options.shots else "",
        items=counts["original"],
        scored=counts["effective"],
        files={found.name: found.sha256 for found in used},
        truncated=len(cuts),
        tokens_cut=sum(cuts.values()),
    )


def record_of(
    asked: Asked, entries: dict[str, TaskEntry], samples: Mapping[str, Sequence[Any]]
) -> EvalRecord:
    """All that kit19 writes beside the harness's figures.

    Args:
        asked: What was asked of what.
        entries: The tasks of kit19's own.
        samples: Scored items by task: ``Sample``, or as the harness logs them.
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
        device=scorer.device.type,
        hardware=_hardware(scorer),
        tasks=entries,
        cautions=_cautions(asked, entries, samples),
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
