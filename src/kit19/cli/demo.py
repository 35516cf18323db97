"""``kit19 demo``: every step of kit19 on its own sample, offline."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

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
    from kit19.demo.gains import Gain
    from kit19.demo.held_out_loss import LossChange
    from kit19.demo.pipeline import DemoTraining
    from kit19.demo.scoring import Score

_BENCHMARKS = """
Both models on the sample's benchmarks, scored by kit19 eval and compared by kit19 compare. The model
was trained on reviews only, and kit19's authors wrote these few items: no number below is a
benchmark's score.
"""


@click.command(
    epilog="""\b
Examples:
  kit19 demo
  kit19 demo --no-train                only the build, in seconds
  kit19 demo --data-dir data           trains on the real files in this folder

\b
Training needs `pip install 'kit19[train]'`; without it the demo ends after the build.
"""
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("out/sample"),
    show_default=True,
    help="The folder to write; the trained model goes to <out>-train.",
)
@click.option(
    "--train/--no-train", default=None, help="Train too. Default: if kit19[train] is installed."
)
@data_dir_option
@json_option
@quiet_option
def demo(out: Path, train: bool | None, data_dir: Path | None, as_json: bool, quiet: bool) -> None:
    """Build and verify the sample; train a small model, and show it before and after training."""
    from kit19.demo.sample_build import build_demo, can_evaluate, can_train  # noqa: PLC0415

    calm()
    silent = quiet or as_json
    with progress(quiet=silent) as on_progress:
        built = build_demo(out, on_progress)
    if not as_json:
        print_summary(built.manifest, out)
        print_text("\nThree of its rows:\n")
        for index, example in enumerate(built.examples, 1):
            print_example(index, example)
    if train is None:
        train = can_train()
    training = _train(out, data_dir, quiet=silent) if train else None
    compared: Comparison | None = None
    gains: list[Gain] = []
    if training and can_evaluate():
        compared, gains = _compare(out, training, quiet=silent)
    if as_json:
        document = built.manifest.to_dict()
        document["training"] = training.to_dict() if training else None
        document["comparison"] = compared.model_dump(mode="json") if compared else None
        document["gains"] = [gain.to_dict() for gain in gains]
        print_json(document)
        return
    _print_results(out, training, compared)
    if compared:
        _print_gains(gains)
    shown = [out, *([_report(out).parent] if training else [])]
    print_text(f"\nLook: kit19 view {' '.join(map(str, shown))}")
    print_text(f"Next: kit19 stats {out} · kit19 explain {out} nsmc/train/… · kit19 build --help")


def _print_results(out: Path, training: DemoTraining | None, compared: Comparison | None) -> None:
    if not training:
        print_text("No training: it needs pip install 'kit19[train]'")
        return
    _print_training(training)
    if compared:
        print_text(_BENCHMARKS)
        print_comparison(compared, _report(out), brief=True)
    else:
        print_text("No evaluation: it needs pip install 'kit19[eval,report]'")


def _train(out: Path, data_dir: Path | None, *, quiet: bool) -> DemoTraining:
    from kit19.demo.pipeline import train_demo  # noqa: PLC0415  torch loads only when it works

    place = out.with_name(f"{out.name}-train")
    with progress(quiet=quiet) as on_progress:
        return train_demo(place, data_dir, on_progress)


def _report(out: Path) -> Path:
    return out.with_name(f"{out.name}-train") / "report"


def _compare(out: Path, shown: DemoTraining, *, quiet: bool) -> tuple[Comparison, list[Gain]]:
    from kit19.demo.pipeline import evaluate_demo  # noqa: PLC0415

    with rate_progress(quiet=quiet) as on_progress:
        return evaluate_demo(shown, _report(out).parent, on_progress)


def _print_training(shown: DemoTraining) -> None:
    record = shown.run.record
    what = f"real rows of {', '.join(shown.real)}" if shown.real else "rows of the sample"
    threads = record.settings["threads"]
    print_text(
        f"A small GPT-NeoX from scratch: {record.settings['steps']} steps on {record.rows['train']:,} "
        f"{what}, {shown.run.seconds:.0f} s on {threads} CPU thread{'s' if threads > 1 else ''}. "
        "On held-out rows:\n"
    )
    pairs = list(zip(shown.untrained.scores, shown.trained.scores, strict=True))
    rows = []
    for before, after in pairs if len(pairs) > 2 else pairs[:1]:  # with one task, `all` is the same
        low, high = after.interval
        share = [one / max(after.rows, 1) for one in (before.form, after.form, before.right)]
        cells = [f"{one:.0%}" for one in share]
        right = f"{after.right / max(after.rows, 1):.1%} ({low:.1%} to {high:.1%})"
        majority = f"{after.majority / max(after.rows, 1):.1%}"
        rows.append([after.name, after.rows, *cells, right, majority])
    columns = ["", "rows", "form before", "form after", "right before", "right after (95%)"]
    columns.append("most frequent answer")
    print_table("", columns, rows, numbers=columns[1:])
    print_text(_verdict(*pairs[-1]))
    if shown.loss:
        print_text(_loss_line(shown.loss))
    for number, (question, right_answer, answer) in enumerate(shown.trained.answers, 1):
        untrained = shown.untrained.answers[number - 1][2]
        print_text(f"\n── {number}\n{question}\n[right]  {right_answer}\n[before] {untrained[:60]}")
        print_text(f"[after]  {answer}")
    print_text(f"\nTry it: kit19 chat {shown.run.folder}")


def _loss_line(loss: LossChange) -> str:
    low, high = loss.interval
    return (
        f"Loss per token of the answers to {loss.records} held-out records: {loss.before:.2f} before, "
        f"{loss.after:.2f} after; {loss.difference:+.2f} ({low:+.2f} to {high:+.2f}), paired t-test: "
        f"{_p(loss.p)}."
    )


def _p(p: float) -> str:
    return "p < 0.0001" if p < 0.0001 else f"p = {p:.4f}"


def _print_gains(gains: list[Gain]) -> None:
    """Print on which benchmarks the model became better, and why."""
    if not gains:
        print_text("\nThe trained model is significantly better on no benchmark (Holm, p < 0.05).")
        return
    print_text("\nThe trained model is significantly better than its base (Holm, p < 0.05):\n")
    for gain in gains:
        print_text(
            f"  {gain.title}: {gain.before} → {gain.after} of {gain.items} items correct, {_p(gain.p)}"
        )
        seen = f"{gain.shared} items share" if gain.shared else "No item shares"
        shared = f"{seen} three words in a row with a training row. {gain.reason}"
        print_text(textwrap.indent(textwrap.fill(shared, 90), "  "))


def _verdict(before: Score, after: Score) -> str:
    """Summarize the scores and their limits."""
    text = (
        f"\nIn the right form: {before.form} of {before.rows} before, {after.form} after: "
        f"the model learned what an answer looks like.\nRight: {after.right} of {after.rows} after; "
        f"{after.majority} if the most frequent answer were always given: "
    )
    if after.beats_majority:
        return text + "better than that, beyond the interval."
    return text + "no better than that, so far."
