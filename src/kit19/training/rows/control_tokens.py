"""Control tokens of a tokenizer (``<|im_end|>``, ``</s>`` …), and text that only looks like one.

A tokenizer finds its special tokens in any text, so a review that quotes ``<|im_end|>`` would end the
turn. Here data is always encoded as text. Before a template is filled, every such place in the data is
marked. A text with marks is then encoded by a copy of the tokenizer in which the special tokens have
other names. Everything else in the copy is the same, so a text without marks has the same ids in both.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

from kit19.core.errors import Problem, TrainError
from kit19.training.model_errors import convert_model_errors

Ids = list[int]

# Noncharacters of Unicode, which text for interchange never contains. If a text contains one anyway, it
# is marked like a control token.
_OPEN, _CLOSE = "\ufdd0", "\ufdd1"
_SECRET_OPEN, _SECRET_CLOSE = "\ufdd2", "\ufdd3"
_MARK = re.compile(f"{_OPEN}([0-9]+){_CLOSE}")


class ControlTokens:
    """The control tokens of a tokenizer: its special tokens, and the tokens that end an answer.

    Args:
        tokenizer: A transformers tokenizer.
        ends: Ids of the tokens that end an answer.
    """

    def __init__(self, tokenizer: Any, ends: Iterable[int]) -> None:
        self._tokenizer = tokenizer
        known = tokenizer.added_tokens_decoder
        ends = set(ends)
        chosen = {n: t for n, t in known.items() if t.special or n in ends}
        self._ids = {str(token.content): number for number, token in chosen.items()}
        # Longest first, as the tokenizer matches them.
        self._names = [*sorted(self._ids, key=len, reverse=True), _OPEN, _CLOSE, ""]
        self._numbers = {name: number for number, name in enumerate(self._names)}
        self._any = re.compile("|".join(re.escape(name) for name in self._names[:-1]))
        self._normalized = any(token.normalized for token in chosen.values())

    @property
    def ids(self) -> frozenset[int]:
        """Ids of the control tokens."""
        return frozenset(self._ids.values())

    def mark(self, text: str) -> str:
        """Replace everything in a text of the data that looks like a control token by a mark."""
        if self._any.search(text):
            return self._any.sub(lambda found: self._marked(found[0]), text)
        if self._normalized and self._any.search(self._normalize(text)):
            return text + self._marked("")  # the tokenizer's normalizer turns it into one
        return text

    def unmark(self, text: str) -> str:
        """Replace the marks of a text by the original text."""
        return _MARK.sub(lambda mark: self._names[int(mark[1])], text) if _OPEN in text else text

    def first_marked(self, text: str) -> str:
        """The original text of the first mark; empty without a mark."""
        found = _MARK.search(text)
        return self._names[int(found[1])] if found else ""

    def encode(self, texts: Sequence[str], *, special: bool) -> list[Ids]:
        """Encode texts that may contain marks. Marked places become tokens of ordinary text.

        Raises:
            TrainError: A text contains marks, and the tokenizer cannot encode them as text.
        """
        marked = [number for number, text in enumerate(texts) if _OPEN in text]
        found = encode_all(self._tokenizer, list(texts), special=special)
        if marked:
            renamed = [self._renamed(texts[number]) for number in marked]
            encoded = self._literal.encode_batch_fast(renamed, add_special_tokens=special)
            for number, one in zip(marked, encoded, strict=True):
                found[number] = one.ids
        return found

    def _marked(self, name: str) -> str:
        return f"{_OPEN}{self._numbers[name]}{_CLOSE}"

    def _normalize(self, text: str) -> str:
        backend = getattr(self._tokenizer, "backend_tokenizer", None)
        normalizer = backend.normalizer if backend is not None else None
        return str(normalizer.normalize_str(text)) if normalizer is not None else text

    def _renamed(self, text: str) -> str:
        """A text for the copy: the control tokens of the template renamed, the marks as text."""
        if _SECRET_OPEN in text:
            what = "a row contains a control token and the noncharacter U+FDD2"
            raise TrainError(Problem(what, fix="remove the noncharacter"))
        return self.unmark(self._any.sub(self._secret_or_mark, text))

    def _secret_or_mark(self, found: re.Match[str]) -> str:
        return _secret(self._ids[found[0]]) if found[0] in self._ids else found[0]

    @cached_property
    def _literal(self) -> Any:
        backend = getattr(self._tokenizer, "backend_tokenizer", None)
        copy = None if backend is None else _rename(backend, self._ids)
        if copy is None:
            name = str(self._tokenizer.name_or_path) or "the tokenizer"
            what = (
                "rows contain text that it reads as control tokens, and it cannot encode it as text"
            )
            raise TrainError(Problem(what, name, "remove them from the rows"))
        return copy


def encode_all(tokenizer: Any, texts: list[str], *, special: bool) -> list[Ids]:
    """Encode texts with the tokenizer's own rules.

    Args:
        tokenizer: A transformers tokenizer.
        texts: n texts.
        special: Add the tokenizer's special tokens around each text.
    """
    backend = getattr(tokenizer, "backend_tokenizer", None)
    with convert_model_errors(str(tokenizer.name_or_path), "its tokenizer fails"):
        if backend is None:
            found: list[Ids] = tokenizer(texts, add_special_tokens=special)["input_ids"]
            return found
        backend.no_truncation()
        backend.no_padding()
        # In Rust, on all threads, without offsets: 3 times as fast as calling the tokenizer.
        return [one.ids for one in backend.encode_batch_fast(texts, add_special_tokens=special)]


def _secret(number: int) -> str:
    return f"{_SECRET_OPEN}{number}{_SECRET_CLOSE}"


def _rename(backend: Any, ids: dict[str, int]) -> Any:
    """A copy of a tokenizer with other names for some tokens; None if that would change their ids."""
    from tokenizers import Tokenizer  # noqa: PLC0415

    names = {name: _secret(number) for name, number in ids.items()}
    document = json.loads(backend.to_str())
    for token in document["added_tokens"]:
        if token["content"] in names:
            token |= {"content": names[token["content"]], "normalized": False}
    model = document["model"]
    vocabulary = model.get("vocab")
    if isinstance(vocabulary, dict):
        model["vocab"] = {names.get(word, word): number for word, number in vocabulary.items()}
    elif isinstance(vocabulary, list):  # Unigram: pieces with their scores
        model["vocab"] = [[names.get(word, word), score] for word, score in vocabulary]
    if model.get("unk_token") in names:
        model["unk_token"] = names[model["unk_token"]]
    if "merges" in model:
        model["merges"] = [pair for pair in model["merges"] if not _involves(pair, names)]
    copy = Tokenizer.from_str(json.dumps(document))
    same = all(copy.token_to_id(names[name]) == number for name, number in ids.items())
    copy.no_truncation()
    copy.no_padding()
    return copy if same else None


def _involves(pair: Any, names: dict[str, str]) -> bool:
    """Whether a BPE merge produces or consumes a renamed token."""
    parts = pair if isinstance(pair, list) else pair.split(" ", 1)
    return "".join(parts) in names or any(part in names for part in parts)
