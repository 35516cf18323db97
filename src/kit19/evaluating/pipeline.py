"""The evaluation pipeline: find the model and the benchmarks, score, write the results.

    task names ──► verify benchmark files ──► find model ──► load ──► score ──► results folder

Loading a model takes long, so everything that can be checked is checked first.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Collection
from dataclasses import dataclass, field
from itertools import starmap
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from kit19.calling.endpoint import KEY_ENV
from kit19.catalog import load_catalog
from kit19.core.arguments import Count, OnProgress, Seed, one_or_more, public, silent
from kit19.core.errors import FilesError, Kit19Error, ModelError, Problem
from kit19.core.json_text import replace_non_finite
from kit19.core.results import NAME, EvalRecord, Format
from kit19.evaluating import default_tasks, own_tasks
from kit19.evaluating.model_loading import choose_prompt_format, load_scorer, use_format
from kit19.evaluating.options import CONCURRENCY, SEED, Dtype, EvalOptions
from kit19.evaluating.recording import (
    EvalRequest,
    eval_record,
    request_of_model,
    request_of_server,
    task_entry,
)
from kit19.fetching.data_dir import resolve_data_dir
from kit19.writing.place import replacing

if TYPE_CHECKING:
    from kit19.evaluating.source import BenchmarkFiles
    from kit19.evaluating.task_files import LoadedTasks

_LAYER = ("torch", "transformers", "lm_eval", "accelerate", "peft")


@dataclass(frozen=True)
class Evaluation:
    """The result of an evaluation: the harness's figures by task, and kit19's record."""

    figures: dict[str, dict[str, Any]]
    record: EvalRecord = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """The evaluation as JSON data."""
        return {"results": self.figures, "kit19": self.record.model_dump(mode="json")}


@public
def evaluate(  # noqa: PLR0913  one parameter an option of the command
    model: str | Path,
    out: str | Path,
    *,
    tasks: str | Path | Collection[str | Path] = (),
    include_paths: str | Path | Collection[str | Path] = (),
    shots: Annotated[int, Field(ge=0, le=100)] | None = None,
    format: Format = "raw",  # noqa: A002  as the command calls it
    prompt_format: str | Path | None = None,
    system: str | None = None,
    data_dir: str | Path | None = None,
    limit: Count | None = None,
    batch_tokens: Count | None = None,
    batch_size: Count | None = None,
    device: str | None = None,
    dtype: Dtype = "auto",
    revision: str | None = None,
    adapter: str | Path | None = None,
    trust_remote_code: bool = False,
    allow_pickle: bool = False,
    seed: Seed = SEED,
    use_cache: bool = True,
    base_url: str = "",
    tokenizer: str | Path | None = None,
    key_env: str = KEY_ENV,
    concurrency: Count = CONCURRENCY,
    on_progress: OnProgress = silent,
) -> Evaluation:
    """Score a causal language model on Korean benchmarks, and write a results folder.

    An interrupted evaluation resumes after the last scored batch when it is started again.

    Args:
        model: A folder (a training run of kit19's, any model or adapter of transformers), or an id on
            the Hub (also ``owner/name@revision``); with ``base_url``, its name on the server.
        out: The results folder: ``results.json`` and ``samples_<task>.jsonl``. An earlier one is
            replaced when the new one is complete.
        tasks: Names of kit19's tasks or of the harness's, or task files' paths; default: the seven.
        include_paths: Folders of the user's own task files.
        shots: Examples before each question; default: each task's own number.
        format: ``raw`` prompts, the training prompt (``instruction``), or the chat template.
        prompt_format: For ``instruction``: a format's name or file; default: the run's own.
        system: A system instruction before every prompt.
        data_dir: The folder with the benchmark files; ``"sample"`` for kit19's own small sample;
            default: ``KIT19_DATA_DIR``, or where ``kit19 fetch`` puts files.
        limit: Most items of each task.
        batch_tokens: Tokens in a batch; default by device.
        batch_size: Rows generated at once, and rows in a batch where HFLM scores.
        device: ``cpu``, ``cuda``, ``cuda:1``, ``mps``; default: the best available.
        dtype: ``auto`` (the model's own), ``float32``, ``bfloat16``, ``float16``.
        revision: Commit, tag or branch of a model on the Hub.
        adapter: A PEFT adapter to load on the model.
        trust_remote_code: Run code from the model's repository.
        allow_pickle: Load weights in torch's pickle format too.
        seed: The seed for drawing examples.
        use_cache: Read scores from the cache, and write new ones to it.
        base_url: The address of an OpenAI-compatible API that runs the model.
        tokenizer: Of a model on a server: a folder or an id on the Hub. Default: that of the Hub's
            model of the same name.
        key_env: The environment variable that holds the API key.
        concurrency: Requests to the server at once.
        on_progress: Called with the current step, requests done, and total requests.

    Raises:
        UnknownNameError: Neither kit19 nor the harness has a task of that name.
        CatalogError: A task file or its data cannot be read.
        FilesError: Benchmark files are missing or altered; all are listed.
        ModelError: The model cannot be found, loaded or scored, or its scores are not finite.
        OutputError: The results cannot be written.
    """
    options = EvalOptions(
        tasks=tuple(one_or_more(tasks, "tasks")),
        include_paths=tuple(Path(one) for one in one_or_more(include_paths, "include_paths")),
        shots=shots,
        format=format,
        prompt_format=None if prompt_format is None else str(prompt_format),
        system=system,
        data_dir=resolve_data_dir(data_dir),
        limit=limit,
        batch_tokens=batch_tokens,
        batch_size=batch_size,
        device=device,
        dtype=dtype,
        revision=revision,
        adapter=None if adapter is None else str(adapter),
        trust_remote_code=trust_remote_code,
        allow_pickle=allow_pickle,
        seed=seed,
        use_cache=use_cache,
        base_url=base_url,
        tokenizer=None if tokenizer is None else str(tokenizer),
        key_env=key_env,
        concurrency=concurrency,
    )
    return _evaluate(str(model), Path(out), options, on_progress)


def _evaluate(model: str, out: Path, options: EvalOptions, on_progress: OnProgress) -> Evaluation:
    require_layer()
    on_progress("checking files", 0, 0)
    files = _find_all(options)
    tasks = _load_tasks(options)
    if options.base_url:
        request = _connect(model, options, tasks, on_progress)
    else:
        request = _load(model, options, on_progress)
    scorer = request.scorer
    scorer.on_progress = lambda done, total: on_progress("scoring", done, total)
    results = _score(request, tasks)
    if scorer.rank != 0:  # one process of several writes
        return Evaluation({}, eval_record(request, {}, {}))
    return _write(out, request, files, results, tasks.tasks)


def _load(model: str, options: EvalOptions, on_progress: OnProgress) -> EvalRequest:
    """Find and load a model."""
    from kit19.evaluating.resolve import find_scored_model  # noqa: PLC0415

    on_progress("finding the model", 0, 0)
    ref = find_scored_model(
        model, options.revision, options.adapter, allow_pickle=options.allow_pickle
    )
    ref.digest(on_progress)  # remembered by the reference
    prompt_format = choose_prompt_format(options, ref.name, ref.record)
    on_progress("loading the model", 0, 0)
    scorer = load_scorer(ref, options)
    use_format(scorer, options, ref, prompt_format)
    request = request_of_model(scorer, ref, options, prompt_format)
    scorer.score_cache = request.cache
    return request


def _connect(
    model: str, options: EvalOptions, tasks: LoadedTasks, on_progress: OnProgress
) -> EvalRequest:
    """Connect to a model on a server."""
    from kit19.evaluating.connecting import connect  # noqa: PLC0415

    on_progress("asking the server", 0, 0)
    prompt_format = choose_prompt_format(options, model, None)
    scorer = connect(model, options, tasks, prompt_format)
    return request_of_server(scorer, options, prompt_format)


def require_layer() -> None:
    """Require the packages of ``kit19[eval]``.

    Raises:
        ModelError: One is not installed; the error names it and the command that installs it.
    """
    missing = [name for name in _LAYER if importlib.util.find_spec(name) is None]
    if missing:
        what = f"evaluation needs {', '.join(missing)}, which is not installed"
        raise ModelError(Problem(what, fix="pip install 'kit19[eval]'"))


def _find_all(options: EvalOptions) -> dict[str, BenchmarkFiles]:
    from kit19.evaluating.source import find_benchmark  # noqa: PLC0415

    files: dict[str, BenchmarkFiles] = {}
    problems: list[Problem] = []
    benchmarks = load_catalog().benchmarks
    for name in _task_names(options):
        if name not in own_tasks() or name not in benchmarks:
            continue
        try:
            files[name] = find_benchmark(name, options.data_dir)
        except Kit19Error as error:
            problems += error.problems
            continue
        if options.shots and not files[name].shots and not files[name].scored_split_may_give_shots:
            fix = f"run `kit19 fetch {files[name].card.source}`"
            problems.append(Problem("has no train file to draw examples from", name, fix))
    if problems:
        raise FilesError(list(dict.fromkeys(problems)))
    return files


def _task_names(options: EvalOptions) -> list[str]:
    return list(dict.fromkeys(options.tasks)) or default_tasks()


def _load_tasks(options: EvalOptions) -> LoadedTasks:
    from kit19.evaluating.hub_tasks import example_problems  # noqa: PLC0415
    from kit19.evaluating.source import use_files  # noqa: PLC0415
    from kit19.evaluating.task_files import load_tasks  # noqa: PLC0415

    with use_files(options.data_dir):
        loaded = load_tasks(_task_names(options), options.include_paths)
    problems = list(example_problems(loaded.tasks.values(), options.shots))
    if problems:
        raise FilesError(problems)
    return loaded


def _score(request: EvalRequest, tasks: LoadedTasks) -> dict[str, Any]:
    """The harness's results."""
    from kit19.evaluating.harness import run_harness  # noqa: PLC0415

    try:
        return run_harness(request.scorer, tasks, request.options)
    except Kit19Error:
        raise
    except Exception as error:  # tasks and models run their own code, and may raise anything
        lines = str(error).strip().splitlines() or ["no reason given"]
        what = f"cannot be scored: {type(error).__name__}: {lines[0][:500]}"
        raise ModelError(Problem(what, request.scored.name)) from error
    finally:
        if request.cache:
            request.cache.close()


def _write(
    out: Path,
    request: EvalRequest,
    files: dict[str, BenchmarkFiles],
    results: dict[str, Any],
    tasks: dict[str, Any],
) -> Evaluation:
    from kit19.evaluating.cautions import hidden_options_cautions, non_finite_caution  # noqa: PLC0415
    from kit19.evaluating.collect import not_finite, to_samples, write_results  # noqa: PLC0415

    samples = {name: to_samples(tasks[name], logged) for name, logged in results["samples"].items()}
    entries = {
        name: task_entry(
            name, task, _files_of(name, task, files, request.options), request.scorer, results
        )
        for name, task in tasks.items()
    }
    logs = {name: samples[name] or logged for name, logged in results["samples"].items()}
    cautions = [
        *hidden_options_cautions(tasks, results["samples"]),
        *starmap(non_finite_caution, not_finite(results)),
    ]
    record = eval_record(request, entries, logs, cautions)
    with replacing(out, is_ours=lambda path: (path / NAME).is_file()) as place:
        write_results(place, results, samples, record)
    figures = {
        name: {key: replace_non_finite(value) for key, value in found.items() if "," in key}
        for name, found in results["results"].items()
    }
    return Evaluation(figures, record)


def _files_of(
    name: str, task: Any, files: dict[str, BenchmarkFiles], options: EvalOptions
) -> BenchmarkFiles | None:
    """A benchmark's files; a benchmark in a user's group was not found by name before."""
    from kit19.evaluating.hub_tasks import HubTask  # noqa: PLC0415

    if isinstance(task, HubTask):
        return task.files
    if name not in files and name in own_tasks():
        from kit19.evaluating.source import find_benchmark  # noqa: PLC0415

        return find_benchmark(name, options.data_dir)
    return files.get(name)
