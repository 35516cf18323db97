"""What the server answers, in the layout of OpenAI's API."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from kit19.chatting.generation import Generation
from kit19.serving.scoring import TokenScores


@dataclass(frozen=True)
class Reply:
    """The layout of one reply.

    Attributes:
        model: The model's name.
        is_chat: Whether it is an answer to a conversation, or the text after a prompt.
    """

    model: str
    is_chat: bool
    _id: str = field(default_factory=lambda: secrets.token_hex(12))
    _created: int = field(default_factory=lambda: int(time.time()))

    @classmethod
    def of_chat(cls, model: str) -> Reply:
        """The layout of an answer to a conversation."""
        return cls(model, is_chat=True)

    @classmethod
    def of_completion(cls, model: str) -> Reply:
        """The layout of the text after a prompt."""
        return cls(model, is_chat=False)

    def complete(self, text: str, generation: Generation) -> dict[str, Any]:
        """A complete answer."""
        return self.complete_all([text], [generation])

    def complete_all(
        self, texts: Sequence[str], generations: Sequence[Generation]
    ) -> dict[str, Any]:
        """Complete answers to one or more prompts."""
        choices = [
            self._choice(number, text, one.finish_reason)
            for number, (text, one) in enumerate(zip(texts, generations, strict=True))
        ]
        prompt = sum(len(one.ids) for one in generations)
        usage = _usage(prompt, sum(one.tokens for one in generations))
        return {**self._head(streams=False), "choices": choices, "usage": usage}

    def beginning(self) -> Iterator[dict[str, Any]]:
        """The events before the text of a stream."""
        if self.is_chat:
            yield self._chunk({"role": "assistant", "content": ""})

    def piece(self, text: str) -> dict[str, Any]:
        """The event of a piece of text."""
        return self._chunk({"content": text} if self.is_chat else text)

    def ending(self, generation: Generation, *, include_usage: bool) -> Iterator[dict[str, Any]]:
        """The events after the text of a stream."""
        yield self._chunk({} if self.is_chat else "", generation.finish_reason)
        if include_usage:
            usage = _usage(len(generation.ids), generation.tokens)
            yield {**self._head(streams=True), "choices": [], "usage": usage}

    def scores(
        self, scored: Sequence[TokenScores], tokenizer: Any, prompts: Sequence[Sequence[int]]
    ) -> dict[str, Any]:
        """The log-likelihoods of prompts, with the token that follows each if it was asked for."""
        choices = []
        for number, (one, ids) in enumerate(zip(scored, prompts, strict=True)):
            texts = [tokenizer.decode([token]) for token in one.ids]
            starts = [sum(map(len, texts[:place])) for place in range(len(texts))]
            stated = {
                "tokens": texts,
                "token_logprobs": one.logprobs,
                "top_logprobs": [_named(tokenizer, top) for top in one.top],
                "text_offset": starts,
            }
            choice = self._choice(number, tokenizer.decode(one.ids), "length")
            choices.append({**choice, "logprobs": stated, "prompt_tokens": len(ids)})
        prompt = sum(map(len, prompts))
        usage = _usage(prompt, sum(len(one.ids) for one in scored) - prompt)
        return {**self._head(streams=False), "choices": choices, "usage": usage}

    def _choice(self, number: int, text: str, finish_reason: str) -> dict[str, Any]:
        choice = {"index": number, "finish_reason": finish_reason, "logprobs": None}
        if self.is_chat:
            return {**choice, "message": {"role": "assistant", "content": text}}
        return {**choice, "text": text}

    def _chunk(self, part: Any, finish_reason: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "finish_reason": finish_reason, "logprobs": None}
        choice["delta" if self.is_chat else "text"] = part
        return {**self._head(streams=True), "choices": [choice]}

    def _head(self, *, streams: bool) -> dict[str, Any]:
        kind, prefix = "text_completion", "cmpl-"
        if self.is_chat:
            kind, prefix = "chat.completion.chunk" if streams else "chat.completion", "chatcmpl-"
        return {
            "id": prefix + self._id,
            "object": kind,
            "created": self._created,
            "model": self.model,
        }


def model(name: str, created: int, window: int) -> dict[str, Any]:
    """The entry of the model; ``max_model_len`` is the window, as vLLM states it."""
    return {
        "id": name,
        "object": "model",
        "created": created,
        "owned_by": "kit19",
        "max_model_len": window,
    }


def error(message: str, status: int) -> dict[str, Any]:
    """The body of an error."""
    kind = "server_error" if status >= 500 else "invalid_request_error"
    return {"error": {"message": message, "type": kind, "param": None, "code": status}}


def _named(tokenizer: Any, top: dict[int, float] | None) -> dict[str, float] | None:
    """Log-likelihoods by the tokens' texts.

    Tokens of bytes that are no complete character have the same text; the likeliest of them counts.
    """
    if top is None:
        return None
    named: dict[str, float] = {}
    for token, value in top.items():
        text = tokenizer.decode([token])
        named[text] = max(value, named.get(text, value))
    return named


def _usage(prompt: int, completion: int) -> dict[str, int]:
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }
