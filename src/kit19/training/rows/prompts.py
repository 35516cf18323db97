"""Prompts and answers as tokens: the same code for training, chat, evaluation and the demo."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any

from kit19.catalog import PromptFormat
from kit19.core.errors import Problem, TrainError
from kit19.core.runs import RunRecord
from kit19.training.rows.chat_template import (
    Turns,
    find_answer_frame,
    render,
    render_all,
    writes_date,
)
from kit19.training.rows.control_tokens import ControlTokens, Ids, encode_all
from kit19.training.rows.conversations import AnswerText, Row, user_turn
from kit19.training.settings import LossOn

__all__ = [
    "AnswerText",
    "Ids",
    "Prompts",
    "encode_all",
    "end_ids_of",
    "make_prompts",
    "prompts_of_run",
    "set_end_token",
]


@dataclass(frozen=True)
class Prompts:
    """A tokenizer and a prompt format.

    The texts that these methods return hold marks where data looks like a control token (see
    ``ControlTokens``). ``encode`` takes such texts; ``unmark`` returns the text to show.

    Attributes:
        tokenizer: A transformers tokenizer.
        format: The prompt format.
        end: Id of the token that ends an answer in training.
        ends: Ids of all tokens that end an answer: ``end``, the tokenizer's end token, and those at
            which the model's own settings stop.
        controls: The tokenizer's control tokens.
        head: The text that the chat template writes before every answer; it is the end of the prompt.
        append_end: Whether to append the end token to answers if the chat template writes none.
        suffix: How many special tokens the tokenizer appends to every text.
        date: The date that the chat template writes (YYYY-MM-DD); empty if it writes none.
    """

    tokenizer: Any
    format: PromptFormat
    end: int
    ends: frozenset[int]
    controls: ControlTokens
    head: str = ""
    append_end: bool = False
    suffix: int = 0
    date: str = ""

    @property
    def stops(self) -> list[int]:
        """``ends`` as a list for a generation config, the token of training first."""
        return [self.end, *sorted(self.ends - {self.end})]

    def texts(self, rows: Sequence[Row], loss_on: LossOn) -> list[list[AnswerText]]:
        """The prompts and answers of n rows, for each answer that has a loss.

        Raises:
            TrainError: The chat template cannot write a row; the error names it.
        """
        places = [(row, place) for row in rows for place in row.answers(loss_on)]
        try:
            prompts, texts = self._texts_of(places)
        except TrainError as error:
            if len(rows) > 1:  # render the rows one by one, to find the first that fails
                return [one for row in rows for one in self.texts([row], loss_on)]
            raise _in_row(error, rows[0].name) from None
        answers = (
            AnswerText(row, place, prompt, text)
            for (row, place), prompt, text in zip(places, prompts, texts, strict=True)
        )
        return [[next(answers) for _ in row.answers(loss_on)] for row in rows]

    def _texts_of(self, places: Sequence[tuple[Row, int]]) -> tuple[list[str], list[str]]:
        """Prompts, and prompts with their answers."""
        chats = [(row.turns[:place], row.turns[place]["content"]) for row, place in places]
        if self.format.chat:
            return self._chats(chats)
        prompts = [
            self.ask(*row.pair) if row.pair else self.conversation(turns)
            for (row, _), (turns, _) in zip(places, chats, strict=True)
        ]
        texts = [
            self.with_answer(prompt, turns, answer)
            for prompt, (turns, answer) in zip(prompts, chats, strict=True)
        ]
        return prompts, texts

    def _chats(self, chats: Sequence[tuple[Turns, str]]) -> tuple[list[str], list[str]]:
        """Prompts, and prompts with their answers, rendered by the chat template."""
        turns = [self._marked(question) for question, _ in chats]
        prompts = render_all(self.tokenizer, turns, date=self.date, add_generation_prompt=True)
        answers = [self._marked([{"role": "assistant", "content": text}]) for _, text in chats]
        both = [[*one, *answer] for one, answer in zip(turns, answers, strict=True)]
        texts = render_all(self.tokenizer, both, date=self.date)
        return [text + self.head for text in prompts], texts

    def ask(self, instruction: str, text: str = "") -> str:
        """The text of a single prompt."""
        if self.format.chat:
            return self.conversation([user_turn(instruction, text)])
        return self.format.ask(self.controls.mark(instruction), self.controls.mark(text))

    def conversation(self, turns: Sequence[dict[str, str]]) -> str:
        """The prompt of a conversation: roles system, user, assistant; the last turn is the user's."""
        if self.format.chat:
            marked = self._marked(turns)
            text = render(self.tokenizer, marked, date=self.date, add_generation_prompt=True)
            return text + self.head
        # Formats of a single question have no turns: earlier turns come first, each answer with its
        # end token, as it is generated.
        end = self._end_text
        parts = []
        for turn in turns:
            content = turn["content"]
            if turn["role"] == "user":
                parts.append(self.ask(content))
                continue
            text = self.controls.mark(content)
            answer = turn["role"] == "assistant"
            parts += [self.format.reply(text) + end if answer else text, "\n\n"]
        return "".join(parts)

    def with_answer(self, prompt: str, turns: Sequence[dict[str, str]], output: str) -> str:
        """A prompt with its answer.

        Args:
            prompt: As ``ask`` or ``conversation`` returns it.
            turns: The turns of the prompt; only chat templates need them.
            output: The answer.
        """
        if not self.format.chat:
            return prompt + self.format.reply(self.controls.mark(output))
        answer = {"role": "assistant", "content": output}
        return render(self.tokenizer, self._marked([*turns, answer]), date=self.date)

    def pairs(self, chats: Sequence[tuple[Turns, str]]) -> list[tuple[Ids, Ids]]:
        """Tokens of prompts, and of their answers without the end token, as in training.

        If a tokenizer merges the end of a prompt with its answer, which training refuses, the merged
        tokens belong to the answer, so that no token is missing.

        Args:
            chats: The turns of each prompt, and its answer.
        """
        if self.format.chat:
            prompts, texts = self._chats(chats)
        else:
            prompts = [self.conversation(turns) for turns, _ in chats]
            texts = [
                self.with_answer(prompt, turns, answer)
                for prompt, (turns, answer) in zip(prompts, chats, strict=True)
            ]
        unique = dict.fromkeys([*prompts, *texts])
        ids = dict(zip(unique, self.encode(unique), strict=True))
        found = []
        for prompt, text in zip(prompts, texts, strict=True):
            count = common_prefix_length(ids[prompt], ids[text])
            ended = self.with_end_token(ids[text], count) or [*ids[text], self.end]
            found.append((ids[prompt][:count], ended[count:-1]))
        return found

    def omits_data(self, text: str, data: Iterable[str]) -> bool:
        """Whether a text that a chat template wrote lacks some of the data, ignoring whitespace.

        Args:
            text: A prompt with its answer.
            data: The texts of the row.
        """
        if not self.format.chat:
            return False
        written = "".join(text.split())
        return any("".join(self.controls.mark(one).split()) not in written for one in data)

    def unmark(self, text: str) -> str:
        """A text without marks, for messages."""
        return self.controls.unmark(text)

    def encode(self, texts: Iterable[str]) -> list[Ids]:
        """Encode texts, with the special tokens that the tokenizer puts before each.

        Special tokens that some tokenizers append to every text are removed: after a prompt, an end
        token would end the answer before it begins.
        """
        special = not self.format.chat  # a chat template writes its own special tokens
        found = self.controls.encode(list(texts), special=special)
        if special and self.suffix:
            return [ids[: -self.suffix] for ids in found]
        return found

    def with_end_token(self, ids: Ids, prompt_length: int) -> Ids | None:
        """A complete example that ends in an end token; None if it has no end token to learn.

        Args:
            ids: Tokens of the prompt and the answer.
            prompt_length: How many of them are the prompt's.
        """
        if not self.format.chat:
            return [*ids, self.end]
        # Templates write the end of the turn themselves, some with a line break after it, which is
        # never generated. Answers are encoded as text, so the first end token is the template's.
        known = self.ends & self.controls.ids
        for place in range(prompt_length, len(ids)):
            if ids[place] in known:
                return ids[: place + 1]
        return [*ids, self.end] if self.append_end else None

    @cached_property
    def _end_text(self) -> str:
        """The end token as text that is encoded as this token; empty if there is no such text."""
        text = str(self.tokenizer.convert_ids_to_tokens(self.end))
        return text if encode_all(self.tokenizer, [text], special=False) == [[self.end]] else ""

    def _marked(self, turns: Sequence[dict[str, str]]) -> Turns:
        return [{**turn, "content": self.controls.mark(turn["content"])} for turn in turns]


