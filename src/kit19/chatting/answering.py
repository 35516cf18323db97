"""Load a model from a run, a folder or the Hub, and generate answers in its prompt format."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import (
    StoppingCriteria,
    StoppingCriteriaList,
    TextIteratorStreamer,
)

from kit19.catalog import PromptFormat
from kit19.core.runs import RunRecord
from kit19.training.model.adapters import load_with_adapter
from kit19.training.model.device import device
from kit19.training.model.finding import GIVE_A_MODEL, find_model
from kit19.training.model.loading import CANNOT, read_tokenizer, read_weights
from kit19.training.model_errors import convert_model_errors
from kit19.training.rows.prompts import Prompts, end_ids_of, prompts_of_run

_WINDOW = 2048  # tokens, if the configuration names no limit
_NO_CHARACTER = "\ufffd"  # how incomplete bytes are decoded
_INCOMPLETE = re.compile(f"[{_NO_CHARACTER}\u1100-\u11ff\ua960-\ua97f\ud7b0-\ud7ff]*$")
_CANNOT_ANSWER = "the model cannot answer"


@dataclass(frozen=True)
class ChatModel:
    """A model, its tokenizer and its prompt format.

    Attributes:
        model: The model, in evaluation mode.
        prompts: Its tokenizer and prompt format.
        run: The record of the run; None if the model is not a run.
        window: The context length in tokens.
    """

    model: Any
    prompts: Prompts
    run: RunRecord | None
    window: int

    def stream(
        self, turns: Sequence[dict[str, str]], *, max_new_tokens: int, temperature: float = 0.0
    ) -> Iterator[str]:
        """Stream the answer to the last turn.

        Args:
            turns: ``role`` (system, user, assistant) and ``content``; early turns that do not fit are
                dropped, except for a system prompt.
            max_new_tokens: The most tokens of the answer.
            temperature: 0 for greedy decoding.
        """
        ids = self._fit_prompt(list(turns), max_new_tokens)
        tokenizer = self.prompts.tokenizer
        streamer = SyllableStreamer(tokenizer, skip_prompt=True, skip_special_tokens=True)
        stops = self.prompts.format.stop
        halt = _StopWhenRead(tokenizer, len(ids), stops)
        given = self._generation_options(max_new_tokens, temperature)
        failed: list[BaseException] = []

        def run() -> None:
            try:
                on_device = torch.tensor([ids], device=self.model.device)
                with torch.inference_mode():
                    self.model.generate(
                        on_device,
                        attention_mask=torch.ones_like(on_device),
                        streamer=streamer,
                        stopping_criteria=StoppingCriteriaList([halt]),
                        **given,
                    )
            except BaseException as error:
                failed.append(error)
                streamer.end()

        worker = threading.Thread(target=run, daemon=True)
        worker.start()
        try:
            yield from until_stop(streamer, stops, self.prompts.format.reply(""))
        finally:
            halt.now = True  # closing the generator stops the model
            worker.join()
        if failed:
            with convert_model_errors(str(tokenizer.name_or_path), _CANNOT_ANSWER):
                raise failed[0]

    def answers(
        self, prompts: Sequence[str], *, max_new_tokens: int, at_once: int = 32
    ) -> list[str]:
        """The greedy answer to each prompt, in order; generated in batches with left padding."""
        encoded = self.prompts.encode(prompts)
        tokenizer = self.prompts.tokenizer
        given = self._generation_options(max_new_tokens, 0.0)
        found: dict[int, str] = {}
        order = sorted(range(len(encoded)), key=lambda number: len(encoded[number]))
        for start in range(0, len(order), at_once):
            chosen = order[start : start + at_once]
            room = max(self.window - max_new_tokens, 1)
            kept = [encoded[number][-room:] for number in chosen]
            width = max(map(len, kept))
            ids = torch.tensor([[given["pad_token_id"]] * (width - len(k)) + k for k in kept])
            mask = torch.tensor([[0] * (width - len(k)) + [1] * len(k) for k in kept])
            where = self.model.device
            with (
                convert_model_errors(str(tokenizer.name_or_path), _CANNOT_ANSWER),
                torch.inference_mode(),
            ):
                generated = self.model.generate(
                    ids.to(where), attention_mask=mask.to(where), **given
                )
            texts = tokenizer.batch_decode(generated[:, width:], skip_special_tokens=True)
            found |= dict(zip(chosen, texts, strict=True))
        stops = self.prompts.format.stop
        return ["".join(until_stop([found[number]], stops, "")) for number in range(len(encoded))]

    def _fit_prompt(self, turns: list[dict[str, str]], max_new_tokens: int) -> list[int]:
        room = max(self.window - max_new_tokens, 1)
        system = 1 if turns[0]["role"] == "system" else 0
        while True:
            [ids] = self.prompts.encode([self.prompts.conversation(turns)])
            if len(ids) <= room or len(turns) <= system + 2:
                return ids[-room:]
            turns = [*turns[:system], *turns[system + 2 :]]

    def _generation_options(self, max_new_tokens: int, temperature: float) -> dict[str, Any]:
        pad = self.prompts.tokenizer.pad_token_id
        end = self.prompts.tokenizer.eos_token_id
        given: dict[str, Any] = {
            "max_new_tokens": max_new_tokens,
            "eos_token_id": sorted(self.prompts.ends),
            "pad_token_id": end if pad is None else pad,
            "do_sample": temperature > 0,
        }
        if temperature > 0:
            given |= {"temperature": temperature, "top_p": 0.9}
        return given


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


def until_stop(pieces: Any, stops: Sequence[str], leading: str) -> Iterator[str]:
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


def load_chat_model(
    name: str,
    form: PromptFormat | None,
    default: Callable[[bool], PromptFormat],
    *,
    trust: bool = False,
) -> ChatModel:
    """Load a model for generating answers.

    Args:
        name: The model, as for ``find_model``.
        form: A prompt format to use instead of the run's.
        default: Returns the format of a model that is not a run, given whether it has a chat template.
        trust: Whether to run code from the model's repository.

    Raises:
        TrainError: The model cannot be loaded.
        VerifyError: The record of the run cannot be read.
    """
    ref = find_model(name)
    run = ref.run
    on_gpu = device() == "cuda"
    given: dict[str, Any] = {"dtype": torch.bfloat16 if on_gpu else torch.float32}
    given["trust_remote_code"] = trust
    with convert_model_errors(name, CANNOT, GIVE_A_MODEL):
        tokenizer = read_tokenizer(ref.source, ref.revision or None, trust=trust)
        if ref.base:
            model = load_with_adapter(ref, **given)
        else:
            model = read_weights(ref.source, revision=ref.revision or None, **given)
        if form is None and run is not None:
            form = PromptFormat.model_validate(run.format)
        if form is None:
            form = default(bool(tokenizer.chat_template))
        model.to(device()).eval()
        window = getattr(model.config.get_text_config(), "max_position_embeddings", None)
        prompts = prompts_of_run(tokenizer, form, run, end_ids_of(model.generation_config))
        return ChatModel(model, prompts, run, int(window or _WINDOW))


class _StopWhenRead(StoppingCriteria):  # type: ignore[misc]  # transformers is untyped here
    """Ends an answer at a stop text, or when the reader stops reading."""

    def __init__(self, tokenizer: Any, prompt_length: int, stops: Sequence[str]) -> None:
        self.tokenizer, self.prompt_length, self.stops = tokenizer, prompt_length, stops
        self.now = False

    def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:  # noqa: ARG002
        text = self.tokenizer.decode(input_ids[0, self.prompt_length :]) if self.stops else ""
        done = self.now or any(stop in text for stop in self.stops)
        return torch.full((len(input_ids),), done, device=input_ids.device, dtype=torch.bool)
