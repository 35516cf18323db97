"""Load a model from a run, a folder or the Hub, and generate answers in its prompt format."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from kit19.catalog import PromptFormat
from kit19.chatting.generation import CANNOT_ANSWER, Generation, until_stop
from kit19.core.runs import RunRecord
from kit19.training.model.adapters import load_with_adapter
from kit19.training.model.device import device
from kit19.training.model.finding import GIVE_A_MODEL, find_model
from kit19.training.model.loading import CANNOT, read_tokenizer, read_weights
from kit19.training.model_errors import convert_model_errors
from kit19.training.rows.prompts import Prompts, end_ids_of, prompts_of_run

_WINDOW = 2048  # tokens, if the configuration names no limit
TOP_P = 0.9
"""The share of probability that answers are sampled from, unless it is given."""


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
        ids = self.fit_prompt(turns, max_new_tokens)
        yield from self.generate(ids, max_new_tokens=max_new_tokens, temperature=temperature)

    def generate(
        self,
        ids: Sequence[int],
        *,
        max_new_tokens: int,
        temperature: float = 0.0,
        top_p: float = TOP_P,
        stops: Sequence[str] = (),
        is_answer: bool = True,
    ) -> Generation:
        """The text after a prompt, to iterate over.

        Args:
            ids: Tokens of the prompt.
            max_new_tokens: The most tokens of the text.
            temperature: 0 for greedy decoding.
            top_p: The share of probability that is sampled from.
            stops: Texts that end it, in addition to those of the prompt format.
            is_answer: Whether the prompt ends as the prompt format ends it.
        """
        form = self.prompts.format
        return Generation(
            self.model,
            self.prompts.tokenizer,
            ids,
            [*form.stop, *stops] if is_answer else list(stops),
            form.reply("") if is_answer else "",
            self._generation_options(max_new_tokens, temperature, top_p),
        )

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
                convert_model_errors(str(tokenizer.name_or_path), CANNOT_ANSWER),
                torch.inference_mode(),
            ):
                generated = self.model.generate(
                    ids.to(where), attention_mask=mask.to(where), **given
                )
            texts = tokenizer.batch_decode(generated[:, width:], skip_special_tokens=True)
            found |= dict(zip(chosen, texts, strict=True))
        stops = self.prompts.format.stop
        return ["".join(until_stop([found[number]], stops, "")) for number in range(len(encoded))]

    def fit_prompt(self, given: Sequence[dict[str, str]], max_new_tokens: int) -> list[int]:
        """Tokens of the prompt of a conversation.

        Early turns that do not fit are dropped, except for a system prompt.
        """
        turns = list(given)
        room = max(self.window - max_new_tokens, 1)
        system = 1 if turns[0]["role"] == "system" else 0
        while True:
            [ids] = self.prompts.encode([self.prompts.conversation(turns)])
            if len(ids) <= room or len(turns) <= system + 2:
                return ids[-room:]
            turns = [*turns[:system], *turns[system + 2 :]]

    def _generation_options(
        self, max_new_tokens: int, temperature: float, top_p: float = TOP_P
    ) -> dict[str, Any]:
        pad = self.prompts.tokenizer.pad_token_id
        end = self.prompts.tokenizer.eos_token_id
        given: dict[str, Any] = {
            "max_new_tokens": max_new_tokens,
            "eos_token_id": sorted(self.prompts.ends),
            "pad_token_id": end if pad is None else pad,
            "do_sample": temperature > 0,
        }
        if temperature > 0:
            given |= {"temperature": temperature, "top_p": top_p}
        return given


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
