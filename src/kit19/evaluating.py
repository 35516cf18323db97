"""The run of an evaluation: find the model and the benchmarks, score, write what came out.

    tasks named ──► benchmark files verified ──► model found ──► loaded ──► scored ──► results folder

Everything that can be wrong is looked for before the model is loaded, since loading takes long.
"""

from __future__ import annotations

import importlib.util
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from kit19.catalog import PromptFormat, load_catalog
from kit19.errors import FilesError, Kit19Error, ModelError, Problem, UnknownNameError, nearest
from kit19.evaluate import TASKS, own_tasks
from kit19.paths import cache_dir
from kit19.results import NAME, EvalRecord, Format, ScoredModel, TaskEntry
from kit19.write.place import replacing

if TYPE_CHECKING:
    from kit19.evaluate.bring import Brought
    from kit19.evaluate.scorer import SharedLM
    from kit19.evaluate.source import BenchmarkFiles

_LAYER = ("torch", "transformers", "lm_eval", "accelerate", "peft")
_VERSIONS = ("kit19", "lm_eval", "peft", "torch", "transformers")
SEED = 1234
"""The harness's own seed for drawing examples."""


@dataclass(frozen=True)
class EvalOptions:
    """How to evaluate.

    Attributes:
        tasks: Names of kit19's tasks, or of the harness's; default: kit19's seven.
        shots: Examples before each question.
        format: ``raw`` prompts, the training prompt (``instruction``), or the chat template.
        prompt_format: For ``instruction``: a format's name or file; default: the run's own.
        data_dir: Where benchmark files lie; default as everywhere.
        sample: Score kit19's own small sample of the benchmarks instead.
        limit: At most so many items of each task.
        batch_tokens: Tokens in a batch; default by device.
        device: ``cpu``, ``cuda``, ``cuda:1``, ``mps``; default: what is there.
        dtype: ``auto`` (the model's own), ``float32``, ``bfloat16``, ``float16``.
        revision: Of a model on the Hub.
        adapter: A PEFT adapter to put on the model.
        trust_remote_code: Let the model bring code of its own.
        pickled: Load weights in torch's pickle format too.
        seed: Of the draw of examples.
        remember: Keep scores in the cache, and use what is there.
    """

    tasks: tuple[str, ...] = ()
    shots: int = 0
    format: Format = "raw"
    prompt_format: str | None = None
    data_dir: Path | None = None
    sample: bool = False
    limit: int | None = None
    batch_tokens: int | None = None
    device: str | None = None
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    revision: str | None = None
    adapter: str | None = None
    trust_remote_code: bool = False
    pickled: bool = False
    seed: int = SEED
    remember: bool = True


@dataclass(frozen=True)
class Evaluation:
    """What came out: the harness's figures by task, and what kit19 adds."""

    figures: dict[str, dict[str, Any]]
    record: EvalRecord = field(repr=False)


def evaluate_model(
    model: str | Path,
    out: str | Path,
    options: EvalOptions | None = None,
    on_step: Callable[[str, int, int], None] = lambda _what, _done, _total: None,
) -> Evaluation:
    """Score a causal language model on Korean benchmarks, and write a results folder.

    Killed and started again, it goes on from the batches that were scored.

    Args:
        model: A folder (a training run of kit19's, any model or adapter of transformers), or an id on
            the Hub.
        out: The results folder: ``results.json`` and ``samples_<task>.jsonl``. An earlier one there is
            replaced when the new one is whole.
        options: How to evaluate.
        on_step: Told what is being done, and requests done and in all.

    Raises:
        UnknownNameError: A task that neither kit19 nor the harness has.
        FilesError: Benchmark files are missing or altered; all are listed.
        ModelError: The model cannot be had, loaded or scored.
        OutputError: The results cannot be written.
    """
    options = options or EvalOptions()
    require_layer()
    on_step("checking files", 0, 0)
    files = _find_all(options)
    manager = _task_manager(options)
    from kit19.evaluate.bring import bring_model  # noqa: PLC0415  loads the Hub's client

    on_step("finding the model", 0, 0)
    brought = bring_model(str(model), options.revision, options.adapter, pickled=options.pickled)
    asked_in = _prompt_format(options, brought)
    on_step("loading the model", 0, 0)
    scorer = _load(brought, options)
    if asked_in:
        _set_format(scorer, asked_in)
    scorer.on_progress = lambda done, total: on_step("scoring", done, total)
    results, tasks = _score(scorer, manager, options, brought)
    if scorer.rank != 0:  # one process of several writes
        return Evaluation({}, _record(scorer, brought, options, asked_in, {}, {}))
    return _write(Path(out), scorer, brought, options, asked_in, files, results, tasks)


