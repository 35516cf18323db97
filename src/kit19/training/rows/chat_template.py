"""What a chat template writes around an answer: constantly before it, and after it.

Qwen3's writes an empty ``<think>`` block before every answer, gpt-oss's
``<|channel|>final<|message|>``. Nobody wants that from the model, so it belongs to the prompt. It is
found by filling the template with two questions and two answers to each.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, Any, cast

from kit19.core.errors import Problem, TrainError
from kit19.training.rows.chat_template_process import CONVERSATIONS, SECONDS

Turns = list[dict[str, str]]

_FIX = "use another prompt format: --format alpaca, koalpaca or kullm"
_QUESTIONS = ("kit19 asks", "What is 2 + 3?")
_ANSWERS = ("kit19 answers", "5, which is 2 + 3.")


@dataclass(frozen=True)
class AnswerFrame:
    """What a template writes around an answer.

    Attributes:
        head: Between the prompt (up to where generation begins) and every answer.
        tail: Behind the last answer.
    """

    head: str
    tail: str


def render(tokenizer: Any, turns: Turns, **how: Any) -> str:
    """A conversation as the tokenizer's chat template writes it; see ``render_all``."""
    return render_all(tokenizer, [turns], **how)[0]


def render_all(tokenizer: Any, conversations: Sequence[Turns], **how: Any) -> list[str]:
    """Conversations as the tokenizer's chat template writes them, in their order.

    They are written in another process, with limits of time, memory and length: a template is a
    program of whoever made the model.

    Args:
        tokenizer: A tokenizer of transformers.
        conversations: Turns, ``role`` and ``content`` each.
        **how: As for ``apply_chat_template``.

    Raises:
        TrainError: The template fails, or reaches a limit.
    """
    from transformers import PreTrainedTokenizerBase  # noqa: PLC0415

    if type(tokenizer).apply_chat_template is not PreTrainedTokenizerBase.apply_chat_template:
        # Code of the tokenizer's own and no template.
        return [
            str(tokenizer.apply_chat_template(turns, tokenize=False, **how))
            for turns in conversations
        ]
    try:
        template = tokenizer.get_chat_template()
    except ValueError as error:
        raise _failed(tokenizer, str(error)) from None
    given = {"chat_template": template, **tokenizer.special_tokens_map, **how}
    texts: list[str] = []
    for start in range(0, len(conversations), CONVERSATIONS):
        some = conversations[start : start + CONVERSATIONS]
        answer = _process.ask({"conversations": some, **given})
        if "texts" not in answer:
            raise _failed(tokenizer, answer["error"])
        texts += answer["texts"]
    return texts


class _Process:
    """The process that renders; started at the first request, and again after it was ended."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: subprocess.Popen[str] | None = None
        self._owner = 0

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """Its answer to a request."""
        line = json.dumps(request) + "\n"
        with self._lock:
            process = self._start()
            asks, answers = cast("IO[str]", process.stdin), cast("IO[str]", process.stdout)
            try:
                asks.write(line)
                asks.flush()
                said = answers.readline()
            except BrokenPipeError:
                said = ""
            except BaseException:  # Ctrl-C: what it says now would answer the next question
                self._stop()
                raise
            if said.endswith("\n"):
                answer: dict[str, Any] = json.loads(said)
                return answer
            return {"error": _how_it_ended(self._stop())}

    def _start(self) -> subprocess.Popen[str]:
        if self._running and self._owner == os.getpid() and self._running.poll() is None:
            return self._running
        self._stop()
        # What this process can import, the other one can.
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        self._running = subprocess.Popen(
            [sys.executable, "-P", "-m", "kit19.training.rows.chat_template_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="ascii",
            env=env,
        )
        self._owner = os.getpid()
        atexit.register(self._stop)
        return self._running

    def _stop(self) -> int:
        process, self._running = self._running, None
        if process is None or self._owner != os.getpid():
            return 0
        for pipe in (process.stdin, process.stdout):
            if pipe:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        try:
            return process.wait(timeout=1)  # it ends when nobody asks any more
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()


_process = _Process()


def _how_it_ended(code: int) -> str:
    if code == -signal.SIGXCPU:
        return f"it takes more than {SECONDS} seconds of the processor"
    if code < 0:
        return f"it ends the process that renders it ({signal.Signals(-code).name})"
    return f"the process that renders it cannot go on (exit {code})"


def _failed(tokenizer: Any, reason: str) -> TrainError:
    name = str(tokenizer.name_or_path) or "the tokenizer"
    fix = "mend `chat_template`, or use another prompt format: --format alpaca, koalpaca or kullm"
    return TrainError(Problem(f"its chat template cannot be used: {reason}", name, fix))


def find_answer_frame(tokenizer: Any) -> AnswerFrame | None:
    """What the chat template writes around each answer; None where that is not constant.

    It is not constant where a prompt is written differently before its answer, or where an answer is
    not written as it is.

    Raises:
        TrainError: The template fails, or leaves out the question or the answer.
    """
    found = {_around(tokenizer, asked, said) for asked in _QUESTIONS for said in _ANSWERS}
    return found.pop() if len(found) == 1 else None


def _around(tokenizer: Any, asked: str, said: str) -> AnswerFrame | None:
    turns = [{"role": "user", "content": asked}]
    prompt = render(tokenizer, turns, add_generation_prompt=True)
    whole = render(tokenizer, [*turns, {"role": "assistant", "content": said}])
    begin = whole.rfind(said)
    if begin < 0 or asked not in prompt:
        what = (
            "the chat template does not write the text of a turn (it may want pictures beside it)"
        )
        raise TrainError(Problem(what, str(tokenizer.name_or_path), _FIX))
    if begin < len(prompt) or not whole.startswith(prompt):
        return None
    # A blank joins the word behind it into one token, so it is the answer's: `[/INST] answer`.
    head = whole[len(prompt) : begin].rstrip(" \t")
    return AnswerFrame(head, whole[begin + len(said) :])
