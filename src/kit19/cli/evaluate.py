"""``kit19 eval``, ``kit19 tasks`` and ``kit19 lm-eval``."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kit19.cli.options import (
    COUNT,
    SEED,
    api_key_option,
    data_dir_option,
    json_option,
    quiet_option,
)
from kit19.cli.output import print_json, print_table, print_text, rate_progress

if TYPE_CHECKING:
    from kit19.evaluating.pipeline import Evaluation


@click.command(
    "eval",
    epilog="""\b
Examples:
  kit19 eval EleutherAI/polyglot-ko-1.3b --out results/base
  kit19 eval out/run --out results/tuned --format instruction
  kit19 eval out/run --tasks kobest_copa,klue_sts --shots 5 --out results/five
  kit19 eval me/model --tasks haerae,kmmlu --out results/more     any task of lm-evaluation-harness
  kit19 eval me/model --tasks mine/qa.yaml --out results/mine     your own task file
  kit19 eval --base-url http://localhost:8000/v1 --model me/model --out results/served
  kit19 eval me/model --peft me/adapter --dtype bfloat16 --limit 100 --out results/quick

\b
Tasks: kobest_copa kobest_boolq kobest_hellaswag kobest_sentineg kobest_wic klue_sts klue_ynat (the
seven by default), more of kit19's (kit19 tasks), and all of lm-evaluation-harness. The numbers equal
the harness's. An interrupted evaluation resumes where it stopped.
On several GPUs: accelerate launch -m kit19 eval ...
""",
)
@click.argument("model", required=False)
@click.option("--model", "named", metavar="NAME", help="The same as MODEL.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The results folder.")
@click.option("--tasks", default="", metavar="NAME|FILE,...", help="Default: the seven.")
@click.option(
    "--include-path",
    "include_paths",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="A folder of your own task files. May be repeated.",
)
@click.option(
    "--shots",
    type=click.IntRange(0, 100),
    help="Few-shot examples. Default: each task's own number; 0 for the seven.",
)
@click.option(
    "--format",
    "how",
    type=click.Choice(["raw", "instruction", "chat"]),
    default="raw",
    show_default=True,
    help="The bare prompt, the model's training prompt, or its chat template.",
)
@click.option(
    "--prompt-format", metavar="NAME|FILE", help="For --format instruction: alpaca, kullm ..."
)
@click.option("--system-instruction", "system", metavar="TEXT", help="Prepended to every prompt.")
@click.option("--limit", type=COUNT, help="The maximum number of items of each task.")
@click.option("--batch-tokens", type=COUNT, help="Tokens in a batch. Default: by device.")
@click.option(
    "--batch-size",
    type=COUNT,
    help="Rows generated at once, and in a batch where HFLM scores.",
)
@click.option("--device", help="cpu, cuda, cuda:1, mps. Default: detected.")
@click.option(
    "--dtype",
    type=click.Choice(["auto", "float32", "bfloat16", "float16"]),
    default="auto",
    show_default=True,
)
@click.option("--revision", help="Commit, tag or branch on the Hub.")
@click.option("--peft", "adapter", metavar="ADAPTER", help="Load this adapter on the model.")
@click.option("--trust-remote-code", is_flag=True, help="Allow the model to run its own code.")
@click.option("--allow-pickle", is_flag=True, help="Load weights that are not safetensors.")
@click.option(
    "--seed",
    default=1234,
    show_default=True,
    type=SEED,
    help="Decides which few-shot examples are drawn.",
)
@click.option(
    "--base-url",
    default="",
    metavar="URL",
    help="An OpenAI-compatible API (vLLM, kit19 serve) that runs MODEL.",
)
@click.option(
    "--tokenizer",
    metavar="FOLDER|NAME",
    help="Of a model on a server. Default: that of the Hub's model of the same name.",
)
@api_key_option
@click.option(
    "--concurrency", type=COUNT, default=8, show_default=True, help="Requests to a server at once."
)
@click.option("--no-cache", is_flag=True, help="Neither read nor write cached scores.")
@click.option(
    "--sample", is_flag=True, help="Score kit19's own small sample instead of the benchmarks."
)
@data_dir_option
@json_option
@quiet_option
def evaluate(  # noqa: PLR0913, PLR0917  one parameter an option
    model: str | None,
    named: str | None,
    out: Path,
    tasks: str,
    include_paths: tuple[Path, ...],
    shots: int | None,
    how: Any,
    prompt_format: str | None,
    system: str | None,
    limit: int | None,
    batch_tokens: int | None,
    batch_size: int | None,
    device: str | None,
    dtype: Any,
    revision: str | None,
    adapter: str | None,
    trust_remote_code: bool,
    allow_pickle: bool,
    seed: int,
    base_url: str,
    tokenizer: str | None,
    key_env: str,
    concurrency: int,
    no_cache: bool,
    sample: bool,
    data_dir: Path | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Score MODEL (a folder, or owner/name[@revision] on the Hub) on Korean benchmarks."""
    if (model is None) == (named is None):
        raise click.UsageError("name one model: MODEL or --model")
    calm()
    from kit19.evaluating.pipeline import evaluate as run  # noqa: PLC0415  slow to load

    with rate_progress(quiet=quiet or as_json) as on_progress:
        found = run(
            model or named or "",
            out,
            tasks=tuple(name.strip() for name in tasks.split(",") if name.strip()),
            include_paths=include_paths,
            shots=shots,
            format=how,
            prompt_format=prompt_format,
            system=system,
            data_dir="sample" if sample else data_dir,
            limit=limit,
            batch_tokens=batch_tokens,
            batch_size=batch_size,
            device=device,
            dtype=dtype,
            revision=revision,
            adapter=adapter,
            trust_remote_code=trust_remote_code,
            allow_pickle=allow_pickle,
            seed=seed,
            use_cache=not no_cache,
            base_url=base_url,
            tokenizer=tokenizer,
            key_env=key_env,
            concurrency=concurrency,
            on_progress=on_progress,
        )
    if not found.figures:
        return  # a further process of several
    if as_json:
        print_json(found.to_dict())
    else:
        print_evaluation(found, out)


