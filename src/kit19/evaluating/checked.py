"""HFLM with checks for what it does silently, and the same numbers.

The checks cover log-likelihoods that are not finite, prompts truncated to fit the window, and the
embeddings of adapters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lm_eval.models.huggingface import HFLM

from kit19.evaluating.finite import require_finite, require_finite_generation

Scores = list[tuple[float, bool]]

_PEFT_PREFIX = "base_model.model."
# PEFT's names for weights of an embedding, and their axis over tokens.
_TOKEN_AXES = {
    ".weight": 0,
    ".modules_to_save.weight": 0,
    ".lora_B.weight": 0,
    ".lora_embedding_A": 1,
    ".lora_embedding_A.weight": 1,
}


@dataclass(frozen=True)
class Truncation:
    """A request whose context was truncated to fit the window, and by how many tokens."""

    task: str
    doc_id: int
    tokens: int


class CheckedHFLM(HFLM):  # type: ignore[misc]
    """A transformers model, scored by HFLM.

    Attributes:
        truncations: Truncated requests, filled while scoring.
        batch_prompts: Prompts of the current batch of generation.
        truncated_prompts: Tokens cut of each truncated prompt of generation.
        prompts_without_system: Number of prompts whose chat template dropped the system turn.
    """

    _model: Any

    def __init__(self, pretrained: Any, **options: Any) -> None:
        self.truncations: list[Truncation] = []
        self.batch_prompts: list[str] = []
        self.truncated_prompts: dict[str, int] = {}
        self.prompts_without_system = 0
        self._current_requests: Sequence[Any] = ()
        super().__init__(pretrained, **options)

    def _create_model(self, pretrained: str, peft: str | None = None, **options: Any) -> None:
        """Load the model, and resize its embeddings to those of the adapter."""
        super()._create_model(pretrained, **options)
        if peft:
            from peft import PeftModel  # noqa: PLC0415

            # HFLM resizes to the tokenizer; so do we if the adapter has no embeddings.
            rows = embedding_rows(self._model, Path(peft)) or len(self.tokenizer)
            if rows != self._model.get_input_embeddings().weight.shape[0]:
                self._model.resize_token_embeddings(rows)
            revision = options.get("revision")
            self._model = PeftModel.from_pretrained(self._model, peft, revision=revision)

    def apply_chat_template(
        self, chat_history: Sequence[dict[str, Any]], add_generation_prompt: bool = True
    ) -> str:
        """HFLM's prompt. HFLM drops system turns that a template refuses; those are counted."""
        text: str = super().apply_chat_template(chat_history, add_generation_prompt)
        systems = [turn["content"] for turn in chat_history if turn["role"] == "system"]
        self.prompts_without_system += any(system.strip() not in text for system in systems)
        return text

    def loglikelihood(self, requests: Sequence[Any], disable_tqdm: bool = False) -> Scores:
        """HFLM's scores.

        Raises:
            ModelError: A score is not finite.
            ValueError: Thinking is enabled, which log-likelihoods do not support.
        """
        scores: Scores = []
        for part in (requests[:1], requests):  # damaged weights fail at once, not after hours
            self._current_requests = part
            try:
                scores = super().loglikelihood(part, disable_tqdm=disable_tqdm)
            finally:
                self._current_requests = ()
            for request, (value, _) in zip(part, scores, strict=True):
                require_finite(value, request)
        return scores

    def _loglikelihood_tokens(self, requests: Sequence[Any], *more: Any, **options: Any) -> Scores:
        """Record HFLM's truncations; windows of rolling likelihoods are cut on purpose."""
        for request, (_, context, rest) in zip(self._current_requests, requests, strict=False):
            self.record_truncation(request, len(context), len(rest))
        scores: Scores = super()._loglikelihood_tokens(requests, *more, **options)
        return scores

    def loglikelihood_rolling(
        self, requests: Sequence[Any], disable_tqdm: bool = False
    ) -> list[float]:
        """HFLM's log-likelihoods of complete texts; raises as ``loglikelihood`` does."""
        scores: list[float] = super().loglikelihood_rolling(requests, disable_tqdm=disable_tqdm)
        for request, value in zip(requests, scores, strict=True):
            require_finite(value, request)
        return scores

    def generate_until(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[str]:
        """HFLM's generated texts.

        Raises:
            ModelError: The logits of a step are NaN.
        """
        self.truncated_prompts.clear()
        with require_finite_generation(self.model, requests, self.batch_prompts):
            texts: list[str] = super().generate_until(requests, disable_tqdm=disable_tqdm)
        self.truncations += [
            Truncation(
                request.task_name or "",
                request.doc_id or 0,
                self.truncated_prompts[request.args[0]],
            )
            for request in requests
            if request.args[0] in self.truncated_prompts
        ]
        return texts

    def tok_batch_encode(self, strings: Sequence[str], *more: Any, **options: Any) -> Any:
        """Encode a batch of generation, as HFLM does, and record what it truncates."""
        encode = super().tok_batch_encode
        encoded = encode(strings, *more, **options)
        most, lengths = options.get("left_truncate_len"), [0] * len(strings)
        if most and encoded[0].shape[1] >= most:
            lengths = [encode([text])[0].shape[1] for text in strings]
        self.record_batch(strings, lengths, most)
        return encoded

    def record_batch(
        self, strings: Sequence[str], lengths: Sequence[int], most: int | None
    ) -> None:
        """Record the prompts of a batch of generation, and their truncations.

        Args:
            strings: The prompts.
            lengths: Their lengths in tokens before truncation.
            most: The most tokens of a prompt; None without a limit.
        """
        self.batch_prompts[:] = strings
        for text, length in zip(strings, lengths, strict=True):
            if most and length > most:
                self.truncated_prompts[text] = length - most

    def record_truncation(self, request: Any, context: int, continuation: int) -> None:
        """Record by how many tokens a request is truncated; both lengths are in tokens."""
        if self.backend == "causal":
            over = context + continuation - (self.max_length + 1)
        else:
            over = context - self.max_length
        if over > 0:
            self.truncations.append(Truncation(request.task_name or "", request.doc_id or 0, over))


def embedding_rows(model: Any, adapter: Path) -> int | None:
    """The number of tokens that an adapter has embeddings for.

    Training may add tokens and round their number up, so neither the base model's configuration nor the
    tokenizer has it.

    Args:
        model: The loaded base model.
        adapter: The adapter's folder.

    Returns:
        None if the adapter holds no embeddings, or has no safetensors.
    """
    file = adapter / "adapter_model.safetensors"
    if not file.is_file():
        return None
    from safetensors import safe_open  # noqa: PLC0415

    ends = (model.get_input_embeddings(), model.get_output_embeddings())
    names = [name for name, module in model.named_modules() if any(module is end for end in ends)]
    with safe_open(str(file), framework="numpy") as weights:
        kept = set(weights.keys())
        for name in names:
            for kind, axis in _TOKEN_AXES.items():
                if (key := f"{_PEFT_PREFIX}{name}{kind}") in kept:
                    return int(weights.get_slice(key).get_shape()[axis])
    return None
