"""``kit19 train`` and ``kit19 merge``."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kit19.cli.options import (
    COUNT,
    SEED,
    FiniteRange,
    accept_options,
    catalog_option,
    json_option,
    parse_settings,
    quiet_option,
)
from kit19.cli.output import print_json, print_note, print_table, print_text, progress
from kit19.cli.push import print_pushed
from kit19.core.errors import OutputError, Problem

if TYPE_CHECKING:
    from kit19.catalog import CatalogLike
    from kit19.publishing.run_pusher import RunPusher
    from kit19.publishing.terms import Accepted
    from kit19.training import Settings
    from kit19.training.cost import TrainingCost
    from kit19.training.pipeline import Trained
    from kit19.training.planning import TrainPlan

_GIB = 1 << 30


@click.command(
    epilog="""\b
Examples:
  kit19 train --data out/kit19 --model tiny --out runs/tiny           from scratch, two CPU cores
  kit19 train --data out/kit19 --model polyglot-ko-1.3b --out runs/kit-1.3b
  kit19 train --data out/kit19 --model owner/name --set method=lora --format chat --out runs/mine
  kit19 train --data my.jsonl --model polyglot-ko-5.8b-lora --set num_train_epochs=3 --out runs/mine
  kit19 train --data 'rows/*.jsonl' --data more.parquet --model tiny --out runs/mine
  kit19 train --data out/kit19 --model polyglot-ko-5.8b --dry-run --gpus 4 --gpu-memory 80
  kit19 train --data out/kit19 --model polyglot-ko-5.8b-lora --dry-run --price-per-hour 2.5
  kit19 train --data out/kit19 --model tiny --out runs/tiny --push-to me/tiny --private
  accelerate launch --config_file fsdp.yaml -m kit19 train …          docs/training.md

\b
MODEL is a preset (tiny, polyglot-ko-1.3b, polyglot-ko-1.3b-lora, polyglot-ko-5.8b,
polyglot-ko-5.8b-lora, kanana-1.5-8b-lora, or a YAML file), a Hub id, or a model's folder.
Running the same command again resumes from the last checkpoint.

\b
Settings for --set, described in docs/training.md (--dry-run prints those of a preset):
  model       new_tokens tiny.layers tiny.hidden tiny.heads tiny.vocabulary revision
  rows        format end date loss_on rewritten_turns max_length long_rows max_overlong_fraction
              allow layout pack_length validation seed
  method      method (full, lora, qlora) lora.rank lora.alpha lora.dropout lora.variant
              lora.targets lora.modules_to_save
  steps       per_device_train_batch_size gradient_accumulation_steps num_train_epochs max_steps
              learning_rate lr_scheduler_type warmup_ratio weight_decay max_grad_norm optim
              neftune_alpha label_smoothing
  computing   precision weights_dtype attn_implementation gradient_checkpointing liger_kernels
              torch_compile threads
  saving      eval_steps save_steps save_total_limit best early_stopping_patience logging_steps
              report_to
