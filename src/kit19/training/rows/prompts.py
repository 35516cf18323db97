"""Prompts and answers as tokens: one way for training, chat, evaluation and the demo."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from kit19.catalog import PromptFormat
from kit19.core.errors import Problem, TrainError
from kit19.core.runs import RunRecord
from kit19.training.rows.chat_template import Turns, find_answer_frame, render, render_all
from kit19.training.rows.control_tokens import ControlTokens, Ids, encode_all

__all__ = [
    "Ids",
    "Prompts",
    "answer_head_of",
    "encode_all",
    "end_ids_of",
    "make_prompts",
    "set_end_token",
]


@dataclass(frozen=True)
class Prompts:
    """A tokenizer and a prompt format, together.

    The texts that these methods return hold marks where data looks like a control token (see
    ``ControlTokens``). ``encode`` takes such texts; ``plain`` returns the text to show.

    Attributes:
        tokenizer: A tokenizer of transformers.
        format: The prompt format.
        end: The token that ends an answer in training.
        ends: All tokens that end an answer: that one, the tokenizer's own end token, and those at
            which the model stops.
        controls: The tokenizer's control tokens.
        head: What the chat template writes before every answer; it ends the prompt.
        append_end: Whether the end token is put behind answers of a chat template that writes none.
        suffix: Tokens that the tokenizer puts behind every text.
    """

    tokenizer: Any
    format: PromptFormat
    end: int
    ends: frozenset[int]
    controls: ControlTokens
    head: str = ""
    append_end: bool = False
    suffix: int = 0

    @property
    def stops(self) -> list[int]:
        """All tokens that end an answer, the one of training first: for a generation config."""
        return [self.end, *sorted(self.ends - {self.end})]

    def texts(self, rows: pl.DataFrame) -> tuple[list[str], list[str]]:
        """Prompts, and prompts with their answers, of n rows."""
        fields = rows.select("instruction", "input", "output").iter_rows()
        if not self.format.chat:
            prompts = [
                (self.ask(instruction, text), output) for instruction, text, output in fields
            ]
            asked = [prompt for prompt, _ in prompts]
            return asked, [self.with_answer(prompt, [], output) for prompt, output in prompts]
        chats = [([_user(instruction, text)], output) for instruction, text, output in fields]
        return self._chats(chats)

    def _chats(self, chats: Sequence[tuple[Turns, str]]) -> tuple[list[str], list[str]]:
        """Prompts, and prompts with their answers, as the chat template writes them."""
        turns = [self._marked(asked) for asked, _ in chats]
        asked = render_all(self.tokenizer, turns, add_generation_prompt=True)
        answers = [self._marked([{"role": "assistant", "content": said}]) for _, said in chats]
        both = [[*one, *answer] for one, answer in zip(turns, answers, strict=True)]
        return [text + self.head for text in asked], render_all(self.tokenizer, both)

    def ask(self, instruction: str, text: str = "") -> str:
        """The text of one prompt."""
        if self.format.chat:
            return self.conversation([_user(instruction, text)])
        return self.format.ask(self.controls.mark(instruction), self.controls.mark(text))

    def conversation(self, turns: Sequence[dict[str, str]]) -> str:
        """A prompt after earlier turns (roles system, user and assistant; the last is the user's)."""
        if self.format.chat:
            return (
                render(self.tokenizer, self._marked(turns), add_generation_prompt=True) + self.head
            )
        # Formats of one question know no turns: earlier ones stand before, as they were trained.
        parts = []
        for turn in turns:
            said = turn["content"]
            if turn["role"] == "user":
                parts.append(self.ask(said))
                continue
            text = self.controls.mark(said)
            parts += [self.format.reply(text) if turn["role"] == "assistant" else text, "\n\n"]
        return "".join(parts)

    def with_answer(self, prompt: str, turns: Sequence[dict[str, str]], output: str) -> str:
        """A prompt with its answer.

        Args:
            prompt: As ``ask`` or ``conversation`` gives it.
            turns: The turns of the prompt; only chat templates need them.
            output: The answer.
        """
        if not self.format.chat:
            return prompt + self.format.reply(self.controls.mark(output))
        answer = {"role": "assistant", "content": output}
        return render(self.tokenizer, self._marked([*turns, answer]))

    def pairs(self, asked: Sequence[tuple[Turns, str]]) -> list[tuple[Ids, Ids]]:
        """Tokens of prompts, and of their answers without the end: those of training.

        Where a tokenizer merges the end of a prompt with its answer, which training refuses, what they
        share counts as the answer's: nothing is left out.

        Args:
            asked: Turns of each prompt, and the answer to it.
        """
        if self.format.chat:
            prompts, whole = self._chats(asked)
        else:
            prompts = [self.conversation(turns) for turns, _ in asked]
            whole = [
                self.with_answer(prompt, turns, answer)
                for prompt, (turns, answer) in zip(prompts, asked, strict=True)
            ]
        known = dict.fromkeys([*prompts, *whole])
        ids = dict(zip(known, self.encode(known), strict=True))
        found = []
        for prompt, text in zip(prompts, whole, strict=True):
            count = common_prefix_length(ids[prompt], ids[text])
            ended = self.ended(ids[text], count) or [*ids[text], self.end]
            found.append((ids[prompt][:count], ended[count:-1]))
        return found

    def omits_data(self, text: str, data: Iterable[str]) -> bool:
        """Whether a text that a chat template wrote lacks some of the data, blanks aside.

        Args:
            text: A prompt with its answer.
            data: Texts of the row.
        """
        if not self.format.chat:
            return False
        whole = "".join(text.split())
        return any("".join(self.controls.mark(one).split()) not in whole for one in data)

    def plain(self, text: str) -> str:
        """A text without marks, to show."""
        return self.controls.plain(text)

    def encode(self, texts: Iterable[str]) -> list[Ids]:
        """Tokens of each text, with the special tokens that the tokenizer puts before it.

        Special tokens that some tokenizers put behind every text are taken away: behind a prompt, an
        end token would end the answer before it begins.
        """
        special = not self.format.chat  # a chat template writes its own
        found = self.controls.encode(list(texts), special=special)
        if special and self.suffix:
            return [ids[: -self.suffix] for ids in found]
        return found

    def ended(self, whole: Ids, asked: int) -> Ids | None:
        """A whole example that ends in an end token; None where no end token can be learned.

        Args:
            whole: Tokens of prompt and answer.
            asked: Of these, the prompt's.
        """
        if not self.format.chat:
            return [*whole, self.end]
        # Templates write the end of the turn themselves, some with a line break behind it, which nobody
        # will ever generate. Answers are text, so the first end is the template's.
        known = self.ends & self.controls.ids
        for place in range(asked, len(whole)):
            if whole[place] in known:
                return whole[: place + 1]
        return [*whole, self.end] if self.append_end else None

    def _marked(self, turns: Sequence[dict[str, str]]) -> Turns:
        return [{**turn, "content": self.controls.mark(turn["content"])} for turn in turns]


def make_prompts(
    tokenizer: Any,
    form: PromptFormat,
    stops: Iterable[int] = (),
    *,
    end: str = "",
    head: str | None = None,
) -> Prompts:
    """A tokenizer and a format, checked.

    Args:
        tokenizer: A tokenizer of transformers.
        form: The prompt format.
        stops: Tokens at which the model's own settings end an answer.
        end: The token to end answers with; default: the one that the chat template writes, else the
            tokenizer's own.
        head: What ends the prompt of a chat template; default: what the template writes before every
            answer.

    Raises:
        TrainError: There is no end token, no such token, or no chat template where one is needed.
    """
    name = str(tokenizer.name_or_path) or "the tokenizer"
    if form.chat and not tokenizer.chat_template:
        what = f"has no chat template, which the prompt format {form.id!r} asks for"
        raise TrainError(Problem(what, name, "use another: --format alpaca, koalpaca or kullm"))
    own = tokenizer.eos_token_id
    around = find_answer_frame(tokenizer) if form.chat else None
    written = _written_end(tokenizer, around.tail, {own, *stops}) if around else None
    chosen = _named(tokenizer, end, name) if end else own
    last = written if written is not None else chosen
    if last is None:
        what = "has no end-of-sequence token: no answer trained with it would ever end"
        fix = "set one in its tokenizer_config.json (`eos_token`), or name one: --set end=TOKEN"
        raise TrainError(Problem(what, name, fix))
    ends = frozenset({int(last), *stops} | {int(one) for one in (own, chosen) if one is not None})
    if head is None:
        head = around.head if around else ""
    return Prompts(
        tokenizer,
        form,
        int(last),
        ends,
        ControlTokens(tokenizer, ends),
        head=head,
        append_end=bool(end) and written is None,
        suffix=_suffix(tokenizer),
    )


def set_end_token(prompts: Prompts) -> None:
    """Make the token that ends answers in training the tokenizer's own end token.

    Whoever loads the model later stops there without being told; see also ``Prompts.stops``.
    """
    tokenizer = prompts.tokenizer
    if tokenizer.eos_token_id != prompts.end:
        tokenizer.eos_token = tokenizer.convert_ids_to_tokens(prompts.end)
    if tokenizer.pad_token_id is None:  # as in ``find_base``, where there was no end token yet
        tokenizer.pad_token = tokenizer.eos_token


def _named(tokenizer: Any, end: str, name: str) -> int:
    number = tokenizer.get_vocab().get(end)
    if number is None:
        near = ", ".join(str(token) for token in list(tokenizer.added_tokens_decoder.values())[:8])
        what = f"has no token {end!r}, which `end` names"
        raise TrainError(Problem(what, name, f"name one of its tokens, such as {near}"))
    return int(number)


def _written_end(tokenizer: Any, tail: str, ends: set[int | None]) -> int | None:
    """The token that ends an answer in what a template writes behind it.

    The first at which the model stops already; else the first with a meaning of its own.
    """
    [ids] = encode_all(tokenizer, [tail], special=False)
    added = tokenizer.added_tokens_decoder
    # Some tokenizers have runs of blanks among their added tokens.
    own = [n for n in ids if n in added and str(added[n].content).strip()]
    return next(iter([n for n in ids if n in ends] or own), None)


def _suffix(tokenizer: Any) -> int:
    """How many tokens the tokenizer puts behind every text."""
    [bare], [whole] = (encode_all(tokenizer, ["a"], special=on) for on in (False, True))
    for begin in range(len(whole) - len(bare) + 1 if bare else 0):
        if whole[begin : begin + len(bare)] == bare:
            return len(whole) - len(bare) - begin
    return 0


def common_prefix_length(one: Ids, other: Ids) -> int:
    """Tokens that both begin with."""
    if other[: len(one)] == one:
        return len(one)
    differ = (n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)
    return next(differ, min(len(one), len(other)))


def end_ids_of(config: Any) -> list[int]:
    """The tokens at which a model's or a generation config ends an answer."""
    ends = config.eos_token_id
    return list(ends) if isinstance(ends, list | tuple) else [] if ends is None else [ends]


def answer_head_of(run: RunRecord | None, form: PromptFormat) -> str:
    """What ends every prompt of a chat template: a run was trained to be asked with it.

    Other models are asked as their chat template asks.
    """
    return run.answer_head if run is not None and form.chat and run.format.get("chat") else ""


def _user(instruction: str, text: str) -> dict[str, str]:
    return {"role": "user", "content": f"{instruction}\n\n{text}" if text else instruction}
