"""HFLM, with an eye on what it passes over in silence.

That is: log-likelihoods that are no numbers, prompts that are cut to fit the window, and embeddings of
adapters. HFLM's numbers stay what they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lm_eval.models.huggingface import HFLM

from kit19.evaluating.adapter import embedding_rows
from kit19.evaluating.finite import finite_steps, require_finite

Scores = list[tuple[float, bool]]


@dataclass(frozen=True)
class Cut:
    """A request whose context was cut to fit the window: tokens lost."""

    task: str
    doc_id: int
    tokens: int


class CheckedHFLM(HFLM):  # type: ignore[misc]
    """A model of transformers, scored by HFLM.

    Attributes:
        cuts: What was cut to fit, filled while scoring.
        batch: Prompts of the running batch of generation.
        lost: Prompts of generation that were cut, and how many tokens of each.
        without_system: Prompts that the chat template left the system turn out of.
    """

    _model: Any

    def __init__(self, pretrained: Any, **options: Any) -> None:
        self.cuts: list[Cut] = []
        self.batch: list[str] = []
        self.lost: dict[str, int] = {}
        self.without_system = 0
        self._asked: Sequence[Any] = ()
        super().__init__(pretrained, **options)

    def _create_model(self, pretrained: str, peft: str | None = None, **options: Any) -> None:
        """Load the model, and put the adapter on embeddings of the size that it was trained with."""
        super()._create_model(pretrained, **options)
        if peft:
            from peft import PeftModel  # noqa: PLC0415

            # Without embeddings of the adapter's own, HFLM goes by the tokenizer: so do we.
            rows = embedding_rows(self._model, Path(peft)) or len(self.tokenizer)
            if rows != self._model.get_input_embeddings().weight.shape[0]:
                self._model.resize_token_embeddings(rows)
            revision = options.get("revision")
            self._model = PeftModel.from_pretrained(self._model, peft, revision=revision)

    def apply_chat_template(
        self, chat_history: Sequence[dict[str, Any]], add_generation_prompt: bool = True
    ) -> str:
        """HFLM's prompt: where a template refuses a system turn, it has none. That is counted."""
        text: str = super().apply_chat_template(chat_history, add_generation_prompt)
        systems = [turn["content"] for turn in chat_history if turn["role"] == "system"]
        self.without_system += any(system.strip() not in text for system in systems)
        return text

    def loglikelihood(self, requests: Sequence[Any], disable_tqdm: bool = False) -> Scores:
        """HFLM's scores.

        Raises:
            ModelError: One of them is no finite number.
            ValueError: The model is asked to think first, which likelihoods leave no room for.
        """
        scores: Scores = []
        for part in (requests[:1], requests):  # damaged weights show at once, not after hours
            self._asked = part
            try:
                scores = super().loglikelihood(part, disable_tqdm=disable_tqdm)
            finally:
                self._asked = ()
            for request, (value, _) in zip(part, scores, strict=True):
                require_finite(value, request)
        return scores

    def _loglikelihood_tokens(self, requests: Sequence[Any], *more: Any, **options: Any) -> Scores:
        """Where HFLM cuts; windows of rolling likelihoods are cut on purpose, and not counted."""
        for request, (_, context, rest) in zip(self._asked, requests, strict=False):
            self.count_cut(request, len(context), len(rest))
        scores: Scores = super()._loglikelihood_tokens(requests, *more, **options)
        return scores

    def loglikelihood_rolling(
        self, requests: Sequence[Any], disable_tqdm: bool = False
    ) -> list[float]:
        """HFLM's log-likelihoods of whole texts; errors as of ``loglikelihood``."""
        scores: list[float] = super().loglikelihood_rolling(requests, disable_tqdm=disable_tqdm)
        for request, value in zip(requests, scores, strict=True):
            require_finite(value, request)
        return scores

    def generate_until(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[str]:
        """HFLM's generated texts.

        Raises:
            ModelError: A step's predictions are no numbers.
        """
        self.lost.clear()
        with finite_steps(self.model, requests, self.batch):
            texts: list[str] = super().generate_until(requests, disable_tqdm=disable_tqdm)
        self.cuts += [
            Cut(request.task_name or "", request.doc_id or 0, self.lost[request.args[0]])
            for request in requests
            if request.args[0] in self.lost
        ]
        return texts

    def tok_batch_encode(self, strings: Sequence[str], *more: Any, **options: Any) -> Any:
        """What HFLM calls before each batch of generation; what it cuts to fit is counted."""
        encode = super().tok_batch_encode
        encoded = encode(strings, *more, **options)
        most, lengths = options.get("left_truncate_len"), [0] * len(strings)
        if most and encoded[0].shape[1] >= most:
            lengths = [encode([text])[0].shape[1] for text in strings]
        self.note_batch(strings, lengths, most)
        return encoded

    def note_batch(self, strings: Sequence[str], lengths: Sequence[int], most: int | None) -> None:
        """Note the prompts of a batch of generation, and what is cut from them.

        Args:
            strings: The prompts.
            lengths: Their lengths in tokens, uncut.
            most: Tokens that are left of each at most; None for all.
        """
        self.batch[:] = strings
        for text, length in zip(strings, lengths, strict=True):
            if most and length > most:
                self.lost[text] = length - most

    def count_cut(self, request: Any, context: int, continuation: int) -> None:
        """Note the tokens that a request loses at its beginning; both are lengths in tokens."""
        if self.backend == "causal":
            over = context + continuation - (self.max_length + 1)
        else:
            over = context - self.max_length
        if over > 0:
            self.cuts.append(Cut(request.task_name or "", request.doc_id or 0, over))
