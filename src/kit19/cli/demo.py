"""``kit19 demo``: all that kit19 does, on its own sample, offline."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kit19.cli.build import print_summary
from kit19.cli.compare import print_comparison
from kit19.cli.evaluate import calm
from kit19.cli.options import data_dir_option, json_option, quiet_option
from kit19.cli.output import (
    print_example,
    print_json,
    print_table,
    print_text,
    progress,
    rate_progress,
)

if TYPE_CHECKING:
    from kit19.comparing import Comparison
    from kit19.demo.pipeline import DemoTraining
    from kit19.demo.scoring import Score

_SHOWN = ("nsmc", "kobest_copa", "kowiki_closed_qa")
_TRAINED = ("nsmc",)  # one question with two answers: what a small model can learn in a minute
_BENCHMARKS = """
Both models on the sample's own benchmarks, as kit19 eval scores and kit19 compare compares. It was
trained on reviews alone, and these few items are ours: no figure below is a benchmark's score.
"""
_LAYER = ("torch", "transformers", "trl", "peft", "accelerate", "datasets")
_COMPARES = ("lm_eval", "altair", "vl_convert", "fontTools")


@click.command(
    epilog="""\b
Examples:
  kit19 demo
  kit19 demo --no-train                the build alone, in seconds
  kit19 demo --data-dir data           trains on the real files that are found there

\b
Training needs `pip install 'kit19[train]'`; without it the demo ends with the build.
"""
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("out/sample"),
    show_default=True,
    help="The folder to write; what is trained stands beside it, in <out>-train.",
)
@click.option("--train/--no-train", default=None, help="Train too. Default: if it is installed.")
@data_dir_option
@json_option
@quiet_option
def demo(out: Path, train: bool | None, data_dir: Path | None, as_json: bool, quiet: bool) -> None:
    """Build the sample and verify it; train a small model, and show it before and after."""
    from kit19.building.pipeline import build  # noqa: PLC0415
    from kit19.linting.examples import show  # noqa: PLC0415
    from kit19.writing import verify  # noqa: PLC0415

    calm()
    silent = quiet or as_json
    with progress(quiet=silent) as on_progress:
        build("sample", out, on_progress=on_progress)
    manifest = verify(out)
    if not as_json:
        print_summary(manifest, out)
        print_text("\nThree of its rows:\n")
        for index, subset in enumerate(_SHOWN, 1):
            for example in show(subset, n=1, data_dir="sample"):
                print_example(index, example)
    if train is None:
        train = _has(_LAYER)
    shown = _train(out, data_dir, quiet=silent) if train else None
    compared = _compare(out, shown, quiet=silent) if shown and _has(_COMPARES) else None
    if as_json:
        told = {"training": _document(shown)}
        told["comparison"] = compared.model_dump(mode="json") if compared else None
        print_json({**manifest.model_dump(mode="json"), **told})
        return
    if shown:
        _print(shown)
        if compared:
            print_text(_BENCHMARKS)
            print_comparison(compared, _report(out), brief=True)
        else:
            print_text("No evaluation: it needs pip install 'kit19[eval,report]'")
    else:
        print_text("No training: it needs pip install 'kit19[train]'")
    print_text(f"Next: kit19 stats {out} · kit19 explain {out} nsmc/train/… · kit19 build --help")


def _train(out: Path, data_dir: Path | None, *, quiet: bool) -> DemoTraining:
    from kit19.demo.pipeline import train_demo  # noqa: PLC0415  torch loads only when it works

    place = out.with_name(f"{out.name}-train")
    with progress(quiet=quiet) as on_progress:
        return train_demo(place, _TRAINED, data_dir, on_progress)


def _has(layer: tuple[str, ...]) -> bool:
    return all(importlib.util.find_spec(name) for name in layer)


def _report(out: Path) -> Path:
    return out.with_name(f"{out.name}-train") / "report"


def _compare(out: Path, shown: DemoTraining, *, quiet: bool) -> Comparison:
    from kit19.demo.pipeline import evaluate_demo  # noqa: PLC0415

    with rate_progress(quiet=quiet) as on_progress:
        return evaluate_demo(shown, _report(out).parent, on_progress)


def _document(shown: DemoTraining | None) -> Any:
    if shown is None:
        return None
    return {
        "before": str(shown.before),
        "run": str(shown.run.folder),
        "real": shown.real,
        "seconds": round(shown.run.seconds, 1),
        "scores": {
            name: {one.name: _figures(one) for one in look.scores}
            for name, look in (("before", shown.untrained), ("after", shown.trained))
        },
    }


def _figures(one: Score) -> dict[str, Any]:
    low, high = one.interval
    return {
        "rows": one.rows,
        "form": one.form,
        "right": one.right,
        "interval": [round(low, 4), round(high, 4)],
        "majority": one.majority,
    }


def _print(shown: DemoTraining) -> None:
    record = shown.run.record
    what = f"real rows of {', '.join(shown.real)}" if shown.real else "rows of the sample"
    threads = record.settings["threads"]
    print_text(
        f"A small GPT-NeoX from nothing: {record.settings['steps']} steps on {record.rows['train']:,} "
        f"{what}, {shown.run.seconds:.0f} s on {threads} CPU thread{'s' if threads > 1 else ''}. "
        "On rows that it never saw:\n"
    )
    pairs = list(zip(shown.untrained.scores, shown.trained.scores, strict=True))
    rows = []
    for before, after in pairs if len(pairs) > 2 else pairs[:1]:  # of one task, `all` says the same
        low, high = after.interval
        share = [one / max(after.rows, 1) for one in (before.form, after.form, before.right)]
        cells = [f"{one:.0%}" for one in share]
        right = f"{after.right / max(after.rows, 1):.1%} ({low:.1%} to {high:.1%})"
        commonest = f"{after.majority / max(after.rows, 1):.1%}"
        rows.append([after.name, after.rows, *cells, right, commonest])
    columns = ["", "rows", "form before", "form after", "right before", "right after (95%)"]
    columns.append("commonest answer")
    print_table("", columns, rows, numbers=columns[1:])
    print_text(_verdict(*pairs[-1], real=bool(shown.real)))
    for number, (question, wanted, said) in enumerate(shown.trained.answers, 1):
        untrained = shown.untrained.answers[number - 1][2]
        print_text(f"\n── {number}\n{question}\n[right]  {wanted}\n[before] {untrained[:60]}")
        print_text(f"[after]  {said}")
    print_text(f"\nTalk to it: kit19 chat {shown.run.folder}")


def _verdict(before: Score, after: Score, *, real: bool) -> str:
    """What the figures show, and what they do not."""
    told = (
        f"\nIn the right form: {before.form} of {before.rows} before, {after.form} after: it learned "
        f"what an answer looks like.\nRight: {after.right} of {after.rows} after; "
        f"{after.majority} if the commonest answer were always given: "
    )
    if after.interval[0] > after.majority / max(after.rows, 1):
        return told + "better than that, beyond the interval."
    more = (
        ""
        if real
        else "\nThe sample has too few rows to learn more from; --data-dir trains on real ones."
    )
    return told + "no better than that, so far." + more
