"""huggingface_hub behind one door: how it is asked, and what its failures mean.

It is loaded only when the Hub is asked, since it is an extra and slow to load. ``HF_ENDPOINT``,
``HF_TOKEN`` and offline mode are read at the moment of asking.
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

REPO_TYPE = "dataset"
_HUB = "https://huggingface.co"


@dataclass(frozen=True)
class HubContext:
    """How one caller asks the Hub.

    Attributes:
        error: What a failure is raised as.
        verb: What the caller does, as in "push again".
        kind: What kind of repository it asks about.
    """

    error: type[Kit19Error]
    verb: str
    kind: Literal["dataset", "model"] = "dataset"


@dataclass(frozen=True, repr=False)  # a token has no place in a repr
class Hub:
    """An opened Hub: the client, where it asks, and as whom (None: as nobody)."""

    api: HfApi
    endpoint: str
    token: str | None
    door: HubContext

    def page(self, repo_id: str) -> str:
        """The address of a repository's page."""
        place = "datasets/" if self.door.kind == "dataset" else ""
        return f"{self.endpoint}/{place}{repo_id}"


def open_hub(door: HubContext) -> Hub:
    """Load the client.

    Raises:
        Kit19Error: As ``door.error``: huggingface_hub is not installed, or ``HF_ENDPOINT`` would
            have a token sent in the clear.
    """
    try:
        from huggingface_hub import HfApi, get_token  # noqa: PLC0415
    except ImportError:
        what = "the Hub is asked through huggingface_hub, which is not installed"
        raise door.error(Problem(what, fix="pip install 'kit19[hub]'")) from None
    endpoint = (os.environ.get("HF_ENDPOINT") or _HUB).rstrip("/")
    if not is_allowed(endpoint):
        what = "HF_ENDPOINT must be https (or http on this machine), without a user name"
        fix = "else a token sent there could be read on the way; log in with HF_TOKEN"
        raise door.error(Problem(what, fix=fix))
    token = get_token()
    return Hub(HfApi(endpoint=endpoint, token=token, library_name="kit19"), endpoint, token, door)


@contextmanager
def plainly(hub: Hub, repo_id: str) -> Iterator[None]:
    """Turn what the client raises into one of our errors: what happened, what to do, no token."""
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError  # noqa: PLC0415

    # Errors of the network are the HTTP library's own: httpx in huggingface_hub 1, httpx2 in 2.
    network: type[Exception] = HfHubHTTPError.__bases__[0]
    try:
        yield
    except Kit19Error:
        raise
    except (OSError, ValueError, RuntimeError, EntryNotFoundError, network) as error:
        cause = _root(error, (HfHubHTTPError, network)) if type(error) is RuntimeError else error
        if isinstance(cause, HfHubHTTPError):
            problem = _by_status(hub, repo_id, cause)
        elif isinstance(cause, network):
            fix = f"check the network, proxies and HF_ENDPOINT, then {hub.door.verb} again"
            what = f"cannot be reached ({_line(hub, cause)})"
            problem = Problem(what, str(urlsplit(hub.endpoint).hostname), fix)
        else:
            problem = Problem(f"the Hub's client refused: {_line(hub, cause)}", repo_id)
        raise hub.door.error(problem) from None


def _root(error: BaseException, wanted: tuple[type[Exception], ...]) -> BaseException:
    """The first error of a chain that tells something; an upload wraps it in a RuntimeError."""
    link: BaseException | None = error
    while link is not None:
        if isinstance(link, wanted):
            return link
        link = link.__cause__
    return error


def _by_status(hub: Hub, repo_id: str, error: Any) -> Problem:
    status = int(error.response.status_code)
    again = f"{hub.door.verb} again"
    login = "run `hf auth login`, or set HF_TOKEN to a token with the permission"
    said = {
        401: (
            "the Hub wants a token" if hub.token is None else "the Hub does not accept the token",
            login,
        ),
        403: ("the token does not give the permission", login),
        404: ("is not on the Hub, or the token may not see it", "check its name; " + login),
        409: ("another change to it is going on", f"{again} in a moment"),
        412: ("was changed by someone else meanwhile", f"look at it, then {again}"),
        429: ("the Hub asks to slow down", f"wait some minutes, then {again}"),
    }
    if status in said:
        what, fix = said[status]
    elif status >= 500:
        what, fix = "the Hub failed", f"{again} later: what has arrived need not be sent again"
    else:
        what, fix = "the Hub refused", ""
    told = _line(hub, error.server_message or "")
    return Problem(f"{what} ({status}{': ' + told if told else ''})", repo_id, fix)


def _line(hub: Hub, said: object) -> str:
    """A message of somebody else's, on one line, without what is secret."""
    text = " ".join(str(said).split()) or ("" if isinstance(said, str) else type(said).__name__)
    return (text.replace(hub.token, "…") if hub.token else text)[:300]
