"""Opens the Hub's client and converts its errors.

huggingface_hub is an optional dependency and slow to import, so it is imported only on use.
``HF_ENDPOINT``, ``HF_TOKEN`` and offline mode are read at that time.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from kit19.core.errors import Kit19Error, Problem
from kit19.fetching.origin import is_allowed

if TYPE_CHECKING:
    from huggingface_hub import HfApi

_HUB = "https://huggingface.co"
LOGIN = "run `hf auth login`, or set HF_TOKEN to a token with the permission"
"""The fix for a missing token."""


@dataclass(frozen=True)
class HubContext:
    """How a caller uses the Hub.

    Attributes:
        error: The exception class for failures.
        verb: The caller's action, as in "push again".
        kind: The kind of repository.
    """

    error: type[Kit19Error]
    verb: str
    kind: Literal["dataset", "model"] = "dataset"


@dataclass(frozen=True, repr=False)  # a token has no place in a repr
class Hub:
    """The Hub's client with its endpoint and token (None: anonymous)."""

    api: HfApi
    endpoint: str
    token: str | None
    context: HubContext

    def page(self, repo_id: str) -> str:
        """Return the address of a repository's page."""
        place = "datasets/" if self.context.kind == "dataset" else ""
        return f"{self.endpoint}/{place}{repo_id}"


def open_hub(context: HubContext) -> Hub:
    """Create the client.

    Raises:
        Kit19Error: As ``context.error``: huggingface_hub is not installed, or a token would
            be sent unencrypted to ``HF_ENDPOINT``.
    """
    try:
        from huggingface_hub import HfApi, get_token  # noqa: PLC0415
    except ImportError:
        what = "using the Hub needs huggingface_hub, which is not installed"
        raise context.error(Problem(what, fix="pip install 'kit19[hub]'")) from None
    endpoint = (os.environ.get("HF_ENDPOINT") or _HUB).rstrip("/")
    if not is_allowed(endpoint):
        what = "HF_ENDPOINT must be https (or http on this machine), without a user name"
        fix = "otherwise a token sent there could be intercepted; log in with HF_TOKEN"
        raise context.error(Problem(what, fix=fix))
    token = get_token()
    return Hub(
        HfApi(endpoint=endpoint, token=token, library_name="kit19"), endpoint, token, context
    )


@contextmanager
def translate_hub_errors(hub: Hub, repo_id: str) -> Iterator[None]:
    """Turn the client's errors into ``context.error``, with a fix and without the token."""
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError  # noqa: PLC0415

    # Network errors are those of the HTTP library: httpx in huggingface_hub 1, httpx2 in 2.
    network: type[Exception] = HfHubHTTPError.__bases__[0]
    try:
        yield
    except Kit19Error:
        raise
    except (OSError, ValueError, RuntimeError, EntryNotFoundError, network) as error:
        cause = (
            _root_cause(error, (HfHubHTTPError, network)) if type(error) is RuntimeError else error
        )
        if isinstance(cause, HfHubHTTPError):
            problem = _status_problem(hub, repo_id, cause)
        elif isinstance(cause, network):
            fix = f"check the network, proxies and HF_ENDPOINT, then {hub.context.verb} again"
            what = f"cannot be reached ({_single_line(hub, cause)})"
            problem = Problem(what, str(urlsplit(hub.endpoint).hostname), fix)
        else:
            problem = Problem(f"the Hub's client refused: {_single_line(hub, cause)}", repo_id)
        raise hub.context.error(problem) from None


def _root_cause(error: BaseException, wanted: tuple[type[Exception], ...]) -> BaseException:
    """Return the first informative error of a chain; an upload wraps it in a RuntimeError."""
    link: BaseException | None = error
    while link is not None:
        if isinstance(link, wanted):
            return link
        link = link.__cause__
    return error


def _status_problem(hub: Hub, repo_id: str, error: Any) -> Problem:
    status = int(error.response.status_code)
    again = f"{hub.context.verb} again"
    messages = {
        401: (
            "the Hub requires a token"
            if hub.token is None
            else "the Hub does not accept the token",
            LOGIN,
        ),
        403: ("the token does not give the permission", LOGIN),
        404: ("is not on the Hub, or the token may not see it", "check its name; " + LOGIN),
        409: ("another change to it is in progress", f"{again} in a moment"),
        412: ("was changed by someone else meanwhile", f"check it, then {again}"),
        429: ("the Hub asks to slow down", f"wait some minutes, then {again}"),
    }
    if status in messages:
        what, fix = messages[status]
    elif status >= 500:
        what, fix = "the Hub failed", f"{again} later: files that have arrived are not sent again"
    else:
        what, fix = "the Hub refused", ""
    server_message = _single_line(hub, error.server_message or "")
    return Problem(
        f"{what} ({status}{': ' + server_message if server_message else ''})", repo_id, fix
    )


def _single_line(hub: Hub, messages: object) -> str:
    """Return a message of the client or server on one line, without the token."""
    text = " ".join(str(messages).split()) or (
        "" if isinstance(messages, str) else type(messages).__name__
    )
    return (text.replace(hub.token, "…") if hub.token else text)[:300]
