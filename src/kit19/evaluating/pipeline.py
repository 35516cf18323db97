"""The run of an evaluation: find the model and the benchmarks, score, write what came out.

    tasks named ──► benchmark files verified ──► model found ──► loaded ──► scored ──► results folder

Everything that can be wrong is looked for before the model is loaded, since loading takes long.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kit19.catalog import PromptFormat, load_catalog
from kit19.core.errors import FilesError, Kit19Error, ModelError, Problem, convert_os_errors
from kit19.core.json_text import replace_non_finite
from kit19.core.paths import cache_dir
from kit19.core.results import NAME, EvalRecord
from kit19.evaluating import own_tasks
from kit19.evaluating.options import EvalOptions
from kit19.evaluating.recording import Asked, entry_of, identity, record_of
from kit19.writing.place import replacing

if TYPE_CHECKING:
    from kit19.evaluating.bring import ResolvedModel
    from kit19.evaluating.scorer import SharedLM
    from kit19.evaluating.source import BenchmarkFiles
    from kit19.evaluating.task_files import LoadedTasks

_LAYER = ("torch", "transformers", "lm_eval", "accelerate", "peft")


@dataclass(frozen=True)
class Evaluation:
    """What came out: the harness's figures by task, and what kit19 adds."""

    figures: dict[str, dict[str, Any]]
    record: EvalRecord = field(repr=False)


@convert_os_errors
def evaluate_model(
    model: str | Path,
    out: str | Path,
    options: EvalOptions | None = None,
    on_progress: Callable[[str, int, int], None] = lambda _what, _done, _total: None,
) -> Evaluation:
    """Score a causal language model on Korean benchmarks, and write a results folder.

    Killed and started again, it goes on from the batches that were scored.

    Args:
        model: A folder (a training run of kit19's, any model or adapter of transformers), or an id on
            the Hub.
        out: The results folder: ``results.json`` and ``samples_<task>.jsonl``. An earlier one there is
            replaced when the new one is whole.
        options: How to evaluate.
        on_progress: Told what is being done, and requests done and in all.

    Raises:
        UnknownNameError: A task that neither kit19 nor the harness has.
        CatalogError: A task file or its data cannot be read.
        FilesError: Benchmark files are missing or altered; all are listed.
        ModelError: The model cannot be had, loaded or scored, or its scores are no numbers.
        OutputError: The results cannot be written.
    """
    options = options or EvalOptions()
    require_layer()
    on_progress("checking files", 0, 0)
    files = _find_all(options)
    tasks = _load_tasks(options)
    from kit19.evaluating.bring import resolve_model  # noqa: PLC0415  loads the Hub's client

    on_progress("finding the model", 0, 0)
    brought = resolve_model(
        str(model), options.revision, options.adapter, allow_pickle=options.allow_pickle
    )
    prompt_format = _prompt_format(options, brought)
    on_progress("loading the model", 0, 0)
    scorer = load_scorer(brought, options)
    _set_format(scorer, options, brought, prompt_format)
    asked = Asked(scorer, brought, options, prompt_format)
    scorer.on_progress = lambda done, total: on_progress("scoring", done, total)
    results = _score(asked, tasks)
    if scorer.rank != 0:  # one process of several writes
        return Evaluation({}, record_of(asked, {}, {}))
    return _write(Path(out), asked, files, results, tasks.tasks)


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
    from kit19.evaluating.source import find_benchmark  # noqa: PLC0415

    files: dict[str, BenchmarkFiles] = {}
    problems: list[Problem] = []
    for name in _named(options):
        if name not in own_tasks():
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


def _load_tasks(options: EvalOptions) -> LoadedTasks:
    from kit19.evaluating.source import files_from  # noqa: PLC0415
    from kit19.evaluating.task_files import load_tasks  # noqa: PLC0415

    with files_from(options.data_dir, sample=options.sample):
        return load_tasks(_named(options), options.include_paths)


def _prompt_format(options: EvalOptions, brought: ResolvedModel) -> PromptFormat | None:
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


def load_scorer(brought: ResolvedModel, options: EvalOptions) -> SharedLM:
    """Load a model for the harness.

    Raises:
        ModelError: It cannot be loaded, or its weights are not whole.
    """
    import lm_eval.models  # noqa: F401, PLC0415  its model types must be known before ours

    from kit19.evaluating.scorer import SharedLM  # noqa: PLC0415
    from kit19.training.model.loading import check_complete  # noqa: PLC0415
    from kit19.training.model_errors import convert_model_errors  # noqa: PLC0415

    fix = ""
    if not options.trust_remote_code and "auto_map" in _config(brought.folder):
        fix = "a model with code of its own needs --trust-remote-code"
    check_complete(
        str(brought.folder), ModelError, trust_remote_code=bool(options.trust_remote_code)
    )
    with convert_model_errors(brought.name, "cannot be loaded", fix, ModelError):
        return SharedLM(
            pretrained=str(brought.folder),
            peft=str(brought.adapter) if brought.adapter else None,
            tokenizer=str(brought.tokenizer),
            batch_tokens=options.batch_tokens,
            batch_size=options.batch_size or 1,
            device=options.device or _device(),
            dtype=options.dtype,
            trust_remote_code=options.trust_remote_code,
            use_safetensors=not options.allow_pickle,
        )


