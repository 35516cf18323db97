"""Render chat templates in a separate process that can be killed at any time.

A template is a program that comes with a model. It can loop forever, use up the memory or crash the
interpreter, in places where Python cannot interrupt it. So the operating system does: it limits CPU
seconds and memory. ``kit19.training.rows.chat_template`` starts this process; each request and each
response is one line of JSON.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import sys
import time
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any, Self

SECONDS = 3
"""CPU time of one request. Real templates take a few milliseconds for a long conversation."""
CONVERSATIONS = 50
"""The most conversations of one request."""
CHARACTERS = 10_000_000
"""The most characters of a rendered conversation."""

_MEMORY = 1 << 30
_STATUS = Path("/proc/self/statm")


def limit_memory() -> None:
    """Limit memory to one gigabyte more than is in use now; macOS ignores the limit."""
    if _STATUS.is_file():
        used = int(_STATUS.read_text(encoding="ascii").split()[0]) * resource.getpagesize()
        _limit(resource.RLIMIT_AS, used + _MEMORY)


def limit_time() -> None:
    """Limit CPU time to ``SECONDS`` from now on; then the system kills this process."""
    _limit(resource.RLIMIT_CPU, int(time.process_time()) + 1 + SECONDS)


def _limit(kind: int, soft: int) -> None:
    hard = resource.getrlimit(kind)[1]
    soft = soft if hard == resource.RLIM_INFINITY else min(soft, hard)
    with contextlib.suppress(ValueError, OSError):  # the system does not have this limit
        resource.setrlimit(kind, (soft, hard))


def _clock(date: str) -> type[datetime]:
    """A ``datetime`` whose current day is a given one (YYYY-MM-DD)."""

    class Clock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return cls.fromisoformat(date).replace(tzinfo=tz)

    return Clock


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """The rendered texts of a request's conversations, or an error."""
    from transformers.utils import chat_template_utils  # noqa: PLC0415

    # transformers gives templates a function for the date, and takes no function from its callers.
    clock: Any = chat_template_utils
    clock.datetime = _clock(date) if (date := request.pop("date", "")) else datetime
    try:
        texts = chat_template_utils.render_jinja_template(**request)[0]
    except Exception as error:  # a template may raise anything
        return {"error": f"{type(error).__name__}: {str(error)[:500]}"}
    longest = max(map(len, texts))
    if longest > CHARACTERS:
        return {"error": f"it writes {longest:,} characters"}
    return {"texts": texts}


def main() -> None:
    """Answer requests until stdin closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent process
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    answers = os.fdopen(os.dup(1), "w", encoding="ascii")
    answer(
        {"conversations": [[]], "chat_template": ""}
    )  # load transformers and Jinja before memory is limited
    limit_memory()
    for line in sys.stdin:
        limit_time()
        answers.write(json.dumps(answer(json.loads(line))) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
