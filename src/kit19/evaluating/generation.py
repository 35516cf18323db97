"""Generated answers: HFLM's texts, in batches (``greedy``), resumable, and checked.

HFLM generates one prompt after another unless it is given a batch size, and its answers may then depend
on the batch. Here the likeliest answers are generated in batches, and tested to be those of single
prompts (``greedy_check``): once for a model on random prompts, and in every batch on two of its rows.
HFLM generates, one prompt after another, where a test fails and where the settings of the model or the
task need more than the likeliest token. The reason is recorded.
"""

from __future__ import annotations

import json
import logging
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

import torch
from lm_eval.models.utils import has_bos_prefix, postprocess_generated_text

from kit19.core.errors import Kit19Error, ModelError, Problem
from kit19.evaluating.checked import CheckedHFLM, Truncation
from kit19.evaluating.compatibility import rope_change_length
from kit19.evaluating.failures import errors_of_hflm, is_out_of_memory, type_and_message
from kit19.evaluating.finite import not_a_number, require_finite_generation
from kit19.evaluating.generation_settings import Settings, settings_of_model
from kit19.evaluating.greedy import (
    Answer,
    End,
    GreedyDecoder,
    Ids,
    Limits,
    NotANumberError,
    StopTexts,
)
from kit19.evaluating.greedy_check import GreedyCheck
from kit19.evaluating.score_cache import ScoreCache

_log = logging.getLogger(__name__)

MAX_ROWS = {"cpu": 16}
"""The most rows generated at once by device, if memory allows."""
MAX_ROWS_ON_GPU = 64
_BATCHES_IN_GROUP = 4
"""Prompts in a group, as a multiple of the rows at once. A group is stored when it is complete."""
_ROOM_ON_CPU = 2 << 30  # bytes for keys and values
_SHARE_OF_GPU = 0.5  # of the memory besides the weights
_CHUNK = 2048

Where = tuple[str, int, int]
"""Task, item, and the number of the request of this item (a turn of a conversation)."""