def print_evaluation(found: Evaluation, out: Path) -> None:
    """Print one line per metric of each task, then warnings."""
    rows = []
    for task, figures in found.figures.items():
        entry = found.record.tasks.get(task)
        for key, value in figures.items():
            if "_stderr" in key or not isinstance(value, float):
                continue
            metric, _, kind = key.partition(",")
            error = figures.get(f"{metric}_stderr,{kind}")
            metric += "" if kind == "none" else f" ({kind})"
            stderr = f"± {error:.4f}" if isinstance(error, float) else ""
            counts = (entry.scored, entry.shots) if entry else ("", "")
            rows.append([task, metric, f"{value:.4f}", stderr, *counts])
    columns = ["task", "metric", "value", "stderr", "items", "shots"]
    print_table("", columns, rows, numbers=columns[2:])
    print_text(f"\nformat {found.record.format}{_named(found.record.format_id)}, in {out}")
    if found.record.sample:
        print_text("  ! kit19's own sample, not the benchmarks")
    if found.record.limit:
        print_text(f"  ! limited to {found.record.limit:,} items of each task")
    for caution in found.record.cautions:
        print_text(f"  ! {caution.task + ': ' if caution.task else ''}{caution.what}")


def _named(format_id: str) -> str:
    return f" ({format_id})" if format_id else ""


@click.command(
    epilog="""\b
Examples:
  kit19 tasks
  kit19 tasks --path                 only the folder of task files
  lm_eval --include_path $(kit19 tasks --path) --tasks klue_sts --model hf --model_args pretrained=...
"""
)
@click.option("--path", is_flag=True, help="Print only the folder of task files.")
@json_option
def tasks(path: bool, as_json: bool) -> None:
    """List the benchmark tasks, or print the folder of their files for lm-evaluation-harness."""
    from kit19.catalog import load_catalog  # noqa: PLC0415
    from kit19.evaluating import TASKS, own_tasks  # noqa: PLC0415

    if path:
        print_json(str(TASKS)) if as_json else print_text(str(TASKS))
        return
    catalog = load_catalog()
    found = [(name, card) for name in own_tasks() if (card := catalog.benchmark_of_task(name))]
    if as_json:
        kept = {"title", "scored", "items", "metrics"}
        print_json([{"id": name, **card.model_dump(include=kept)} for name, card in found])
        return
    rows = [
        [name, card.title, card.scored, card.items, ", ".join(card.metrics)] for name, card in found
    ]
    print_table("", ["task", "title", "split", "items", "metrics"], rows, numbers=["items"])


@click.command(
    "lm-eval",
    context_settings={"ignore_unknown_options": True},
    epilog="""\b
Examples:
  kit19 lm-eval --model kit19 --model_args pretrained=me/model --tasks klue_sts,kobest_copa
  kit19 lm-eval --model vllm --model_args pretrained=me/model --tasks klue_sts
  kit19 lm-eval ls tasks
""",
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def lm_eval(arguments: tuple[str, ...]) -> None:
    """Run lm-evaluation-harness's command line with the model type `kit19` and kit19's tasks.

    For its help: kit19 lm-eval -- --help
    """
    from kit19.evaluating import TASKS  # noqa: PLC0415
    from kit19.evaluating.pipeline import require_layer  # noqa: PLC0415

    require_layer()
    import lm_eval.models  # noqa: F401, PLC0415  before ours, or its own model types are missing
    from lm_eval.__main__ import cli_evaluate  # noqa: PLC0415

    import kit19.evaluating.scorer  # noqa: F401, PLC0415  registers the model type

    sys.argv = ["kit19 lm-eval", *_with_tasks(arguments, str(TASKS))]
    cli_evaluate()


def _with_tasks(arguments: Sequence[str], folder: str) -> list[str]:
    """Add the folder of kit19's tasks to arguments that run tasks and name no folder."""
    named = any(one.partition("=")[0] == "--include_path" for one in arguments)
    runs = bool(arguments) and (arguments[0] == "run" or arguments[0].startswith("-"))
    asks_help = bool({"-h", "--help"} & set(arguments))
    return [*arguments, *(() if named or asks_help or not runs else ("--include_path", folder))]


def calm() -> None:
    """Silence progress bars and advice of other libraries; must be called before they are imported."""
    os.environ.setdefault("TQDM_DISABLE", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
