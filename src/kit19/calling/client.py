"""Requests to an OpenAI-compatible API, repeated with growing pauses after overloads and faults."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import urllib3
from urllib3 import exceptions as broken

from kit19.calling.endpoint import Endpoint
from kit19.core.errors import ModelError, Problem
from kit19.core.json_text import to_json

RETRIED = (408, 409, 429, 500, 502, 503, 504)
"""Status codes after which a request is repeated."""
_MAX_MESSAGE = 300
_MAX_PAUSE = 120  # seconds, also if the server asks for more
_FIXES = {
    401: "set the key in the environment variable {key}",
    403: "the key in {key} may not use this model",
    404: "check the address and the model's name: GET {url}/models lists the names",
    405: "check the address: it should end in /v1",
}


class RefusedError(ModelError):
    """The server refuses this request, and would refuse it again.

    Attributes:
        status: The HTTP status.
        reason: The server's message.
    """

    def __init__(self, status: int, reason: str, problem: Problem) -> None:
        super().__init__(problem)
        self.status, self.reason = status, reason


class Client:
    """A connection to one endpoint; threads may share it.

    Args:
        endpoint: The server and the model.
        retries: How often a request is repeated after an overload, an error of the server or a broken
            connection. Pauses grow from ``backoff`` seconds, or are those that the server asks for.
        backoff: Seconds; see ``retries``.
        timeout: Seconds to wait for an answer to begin.
        connections: The most connections at once.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        retries: int = 6,
        backoff: float = 1.0,
        timeout: float = 600.0,
        connections: int = 1,
    ) -> None:
        self.endpoint = endpoint
        again = urllib3.Retry(
            total=retries,
            allowed_methods=None,  # asking twice changes nothing at the server
            status_forcelist=RETRIED,
            backoff_factor=backoff,
            backoff_max=_MAX_PAUSE,
            backoff_jitter=backoff / 4,
            retry_after_max=_MAX_PAUSE,
            redirect=0,
            raise_on_redirect=False,
            raise_on_status=False,
        )
        self._pool = urllib3.PoolManager(
            retries=again,
            timeout=urllib3.Timeout(connect=30.0, read=timeout),
            maxsize=connections,
            block=True,
        )

    def get(self, path: str) -> Any:
        """The JSON document at a path; raises as ``post`` does."""
        return self._document(self._request("GET", path, None))

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """The JSON answer to a request.

        Raises:
            RefusedError: The server refuses the request, such as a prompt that is too long.
            ModelError: There is no connection, or no JSON comes back.
        """
        return self._document(self._request("POST", path, body))

    def stream(self, path: str, body: Mapping[str, Any]) -> Iterator[Any]:
        """The JSON events of a streamed answer (``data: …`` lines), to ``[DONE]``.

        Raises:
            RefusedError: As ``post``.
            ModelError: As ``post``, or the answer breaks off.
        """
        response = self._request("POST", path, {**body, "stream": True}, preload=False)
        held = b""
        try:
            for piece in response.stream(1024):
                *lines, held = (held + piece).split(b"\n")
                for line in lines:
                    text = line.strip()
                    if text == b"data: [DONE]":
                        return
                    if text.startswith(b"data:"):
                        yield self._event(text.removeprefix(b"data:"))
            if held.strip() == b"data: [DONE]":
                return
        except broken.HTTPError as error:
            raise self._no_answer(error) from None
        finally:
            response.close()
            response.release_conn()
        raise ModelError(Problem("the answer breaks off", self.endpoint.base_url))

    def _event(self, data: bytes) -> Any:
        event = self._parse(data)
        if isinstance(event, dict) and event.get("error"):
            what = f"the server reports an error: {self._reason_of(data)}"
            raise ModelError(Problem(what, self.endpoint.base_url))
        return event

    def _request(
        self, method: str, path: str, body: Mapping[str, Any] | None, *, preload: bool = True
    ) -> urllib3.BaseHTTPResponse:
        url = self.endpoint.base_url + path
        data = None if body is None else to_json(body).encode()
        try:
            response = self._pool.request(
                method,
                url,
                body=data,
                headers=self.endpoint.headers(),
                preload_content=preload,
                redirect=False,
            )
            if response.status == 200:
                return response
            raw = response.data
        except broken.HTTPError as error:
            raise self._no_answer(error) from None
        reason = self._reason_of(raw)
        fix = _FIXES.get(response.status, "").format(
            key=self.endpoint.key_env, url=self.endpoint.base_url
        )
        if response.status in (401, 403) and not self.endpoint.key_env:
            fix = "name the environment variable that holds this server's key"
        problem = Problem(f"answers with status {response.status}: {reason}", url, fix)
        if response.status in RETRIED:
            raise ModelError(problem)
        raise RefusedError(response.status, reason, problem)

    def _no_answer(self, error: broken.HTTPError) -> ModelError:
        cause = error.reason if isinstance(error, broken.MaxRetryError) else error
        kind = "the answer takes too long" if isinstance(cause, broken.TimeoutError) else ""
        if isinstance(cause, broken.NewConnectionError):
            kind = "no connection"
        fix = "check that the server is running, and its address"
        return ModelError(Problem(kind or "the connection broke", self.endpoint.base_url, fix))

    def _document(self, response: urllib3.BaseHTTPResponse) -> Any:
        return self._parse(response.data)

    def _parse(self, data: bytes) -> Any:
        try:
            return _load(data)
        except (ValueError, RecursionError):
            what = f"answers with something that is not JSON: {data[:80]!r}"
            raise ModelError(Problem(what, self.endpoint.base_url)) from None

    def _reason_of(self, raw: bytes) -> str:
        """The message of an error's body: OpenAI's ``error.message``, or what else is in it.

        Some servers repeat the key that they refuse.
        """
        try:
            document = _load(raw)
        except (ValueError, RecursionError):
            document = None
        found: Any = document
        for key in ("error", "message", "detail"):
            if isinstance(found, dict) and key in found:
                found = found[key]
        text = found if isinstance(found, str) else raw.decode("utf-8", "replace")
        secret = self.endpoint.key
        text = text.replace(secret, f"${self.endpoint.key_env}") if secret else text
        return " ".join(text.split())[:_MAX_MESSAGE] or "no reason given"


def _load(data: bytes) -> Any:
    """A JSON document; half of a surrogate pair, as a server that cuts texts sends it, is U+FFFD."""
    document = json.loads(data)
    return _with_complete_characters(document) if b"\\ud" in data.lower() else document


def _with_complete_characters(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, dict):
        return {key: _with_complete_characters(one) for key, one in value.items()}
    return [_with_complete_characters(one) for one in value] if isinstance(value, list) else value
