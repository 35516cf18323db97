"""The web application: its routes, its errors, and who may call it.

One answer is generated at a time; other requests wait for their turn.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Collection
from typing import Any, TypeVar

import anyio
import torch
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.concurrency import iterate_in_threadpool, run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from kit19.chatting.answering import TOP_P, ChatModel
from kit19.chatting.generation import Generation
from kit19.core.errors import Kit19Error
from kit19.core.local_server import host_name
from kit19.serving import replies
from kit19.serving.requests import ChatRequest, CompletionRequest
from kit19.serving.scoring import score_tokens

MAX_BODY = 16 << 20  # bytes
_COMPLETION_TOKENS = 16  # OpenAI's default

Body = TypeVar("Body", ChatRequest, CompletionRequest)


class RequestError(Exception):
    """A request that is answered with an error.

    Args:
        message: What is wrong with it.
        status: The HTTP status.
    """

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class Service:
    """The routes of one model.

    Args:
        model: The model with its prompt format.
        name: Its name in the API.
        max_tokens: The most tokens of an answer, unless a request names another number.
        temperature: The temperature, unless a request names another.

    Attributes:
        answered: Requests that were answered.
    """

    def __init__(
        self, model: ChatModel, name: str, *, max_tokens: int = 512, temperature: float = 0.0
    ) -> None:
        self.name, self.answered = name, 0
        self._model = model
        self._max_tokens, self._temperature = max_tokens, temperature
        self._turn = anyio.Lock()
        self._created = int(time.time())

    def routes(self) -> list[Route]:
        """The routes of the API."""
        return [
            Route("/health", self.health, methods=["GET"]),
            Route("/v1/models", self.models, methods=["GET"]),
            Route("/v1/models/{name:path}", self.models, methods=["GET"]),
            Route("/v1/chat/completions", self.chat, methods=["POST"]),
            Route("/v1/completions", self.complete, methods=["POST"]),
        ]

    async def health(self, _: Request) -> Response:
        """Answer that the server is up."""
        return JSONResponse({"status": "ok"})

    async def models(self, request: Request) -> Response:
        """The one model, in a list or by its name."""
        found = replies.model(self.name, self._created, self._model.window)
        if "name" not in request.path_params:
            return JSONResponse({"object": "list", "data": [found]})
        self._check_name(request.path_params["name"])
        return JSONResponse(found)

    async def chat(self, request: Request) -> Response:
        """The answer to the last turn of a conversation."""
        query, body = await self._read(request, ChatRequest)
        turns = [message.turn for message in query.messages]
        requested = query.max_completion_tokens or query.max_tokens
        async with self._turn:
            ids, most = await run_in_threadpool(self._fit, turns, requested)
        generation = self._generation(query, ids, most, is_answer=True)
        reply = replies.Reply.of_chat(self.name)
        if query.stream:
            return self._stream(reply, generation, body, include_usage=query.include_usage)
        text = await self._text(generation, query.seed)
        return self._json(reply.complete(text, generation))

    async def complete(self, request: Request) -> Response:
        """The text after each prompt, or the log-likelihoods of its tokens."""
        query, body = await self._read(request, CompletionRequest)
        async with self._turn:
            prompts = [await run_in_threadpool(self._encode, prompt) for prompt in query.prompts]
        reply = replies.Reply.of_completion(self.name)
        if query.logprobs is not None:
            return await self._scores(reply, query, prompts)
        most = _COMPLETION_TOKENS if query.max_tokens is None else query.max_tokens
        for ids in prompts:
            self._check_room(len(ids), max(most, 1))
        generations = [
            self._generation(query, ids, max(most, 1), is_answer=False) for ids in prompts
        ]
        if query.stream:
            return self._stream(reply, generations[0], body, include_usage=query.include_usage)
        texts = [await self._text(one, query.seed) if most else "" for one in generations]
        if query.echo:
            decode = self._model.prompts.tokenizer.decode
            texts = [decode(ids) + text for ids, text in zip(prompts, texts, strict=True)]
        return self._json(reply.complete_all(texts, generations))

    async def _scores(
        self, reply: replies.Reply, query: CompletionRequest, prompts: list[list[int]]
    ) -> Response:
        scored = []
        for ids in prompts:
            self._check_room(len(ids), query.max_tokens or 0)
            async with self._turn:
                scored.append(
                    await run_in_threadpool(
                        score_tokens,
                        self._model.model,
                        ids,
                        query.logprobs or 0,
                        extend=bool(query.max_tokens),
                    )
                )
        return self._json(reply.scores(scored, self._model.prompts.tokenizer, prompts))

    def _generation(
        self, query: ChatRequest | CompletionRequest, ids: list[int], most: int, *, is_answer: bool
    ) -> Generation:
        temperature = self._temperature if query.temperature is None else query.temperature
        return self._model.generate(
            ids,
            max_new_tokens=most,
            temperature=temperature,
            top_p=TOP_P if query.top_p is None else query.top_p,
            stops=query.stop,
            is_answer=is_answer,
        )

    async def _text(self, generation: Generation, seed: int | None) -> str:
        async with self._turn:
            if seed is not None:
                torch.manual_seed(seed)
            try:
                return "".join([piece async for piece in iterate_in_threadpool(generation)])
            finally:
                generation.close()

    def _stream(
        self,
        reply: replies.Reply,
        generation: Generation,
        body: dict[str, Any],
        *,
        include_usage: bool,
    ) -> Response:
        seed = body.get("seed")

        async def events() -> AsyncIterator[str]:
            async with self._turn:
                if isinstance(seed, int):
                    torch.manual_seed(seed)
                try:
                    for event in reply.beginning():
                        yield _event(event)
                    async for piece in iterate_in_threadpool(generation):
                        if piece:
                            yield _event(reply.piece(piece))
                    for event in reply.ending(generation, include_usage=include_usage):
                        yield _event(event)
                    self.answered += 1
                    yield "data: [DONE]\n\n"
                except Kit19Error as error:  # the status was sent long ago
                    yield _event(replies.error(str(error), 500))
                finally:
                    generation.close()

        headers = {"Cache-Control": "no-store"}
        return StreamingResponse(events(), media_type="text/event-stream", headers=headers)

    def _json(self, document: dict[str, Any]) -> Response:
        self.answered += 1
        return JSONResponse(document)

    async def _read(self, request: Request, kind: type[Body]) -> tuple[Body, dict[str, Any]]:
        """The body of a request.

        Raises:
            RequestError: It is not JSON, too large, or not of this kind.
        """
        # Pages of other sites may send forms and plain text without asking, but not JSON.
        if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            raise RequestError("the content type is application/json", 415)
        data = bytearray()
        async for chunk in request.stream():
            data += chunk
            if len(data) > MAX_BODY:
                raise RequestError(f"the body is larger than {MAX_BODY >> 20} MiB", 413)
        try:
            body = json.loads(bytes(data).decode("utf-8"))
            query = kind.model_validate(body)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            message = first["msg"].removeprefix("Value error, ")
            raise RequestError(f"{where}: {message}" if where else message) from None
        except (ValueError, RecursionError):
            raise RequestError("the body is not JSON") from None
        if body.get("model") is not None:
            self._check_name(body["model"])
        return query, body

    def _check_name(self, name: Any) -> None:
        if name != self.name:
            raise RequestError(f"there is no model {name!r}; this server has {self.name!r}", 404)

    def _fit(self, turns: list[dict[str, str]], requested: int | None) -> tuple[list[int], int]:
        """Tokens of a conversation, and the most tokens of its answer.

        Early turns that do not fit are dropped, a system prompt and the last turn never. Without a
        request for a number of tokens, the answer may be as long as the window allows.
        """
        prompts = self._model.prompts
        system = [turn for turn in turns[:1] if turn["role"] == "system"]
        [last] = prompts.encode([prompts.conversation([*system, turns[-1]])])
        most = requested or min(self._max_tokens, max(self._model.window - len(last), 1))
        self._check_room(len(last), most)
        return self._model.fit_prompt(turns, most), most

    def _encode(self, prompt: str | list[int]) -> list[int]:
        """Tokens of a prompt; a text is tokenized as transformers does it by default."""
        tokenizer = self._model.prompts.tokenizer
        if isinstance(prompt, str):
            ids: list[int] = tokenizer(prompt)["input_ids"]
            if not ids:
                raise RequestError("the prompt has no token")
            return ids
        size = self._model.model.get_input_embeddings().weight.shape[0]
        if max(prompt) >= size:
            raise RequestError(f"the prompt has token {max(prompt)}; the model has {size:,}")
        return prompt

    def _check_room(self, prompt: int, most: int) -> None:
        window = self._model.window
        if prompt + most > window:
            raise RequestError(
                f"the prompt has {prompt:,} tokens and asks for {most:,} more; the model's window "
                f"has {window:,}"
            )


class HostCheck:
    """Refuses requests under another name than the server's own.

    A page of another site can reach a server on this machine by pointing its own name there. Its
    requests then carry that name.

    Args:
        app: The application.
        hosts: The names and addresses that are accepted.
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str]) -> None:
        self._app, self._hosts = app, set(map(host_name, hosts))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] == "http":
            given = dict(scope["headers"]).get(b"host", b"").decode("latin-1")
            if host_name(given) not in self._hosts:
                what = f"the host {given!r} is not one of this server (--allowed-host)"
                await JSONResponse(replies.error(what, 403), 403)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def make_app(service: Service, hosts: Collection[str]) -> ASGIApp:
    """The application of a service.

    Args:
        service: The model's routes.
        hosts: The names under which it may be called.
    """
    handlers: Any = {
        RequestError: _refuse,
        Kit19Error: _fail,
        404: _not_found,
        405: _not_found,
    }
    app = Starlette(routes=service.routes(), exception_handlers=handlers)
    return HostCheck(app, hosts)


def _refuse(_: Request, error: RequestError) -> Response:
    return JSONResponse(replies.error(str(error), error.status), error.status)


def _fail(_: Request, error: Kit19Error) -> Response:
    return JSONResponse(replies.error(str(error), 500), 500)


def _not_found(request: Request, error: Any) -> Response:
    what = f"{request.method} {request.url.path}: {error.detail}"
    return JSONResponse(replies.error(what, error.status_code), error.status_code)


def _event(document: dict[str, Any]) -> str:
    return f"data: {json.dumps(document, ensure_ascii=False)}\n\n"
