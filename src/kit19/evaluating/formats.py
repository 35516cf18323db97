"""Questions put the way that a model was trained to hear them, and as the same tokens.

The harness has a place for this, its chat templates: a model turns a list of turns into one text. The
prompts of training are put in there, so that every task of the harness can be asked in them. The
harness hands the text back to be scored; its tokens are those of training, which the text alone does
not tell (whether a line break at its end is the prompt's, whether the tokenizer adds ``<s>``, what is
data).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kit19.core.errors import ModelError, Problem
from kit19.evaluating.scorer import SharedLM
from kit19.training.rows.chat_template import Turns
from kit19.training.rows.prompts import Ids, Prompts, common_prefix_length

_AT_ONCE = 2048


class Asking:
    """What a model of the harness asks through the prompts of training.

    Args:
        prompts: The tokenizer with its prompt format.
    """

    def __init__(self, prompts: Prompts) -> None:
        self._prompts = prompts
        self._before_answer = prompts.format.answer.partition("{output}")[0]
        self._turns: dict[str, tuple[Turns, str]] = {}

    def text(self, turns: Sequence[dict[str, Any]], add_generation_prompt: bool = True) -> str:
        """Turns as one text, as the harness asks its models for it.

        Without a generation prompt the last turn begins the answer.
        """
        made = [{"role": str(t["role"]), "content": str(t["content"]).strip()} for t in turns]
        begun = "" if add_generation_prompt else str(turns[-1]["content"])
        asked = made if add_generation_prompt else made[:-1]
        prompts = self._prompts
        text = prompts.plain(prompts.conversation(asked)) + self._before_answer + begun
        if self._turns.setdefault(text, (asked, begun)) != (asked, begun):
            what = f"two conversations are one text: {text[:80]!r}"
            raise ModelError(Problem(what, fix="control tokens in the task's text set turns apart"))
        return text

    def knows(self, text: str) -> bool:
        """Whether a text is one that ``text`` made; others (an empty one, say) are the harness's."""
        return text in self._turns

    def pairs(self, requests: Sequence[tuple[str, str]]) -> list[tuple[Ids, Ids]]:
        """Tokens of each (prompt text, continuation).

        Raises:
            ModelError: A continuation has no token of its own.
        """
        found: list[tuple[Ids, Ids]] = []
        for start in range(0, len(requests), _AT_ONCE):
            found += self._pairs(requests[start : start + _AT_ONCE])
        for (text, rest), (_, ids) in zip(requests, found, strict=True):
            if not ids:
                what = f"the continuation {rest!r} has no token of its own after {text[-40:]!r}"
                raise ModelError(Problem(what, fix="this item cannot be scored by likelihood"))
        return found

    def _pairs(self, requests: Sequence[tuple[str, str]]) -> list[tuple[Ids, Ids]]:
        asked = [(*self._turns[text], rest) for text, rest in requests]
        whole = self._prompts.pairs([(turns, begun + rest) for turns, begun, rest in asked])
        if not any(begun for _, begun, _ in asked):
            return whole
        # The beginning of an answer belongs to its context.
        begins = self._prompts.pairs([(turns, begun) for turns, begun, _ in asked])
        counts = [
            common_prefix_length(one, other)
            for (_, one), (_, other) in zip(begins, whole, strict=True)
        ]
        return [
            (prompt + answer[:count], answer[count:])
            for (prompt, answer), count in zip(whole, counts, strict=True)
        ]

    def prompt(self, text: str) -> Ids:
        """Tokens of a prompt text that is to be gone on with."""
        turns, begun = self._turns[text]
        prompts = self._prompts
        asked = prompts.conversation(turns)
        if begun:
            asked += self._before_answer + prompts.controls.mark(begun)
        [ids] = prompts.encode([asked])
        return ids

    def answer(self, generated: str) -> str:
        """A generated text without the blank that the format puts before answers."""
        return generated.removeprefix(self._before_answer)


def use_prompts(model: SharedLM, prompts: Prompts) -> None:
    """Make a model ask through the prompts of training instead of its tokenizer's chat template.

    Log-likelihoods and generation get the tokens of training; HFLM's own ways to score get them too.
    """
    asking = Asking(prompts)
    theirs, pair, generate = model.encode_requests, model._encode_pair, model.generate_until

    def encode(requests: Sequence[tuple[str, str]]) -> list[tuple[Ids, Ids]]:
        known = [asking.knows(text) for text, _ in requests]
        ours = iter(asking.pairs([one for one, ok in zip(requests, known, strict=True) if ok]))
        rest = iter(theirs([one for one, ok in zip(requests, known, strict=True) if not ok]))
        return [next(ours if ok else rest) for ok in known]

    def encode_pair(context: str, rest: str) -> tuple[Ids, Ids]:
        known = asking.knows(context)
        return asking.pairs([(context, rest)])[0] if known else pair(context, rest)

    def batch(
        strings: Sequence[str],
        padding_side: str = "left",
        left_truncate_len: int | None = None,
        truncation: bool = False,  # noqa: ARG001  HFLM's signature
    ) -> Any:
        rows = [asking.prompt(s) if asking.knows(s) else model.tok_encode(s) for s in strings]
        model.note_batch(strings, [len(row) for row in rows], left_truncate_len)
        rows = [row[-(left_truncate_len or 0) :] for row in rows]
        tokenizer = model.tokenizer
        side, tokenizer.padding_side = tokenizer.padding_side, padding_side
        padded = tokenizer.pad({"input_ids": rows}, return_tensors="pt")
        tokenizer.padding_side = side
        return padded["input_ids"], padded["attention_mask"]

    def generated(requests: Sequence[Any], disable_tqdm: bool = False) -> list[str]:
        return [asking.answer(text) for text in generate(requests, disable_tqdm=disable_tqdm)]

    replaced: Any = model
    replaced.apply_chat_template = asking.text
    model.chat_template = lambda chat_template=False: prompts.format.id  # noqa: ARG005  the harness's name
    model.encode_requests = encode
    model._encode_pair = encode_pair
    replaced.tok_batch_encode = batch
    replaced.generate_until = generated
    model.model.generation_config.eos_token_id = prompts.stops


def require_chat_template(model: SharedLM) -> None:
    """Stop where a chat template is asked for and the tokenizer has none.

    Raises:
        ModelError: It has none.
    """
    if not getattr(model.tokenizer, "chat_template", None):
        fix = "use --format instruction with --prompt-format, or --format raw"
        raise ModelError(Problem("the tokenizer has no chat template", fix=fix))


def require_system_turn(model: SharedLM, system: str) -> None:
    """Stop where a prompt would leave the system instruction out, as HFLM then does without a word.

    Raises:
        ModelError: The template has no place for it.
    """
    turns = [{"role": "system", "content": system}, {"role": "user", "content": "?"}]
    if system.strip() not in model.apply_chat_template(turns):
        fix = "use --format raw, or write the instruction into the task's own prompt"
        raise ModelError(Problem("the template leaves a system instruction out", fix=fix))
