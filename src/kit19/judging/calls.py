"""The calls of a judgment: which there are, which are already answered, and making the others."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any, Literal

from kit19.calling.client import Client, RefusedError
from kit19.calling.endpoint import Endpoint
from kit19.core.arguments import OnProgress
from kit19.core.errors import ModelError, Problem
from kit19.core.json_text import to_json
from kit19.judging.answers import Conversation
from kit19.judging.prompts import (
    Message,
    pair_messages,
    parse_choice,
    parse_score,
    score_messages,
)
from kit19.judging.verdicts import Kind, Verdict, VerdictFile

_TOO_LONG = (400, 413, 422)
"""Status codes with which servers refuse one prompt, rather than every call."""


@dataclass(frozen=True)
class Call:
    """One question to a judge; the fields are those of ``Verdict``."""

    key: str
    kind: Kind
    task: str
    item: str
    turn: int
    order: Literal["", "own", "other"]
    repeat: int
    endpoint: Endpoint
    messages: list[Message]
    settings: dict[str, Any]


def plan_scores(
    conversations: Sequence[Conversation],
    endpoint: Endpoint,
    settings: Mapping[str, Any],
    repeats: int,
) -> list[Call]:
    """One call for each turn and repetition."""
    return [
        _call("score", one, turn, "", repeat, endpoint, score_messages(one, turn), settings)
        for one in conversations
        for turn in range(len(one.turns))
        for repeat in range(repeats)
    ]


def plan_pairs(
    pairs: Sequence[tuple[Conversation, Conversation]],
    endpoint: Endpoint,
    settings: Mapping[str, Any],
    repeats: int,
) -> list[Call]:
    """Two calls for each turn and repetition: each answer is shown first once."""
    calls = []
    for own, other in pairs:
        for turn, repeat in itertools.product(range(len(own.turns)), range(repeats)):
            swapped = pair_messages(other, own, turn)
            first = pair_messages(own, other, turn)
            calls.append(_call("pair", own, turn, "own", repeat, endpoint, first, settings))
            calls.append(_call("pair", own, turn, "other", repeat, endpoint, swapped, settings))
    return calls


def _call(  # noqa: PLR0913  the fields of a call
    kind: Kind,
    conversation: Conversation,
    turn: int,
    order: Literal["", "own", "other"],
    repeat: int,
    endpoint: Endpoint,
    messages: list[Message],
    settings: Mapping[str, Any],
) -> Call:
    content = {
        "base_url": endpoint.base_url,
        "model": endpoint.model,
        "messages": messages,
        "settings": dict(settings),
        "place": [kind, conversation.task, conversation.item, turn, order, repeat],
    }
    key = hashlib.sha256(to_json(content).encode()).hexdigest()[:32]
    return Call(
        key,
        kind,
        conversation.task,
        conversation.item,
        turn,
        order,
        repeat,
        endpoint,
        messages,
        dict(settings),
    )


def make_calls(
    calls: Sequence[Call],
    clients: Mapping[Endpoint, Client],
    file: VerdictFile,
    concurrency: int,
    on_progress: OnProgress,
    earlier: Collection[Verdict] = (),
) -> list[Verdict]:
    """Make calls, and append each verdict to the file as soon as it is there.

    Args:
        calls: The calls to make.
        clients: A client for each endpoint.
        file: The file of verdicts.
        concurrency: The most calls at once.
        on_progress: Called with the number of verdicts.
        earlier: Verdicts of other calls with the same settings.

    Raises:
        ModelError: A server does not answer, or refuses a judge's first calls. Verdicts that came
            before are in the file, and so are those of the calls that were under way.
    """
    found: list[Verdict] = []
    accepted = {_judge(one) for one in earlier if one.status != "refused"}
    left = iter(calls)
    unsaved: set[Future[Verdict]] = set()
    with ThreadPoolExecutor(concurrency, thread_name_prefix="judge") as pool:
        try:
            on_progress("judging", 0, len(calls))
            while True:
                for call in itertools.islice(left, concurrency - len(unsaved)):
                    unsaved.add(pool.submit(_ask, clients[call.endpoint], call))
                if not unsaved:
                    return found
                done, _ = wait(unsaved, return_when=FIRST_COMPLETED)
                if any(map(_save_last, done)):  # a refusal is quicker than an answer
                    done, _ = wait(unsaved)
                for future in sorted(done, key=_save_last):
                    verdict = future.result()  # raises the error of a call
                    _require_use(verdict, accepted)
                    file.append(verdict)
                    unsaved.discard(future)
                    found.append(verdict)
                on_progress("judging", len(found), len(calls))
        finally:
            # After an error or Ctrl-C: the calls under way are paid for, so their verdicts are kept.
            for future in wait(unsaved).done:
                if future.exception() is None and future.result().status != "refused":
                    file.append(future.result())


def _save_last(future: Future[Verdict]) -> int:
    """The order of finished calls: errors come last, and refusals before them."""
    if future.exception() is not None:
        return 2
    return int(future.result().status == "refused")


def _judge(verdict: Verdict) -> tuple[str, str]:
    return verdict.base_url, verdict.judge


def _require_use(verdict: Verdict, accepted: set[tuple[str, str]]) -> None:
    """Stop at a refusal before any success of the judge: the settings are wrong, not one prompt.

    Args:
        verdict: The verdict of a call.
        accepted: Judges that accepted a call; this one is added if it did.

    Raises:
        ModelError: The server refuses a call, and has accepted none.
    """
    if verdict.status != "refused":
        accepted.add(_judge(verdict))
    elif _judge(verdict) not in accepted:
        fix = "change a field of the request with --set, e.g. --set temperature=null"
        what = f"refuses the request: {verdict.reply}"
        raise ModelError(Problem(what, verdict.base_url, fix))


def _ask(client: Client, call: Call) -> Verdict:
    """The verdict of one call.

    Raises:
        ModelError: There is no answer, or every call would be refused.
    """
    body = {"model": call.endpoint.model, "messages": call.messages, **call.settings}
    try:
        answer = client.post("/chat/completions", body)
    except RefusedError as error:
        if error.status not in _TOO_LONG:
            raise
        return _verdict(call, "refused", error.reason)
    try:
        choice = answer["choices"][0]
        reply = choice["message"]["content"] or ""
        if not isinstance(reply, str):
            raise TypeError
    except (KeyError, IndexError, TypeError):
        what = f"answers with something else than a chat completion: {to_json(answer)[:200]}"
        raise ModelError(Problem(what, call.endpoint.base_url)) from None
    more = {
        "served_model": str(answer.get("model") or ""),
        "finish_reason": str(choice.get("finish_reason") or ""),
        "usage": _counts(answer.get("usage")),
    }
    if more["finish_reason"] == "length":  # cut off: what looks like a verdict is a quotation
        return _verdict(call, "unparsable", reply, **more)
    if call.kind == "score":
        score = parse_score(reply)
        return _verdict(call, "unparsable" if score is None else "ok", reply, score=score, **more)
    chosen = parse_choice(reply)
    return _verdict(call, "unparsable" if chosen is None else "ok", reply, choice=chosen, **more)


def _verdict(call: Call, status: str, reply: str, **more: Any) -> Verdict:
    return Verdict.model_validate(
        {
            "key": call.key,
            "kind": call.kind,
            "task": call.task,
            "item": call.item,
            "turn": call.turn,
            "order": call.order,
            "repeat": call.repeat,
            "judge": call.endpoint.model,
            "base_url": call.endpoint.base_url,
            "messages": call.messages,
            "settings": call.settings,
            "status": status,
            "reply": reply,
            **more,
        }
    )


def _counts(usage: Any) -> dict[str, int]:
    found = usage if isinstance(usage, dict) else {}
    names = ("prompt_tokens", "completion_tokens", "total_tokens")
    return {name: found[name] for name in names if type(found.get(name)) is int}