def require_layer() -> None:
    """Stop where the layer of evaluation is not installed.

    Raises:
        ModelError: It names what is missing, and the line that installs it.
    """
    missing = [name for name in _LAYER if importlib.util.find_spec(name) is None]
    if missing:
        what = f"evaluation needs {', '.join(missing)}, which is not installed"
        raise ModelError(Problem(what, fix="pip install 'kit19[eval]'"))


def _find_all(options: EvalOptions) -> dict[str, BenchmarkFiles]:
    from kit19.evaluate.source import find_benchmark  # noqa: PLC0415

    files: dict[str, BenchmarkFiles] = {}
    problems: list[Problem] = []
    for name in _named(options):
        if name not in load_catalog().benchmarks:
            continue
        try:
            files[name] = find_benchmark(name, options.data_dir, sample=options.sample)
        except Kit19Error as error:
            problems += error.problems
            continue
        if options.shots and not files[name].shots and not files[name].may_ask_itself:
            fix = f"run `kit19 fetch {files[name].card.source}`"
            problems.append(Problem("has no train file, which examples are drawn from", name, fix))
    if problems:
        raise FilesError(list(dict.fromkeys(problems)))
    return files


def _named(options: EvalOptions) -> list[str]:
    return list(dict.fromkeys(options.tasks)) or own_tasks()


def _task_manager(options: EvalOptions) -> Any:
    """The harness's list of tasks; its own thousands are read only where one of them is asked for."""
    from lm_eval.tasks import TaskManager  # noqa: PLC0415

    foreign = set(_named(options)) - set(own_tasks())
    metadata = {
        "data_dir": str(options.data_dir) if options.data_dir else None,
        "sample": options.sample,
    }
    manager = TaskManager(
        include_path=str(TASKS), include_defaults=bool(foreign), metadata=metadata
    )
    known = set(manager.all_tasks)
    problems = [
        Problem(f"there is no task {name!r}", fix=nearest(name, known))
        for name in sorted(foreign - known)
    ]
    if problems:
        raise UnknownNameError(problems)
    return manager


def _prompt_format(options: EvalOptions, brought: Brought) -> PromptFormat | None:
    """The format of an ``instruction`` evaluation; None for the others."""
    if options.format != "instruction":
        return None
    if options.prompt_format:
        chosen = load_catalog().prompt_format(options.prompt_format)
    elif brought.run is not None:
        chosen = PromptFormat.model_validate(brought.run.format)
    else:
        what = "is no training run of kit19's, so its prompt format is not known"
        fix = "name one: --prompt-format alpaca, koalpaca, kullm, or a YAML file of yours"
        raise ModelError(Problem(what, brought.name, fix))
    if chosen.chat:
        fix = "use --format chat"
        raise ModelError(Problem("was trained with the chat template", brought.name, fix))
    return chosen


def _load(brought: Brought, options: EvalOptions) -> SharedLM:
    import lm_eval.models  # noqa: F401, PLC0415  its model types must be known before ours

    from kit19.evaluate.scorer import SharedLM  # noqa: PLC0415

    try:
        return SharedLM(
            pretrained=str(brought.folder),
            peft=str(brought.adapter) if brought.adapter else None,
            batch_tokens=options.batch_tokens,
            device=options.device or _device(),
            dtype=options.dtype,
            trust_remote_code=options.trust_remote_code,
            use_safetensors=not options.pickled,
        )
    except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        fix = (
            "a model with code of its own needs --trust-remote-code"
            if "remote" in str(error)
            else ""
        )
        raise ModelError(Problem(f"cannot be loaded: {lines[0]}", brought.name, fix)) from error


def _device() -> str:
    import torch  # noqa: PLC0415

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _set_format(scorer: SharedLM, prompt_format: PromptFormat) -> None:
    from kit19.evaluate.formats import use_format  # noqa: PLC0415

    use_format(scorer, prompt_format)


