"""A server of kit19 in a thread of the tests."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn

from kit19.chatting.chat import open_model
from kit19.serving.app import Service, make_app


@contextmanager
def running(model: Path, form: str = "", **options: Any) -> Iterator[str]:
    """The address of a server of a model, while the context lasts."""
    answering, _ = open_model(model, form, None, trust_remote_code=False)
    app = make_app(Service(answering, "tiny", **options), ["127.0.0.1"])
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.005)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}/v1"
    server.should_exit = True
    thread.join()
