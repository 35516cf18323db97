"""How a task wants its answers, and which settings need more than the likeliest token."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lm_eval.models.utils import handle_stop_sequences, normalize_gen_kwargs

from kit19.evaluating.greedy import Limits

_FOR_SAMPLING = {
    "do_sample",
    "temperature",
    "top_k",
    "top_p",
    "min_p",
    "top_h",
    "typical_p",
    "epsilon_cutoff",
    "eta_cutoff",
    "renormalize_logits",
}
_WITHOUT_EFFECT = _FOR_SAMPLING | {
    "bos_token_id",
    "eos_token_id",
    "pad_token_id",
    "decoder_start_token_id",
    "max_length",  # HFLM sets it
    "use_cache",
    "transformers_version",
    "output_attentions",
    "output_hidden_states",
    "output_scores",
    "output_logits",
    "return_dict_in_generate",
    "early_stopping",  # of beams
    "length_penalty",
}
_NEUTRAL: Mapping[str, Any] = {
    "num_beams": 1,
    "num_beam_groups": 1,
    "num_return_sequences": 1,
    "repetition_penalty": 1.0,
    "encoder_repetition_penalty": 1.0,
    "diversity_penalty": 0.0,
    "guidance_scale": 1.0,
    "min_length": 0,
    "no_repeat_ngram_size": 0,
    "encoder_no_repeat_ngram_size": 0,
}


@dataclass(frozen=True)
class Settings:
    """The settings of a task, normalized as HFLM does.

    Attributes:
        until: Stop texts, the text of the end token included.
        most: The most tokens of an answer.
        more: The other settings.
    """

    until: list[str]
    most: int
    more: Mapping[str, Any]

    @classmethod
    def read(cls, given: Mapping[str, Any], most: int, end: str) -> Settings:
        """Normalize a task's settings.

        Args:
            given: The ``generation_kwargs`` of the task.
            most: The most tokens of an answer if the task does not say.
            end: The text of the end token.
        """
        known = dict(normalize_gen_kwargs(dict(given), most))
        until = handle_stop_sequences(known.pop("until", None), eos=end)
        return cls(until, int(known.pop("max_gen_toks")), known)

    @property
    def sampled(self) -> bool:
        """Whether answers are drawn at random."""
        return bool(self.more.get("do_sample"))

    @property
    def beyond_greedy(self) -> list[str]:
        """Names of settings that need more than the likeliest token."""
        return sorted(set(self.more) - _FOR_SAMPLING)

    def limits(self, config: Any, tokenizer: Any) -> Limits:
        """When an answer ends.

        Args:
            config: The model's ``GenerationConfig``; its end tokens end an answer.
            tokenizer: Encodes stop texts.
        """
        ends = config.eos_token_id
        ids = [] if ends is None else [ends] if isinstance(ends, int) else ends
        stops = tuple(
            (stop, len(tokenizer.encode(stop, add_special_tokens=False)) + 2) for stop in self.until
        )
        return Limits(tuple(map(int, ids)), stops, self.most)


def settings_of_model(config: Any) -> list[str]:
    """Names of settings with which a model's answer is not the likeliest token after another.

    Args:
        config: The model's ``GenerationConfig``.
    """
    return sorted(
        name
        for name, value in vars(config).items()
        if not name.startswith("_")
        and value not in (None, False)
        and name not in _WITHOUT_EFFECT
        and value != _NEUTRAL.get(name)
    )
