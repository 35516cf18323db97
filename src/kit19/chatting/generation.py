"""One answer while it is generated: its text in pieces, then its length and why it ended."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from transformers import StoppingCriteria, StoppingCriteriaList, TextIteratorStreamer

from kit19.training.model_errors import convert_model_errors

CANNOT_ANSWER = "the model cannot answer"
_NO_CHARACTER = "\ufffd"  # how incomplete bytes are decoded
_INCOMPLETE = re.compile(f"[{_NO_CHARACTER}\u1100-\u11ff\ua960-\ua97f\ud7b0-\ud7ff]*$")


@dataclass
class Generation:
    """The answer to a prompt. Iterate over it once; ``close`` ends it early.

    Attributes:
        model: A transformers model.
        tokenizer: Its tokenizer.
        ids: Tokens of the prompt.
        stops: Texts that end the answer.
        leading: What the prompt format puts before an answer.
        options: Keyword arguments of ``model.generate``.
        tokens: Generated tokens so far, end token included.
        finish_reason: Why the answer ended: ``length`` if it was cut at the most tokens.
    """

    model: Any
    tokenizer: Any
    ids: Sequence[int]
    stops: Sequence[str]
    leading: str
    options: dict[str, Any]
    tokens: int = 0
    finish_reason: Literal["stop", "length"] = "stop"
    _closed: bool = field(default=False, repr=False)

    def close(self) -> None:
        """End the answer at the next token."""
        self._closed = True

    def __iter__(self) -> Iterator[str]:
        streamer = SyllableStreamer(self.tokenizer, skip_prompt=True, skip_special_tokens=True)
        failed: list[BaseException] = []

        def run() -> None:
            try:
                on_device = torch.tensor([list(self.ids)], device=self.model.device)
                with torch.inference_mode():
                    self.model.generate(
                        on_device,
                        attention_mask=torch.ones_like(on_device),
                        streamer=streamer,
                        stopping_criteria=StoppingCriteriaList([_Watch(self)]),
                        **self.options,
                    )
            except BaseException as error:
                failed.append(error)
                streamer.end()

        worker = threading.Thread(target=run, daemon=True)
        worker.start()
        try:
            yield from until_stop(streamer, self.stops, self.leading)
        finally:
            self.close()
            # The garbage collector ends an iterator that nobody holds in whatever thread it runs.
            if worker is not threading.current_thread():
                worker.join()
        if failed:
            with convert_model_errors(str(self.tokenizer.name_or_path), CANNOT_ANSWER):
                raise failed[0]

    def has_ended(self, generated: Sequence[int]) -> bool:
        """Whether an answer ends after these tokens; called by the model for each token."""
        self.tokens = len(generated)
        if self._closed:
            return True
        text = self.tokenizer.decode(generated) if self.stops else ""
        stopped = any(stop in text for stop in self.stops)
        ended = stopped or generated[-1] in self.options["eos_token_id"]
        cut = not ended and self.tokens >= self.options["max_new_tokens"]
        self.finish_reason = "length" if cut else "stop"
        return stopped


class _Watch(StoppingCriteria):  # type: ignore[misc]  # transformers is untyped here
    """Tells a generation of every token, and the model when to end."""

    def __init__(self, generation: Generation) -> None:
        self._generation = generation

    def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:  # noqa: ARG002
        generated = input_ids[0, len(self._generation.ids) :].tolist()
        done = self._generation.has_ended(generated)
        return torch.full((len(input_ids),), done, device=input_ids.device, dtype=torch.bool)


class SyllableStreamer(TextIteratorStreamer):  # type: ignore[misc]  # transformers is untyped here
    """Streams text as soon as its characters are complete.

    A token may end inside a character: byte-level tokenizers split syllables into bytes, and a
    syllable may be written as several jamo. Such an end is held back until it is decided. What is left
    of a character where generation ends is not sent.
    """

    next_tokens_are_prompt: bool
    print_len: int

    def put(self, value: Any) -> None:
        """Take the prompt, then one token at a time."""
        if self.next_tokens_are_prompt:
            self.next_tokens_are_prompt = False
            return
        self.token_cache.extend(value.tolist())
        self._send(_INCOMPLETE.sub("", self._decode()))

    def end(self) -> None:
        """Send what is left."""
        self._send(self._decode().rstrip(_NO_CHARACTER))
        self.on_finalized_text("", stream_end=True)

    def _decode(self) -> str:
        return str(self.tokenizer.decode(self.token_cache, **self.decode_kwargs))

    def _send(self, text: str) -> None:
        if len(text) > self.print_len:
            self.on_finalized_text(text[self.print_len :])
            self.print_len = len(text)


def until_stop(pieces: Iterable[str], stops: Sequence[str], leading: str) -> Iterator[str]:
    """Stream text up to the first stop text, without the whitespace that the format puts before it.

    Text that may be the beginning of a stop text is held back until that is decided.
    """
    held, at_start = "", leading.strip() != leading
    hold = max((len(stop) for stop in stops), default=1) - 1
    for piece in pieces:
        held += piece
        if at_start:
            held = held.removeprefix(leading)
            at_start = not held
        cut = min((held.find(stop) for stop in stops if stop in held), default=-1)
        if cut >= 0:
            yield held[:cut]
            return
        ready = len(held) - hold
        if ready > 0:
            yield held[:ready]
            held = held[ready:]
    if held:
        yield held