class GeneratingHFLM(CheckedHFLM):
    """HFLM that generates the likeliest answers in batches.

    Attributes:
        encode_prompts: Encodes prompts that the model continues; a prompt format replaces it.
        score_cache: The cache of finished batches; None without a cache.
        on_progress: Called with the number of finished requests and of all requests.
        fallbacks: The reason by task that HFLM scored or generated.
        ends: Why each answer ended; sampled answers have no entry.
    """

    def __init__(self, pretrained: Any, **options: Any) -> None:
        self.ends: dict[Where, End] = {}
        super().__init__(pretrained, **options)
        self.encode_prompts: Callable[[Sequence[str]], list[Ids]] = self._encode_prompts
        self.score_cache: ScoreCache | None = None
        self.on_progress: Callable[[int, int], None] = lambda _done, _total: None
        self.fallbacks: dict[str, str] = {}
        self._done, self._total = 0, 0
        self._greedy: tuple[GreedyDecoder, GreedyCheck] | str | None = None

    def generate_until(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[str]:
        """The texts that HFLM generates for each request alone, in the order of the requests.

        Raises:
            ModelError: A logit is NaN, a prompt has no room in the window, memory runs out at a single
                prompt, or HFLM raises an error.
        """
        self._done, self._total = 0, len(requests)
        places: dict[tuple[str, str], list[int]] = defaultdict(list)
        for place, request in enumerate(requests):
            kind = json.dumps(request.args[1], sort_keys=True, default=str)
            places[request.task_name or "", kind].append(place)
        texts = [""] * len(requests)
        for (task, _), chosen in places.items():
            found = self._generate_task(task, [requests[place] for place in chosen], disable_tqdm)
            for place, text in zip(chosen, found, strict=True):
                texts[place] = text
        return texts

    def _generate_task(self, task: str, requests: Sequence[Any], disable_tqdm: bool) -> list[str]:
        end = self.tok_decode(self.eot_token_id, skip_special_tokens=False)
        settings = Settings.read(requests[0].args[1], self.max_gen_toks, end)
        room = self.max_length - (settings.most if self.backend == "causal" else 0)
        if room <= 0:
            what = (
                f"answers of {settings.most:,} tokens leave no room for a prompt in a window of "
                f"{self.max_length:,}"
            )
            raise ModelError(Problem(what, task, "use a task file with a smaller max_gen_toks"))
        if settings.sampled:
            self.fallbacks[task] = "its answers are sampled"
            with errors_of_hflm(requests):
                drawn: list[str] = super().generate_until(requests, disable_tqdm=disable_tqdm)
            self._advance(len(requests))
            return drawn
        encoded = self.encode_prompts([request.args[0] for request in requests])
        limits = settings.limits(self.model.generation_config, self.tokenizer)
        prompts = [ids[-room:] for ids in encoded]
        answers = self._try_batches(requests, prompts, settings, limits)
        if isinstance(answers, str):
            self.fallbacks[task] = answers
            _log.warning("%s is generated by HFLM, one by one: %s", task or "it", answers)
            answers = [
                self._generate_alone(request, prompt, settings, limits)
                for request, prompt in zip(requests, prompts, strict=True)
            ]
        texts = [self._text(answer.tokens, settings.until) for answer in answers]
        for request, ids, answer, text in zip(requests, encoded, answers, texts, strict=True):
            item = request.doc_id or 0
            if len(ids) > room:
                self.truncations.append(Truncation(task, item, len(ids) - room))
            self.ends[task, item, request.idx] = answer.end
            self.cache_hook.add_partial("generate_until", request.args, text)
        return texts

    def _try_batches(
        self, requests: Sequence[Any], prompts: Sequence[Ids], settings: Settings, limits: Limits
    ) -> list[Answer] | str:
        """The answers to a task's prompts; or the reason why HFLM must generate them."""
        if self._greedy is None:
            self._greedy = self._make_greedy()
        if isinstance(self._greedy, str):
            return self._greedy
        decoder, check = self._greedy
        off = self._need_for_hflm(prompts, settings)
        answers: dict[int, Answer] = {}
        try:
            for group, found in self._groups(decoder, prompts, limits) if not off else ():
                answers |= zip(group, found, strict=True)
                off = _check(check, [prompts[index] for index in group], found)
                if off:
                    break
        except NotANumberError as error:
            raise not_a_number(requests[error.index]) from None
        except Kit19Error:
            raise
        except Exception as error:  # HFLM may be able to generate what fails here
            off = f"batches fail ({type_and_message(error)})"
        if off:
            self._done -= len(answers)
            return off
        return [answers[index] for index in range(len(prompts))]

    def _need_for_hflm(self, prompts: Sequence[Ids], settings: Settings) -> str:
        """What in a task cannot be done in batches; empty if nothing."""
        if settings.beyond_greedy:
            return f"the task sets {', '.join(settings.beyond_greedy)}"
        if not all(prompts):
            return "a prompt has no token"
        longest = max(map(len, prompts)) + settings.most
        end = rope_change_length(self.model.config)
        if end and longest >= end:
            return f"its RoPE changes at {end:,} tokens, and an answer may end at {longest:,}"
        return ""

    def _make_greedy(self) -> tuple[GreedyDecoder, GreedyCheck] | str:
        """The decoder of the model; or the reason why the model cannot be run in batches."""
        if self.backend != "causal":
            return "it is not a causal language model"
        if self.mixed_precision_dtype is not None:
            return "it computes in mixed precision"
        if self.truncation:
            return "the tokenizer truncates prompts"
        set_by_model = settings_of_model(self.model.generation_config)
        if set_by_model:
            return f"the model's generation_config sets {', '.join(set_by_model)}"
        try:
            decoder = GreedyDecoder(self.model, self.device, self.tokenizer.pad_token_id)
            check = GreedyCheck(self.model, decoder, self.tokenizer.pad_token_id)
            end = rope_change_length(self.model.config)
            window = min(self.max_length, end - 1) if end else self.max_length
            reason = decoder.unsupported() or check.random_prompts(window)
        except Exception as error:  # HFLM may be able to generate what fails here
            reason = f"it cannot be run in batches ({type_and_message(error)})"
        return reason or (decoder, check)

    def _groups(
        self, decoder: GreedyDecoder, prompts: Sequence[Ids], limits: Limits
    ) -> Iterator[tuple[list[int], list[Answer]]]:
        """Groups of prompts with their answers, the longest prompts first.

        Groups are halved when memory runs out.
        """
        stops = StopTexts(self.tokenizer, limits.stops)
        # Ties by content, so that a resumed evaluation has the same groups.
        left = sorted(range(len(prompts)), key=lambda index: (-len(prompts[index]), prompts[index]))
        rows = self._rows((len(prompts[left[0]]) + limits.most) * decoder.bytes_per_token)
        while left:
            group = left[: rows * _BATCHES_IN_GROUP]
            members = [prompts[index] for index in group]
            key = {"prompts": members, "limits": asdict(limits), "rows": rows}
            found = self.score_cache.get_answers(key) if self.score_cache else None
            if found is None:
                done, answers = self._done, dict[int, Answer]()
                try:
                    for place, answer in decoder.generate(members, limits, stops, rows):
                        answers[place] = answer
                        self._advance(1)
                except NotANumberError as error:
                    raise NotANumberError(group[error.index]) from None
                except (torch.OutOfMemoryError, RuntimeError) as error:
                    rows, self._done = self._fewer_rows(rows, members[0], error), done
                    continue
                found = [answers[place] for place in range(len(group))]
                if self.score_cache:
                    self.score_cache.put_answers(key, found)
            else:
                self._advance(len(group))
            left = left[len(group) :]
            yield group, found

    def _rows(self, bytes_per_row: int) -> int:
        """The most rows at once: as many as the user asks for, otherwise as many as fit."""
        if isinstance(self.batch_size, int) and self.batch_size > 1:
            return self.batch_size
        if self.device.type == "cuda":
            total = torch.cuda.get_device_properties(self.device).total_memory
            weights = sum(one.numel() * one.element_size() for one in self.model.parameters())
            room = int((total - weights) * _SHARE_OF_GPU)
        else:
            room = _ROOM_ON_CPU
        most = MAX_ROWS.get(self.device.type, MAX_ROWS_ON_GPU)
        return max(1, min(most, room // max(1, bytes_per_row)))

    def _fewer_rows(self, rows: int, longest: Ids, error: RuntimeError) -> int:
        """Half as many rows, after memory ran out.

        Raises:
            ModelError: There was a single row.
            RuntimeError: The error is not about memory.
        """
        if not is_out_of_memory(error):
            raise error
        if rows == 1:
            what = f"out of memory on a single prompt of {len(longest):,} tokens"
            fix = "use a smaller dtype (--dtype bfloat16), a smaller model or a larger machine"
            raise ModelError(Problem(what, fix=fix)) from None
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        _log.warning("out of memory: %s rows at once from now on", rows // 2)
        return rows // 2

    def _generate_alone(
        self, request: Any, prompt: Ids, settings: Settings, limits: Limits
    ) -> Answer:
        """The answer of transformers' ``generate``, as HFLM calls it, to a prompt alone."""
        key = {"prompts": [prompt], "limits": asdict(limits), "alone": dict(settings.more)}
        found = self.score_cache.get_answers(key) if self.score_cache else None
        if found is None:
            ids = torch.tensor([prompt], device=self.device)
            with (
                errors_of_hflm([request]),
                require_finite_generation(self.model, [request], [request.args[0]]),
            ):
                generated = self._model_generate(
                    context=ids,
                    attention_mask=torch.ones_like(ids),
                    stop=settings.until,
                    max_length=settings.more.get("max_length", len(prompt) + settings.most),
                    **{
                        name: value for name, value in settings.more.items() if name != "max_length"
                    },
                )
            tokens = generated[0].tolist()[len(prompt) if self.backend == "causal" else 0 :]
            stops = StopTexts(self.tokenizer, limits.stops)
            found = [Answer(tokens, limits.end(tokens, stops.reached) or "length")]
            if self.score_cache:
                self.score_cache.put_answers(key, found)
        self._advance(1)
        return found[0]

    def _advance(self, count: int) -> None:
        self._done += count
        self.on_progress(self._done, self._total)

    def _text(self, tokens: Ids, until: list[str]) -> str:
        """The text of an answer, cut as HFLM cuts it."""
        thinking = self.think_end_token
        if isinstance(thinking, int) and thinking in tokens:
            tokens = tokens[len(tokens) - tokens[::-1].index(thinking) :]
        text = str(self.tok_decode(tokens))
        if isinstance(thinking, int):
            text, thinking = text.lstrip(), None
        return str(
            postprocess_generated_text(generation=text, stop=until, think_end_token=thinking)
        )

    def _encode_prompts(self, texts: Sequence[str]) -> list[Ids]:
        """Token ids of prompts, as HFLM encodes a prompt alone."""
        first = getattr(self.tokenizer, "bos_token", None) if self.backend == "causal" else None
        usual = {} if self.add_bos_token is None else {"add_special_tokens": self.add_bos_token}
        ids: dict[str, Ids] = {}
        for has_first in (False, True):
            chosen = [
                text for text in dict.fromkeys(texts) if has_bos_prefix(text, first) == has_first
            ]
            given = {"add_special_tokens": False} if has_first else usual
            for start in range(0, len(chosen), _CHUNK):
                part = chosen[start : start + _CHUNK]
                ids |= zip(part, self.tokenizer(part, **given)["input_ids"], strict=True)
        return [ids[text] for text in texts]


def _check(check: GreedyCheck, prompts: Sequence[Ids], answers: Sequence[Answer]) -> str:
    """How answers differ from those of single prompts; empty if they do not.

    Of a group, the row that became longest and the most padded one are checked.
    """
    lengths = [
        len(prompt) + len(answer.tokens) for prompt, answer in zip(prompts, answers, strict=True)
    ]
    chosen = dict.fromkeys([lengths.index(max(lengths)), len(prompts) - 1])
    reasons = (check.answer(prompts[place], answers[place].tokens) for place in chosen)
    return next(filter(None, reasons), "")
