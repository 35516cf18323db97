"""``kit19.serve``: load a model and serve it until Ctrl-C."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from kit19.catalog import CatalogLike
from kit19.chatting.chat import open_model
from kit19.core.arguments import Count, one_or_more, public
from kit19.core.errors import ModelError, Problem
from kit19.core.local_server import LOCAL_NAMES, base_url, listen
from kit19.exporting.vllm import served_name

HOST = "127.0.0.1"
PORT = 8000
_LAYER = ("starlette", "uvicorn")


@dataclass(frozen=True)
class Served:
    """What a server did until it was stopped.

    Attributes:
        model: The name of the model in the API.
        base_url: The address of the API.
        answered: Requests that were answered.
    """

    model: str
    base_url: str
    answered: int

    def to_dict(self) -> dict[str, Any]:
        """The record as JSON data."""
        return asdict(self)


def _ignore(_model: str, _base_url: str) -> None:
    """Nobody waits for the start."""


@public
def serve(  # noqa: PLR0913  one parameter an option of the command
    model: str | Path,
    *,
    host: str = HOST,
    port: Annotated[int, Field(ge=0, le=65_535)] = PORT,
    name: str = "",
    format: str | Path = "",  # noqa: A002  as the command and the settings call it
    max_new_tokens: Count = 512,
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.0,
    allowed_hosts: str | Collection[str] = (),
    catalog: CatalogLike = None,
    trust_remote_code: bool = False,
    on_start: Callable[[str, str], None] = _ignore,
) -> Served:
    """Serve a model over OpenAI's API, in the prompt format of its training. Returns after Ctrl-C.

    Args:
        model: A run's folder, any causal model's folder, or a Hub id (also ``owner/name@revision``).
        host: The address to listen on. Default: this machine only.
        port: The port; 0 for any free one.
        name: The model's name in the API. Default: that of its folder, or its Hub id.
        format: Prompt format. Default: as for ``chat``.
        max_new_tokens: The most tokens of an answer, unless a request names another number.
        temperature: The temperature, unless a request names another; 0 for greedy decoding.
        allowed_hosts: Names under which other machines may call the server.
        catalog: A folder of cards to add to kit19's own, or a loaded catalog (see ``load_catalog``).
        trust_remote_code: Run code from the model's repository.
        on_start: Called with the model's name and the address of the API when the server listens.

    Raises:
        ModelError: The packages of ``kit19[serve]`` are not installed.
        OutputError: The address cannot be used.
        TrainError: The model cannot be loaded.
        Kit19Error: There is no such format.
    """
    missing = [one for one in _LAYER if importlib.util.find_spec(one) is None]
    if missing:
        what = f"serving needs {', '.join(missing)}, which is not installed"
        raise ModelError(Problem(what, fix="pip install 'kit19[serve,train]'"))
    names = one_or_more(allowed_hosts, "allowed_hosts")
    listening = listen(host, port)  # before the model is loaded, which takes long
    with listening:
        answering, _ = open_model(model, format, catalog, trust_remote_code=trust_remote_code)
        import uvicorn  # noqa: PLC0415

        from kit19.serving.app import Service, make_app  # noqa: PLC0415

        title = name or served_name(model)
        service = Service(answering, title, max_tokens=max_new_tokens, temperature=temperature)
        app = make_app(service, [*LOCAL_NAMES, host, *names])
        address = f"{base_url(host, listening)}/v1"
        config = uvicorn.Config(app, log_level="warning", lifespan="off", server_header=False)
        on_start(title, address)
        with suppress(KeyboardInterrupt):  # uvicorn raises it again after its orderly end
            uvicorn.Server(config).run(sockets=[listening])
        return Served(title, address, service.answered)