"""
)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    required=True,
    multiple=True,
    metavar="PATH",
    help="A build, or a file, a folder or a pattern ('rows/*.jsonl') of your own. May be repeated.",
)
@click.option("--model", required=True, help="A preset, a Hub id or a folder.")
@click.option("--out", type=click.Path(path_type=Path), help="The run's folder.")
@click.option("--preset", default="", help="A preset whose settings to use with another MODEL.")
@click.option(
    "--format", "form", help="Prompt format: alpaca, koalpaca, kullm, chat, or a YAML file."
)
@click.option("--seed", type=SEED, help="Seed of new weights, row order and dropout.")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    callback=parse_settings,
    help="Replace a setting, e.g. --set num_train_epochs=3 --set lora.rank=8. May be repeated.",
)
@click.option(
    "--allow",
    multiple=True,
    type=click.Choice(["lost_answers", "unknown_tokens", "byte_tokens"]),
    help="Train despite this preflight error. May be repeated.",
)
@click.option("--merge", "merge_after", is_flag=True, help="Merge the adapter into the weights.")
@click.option("--trust-remote-code", is_flag=True, help="Allow the model to run its own code.")
@click.option("--restart", is_flag=True, help="Remove an earlier run in --out.")
@click.option(
    "--push-to",
    metavar="REPO_ID",
    help="Push each checkpoint, and the run at its end, to this model on the Hub (owner/name).",
)
@click.option("--private", is_flag=True, help="For --push-to: make a new repository private.")
@accept_options
@click.option(
    "--dry-run", is_flag=True, help="Run preflight, estimate memory, time and cost; no training."
)
@click.option(
    "--gpus",
    type=COUNT,
    default=1,
    show_default=True,
    help="For --dry-run: GPUs that share weights and optimizer.",
)
@click.option(
    "--gpu-memory",
    type=FiniteRange(min=0),
    metavar="GIB",
    help="For --dry-run: memory of each GPU. Default: detected.",
)
@click.option(
    "--mfu",
    "utilization",
    type=FiniteRange(min=0, max=1, min_open=True),
    default=0.4,
    show_default=True,
    help="For --dry-run: the share of a GPU's peak that training reaches.",
)
@click.option(
    "--price-per-hour",
    type=FiniteRange(min=0),
    metavar="PRICE",
    help="For --dry-run: of one GPU, in any currency.",
)
@catalog_option
@json_option
@quiet_option
def train(  # noqa: PLR0913, PLR0917  one parameter an option
    data: tuple[Path, ...],
    model: str,
    out: Path | None,
    preset: str,
    form: str | None,
    seed: int | None,
    settings: dict[str, Any],
    allow: tuple[str, ...],
    merge_after: bool,
    trust_remote_code: bool,
    restart: bool,
    push_to: str | None,
    private: bool,
    accept: list[Accepted],
    dry_run: bool,
    gpus: int,
    gpu_memory: float | None,
    utilization: float,
    price_per_hour: float | None,
    catalog: CatalogLike,
    as_json: bool,
    quiet: bool,
) -> None:
    """Train MODEL on the answers of instruction rows, and write a documented run."""
    from kit19.training import processes  # noqa: PLC0415
    from kit19.training.pipeline import train as run  # noqa: PLC0415
    from kit19.training.planning import plan_training  # noqa: PLC0415

    if out is None and not dry_run:
        raise click.UsageError("give --out, or --dry-run")
    pusher = _pusher(push_to, private, accept, catalog, dry_run)
    options = {"format": form, "seed": seed, "allow": list(allow)}
    changes = settings | {key: value for key, value in options.items() if value not in (None, [])}
    chosen = _settings(model, preset, changes)
    alone = processes.is_main()  # of several processes, only one prints
    with progress(quiet=quiet or as_json or not alone) as on_progress:
        if dry_run:
            plan = plan_training(
                data,
                chosen,
                gpus=gpus,
                gpu_memory=max(1, int(gpu_memory * _GIB)) if gpu_memory else None,
                utilization=utilization,
                price_per_hour=price_per_hour,
                catalog=catalog,
                trust_remote_code=trust_remote_code,
                on_progress=on_progress,
            )
        elif out is not None:
            trained = run(
                data,
                out,
                chosen,
                restart=restart,
                merge=merge_after,
                catalog=catalog,
                trust_remote_code=trust_remote_code,
                on_progress=on_progress,
                callback=pusher,
            )
    if not alone:
        return
    if dry_run:
        _print_plan(plan, as_json=as_json)
    elif as_json:
        print_json(trained.to_dict())
    else:
        print_trained(trained)
    if pusher:
        _finish_push(pusher, trained.folder, as_json=as_json)


def _pusher(
    repo_id: str | None,
    private: bool,
    accept: list[Accepted],
    catalog: CatalogLike,
    dry_run: bool,
) -> RunPusher | None:
    if repo_id is None:
        if private or accept:
            raise click.UsageError("--private and --accept-… are for --push-to, which is missing")
        return None
    if dry_run:
        raise click.UsageError("--dry-run pushes nothing; omit --push-to")
    # Read when huggingface_hub is loaded; its bars would break up those of the training.
    os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
    from kit19.publishing.run_pusher import RunPusher  # noqa: PLC0415

    def report(message: str) -> None:
        print_note(f"  ! {message}")

    return RunPusher(repo_id, private=private, accept=accept, catalog=catalog, on_failure=report)


def _finish_push(pusher: RunPusher, run: Path, *, as_json: bool) -> None:
    """Print the last push; if it failed, raise its error with the command that repeats it."""
    if pusher.error:
        flags = ["--private"] if pusher.private else []
        flags += [f"--accept-{name}" for name in pusher.accept]
        again = shlex.join(["kit19", "push", str(run), pusher.repo_id, *flags])
        what = f"the run is finished, but not published as {pusher.repo_id}"
        raise OutputError([*pusher.error.problems, Problem(what, str(run), again)])
    if pusher.pushed and not as_json:
        print_pushed(pusher.pushed)


@click.command(
    epilog="""\b
Examples:
  kit19 merge runs/mine --out merged
  kit19 merge runs/mine --out merged --json
