"""Who may read the pages: requests of this machine's user, and what a page may do.

A page of another site can send requests to a server on this machine, and can point its own name here.
So requests need the server's own name, and the token that only its user knows; what changes
something must also come from a page of the server itself.
"""

from __future__ import annotations

import hmac
from collections.abc import Collection
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, urlencode

from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kit19.core.local_server import host_name

TOKEN = "token"  # noqa: S105  the name, not the value
"""The name of the token in an address."""

# No script, style, frame, picture or request but those of the server itself.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",  # without any, browsers hide the origin of forms
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


class Guard:
    """Refuses requests of others, and limits what pages may do.

    Args:
        app: The application.
        hosts: The names and addresses under which it may be called.
        token: The token that a request must know, in its address or in the cookie that it then gets.
        port: The port of the server: cookies of one name are shared by all ports.
        once: A token that works in one address, and only once: for the command line of a browser,
            which other users of the machine can see.
    """

    def __init__(
        self,
        app: ASGIApp,
        hosts: Collection[str],
        token: str,
        port: int,
        once: str | None = None,
    ) -> None:
        self._app, self._hosts, self._token = app, set(map(host_name, hosts)), token
        self._once = once
        self._cookie = f"kit19_view_{port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            return
        response = self._refusal(scope)

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                named = {name.lower() for name, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"],
                    *(
                        (name.encode(), value.encode())
                        for name, value in HEADERS.items()
                        if name.encode() not in named
                    ),
                ]
            await send(message)

        await (response or self._app)(scope, receive, with_headers)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        host = headers.get("host", "")
        if host_name(host) not in self._hosts:
            return _refuse(f"The host {host!r} is not one of this server.")
        origin = headers.get("origin")
        if origin is not None and not _is_of(origin, host):
            return _refuse("The request comes from a page of another site.")
        if scope["method"] not in ("GET", "HEAD") and origin is None:
            return _refuse("A request that changes something names its origin.")
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        given = dict(query).get(TOKEN)
        if given is not None and (self._is_token(given) or self._is_first(given)):
            return self._welcome(scope, [pair for pair in query if pair[0] != TOKEN])
        if not self._is_token(self._cookie_of(headers.get("cookie", ""))):
            return _refuse("Open the address that kit19 view printed: it holds the token.")
        return None

    def _is_token(self, given: str) -> bool:
        return _are_equal(given, self._token)

    def _is_first(self, given: str) -> bool:
        """Whether it is the token that works once; it does not work again."""
        if self._once is None or not _are_equal(given, self._once):
            return False
        self._once = None
        return True

    def _cookie_of(self, header: str) -> str:
        try:
            found = SimpleCookie(header).get(self._cookie)
        except CookieError:
            return ""
        return found.value if found else ""

    def _welcome(self, scope: Scope, query: list[tuple[str, str]]) -> Response:
        """The same address without the token, which then is in a cookie and in no history."""
        path = "/" + scope["path"].lstrip("/")
        target = path + ("?" + urlencode(query) if query else "")
        response = RedirectResponse(target, 303)
        response.set_cookie(self._cookie, self._token, httponly=True, samesite="strict")
        return response


def _are_equal(given: str, secret: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), secret.encode())


def _is_of(origin: str, host: str) -> bool:
    """Whether an origin is that of the server itself."""
    return origin.lower() in (f"http://{host.lower()}", f"https://{host.lower()}")


def _refuse(why: str) -> Response:
    return PlainTextResponse(f"403: {why}\n", 403)