def _score(
    scorer: SharedLM, manager: Any, options: EvalOptions, brought: Brought
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The harness's results, and its tasks by name."""
    from lm_eval import simple_evaluate  # noqa: PLC0415

    from kit19.evaluate.formats import require_chat_template  # noqa: PLC0415
    from kit19.evaluate.memory import Memory  # noqa: PLC0415

    if options.format == "chat":
        require_chat_template(scorer)
    if options.remember and not scorer.fallback:
        scorer.memory = Memory(cache_dir() / "scores", _identity(scorer, brought))
    try:
        loaded = manager.load(_named(options))["tasks"]
        results = simple_evaluate(
            model=scorer,
            tasks=list(loaded.values()),
            num_fewshot=options.shots,
            task_manager=manager,
            limit=options.limit,
            apply_chat_template=options.format != "raw",
            fewshot_as_multiturn=options.format == "chat",
            fewshot_random_seed=options.seed,
        )
    finally:
        if scorer.memory:
            scorer.memory.close()
    return results or {}, loaded


def _identity(scorer: SharedLM, brought: Brought) -> dict[str, Any]:
    """All that decides a score besides the tokens."""
    return {
        "model": brought.digest,
        "dtype": str(scorer.model.dtype),
        "device": _hardware(scorer),
        "versions": {name: version(name) for name in _VERSIONS},
    }


def _hardware(scorer: SharedLM) -> str:
    if scorer.device.type == "cuda":
        import torch  # noqa: PLC0415

        return str(torch.cuda.get_device_name(scorer.device))
    return platform.processor() or platform.machine()


def _write(  # noqa: PLR0913  the parts of one folder
    out: Path,
    scorer: SharedLM,
    brought: Brought,
    options: EvalOptions,
    asked_in: PromptFormat | None,
    files: dict[str, BenchmarkFiles],
    results: dict[str, Any],
    tasks: dict[str, Any],
) -> Evaluation:
    from kit19.evaluate.collect import to_samples, write_results  # noqa: PLC0415

    samples = {name: to_samples(tasks[name], logged) for name, logged in results["samples"].items()}
    entries = {
        name: _entry(name, files[name], scorer, options, results) for name in files if name in tasks
    }
    record = _record(scorer, brought, options, asked_in, entries, results["samples"] | samples)
    with replacing(out, is_ours=lambda path: (path / NAME).is_file()) as place:
        write_results(place, results, samples, record)
    figures = {
        name: {key: value for key, value in found.items() if "," in key}
        for name, found in results["results"].items()
    }
    return Evaluation(figures, record)


def _entry(
    name: str,
    files: BenchmarkFiles,
    scorer: SharedLM,
    options: EvalOptions,
    results: dict[str, Any],
) -> TaskEntry:
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


def _record(
    scorer: SharedLM,
    brought: Brought,
    options: EvalOptions,
    asked_in: PromptFormat | None,
    entries: dict[str, TaskEntry],
    samples: dict[str, Any],
) -> EvalRecord:
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
        format_id=asked_in.id if asked_in else "",
        seed=options.seed,
        limit=options.limit,
        sample=options.sample,
        device=scorer.device.type,
        hardware=_hardware(scorer),
        tasks=entries,
        cautions=_cautions(scorer, brought, options, entries, samples),
    )


def _cautions(
    scorer: SharedLM,
    brought: Brought,
    options: EvalOptions,
    entries: dict[str, TaskEntry],
    samples: dict[str, Sequence[Any]],
) -> list[Any]:
    from kit19.evaluate import cautions as say  # noqa: PLC0415
    from kit19.results import Sample  # noqa: PLC0415

    texts = [one.prompt for logged in samples.values() for one in logged if isinstance(one, Sample)]
    found = say.cautions_of_model(
        brought.run,
        has_chat_template=bool(getattr(scorer.tokenizer, "chat_template", None)),
        raw=options.format == "raw",
        fallback=scorer.fallback,
    )
    found += say.cautions_of_tokenizer(scorer.tokenizer, texts)
    for name, logged in samples.items():
        if name in entries:
            found += say.cautions_of_task(name, entries[name])
        if logged and isinstance(logged[0], Sample):
            found += say.cautions_of_answers(name, logged)
        elif logged and isinstance(logged[0]["filtered_resps"][0], str):
            found += say.cautions_of_outputs(name, logged)
    return found
