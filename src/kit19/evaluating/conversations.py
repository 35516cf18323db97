"""Tasks that are conversations: a later question follows the model's own earlier answers.

The harness creates all requests of a task before it runs any. So a later turn is created with a
``LaterTurn`` in place of its prompt, and ``answer_in_turns`` renders it once the earlier answers are
known. This works for every model type of the harness.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any

from lm_eval.api.task import ConfigurableTask

from kit19.core.errors import ModelError, Problem

Turn = dict[str, str]

_IN_TURNS: ContextVar[bool] = ContextVar("in_turns", default=False)


@dataclass(frozen=True)
class LaterTurn:
    """The prompt of a later turn, before the earlier answers are known.

    Attributes:
        questions: The questions up to this turn; an answer follows each but the last.
    """

    questions: tuple[str, ...]


class ConversationTask(ConfigurableTask):  # type: ignore[misc]
    """A task with several questions in one conversation, each with a generated answer.

    The task file lists the fields of the questions under ``metadata: {turns: [...]}``; the first is
    also its ``doc_to_text``.
    """

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__(config={key: value for key, value in config.items() if key != "class"})
        self._turns = [str(name) for name in self.config.metadata["turns"]]

    def construct_requests(self, doc: dict[str, Any], ctx: Any, **kwargs: Any) -> list[Any]:
        """One request for each question.

        Raises:
            ModelError: The evaluation has no prompt format that renders turns, or it is the harness's
                own, which does not answer in turns.
        """
        if not _IN_TURNS.get():
            what = "asks a question after an answer, which the harness alone cannot do"
            raise ModelError(Problem(what, str(self.config.task), "use `kit19 eval`"))
        if not kwargs.get("apply_chat_template"):
            fix = (
                "use --format chat, or --format instruction for a model trained without a template"
            )
            what = "is a conversation, and raw prompts have no turns"
            raise ModelError(Problem(what, str(self.config.task), fix))
        first = super().construct_requests(doc, ctx, **kwargs)
        questions = [str(doc[name]) for name in self._turns]
        settings = first.args[1]
        later = [
            replace(
                first,
                arguments=(LaterTurn(tuple(questions[: number + 1])), dict(settings)),
                idx=number,
                resps=[],
                filtered_resps={},
            )
            for number in range(1, len(questions))
        ]
        return [first, *later]

    def process_results(self, doc: dict[str, Any], results: Sequence[str]) -> dict[str, float]:  # noqa: ARG002
        """The share of questions whose answer is not empty."""
        return {"answered": answered(results)}


def answered(answers: Sequence[str]) -> float:
    """The share of answers that are not empty."""
    return sum(bool(answer.strip()) for answer in answers) / len(answers)


@contextmanager
def answer_in_turns(model: Any, system: str | None) -> Iterator[None]:
    """While the context lasts, ``model.generate_until`` answers later turns after earlier ones.

    Args:
        model: A model of the harness.
        system: The system instruction of the evaluation, if there is one.
    """
    generate = model.generate_until

    def generate_until(requests: Sequence[Any], disable_tqdm: bool = False) -> list[str]:
        answers: dict[tuple[str, int, int], str] = {}
        rounds = sorted({_round(request) for request in requests})
        for number in rounds:
            current = [request for request in requests if _round(request) == number]
            for request in current:
                if isinstance(request.args[0], LaterTurn):
                    prompt = model.apply_chat_template(_turns(request, answers, system))
                    request.arguments = (prompt, request.args[1])
            found = generate(current, disable_tqdm=disable_tqdm)
            answers |= {_key(one): text for one, text in zip(current, found, strict=True)}
        return [answers[_key(request)] for request in requests]

    model.generate_until = generate_until
    token = _IN_TURNS.set(True)
    try:
        yield
    finally:
        _IN_TURNS.reset(token)
        model.generate_until = generate


def _round(request: Any) -> int:
    prompt = request.args[0]
    return len(prompt.questions) - 1 if isinstance(prompt, LaterTurn) else 0


def _key(request: Any) -> tuple[str, int, int]:
    return request.task_name or "", request.doc_id or 0, request.idx


def _turns(
    request: Any, answers: dict[tuple[str, int, int], str], system: str | None
) -> list[Turn]:
    task, item, _ = _key(request)
    turns = [{"role": "system", "content": system}] if system else []
    *earlier, last = request.args[0].questions
    for place, question in enumerate(earlier):
        turns.append({"role": "user", "content": question})
        turns.append({"role": "assistant", "content": answers[task, item, place]})
    return [*turns, {"role": "user", "content": last}]
