"""The address of an OpenAI-compatible API, its model, and where its key is."""

from __future__ import annotations

import ipaddress
import os
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from kit19.core.errors import ModelError, Problem

KEY_ENV = "OPENAI_API_KEY"
"""The environment variable of the key, unless another one is named."""
OPENAI = "https://api.openai.com/v1"

_CALLS = ("/chat/completions", "/completions", "/models")
_FIX = "give the address up to /v1, such as http://127.0.0.1:8000/v1"


@dataclass(frozen=True)
class Endpoint:
    """A model behind an API.

    The key is read from the environment for each connection and kept nowhere else, so it is never part
    of a result, a message or a log.

    Attributes:
        base_url: The address that the calls' paths are added to, such as ``http://127.0.0.1:8000/v1``.
        model: The model's name there.
        key_env: The environment variable that holds the key; it may be unset.
    """

    base_url: str
    model: str
    key_env: str = KEY_ENV

    def headers(self) -> dict[str, str]:
        """The headers of a request.

        Raises:
            ModelError: The key has characters that no header allows, or would be sent unencrypted to
                another machine.
        """
        key = self.key
        found = {"Content-Type": "application/json", "User-Agent": "kit19"}
        if not key:
            return found
        if not re.fullmatch(r"[!-~]+", key):
            raise ModelError(Problem("has characters that no key has", self.key_env))
        if self.base_url.startswith("http:") and not self.is_local:
            what = f"would send the key of {self.key_env} unencrypted"
            fix = f"use https, or unset {self.key_env}"
            raise ModelError(Problem(what, self.base_url, fix))
        return {**found, "Authorization": f"Bearer {key}"}

    @property
    def key(self) -> str:
        """The key; empty without one."""
        return os.environ.get(self.key_env, "").strip()

    @property
    def is_local(self) -> bool:
        """Whether the server is on this machine."""
        return is_loopback(urlsplit(self.base_url).hostname or "")


def make_endpoint(base_url: str, model: str, key_env: str = "") -> Endpoint:
    """An endpoint from what a user typed.

    Args:
        base_url: The address, with or without ``/v1``; also that of one call (``…/chat/completions``).
        model: The model's name.
        key_env: The environment variable of the key. Default: ``OPENAI_API_KEY``.

    Raises:
        ModelError: It is not an address, contains a password, or no model is named. The variable's name
            is none, such as the key itself.
    """
    if key_env and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", key_env):
        fix = f"name the environment variable that holds the key, such as {KEY_ENV}"
        raise ModelError(
            Problem("is not the name of an environment variable", "--api-key-env", fix)
        )
    if not model.strip():
        raise ModelError(Problem("no model is named", base_url, "give its name there: --model"))
    try:
        parts = urlsplit(base_url.strip())
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid or re.search(r"[^!-~]", base_url.strip()):
        raise ModelError(Problem("is not an address", base_url[:200], _FIX))
    if parts.username or parts.password or parts.query or parts.fragment:
        fix = f"put a key into the environment variable {key_env or KEY_ENV}"
        what = "the address must hold no password and no query"
        raise ModelError(Problem(what, f"{parts.scheme}://{parts.hostname}", fix))
    path = parts.path.rstrip("/")
    for call in _CALLS:
        path = path.removesuffix(call)
    root = f"{parts.scheme}://{parts.netloc}"
    return Endpoint(root + (path or "/v1"), model.strip(), key_env or KEY_ENV)


def is_loopback(host: str) -> bool:
    """Whether a host name or address is that of this machine alone."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