def _config(folder: Path) -> str:
    return (folder / "config.json").read_text(encoding="utf-8")


def _device() -> str:
    import torch  # noqa: PLC0415

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _set_format(
    scorer: SharedLM,
    options: EvalOptions,
    brought: ResolvedModel,
    prompt_format: PromptFormat | None,
) -> None:
    """Ask in a prompt format, or a run that was trained with its chat template as it was trained."""
    from kit19.evaluating.formats import use_prompts  # noqa: PLC0415
    from kit19.training.rows.prompts import answer_head_of, end_ids_of, make_prompts  # noqa: PLC0415

    form, run = prompt_format, brought.run
    if options.format == "chat" and run is not None and run.format.get("chat"):
        form = PromptFormat.model_validate(run.format)
    if form is not None:
        stops = (
            run.ends if run is not None and run.ends else end_ids_of(scorer.model.generation_config)
        )
        prompts = make_prompts(scorer.tokenizer, form, stops, head=answer_head_of(run, form))
        use_prompts(scorer, prompts)


def _score(asked: Asked, tasks: LoadedTasks) -> dict[str, Any]:
    """The harness's results. It is told nothing that the user did not say."""
    from lm_eval import simple_evaluate  # noqa: PLC0415

    from kit19.evaluating.formats import require_chat_template, require_system_turn  # noqa: PLC0415
    from kit19.evaluating.memory import Memory  # noqa: PLC0415

    scorer, options = asked.scorer, asked.options
    if options.format == "chat":
        require_chat_template(scorer)
    if options.system and options.format != "raw":
        require_system_turn(scorer, options.system)
    changing = options.trust_remote_code and asked.brought.code_elsewhere
    if options.use_cache and not scorer.fallback and not changing:
        scorer.memory = Memory(cache_dir() / "scores", identity(scorer, asked.brought))
    try:
        with _no_survey():
            results = simple_evaluate(
                model=scorer,
                tasks=tasks.runs,
                num_fewshot=options.shots,
                task_manager=tasks.manager,
                limit=options.limit,
                apply_chat_template=options.format != "raw",
                fewshot_as_multiturn=options.format == "chat",
                fewshot_random_seed=options.seed,
                system_instruction=options.system,
            )
    except Kit19Error:
        raise
    except Exception as error:  # tasks and models run code of their own, and may raise anything
        lines = str(error).strip().splitlines() or ["no reason given"]
        what = f"cannot be scored: {type(error).__name__}: {lines[0][:500]}"
        raise ModelError(Problem(what, asked.brought.name)) from error
    finally:
        if scorer.memory:
            scorer.memory.close()
    return results or {}


@contextmanager
def _no_survey() -> Iterator[None]:
    """Keep the harness from asking git and the system about this machine.

    It takes seconds, git complains outside of a repository, and our results tell nothing of either.
    """
    from lm_eval import evaluator  # noqa: PLC0415

    asks = ("get_git_commit_hash", "add_env_info")
    kept = {name: getattr(evaluator, name) for name in asks}
    try:
        for name in asks:
            setattr(evaluator, name, lambda *_: None)
        yield
    finally:
        for name, function in kept.items():
            setattr(evaluator, name, function)


def _write(
    out: Path,
    asked: Asked,
    files: dict[str, BenchmarkFiles],
    results: dict[str, Any],
    tasks: dict[str, Any],
) -> Evaluation:
    from kit19.evaluating.collect import not_finite, to_samples, write_results  # noqa: PLC0415

    samples = {name: to_samples(tasks[name], logged) for name, logged in results["samples"].items()}
    entries = {
        name: entry_of(name, task, _files_of(name, files, asked.options), asked.scorer, results)
        for name, task in tasks.items()
    }
    told = {name: samples[name] or logged for name, logged in results["samples"].items()}
    record = record_of(asked, entries, told, not_finite(results))
    with replacing(out, is_ours=lambda path: (path / NAME).is_file()) as place:
        write_results(place, results, samples, record)
    figures = {
        name: {key: replace_non_finite(value) for key, value in found.items() if "," in key}
        for name, found in results["results"].items()
    }
    return Evaluation(figures, record)


def _files_of(
    name: str, files: dict[str, BenchmarkFiles], options: EvalOptions
) -> BenchmarkFiles | None:
    """A benchmark's files; one that a group of the user's holds was not named itself."""
    if name not in files and name in own_tasks():
        from kit19.evaluating.source import find_benchmark  # noqa: PLC0415

        return find_benchmark(name, options.data_dir, sample=options.sample)
    return files.get(name)
