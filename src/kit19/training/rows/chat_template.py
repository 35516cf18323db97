"""What a chat template writes around an answer: the constant text before it, and the text after it.

Qwen3 writes an empty ``<think>`` block before every answer, gpt-oss ``<|channel|>final<|message|>``.
The model should not generate this text, so it belongs to the prompt. It is found by filling the
template with two questions and two answers each.
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
    """The text that a template writes around an answer.

    Attributes:
        head: Between the generation prompt and every answer.
        tail: After the last answer.
    """

    head: str
    tail: str


def render(tokenizer: Any, turns: Turns, **options: Any) -> str:
    """Render one conversation; see ``render_all``."""
    return render_all(tokenizer, [turns], **options)[0]


def render_all(
    tokenizer: Any, conversations: Sequence[Turns], *, date: str = "", **options: Any
) -> list[str]:
    """Render conversations with the tokenizer's chat template, in order.

    Rendering happens in another process with limits on time, memory and length: a template is a program
    that the model's author wrote.

    Args:
        tokenizer: A transformers tokenizer.
        conversations: Turns with ``role`` and ``content``.
        date: The date that the template writes (YYYY-MM-DD); default: today.
        **options: As for ``apply_chat_template``.

    Raises:
        TrainError: The template fails, or exceeds a limit.
    """
    from transformers import PreTrainedTokenizerBase  # noqa: PLC0415

    if type(tokenizer).apply_chat_template is not PreTrainedTokenizerBase.apply_chat_template:
        # The tokenizer renders with its own code, without a template.
        return [
            str(tokenizer.apply_chat_template(turns, tokenize=False, **options))
            for turns in conversations
        ]
    try:
        template = tokenizer.get_chat_template()
    except ValueError as error:
        raise _failed(tokenizer, str(error)) from None
    arguments = {"chat_template": template, **tokenizer.special_tokens_map, **options}
    texts: list[str] = []
    for start in range(0, len(conversations), CONVERSATIONS):
        some = conversations[start : start + CONVERSATIONS]
        answer = _renderer.request({"conversations": some, "date": date, **arguments})
        if "texts" not in answer:
            raise _failed(tokenizer, answer["error"])
        texts += answer["texts"]
    return texts


def writes_date(tokenizer: Any) -> bool:
    """Whether the chat template writes the current date, as those of Llama 3.2 and gpt-oss."""
    return "strftime_now" in str(tokenizer.chat_template or "")


class _Renderer:
    """The rendering process. It starts at the first request, and again after it ended."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: subprocess.Popen[str] | None = None
        self._owner = 0

    def request(self, request: dict[str, Any]) -> dict[str, Any]:
        """Send a request and return the response."""
        line = json.dumps(request) + "\n"
        with self._lock:
            process = self._start()
            stdin, stdout = cast("IO[str]", process.stdin), cast("IO[str]", process.stdout)
            try:
                stdin.write(line)
                stdin.flush()
                response = stdout.readline()
            except BrokenPipeError:
                response = ""
            except (
                BaseException
            ):  # Ctrl-C: its response would be taken for that to the next request
                self._stop()
                raise
            if response.endswith("\n"):
                answer: dict[str, Any] = json.loads(response)
                return answer
            return {"error": _exit_reason(self._stop())}

    def _start(self) -> subprocess.Popen[str]:
        if self._running and self._owner == os.getpid() and self._running.poll() is None:
            return self._running
        self._stop()
        # The other process can import what this one can.
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
            return process.wait(timeout=1)  # it exits when its stdin closes
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()


_renderer = _Renderer()


def _exit_reason(code: int) -> str:
    if code == -signal.SIGXCPU:
        return f"it takes more than {SECONDS} seconds of CPU time"
    if code < 0:
        return f"it kills the process that renders it ({signal.Signals(-code).name})"
    return f"the process that renders it exits with code {code}"


def _failed(tokenizer: Any, reason: str) -> TrainError:
    name = str(tokenizer.name_or_path) or "the tokenizer"
    fix = "fix `chat_template`, or use another prompt format: --format alpaca, koalpaca or kullm"
    return TrainError(Problem(f"its chat template cannot be used: {reason}", name, fix))


def find_answer_frame(tokenizer: Any) -> AnswerFrame | None:
    """Find the text that the chat template writes around each answer; None if it is not constant.

    It is not constant if the template writes a prompt differently before its answer, or changes the
    answer.

    Raises:
        TrainError: The template fails, or omits the question or the answer.
    """
    found = {
        _frame_of(tokenizer, question, answer) for question in _QUESTIONS for answer in _ANSWERS
    }
    return found.pop() if len(found) == 1 else None


def _frame_of(tokenizer: Any, question: str, answer: str) -> AnswerFrame | None:
    turns = [{"role": "user", "content": question}]
    prompt = render(tokenizer, turns, add_generation_prompt=True)
    complete = render(tokenizer, [*turns, {"role": "assistant", "content": answer}])
    begin = complete.rfind(answer)
    if begin < 0 or question not in prompt:
        what = "the chat template does not write the text of a turn (it may need images as well)"
        raise TrainError(Problem(what, str(tokenizer.name_or_path), _FIX))
    if begin < len(prompt) or not complete.startswith(prompt):
        return None
    # A space forms one token with the word after it, so it belongs to the answer: `[/INST] answer`.
    head = complete[len(prompt) : begin].rstrip(" \t")
    return AnswerFrame(head, complete[begin + len(answer) :])
