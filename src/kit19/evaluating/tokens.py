"""Requests as token ids: the harness's ids, tokenized in large batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from kit19.core.errors import ModelError, Problem

_CHUNK = 2048


class Encoder(Protocol):
    """The part of the harness's model that encoding uses."""

    tokenizer: Any
    add_bos_token: bool | None

    @property
    def prefix_token_id(self) -> int:
        """The token that replaces an empty context."""

    def tok_encode(self, string: str, add_special_tokens: bool | None = None) -> list[int]:
        """Encode one text."""


def encode_pairs(
    model: Encoder, pairs: Sequence[tuple[str, str]]
) -> list[tuple[list[int], list[int]]]:
    """Encode (context, continuation) pairs as ``TemplateLM.loglikelihood`` of the harness does.

    Spaces at the end of a context move to the continuation, and both are tokenized together. Tokens
    beyond the context's own count are the continuation, so all choices of an item share their context
    tokens.

    Raises:
        ModelError: A continuation has no token of its own.
    """
    moved = [_move_trailing_spaces(context, continuation) for context, continuation in pairs]
    texts = dict.fromkeys(
        text for context, rest in moved if context for text in (context, context + rest)
    )
    ids = dict(zip(texts, _encode(model, list(texts)), strict=True))
    encoded = []
    for context, rest in moved:
        if context:
            known = ids[context]
            pair = (known, ids[context + rest][len(known) :])
        else:
            pair = _encode_without_context(model, rest)
        if not pair[1]:
            what = f"the continuation {rest!r} has no token of its own after {context[-40:]!r}"
            fix = (
                "the tokenizer merges it with the context; this item cannot be scored by likelihood"
            )
            raise ModelError(Problem(what, fix=fix))
        encoded.append(pair)
    return encoded


def _move_trailing_spaces(context: str, continuation: str) -> tuple[str, str]:
    bare = context.rstrip()
    # The harness empties a context of spaces alone and then fails; an empty context is allowed.
    return (bare, context[len(bare) :] + continuation) if bare else ("", context + continuation)


def _encode_without_context(model: Encoder, continuation: str) -> tuple[list[int], list[int]]:
    ids = model.tok_encode(continuation, add_special_tokens=False)
    if ids and ids[0] == model.prefix_token_id:
        return ids[:1], ids[1:]
    return [model.prefix_token_id], ids


def _encode(model: Encoder, texts: list[str]) -> list[list[int]]:
    special = {} if model.add_bos_token is None else {"add_special_tokens": model.add_bos_token}
    beginning = model.tokenizer.decode(model.prefix_token_id)
    encoded: list[list[int]] = []
    for start in range(0, len(texts), _CHUNK):
        part = texts[start : start + _CHUNK]
        ids = model.tokenizer(part, **special)["input_ids"]
        # A text that already starts with the first token gets no second one.
        encoded += [
            model.tok_encode(text) if beginning and text.startswith(beginning) else one
            for text, one in zip(part, ids, strict=True)
        ]
    return encoded