def make_prompts(
    tokenizer: Any,
    form: PromptFormat,
    stops: Iterable[int] = (),
    *,
    end: str = "",
    head: str | None = None,
    date: str = "",
) -> Prompts:
    """Combine a tokenizer and a prompt format, and check that they fit.

    Args:
        tokenizer: A transformers tokenizer.
        form: The prompt format.
        stops: Ids of the tokens at which the model's own settings end an answer.
        end: The token that ends answers; default: the one that the chat template writes, else the
            tokenizer's end token.
        head: The end of a chat template's prompts; default: the text that the template writes before
            every answer.
        date: The date that the chat template writes, if it writes one; default: today.

    Raises:
        TrainError: There is no end token, no such token, or no chat template although one is needed.
    """
    name = str(tokenizer.name_or_path) or "the tokenizer"
    if form.chat and not tokenizer.chat_template:
        what = f"has no chat template, which the prompt format {form.id!r} needs"
        raise TrainError(Problem(what, name, "use another: --format alpaca, koalpaca or kullm"))
    own = tokenizer.eos_token_id
    around = find_answer_frame(tokenizer) if form.chat else None
    written = _written_end(tokenizer, around.tail, {own, *stops}) if around else None
    chosen = _token_id(tokenizer, end, name) if end else own
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
        date=(date or _today()) if form.chat and writes_date(tokenizer) else "",
    )


