"""Judge a model's answers: plan the calls, make those that are missing, write scores and verdicts.

answers ──► calls ──► verdicts.jsonl (resumed) ──► scores, pairs, agreement ──► results folder
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from kit19.calling.client import Client
from kit19.calling.endpoint import KEY_ENV, OPENAI, Endpoint, make_endpoint
from kit19.core.arguments import Count, OnProgress, one_or_more, public, silent
from kit19.core.errors import ArgumentError, Problem, ResultsError
from kit19.judging import report
from kit19.judging.answers import Answers, Conversation, read_answers
from kit19.judging.calls import Call, make_calls, plan_pairs, plan_scores
from kit19.judging.prompts import load_prompts
from kit19.judging.scores import (
    Agreement,
    ItemScore,
    Pairs,
    TaskScores,
    agreement,
    count_pairs,
    item_scores,
    pair_scores,
    repeat_spread,
    summarize,
    turn_scores,
)
from kit19.judging.verdicts import NAME, Verdict, VerdictFile, read_verdicts
from kit19.writing.place import locked, refuse_foreign, write_errors

SETTINGS = {"temperature": 0, "max_tokens": 1024}
"""Fields of a request besides model and messages, unless others are given."""
_CONCURRENCY = 4
_FIXED = {"model": "--model", "messages": "", "n": "--repeats", "stream": ""}
"""Fields of a request that are no settings, with the option that decides them."""


@dataclass(frozen=True)
class JudgePlan:
    """The calls of a judgment, before any is made.

    Attributes:
        answers: The answers to judge.
        others: The answers that they are compared with; None for scores.
        endpoints: The judges: the first one, and a second one if it is asked for.
        out: The folder of verdicts and scores.
        calls: All calls.
        verdicts: Verdicts of calls that were made before.
    """

    answers: Answers = field(repr=False)
    others: Answers | None = field(repr=False)
    endpoints: tuple[Endpoint, ...]
    out: Path
    calls: list[Call] = field(repr=False)
    verdicts: dict[str, Verdict] = field(repr=False)

    @property
    def missing(self) -> list[Call]:
        """The calls without a verdict."""
        return [call for call in self.calls if call.key not in self.verdicts]

    @property
    def answered(self) -> list[Verdict]:
        """The verdicts of the calls that have one."""
        return [self.verdicts[one.key] for one in self.calls if one.key in self.verdicts]

    def to_dict(self) -> dict[str, Any]:
        """The plan as JSON data."""
        return {
            "model": self.answers.model,
            "against": self.others.model if self.others else None,
            "judges": [{"model": one.model, "base_url": one.base_url} for one in self.endpoints],
            "tasks": {name: len(found) for name, found in self.answers.tasks.items()},
            "calls": len(self.calls),
            "answered": len(self.answered),
            "to_make": len(self.missing),
            "prompt_characters": sum(
                len(message["content"]) for call in self.missing for message in call.messages
            ),
            "out": str(self.out),
        }


@dataclass(frozen=True)
class Judged:
    """The result of a judgment.

    Attributes:
        judge: The model that judged.
        out: The folder of verdicts and scores.
        counts: Calls by what became of them.
        scores: Scores by task; empty for pairs.
        pairs: Comparisons by task; empty for scores.
        repeat_spread: The standard deviation of the judge's scores of one answer; None without
            repetitions.
        agreement: Agreement with a second judge; None without one.
    """

    judge: str
    out: Path
    counts: dict[str, int]
    scores: dict[str, TaskScores]
    pairs: dict[str, Pairs]
    repeat_spread: float | None
    agreement: Agreement | None

    def to_dict(self) -> dict[str, Any]:
        """The result as JSON data."""
        return {
            "judge": self.judge,
            "out": str(self.out),
            "counts": self.counts,
            "scores": {task: vars(found) for task, found in self.scores.items()},
            "pairs": {task: found.to_dict() for task, found in self.pairs.items()},
            "repeat_spread": self.repeat_spread,
            "agreement": vars(self.agreement) if self.agreement else None,
        }


@public
def plan_judging(  # noqa: PLR0913  one parameter an option of the command
    result: str | Path,
    model: str,
    *,
    base_url: str = "",
    tasks: str | Collection[str] = (),
    against: str | Path | None = None,
    repeats: Count = 1,
    second_model: str = "",
    second_base_url: str = "",
    second_key_env: str = "",
    key_env: str = KEY_ENV,
    settings: Mapping[str, Any] | None = None,
    out: str | Path | None = None,
) -> JudgePlan:
    """List the calls that ``judge`` would make with these arguments, and make none.

    Args:
        result: As for ``judge``, like all others.
        model: The model that judges.
        base_url: The address of its API.
        tasks: Tasks to judge.
        against: Results to compare with.
        repeats: How often each call is made.
        second_model: A second judge.
        second_base_url: The address of its API.
        second_key_env: The environment variable of its key.
        key_env: The environment variable of the key.
        settings: Fields of the request.
        out: The folder of verdicts and scores.

    Raises:
        ArgumentError: A field of the request is no setting.
        ResultsError: There are no answers to judge, or a verdict cannot be read.
        ModelError: The address or a model's name is not valid.
    """
    own = base_url or os.environ.get("OPENAI_BASE_URL", "") or OPENAI
    endpoints = [make_endpoint(own, model, key_env)]
    if second_model:
        other = make_endpoint(second_base_url or own, second_model, second_key_env or key_env)
        if not second_key_env and other.base_url != endpoints[0].base_url:
            other = replace(other, key_env="")  # a key is for one provider
        endpoints.append(other)
    if len({(one.base_url, one.model) for one in endpoints}) < len(endpoints):
        raise ResultsError(Problem("the second judge is the first one", second_model))
    for name in sorted(_FIXED.keys() & (settings or {}).keys()):
        fix = f"use {_FIXED[name]}" if _FIXED[name] else "leave it out"
        raise ArgumentError(Problem(f"the request's field `{name}` is no setting", "settings", fix))
    names = one_or_more(tasks, "tasks")
    answers = read_answers(Path(result), names)
    others = read_answers(Path(against), list(answers.tasks)) if against is not None else None
    body = {
        name: value for name, value in {**SETTINGS, **(settings or {})}.items() if value is not None
    }
    calls: list[Call] = []
    for endpoint in endpoints:
        for task, found in answers.tasks.items():
            if others:
                pairs = _pairs(found, others.tasks[task], others)
                calls += plan_pairs(pairs, endpoint, body, repeats)
            else:
                calls += plan_scores(found, endpoint, body, repeats)
    folder = Path(out) if out is not None else _default_out(answers, others, model)
    refuse_foreign(folder, is_ours=lambda path: (path / NAME).is_file())
    return JudgePlan(answers, others, tuple(endpoints), folder, calls, _read_known(folder))


@public
def judge(  # noqa: PLR0913
    result: str | Path,
    model: str,
    *,
    base_url: str = "",
    tasks: str | Collection[str] = (),
    against: str | Path | None = None,
    repeats: Count = 1,
    second_model: str = "",
    second_base_url: str = "",
    second_key_env: str = "",
    second_verdicts: str | Path | None = None,
    key_env: str = KEY_ENV,
    settings: Mapping[str, Any] | None = None,
    out: str | Path | None = None,
    max_calls: Annotated[int, Field(ge=0)] | None = None,
    concurrency: Count = _CONCURRENCY,
    retries: Annotated[int, Field(ge=0, le=100)] = 6,
    on_progress: OnProgress = silent,
) -> Judged:
    """Let a model behind an OpenAI-compatible API judge the answers of another one.

    Every answer gets a score from 1 to 10; with ``against``, every answer is compared with that of
    another model, in both orders. Verdicts are written as they come. A call that has a verdict is not
    made again.

    Args:
        result: A results folder of ``kit19 eval`` with two-turn tasks.
        model: The name of the model that judges.
        base_url: The address of its API. Default: ``OPENAI_BASE_URL``, or OpenAI's own.
        tasks: Tasks to judge. Default: all two-turn tasks of the results.
        against: Results of another model on the same items, to compare with.
        repeats: How often each answer is judged.
        second_model: A second judge of the same answers, whose agreement is reported.
        second_base_url: The address of its API. Default: that of the first.
        second_key_env: The environment variable of its key. Default: that of the first at the same
            address, and no key at another.
        second_verdicts: The verdicts of an earlier judgment, in place of a second judge.
        key_env: The environment variable that holds the API key. The key is never written anywhere.
        settings: Fields of the request; null removes one. Default: temperature 0, 1,024 tokens.
        out: The folder of verdicts and scores. Default: next to the results, named after the judge.
        max_calls: The most calls now; a later judgment makes the others. Default: all.
        concurrency: The most calls at once.
        retries: How often a call is repeated after an overload or a broken connection.
        on_progress: Called with the number of verdicts.

    Raises:
        ArgumentError: A field of the request is no setting, or two second judges are named.
        ResultsError: There are no answers to judge, or a verdict cannot be read. The second verdicts
            are not of one judge, or not of these answers.
        ModelError: The server cannot be reached, or refuses the calls.
        OutputError: The folder cannot be written.
    """
    if second_model and second_verdicts is not None:
        what = "name a second judge or its verdicts, not both"
        raise ArgumentError(Problem(what, "second_verdicts"))
    plan = plan_judging(
        result,
        model=model,
        base_url=base_url,
        tasks=tasks,
        against=against,
        repeats=repeats,
        second_model=second_model,
        second_base_url=second_base_url,
        second_key_env=second_key_env,
        key_env=key_env,
        settings=settings,
        out=out,
    )
    of_second = _read_second(Path(second_verdicts), plan) if second_verdicts is not None else []
    clients = {
        endpoint: Client(endpoint, retries=retries, connections=concurrency)
        for endpoint in plan.endpoints
    }
    with write_errors(plan.out):
        plan.out.mkdir(parents=True, exist_ok=True)
    with locked(plan.out):
        plan = replace(plan, verdicts=_read_known(plan.out))  # another process may have made calls
        with VerdictFile(plan.out / NAME) as file:
            calls = plan.missing[:max_calls]
            new = make_calls(calls, clients, file, concurrency, on_progress, plan.answered)
        plan = replace(plan, verdicts=plan.verdicts | {one.key: one for one in new})
        return _conclude(plan, of_second, repeats)


def _read_known(folder: Path) -> dict[str, Verdict]:
    """The verdicts of an output folder, by key."""
    file = folder / NAME
    return {one.key: one for one in read_verdicts(file)} if file.is_file() else {}


def _read_second(path: Path, plan: JudgePlan) -> list[Verdict]:
    """The verdicts of another judge on the answers of a plan.

    Raises:
        ResultsError: There are none, or they are of several judges.
    """
    prompts = {_subject(call): call.messages for call in plan.calls}
    found = [one for one in read_verdicts(path) if prompts.get(_subject(one)) == one.messages]
    if not found:
        what = "has no verdicts on these answers"
        fix = "give the verdicts.jsonl of a judgment of the same results"
        raise ResultsError(Problem(what, str(path), fix))
    judges = {(one.base_url, one.judge) for one in found}
    if len(judges) > 1:
        judges -= {(one.base_url, one.model) for one in plan.endpoints}
    if len(judges) > 1:
        names = ", ".join(sorted(name for _, name in judges))
        raise ResultsError(Problem(f"has verdicts of several judges: {names}", str(path)))
    return [one for one in found if (one.base_url, one.judge) in judges]


def _subject(one: Call | Verdict) -> tuple[str, str, str, int, str]:
    """What a call asks about."""
    return one.kind, one.task, one.item, one.turn, one.order


def _conclude(plan: JudgePlan, of_second: Sequence[Verdict], repeats: int) -> Judged:
    """The figures of a judgment; scores are written.

    Args:
        plan: The plan with all verdicts.
        of_second: The verdicts of a second judge, if they are from a file.
        repeats: How often each answer is judged.
    """
    verdicts = plan.answered
    first, *second = (
        [one for one in verdicts if (one.base_url, one.judge) == (end.base_url, end.model)]
        for end in plan.endpoints
    )
    of_pairs = plan.others is not None
    of_second = second[0] if second else of_second
    scores = turn_scores(first)
    items: dict[str, list[ItemScore]] = {}
    agreed = None
    if not of_pairs:
        items = {task: item_scores(found, scores) for task, found in plan.answers.tasks.items()}
    if of_second:
        names = plan.endpoints[0].model, of_second[0].judge
        values = pair_scores if of_pairs else turn_scores
        agreed = agreement(values(first), values(of_second), names, of_pairs=of_pairs)
    judged = Judged(
        judge=plan.endpoints[0].model,
        out=plan.out,
        counts=report.count_status(len(plan.calls), verdicts),
        scores={task: summarize(found) for task, found in items.items()},
        pairs={
            task: count_pairs(one for one in first if one.task == task)
            for task in (plan.answers.tasks if of_pairs else ())
        },
        repeat_spread=repeat_spread(scores),
        agreement=agreed,
    )
    if items:
        about = {
            **judged.to_dict(),
            "base_url": plan.endpoints[0].base_url,
            "prompts": load_prompts().version,
            "repeats": repeats,
            "settings": plan.calls[0].settings,
        }
        report.write_scores(plan.out, plan.answers, items, {**about, "out": plan.out.name})
    return judged


def _pairs(
    own: Sequence[Conversation], others: Sequence[Conversation], results: Answers
) -> list[tuple[Conversation, Conversation]]:
    """Conversations about the same questions.

    Raises:
        ResultsError: The other results lack an item, or have another question for it.
    """
    by_item = {one.item: one for one in others}
    found = []
    for one in own:
        other = by_item.get(one.item)
        questions = [turn.question for turn in one.turns]
        if other is None or [turn.question for turn in other.turns] != questions:
            what = f"{one.task}: has no answer to item {one.item}, or to another question"
            fix = "evaluate both models with the same items"
            raise ResultsError(Problem(what, str(results.folder), fix))
        found.append((one, other))
    return found


def _default_out(answers: Answers, others: Answers | None, model: str) -> Path:
    folder = Path(os.path.abspath(answers.folder))  # noqa: PTH100  a link keeps its name
    against = f"-against-{_slug(others.folder.name)}" if others else ""
    return folder.with_name(f"{folder.name}-judged-by-{_slug(model)}{against}")


def _slug(name: str) -> str:
    return re.sub(r"[^\w.-]+", "-", name).strip("-.")[:60] or "model"
