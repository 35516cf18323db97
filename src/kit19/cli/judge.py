"""``kit19 judge``: let a model behind an API judge generated answers."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kit19.cli.options import COUNT, api_key_option, json_option, parse_settings, quiet_option
from kit19.cli.output import print_json, print_note, print_table, print_text, rate_progress
from kit19.cli.streams import is_terminal

if TYPE_CHECKING:
    from kit19.judging.pipeline import Judged, JudgePlan


@click.command(
    epilog="""\b
Examples:
  kit19 judge results/talks --base-url http://localhost:8000/v1 --model judge --dry-run
  kit19 judge results/talks --base-url http://localhost:8000/v1 --model judge --yes
  kit19 judge results/talks --model gpt-5 --max-calls 200 --set temperature=null --set max_tokens=null
  kit19 judge results/talks --model one --second-model other --base-url URL --yes
  kit19 judge results/tuned --against results/base --base-url URL --model judge --yes

\b
RESULT holds answers to two-turn tasks: kit19 eval --tasks logickor,komt_bench --format chat ...
Calls are made only after --yes or a confirmation. The same command continues an interrupted judgment.
The API key is read from OPENAI_API_KEY and never written.
"""
)
@click.argument("result", type=click.Path(path_type=Path))
@click.option("--model", required=True, metavar="NAME", help="The model that judges.")
@click.option(
    "--base-url",
    default="",
    metavar="URL",
    help="Its OpenAI-compatible API. Default: OPENAI_BASE_URL, else OpenAI's.",
)
@click.option("--tasks", default="", metavar="NAME,...", help="Default: all two-turn tasks.")
@click.option(
    "--against",
    type=click.Path(path_type=Path),
    metavar="RESULT",
    help="Compare with the answers in these results, in both orders, instead of giving scores.",
)
@click.option(
    "--repeats", type=COUNT, default=1, show_default=True, help="Verdicts for each answer."
)
@click.option("--second-model", default="", metavar="NAME", help="A second judge, for agreement.")
@click.option(
    "--second-base-url", default="", metavar="URL", help="Its API. Default: that of the first."
)
@click.option(
    "--second-api-key-env",
    "second_key_env",
    default="",
    metavar="NAME",
    help="The environment variable of its key. Default: the first judge's, at the same address only.",
)
@click.option(
    "--second-verdicts",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="verdicts.jsonl of another judgment, in place of a second judge.",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    callback=parse_settings,
    help="A field of the request; null removes one. Default: temperature=0, max_tokens=1024.",
)
@api_key_option
@click.option("--out", type=click.Path(path_type=Path), help="Default: RESULT-judged-by-MODEL.")
@click.option("--max-calls", type=click.IntRange(0), help="Make at most so many calls now.")
@click.option("--concurrency", type=COUNT, default=4, show_default=True, help="Calls at once.")
@click.option(
    "--retries",
    type=click.IntRange(0, 100),
    default=6,
    show_default=True,
    help="Of a call, after an overload or a broken connection.",
)
@click.option("--dry-run", is_flag=True, help="Print the number of calls, and make none.")
@click.option("--yes", is_flag=True, help="Make the calls without asking.")
@json_option
@quiet_option
def judge(  # noqa: PLR0913, PLR0917  one parameter an option
    result: Path,
    model: str,
    tasks: str,
    max_calls: int | None,
    concurrency: int,
    retries: int,
    second_verdicts: Path | None,
    dry_run: bool,
    yes: bool,
    as_json: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Let a model behind an API judge the answers in RESULT: scores, pairs, agreement of judges."""
    from kit19.judging.pipeline import judge as run  # noqa: PLC0415
    from kit19.judging.pipeline import plan_judging  # noqa: PLC0415

    options["tasks"] = tuple(name.strip() for name in tasks.split(",") if name.strip())
    plan = plan_judging(result, model, **options)
    if dry_run:
        print_json(plan.to_dict()) if as_json else print_text(_describe(plan))
        return
    calls = plan.missing[:max_calls]
    print_note(_describe(plan))
    if calls and not yes:
        _confirm(len(calls))
    with rate_progress(quiet=quiet or as_json) as on_progress:
        found = run(
            result,
            model,
            **options,
            second_verdicts=second_verdicts,
            max_calls=max_calls,
            concurrency=concurrency,
            retries=retries,
            on_progress=on_progress,
        )
    print_json(found.to_dict()) if as_json else _print_judged(found)


def _confirm(calls: int) -> None:
    if not is_terminal(sys.stdin):
        raise click.UsageError(f"{calls:,} calls would be made: add --yes, or look with --dry-run")
    click.confirm(f"Make {calls:,} calls?", abort=True, err=True)


def _describe(plan: JudgePlan) -> str:
    document = plan.to_dict()
    judges = " and ".join(f"{one.model} at {one.base_url}" for one in plan.endpoints)
    compared = f" against those of {document['against']}" if document["against"] else ""
    answered, all_calls = document["answered"], document["calls"]
    calls = f"{document['to_make']:,} calls to make, {answered:,} of {all_calls:,} already answered"
    size = f"{document['prompt_characters']:,} characters of prompts"
    what = f"answers of {document['model']}{compared}, judged by {judges}"
    return f"{what}\n{calls}; {size}\nverdicts in {plan.out}"


def _print_judged(found: Judged) -> None:
    rows = []
    for task, one in found.scores.items():
        turns = " ".join(map(_number, one.turns))
        rows.append([task, one.scored, one.items, _number(one.mean), _number(one.stderr), turns])
    if rows:
        columns = ["task", "scored", "items", "score", "stderr", "by turn"]
        print_table("", columns, rows, numbers=columns[1:])
    for task, one in found.scores.items():
        kinds = ", ".join(f"{name} {score:.2f}" for name, score in one.categories.items())
        print_text(f"{task}: {kinds}" if kinds else task)
    for task, pairs in found.pairs.items():
        print_text(
            f"{task}: {pairs.wins:,} won, {pairs.losses:,} lost, {pairs.ties:,} tied, "
            f"{pairs.inconsistent:,} inconsistent of {pairs.turns:,}; "
            f"win rate {_number(pairs.win_rate)}"
        )
        print_text(
            f"  position: {pairs.first:,} times the first answer in both orders, "
            f"{pairs.second:,} times the second"
        )
    _print_quality(found)


def _print_quality(found: Judged) -> None:
    if found.repeat_spread is not None:
        print_text(
            f"standard deviation of repeated scores of one answer: {found.repeat_spread:.2f}"
        )
    if found.agreement:
        one = found.agreement
        within = "" if one.same is None else f", {one.same:.0%} the same"
        within += "" if one.within_one is None else f", {one.within_one:.0%} within 1 point"
        print_text(
            f"agreement with {one.second} on {one.answers:,} answers: weighted kappa "
            f"{_number(one.kappa)}, Spearman {_number(one.spearman)}{within}"
        )
    for name, what in (
        ("unparsable", "replies name no single verdict"),
        ("refused", "prompts were refused"),
        ("missing", "calls are left: run the same command again"),
    ):
        if found.counts[name]:
            print_text(f"  ! {found.counts[name]:,} {what}")


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
