"""Prompts in the format that a model was trained with, as the same tokens as in training.

The harness's hook for this is the chat template, which turns a list of turns into one text. kit19
renders the prompts of training there, so every task of the harness can be evaluated in them. The
harness passes the rendered text back for scoring. The text alone does not determine the tokens of
training (whether a line break at its end belongs to the prompt, whether the tokenizer adds ``<s>``,
which control tokens are data), so the turns behind each rendered text are kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kit19.core.errors import ModelError, Problem
from kit19.evaluating.scorer import Kit19LM
from kit19.training.rows.chat_template import Turns
from kit19.training.rows.prompts import Ids, Prompts, common_prefix_length

_CHUNK = 2048


class PromptEncoder:
    """Renders turns as the harness's chat template does, and encodes them as training does.

    Args:
        prompts: The tokenizer with its prompt format.
    """

    def __init__(self, prompts: Prompts) -> None:
        self._prompts = prompts
        self._answer_prefix = prompts.format.answer.partition("{output}")[0]
        self._turns: dict[str, tuple[Turns, str]] = {}

    def render(self, turns: Sequence[dict[str, Any]], add_generation_prompt: bool = True) -> str:
        """Turns as one text, as the harness requests it from a model.

        Without a generation prompt the last turn is the beginning of the answer.
        """
        turns = [{"role": str(t["role"]), "content": str(t["content"])} for t in turns]
        beginning = "" if add_generation_prompt else turns[-1]["content"]
        questions = [turn | {"content": turn["content"].strip()} for turn in turns]
        questions = questions if add_generation_prompt else questions[:-1]
        prompts = self._prompts
        text = prompts.unmark(prompts.conversation(questions)) + self._answer_prefix + beginning
        if self._turns.setdefault(text, (questions, beginning)) != (questions, beginning):
            what = f"two conversations are one text: {text[:80]!r}"
            raise ModelError(Problem(what, fix="control tokens in the task's text set turns apart"))
        return text

    def is_rendered(self, text: str) -> bool:
        """Whether ``render`` returned this text; the harness scores others too, say an empty one."""
        return text in self._turns

    def encode_pairs(self, requests: Sequence[tuple[str, str]]) -> list[tuple[Ids, Ids]]:
        """Tokens of each (prompt text, continuation).

        Raises:
            ModelError: A continuation has no token of its own.
        """
        encoded: list[tuple[Ids, Ids]] = []
        for start in range(0, len(requests), _CHUNK):
            encoded += self._encode_chunk(requests[start : start + _CHUNK])
        for (text, continuation), (_, ids) in zip(requests, encoded, strict=True):
            if not ids:
                what = (
                    f"the continuation {continuation!r} has no token of its own after "
                    f"{text[-40:]!r}"
                )
                raise ModelError(Problem(what, fix="this item cannot be scored by likelihood"))
        return encoded

    def _encode_chunk(self, requests: Sequence[tuple[str, str]]) -> list[tuple[Ids, Ids]]:
        parts = [(*self._turns[text], continuation) for text, continuation in requests]
        answers = [(turns, beginning + continuation) for turns, beginning, continuation in parts]
        encoded = self._prompts.pairs(answers)
        if not any(beginning for _, beginning, _ in parts):
            return encoded
        # The beginning of an answer belongs to its context.
        begun = self._prompts.pairs([(turns, beginning) for turns, beginning, _ in parts])
        counts = [
            common_prefix_length(one, other)
            for (_, one), (_, other) in zip(begun, encoded, strict=True)
        ]
        return [
            (prompt + answer[:count], answer[count:])
            for (prompt, answer), count in zip(encoded, counts, strict=True)
        ]

    def encode_prompt(self, text: str) -> Ids:
        """Tokens of a prompt text that the model is to continue."""
        turns, beginning = self._turns[text]
        prompts = self._prompts
        marked = prompts.conversation(turns)
        if beginning:
            marked += self._answer_prefix + prompts.controls.mark(beginning)
        [ids] = prompts.encode([marked])
        return ids

    def strip_answer_prefix(self, generated: str) -> str:
        """A generated text without the blank that the format puts before answers."""
        return generated.removeprefix(self._answer_prefix)


def use_training_prompts(model: Kit19LM, prompts: Prompts) -> None:
    """Replace a model's chat template by the prompts of training.

    Log-likelihoods and generation use the tokens of training, also where HFLM does the scoring.
    """
    encoder = PromptEncoder(prompts)
    original_encode, original_pair = model.encode_requests, model._encode_pair
    original_generate = model.generate_until

    def encode_requests(requests: Sequence[tuple[str, str]]) -> list[tuple[Ids, Ids]]:
        rendered = [encoder.is_rendered(text) for text, _ in requests]
        ours = [request for request, ok in zip(requests, rendered, strict=True) if ok]
        others = [request for request, ok in zip(requests, rendered, strict=True) if not ok]
        encoded, other_encoded = iter(encoder.encode_pairs(ours)), iter(original_encode(others))
        return [next(encoded if ok else other_encoded) for ok in rendered]

    def encode_pair(context: str, continuation: str) -> tuple[Ids, Ids]:
        if encoder.is_rendered(context):
            return encoder.encode_pairs([(context, continuation)])[0]
        pair: tuple[Ids, Ids] = original_pair(context, continuation)
        return pair

    def encode_prompts(texts: Sequence[str]) -> list[Ids]:
        return [
            encoder.encode_prompt(text) if encoder.is_rendered(text) else model.tok_encode(text)
            for text in texts
        ]

    def encode_batch(
        strings: Sequence[str],
        padding_side: str = "left",
        left_truncate_len: int | None = None,
        truncation: bool = False,  # noqa: ARG001  HFLM's signature
    ) -> Any:
        rows = encode_prompts(strings)
        model.record_batch(strings, [len(row) for row in rows], left_truncate_len)
        rows = [row[-(left_truncate_len or 0) :] for row in rows]
        tokenizer = model.tokenizer
        side, tokenizer.padding_side = tokenizer.padding_side, padding_side
        padded = tokenizer.pad({"input_ids": rows}, return_tensors="pt")
        tokenizer.padding_side = side
        return padded["input_ids"], padded["attention_mask"]

    def generate_until(requests: Sequence[Any], disable_tqdm: bool = False) -> list[str]:
        texts = original_generate(requests, disable_tqdm=disable_tqdm)
        return [encoder.strip_answer_prefix(text) for text in texts]

    patched: Any = model
    patched.apply_chat_template = encoder.render
    model.chat_template = lambda chat_template=False: prompts.format.id  # noqa: ARG005  the harness's name
    model.encode_requests = encode_requests
    model.encode_prompts = encode_prompts
    model._encode_pair = encode_pair
    patched.tok_batch_encode = encode_batch
    patched.generate_until = generate_until
    model.model.generation_config.eos_token_id = prompts.stops


def require_chat_template(model: Kit19LM) -> None:
    """Require a chat template in the tokenizer.

    Raises:
        ModelError: The tokenizer has none.
    """
    if not getattr(model.tokenizer, "chat_template", None):
        fix = "use --format instruction with --prompt-format, or --format raw"
        raise ModelError(Problem("the tokenizer has no chat template", fix=fix))


def require_system_turn(model: Kit19LM, system: str) -> None:
    """Require a chat template that keeps the system instruction; HFLM would drop it silently.

    Raises:
        ModelError: The template leaves it out.
    """
    turns = [{"role": "system", "content": system}, {"role": "user", "content": "?"}]
    if system.strip() not in model.apply_chat_template(turns):
        fix = "use --format raw, or write the instruction into the task's own prompt"
        raise ModelError(Problem("the template leaves a system instruction out", fix=fix))