"""
)
@click.argument("run", type=click.Path(path_type=Path, file_okay=False))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The folder to write.")
@click.option("--trust-remote-code", is_flag=True, help="Allow the model to run its own code.")
@json_option
def merge(run: Path, out: Path, trust_remote_code: bool, as_json: bool) -> None:
    """Merge the adapter in the folder RUN into its base model, as a full model."""
    from kit19.training.pipeline import merge as run_merge  # noqa: PLC0415

    record = run_merge(run, out, trust_remote_code=trust_remote_code)
    if as_json:
        print_json(record.to_dict() if record else None)
    else:
        print_text(f"{out}: full weights, loaded with from_pretrained")


def _settings(model: str, preset: str, changes: dict[str, Any]) -> Settings:
    """Load the settings of a preset, or of any model with the settings of ``--preset``."""
    from kit19.training import load_preset, preset_names  # noqa: PLC0415

    if model in preset_names() or model.endswith((".yaml", ".yml")):
        if preset:
            raise click.UsageError("--model is a preset already; omit --preset")
        return load_preset(model, changes)
    return load_preset(preset, {"tiny": None, "revision": "", **changes, "model": model})


def print_trained(trained: Trained) -> None:
    """Print the results of a training."""
    record = trained.record
    rows = [
        (name.removeprefix("eval_").removesuffix("_loss"), f"{value:.3f}")
        for name, value in record.metrics.items()
        if name.startswith("eval_") and name != "eval_loss"
    ]
    if rows:
        print_table("", ("held-out answers", "loss"), rows, numbers=("loss",))
    held_out = record.metrics.get("eval_loss")
    validation = f", {held_out:.3f} on held-out answers" if held_out is not None else ""
    print_text(
        f"\n{record.base.name}, {record.method}: {record.settings['steps']:,} steps in "
        f"{trained.seconds:,.0f} s ({trained.supervised:,.0f} answer tokens a second), "
        f"loss {record.metrics['loss']:.3f}{validation}"
    )
    for note in trained.notes:
        print_text(f"  ! {note}")
    print_text(f"The run is in {trained.folder}; try it: kit19 chat {trained.folder}")


def _print_plan(plan: TrainPlan, *, as_json: bool) -> None:
    need = {"": plan.need} | ({"then": plan.then} if plan.then and plan.changes else {})
    if as_json:
        print_json(plan.to_dict())
        return
    stated = plan.settings.stated
    settings = [(name, value, stated.get(name, "")) for name, value in _shown(plan.settings)]
    print_table("", ("setting", "value", "stated by (else kit19's choice)"), settings)
    print_text("\nrows: " + ", ".join(f"{name} {count:,}" for name, count in plan.rows.items()))
    print_text(
        f"{plan.parameters:,} parameters, {plan.steps:,} steps, {plan.supervised:,} answer tokens per "
        f"epoch, packed sequences {plan.filled:.0%} full, {plan.per_syllable:.2f} tokens per syllable\n"
    )
    parts = ("weights", "gradients", "optimizer", "activations", "total")
    columns = ("GiB on each GPU", *parts)
    rows = []
    for name, one in need.items():
        title = (
            "as set" if not name else ", ".join(f"{k}={v}" for k, v in (plan.changes or {}).items())
        )
        found = one.to_dict()
        rows.append([title, *(f"{found[part] / _GIB:.1f}" for part in parts)])
    print_table("", columns, rows, numbers=parts)
    fits = "fits into" if plan.changes == {} else "does not fit into"
    each = f"each of {plan.gpus} GPUs" if plan.gpus > 1 else "one GPU, or of this machine"
    print_text(f"\nit {fits} the {plan.available / _GIB:.1f} GiB of {each}")
    if plan.changes:
        words = " ".join(f"--set {key}={str(value).lower()}" for key, value in plan.changes.items())
        print_text(f"first settings that fit: {words}")
    elif plan.changes is None:
        print_text("no settings fit: use a smaller model, or more GPUs (--gpus)")
    _print_cost(plan.cost)
    for note in plan.notes:
        print_text(f"  ! {note}")


def _print_cost(cost: TrainingCost) -> None:
    together = f"{cost.gpus} GPUs" if cost.gpus > 1 else "one GPU"
    print_text(
        f"\n{cost.tokens:,} tokens ({cost.positions:,} with padding), {cost.flops:.2g} FLOPs; at "
        f"{cost.utilization:.0%} of the peak in bf16, on {together}:\n"
    )
    columns = ["GPU", "hours", *(["price"] if cost.times[0].price is not None else []), "fits"]
    rows = [
        [
            one.gpu,
            f"{one.hours:,.1f}" if one.hours >= 0.1 else f"{one.hours:.1g}",
            *([f"{one.price:,.2f}"] if one.price is not None else []),
            "yes" if one.fits else "no",
        ]
        for one in cost.times
    ]
    print_table("", columns, rows, numbers=columns[1:-1])


def _shown(settings: Settings) -> Iterator[tuple[str, str]]:
    """Yield the settings that affect the run, with nested ones as ``adapter.name``."""
    for name, value in settings.model_dump(mode="json").items():
        unused = name == "lora" and settings.method == "full"
        if name in ("id", "title", "about", "stated") or unused or value in (None, ""):
            continue
        if isinstance(value, dict):
            yield from ((f"{name}.{inner}", str(one)) for inner, one in value.items())
        else:
            yield name, ", ".join(value) if isinstance(value, list) else str(value)
