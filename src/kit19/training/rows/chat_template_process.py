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
from pathlib import Path
from typing import Any

SECONDS = 3
"""Of the processor, for a request; real templates take a few milliseconds for a long conversation."""
CONVERSATIONS = 50
"""In a request."""
CHARACTERS = 10_000_000
"""Of a rendered conversation."""

_MEMORY = 1 << 30
_STATUS = Path("/proc/self/statm")


def limit_memory() -> None:
    """Allow a gigabyte beyond what is in use; macOS does not limit it."""
    if _STATUS.is_file():
        used = int(_STATUS.read_text(encoding="ascii").split()[0]) * resource.getpagesize()
        _limit(resource.RLIMIT_AS, used + _MEMORY)


def limit_time() -> None:
    """Allow ``SECONDS`` of the processor from now on; then the system ends this process."""
    _limit(resource.RLIMIT_CPU, int(time.process_time()) + 1 + SECONDS)


def _limit(kind: int, soft: int) -> None:
    hard = resource.getrlimit(kind)[1]
    soft = soft if hard == resource.RLIM_INFINITY else min(soft, hard)
    with contextlib.suppress(ValueError, OSError):  # a system without this limit
        resource.setrlimit(kind, (soft, hard))


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """The texts of conversations, or why there are none."""
    from transformers.utils.chat_template_utils import render_jinja_template  # noqa: PLC0415

    try:
        texts = render_jinja_template(**request)[0]
    except Exception as error:  # a template may raise whatever it likes
        return {"error": f"{type(error).__name__}: {str(error)[:500]}"}
    longest = max(map(len, texts))
    if longest > CHARACTERS:
        return {"error": f"it writes {longest:,} characters"}
    return {"texts": texts}


def main() -> None:
    """Answer until nobody asks any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for who asks
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    answers = os.fdopen(os.dup(1), "w", encoding="ascii")
    answer({"conversations": [[]], "chat_template": ""})  # loads what takes memory itself
    limit_memory()
    for line in sys.stdin:
        limit_time()
        answers.write(json.dumps(answer(json.loads(line))) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