def set_end_token(prompts: Prompts) -> None:
    """Make the token that ends answers in training the tokenizer's end token.

    Then any code that loads the model later stops there by default; see also ``Prompts.stops``.
    """
    tokenizer = prompts.tokenizer
    if tokenizer.eos_token_id != prompts.end:
        tokenizer.eos_token = tokenizer.convert_ids_to_tokens(prompts.end)
    if tokenizer.pad_token_id is None:  # ``find_base`` had no end token to use yet
        tokenizer.pad_token = tokenizer.eos_token


def _today() -> str:
    return datetime.now().astimezone().date().isoformat()


def _token_id(tokenizer: Any, end: str, name: str) -> int:
    number = tokenizer.get_vocab().get(end)
    if number is None:
        near = ", ".join(str(token) for token in list(tokenizer.added_tokens_decoder.values())[:8])
        what = f"has no token {end!r}, which the setting `end` names"
        raise TrainError(Problem(what, name, f"name one of its tokens, such as {near}"))
    return int(number)


def _written_end(tokenizer: Any, tail: str, ends: set[int | None]) -> int | None:
    """The end token in the text that a template writes after an answer.

    It is the first token at which the model already stops, else the first added token.
    """
    [ids] = encode_all(tokenizer, [tail], special=False)
    added = tokenizer.added_tokens_decoder
    # Some tokenizers have runs of spaces among their added tokens.
    own = [n for n in ids if n in added and str(added[n].content).strip()]
    return next(iter([n for n in ids if n in ends] or own), None)


def _suffix(tokenizer: Any) -> int:
    """How many special tokens the tokenizer appends to every text."""
    [bare], [full] = (encode_all(tokenizer, ["a"], special=on) for on in (False, True))
    for begin in range(len(full) - len(bare) + 1 if bare else 0):
        if full[begin : begin + len(bare)] == bare:
            return len(full) - len(bare) - begin
    return 0


def common_prefix_length(one: Ids, other: Ids) -> int:
    """How many tokens two lists have in common at their start."""
    if other[: len(one)] == one:
        return len(one)
    differ = (n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)
    return next(differ, min(len(one), len(other)))


def end_ids_of(config: Any) -> list[int]:
    """Ids of the tokens at which a model config or a generation config ends an answer."""
    ends = config.eos_token_id
    return list(ends) if isinstance(ends, list | tuple) else [] if ends is None else [ends]


def prompts_of_run(
    tokenizer: Any, form: PromptFormat, run: RunRecord | None, stops: Iterable[int]
) -> Prompts:
    """The prompts of a run's training; for other models, those of the format.

    Args:
        tokenizer: A transformers tokenizer.
        form: The prompt format, which may be another than the run's.
        run: The record of the run, if the model is one.
        stops: Ids of the tokens at which the model's own settings end an answer.

    Raises:
        TrainError: As ``make_prompts``.
    """
    ends = run.ends if run is not None and run.ends else stops
    date = run.date if run is not None else ""
    return make_prompts(tokenizer, form, ends, head=_answer_head_of(run, form), date=date)


def _answer_head_of(run: RunRecord | None, form: PromptFormat) -> str:
    """The text at the end of every chat prompt that a run was trained with.

    It is empty for other models: their prompts are those of the chat template.
    """
    return run.answer_head if run is not None and form.chat and run.format.get("chat") else ""


def _in_row(error: TrainError, row: str) -> TrainError:
    """The error of a chat template, with the row that it cannot write."""
    return TrainError(
        [replace(one, what=f"{one.what}; first in row {row}") for one in error.problems]
    )
