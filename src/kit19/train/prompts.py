"""Rows as prompt and answer tokens, exactly as the model will meet them when it is asked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from kit19.catalog import PromptFormat
from kit19.errors import Problem, TrainError

Ids = list[int]


@dataclass(frozen=True)
class Prompts:
    """A tokenizer and a prompt format, together.

    Attributes:
        tokenizer: A tokenizer of transformers.
        format: The prompt format.
        end: The tokenizer's own end token.
        ends: Tokens that end an answer: that one, and those at which the model stops.
    """

    tokenizer: Any
    format: PromptFormat
    end: int
    ends: frozenset[int]

    def texts(self, rows: pl.DataFrame) -> tuple[list[str], list[str]]:
        """Prompts, and prompts with their answers, of n rows."""
        fields = rows.select("instruction", "input", "output").iter_rows()
        asked, whole = [], []
        for instruction, text, output in fields:
            prompt = self.ask(instruction, text)
            asked.append(prompt)
            whole.append(self._answered(prompt, instruction, text, output))
        return asked, whole

    def ask(self, instruction: str, text: str = "") -> str:
        """The text of one prompt."""
        if self.format.chat:
            return self._chat([_user(instruction, text)], add_generation_prompt=True)
        return self.format.ask(instruction, text)

    def _answered(self, prompt: str, instruction: str, text: str, output: str) -> str:
        if self.format.chat:
            return self._chat([_user(instruction, text), {"role": "assistant", "content": output}])
        return prompt + self.format.reply(output)

    def _chat(self, turns: list[dict[str, str]], **how: Any) -> str:
        text = self.tokenizer.apply_chat_template(turns, tokenize=False, **how)
        return str(text)

    def conversation(self, turns: Sequence[dict[str, str]]) -> str:
        """A prompt after earlier turns (roles user and assistant; the last is the user's)."""
        if self.format.chat:
            return self._chat(list(turns), add_generation_prompt=True)
        # Formats of one question know no turns: earlier ones stand before, as they were trained.
        parts = []
        for turn in turns:
            said = turn["content"]
            parts.append(self.ask(said) if turn["role"] == "user" else self.format.reply(said))
            if turn["role"] == "assistant":
                parts.append("\n\n")
        return "".join(parts)

    def encode(self, texts: Iterable[str]) -> list[Ids]:
        """Tokens of each text, with the special tokens that the tokenizer puts before it.

        An end token that some tokenizers put behind every text is taken away: behind a prompt it
        would end the answer before it begins.
        """
        special = not self.format.chat  # a chat template writes its own
        found = encode_all(self.tokenizer, list(texts), special=special)
        if special and any(ids and ids[-1] == self.end for ids in found):
            found = [ids[:-1] if ids and ids[-1] == self.end else ids for ids in found]
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
        # will ever generate.
        for place in range(len(whole) - 1, asked - 1, -1):
            if whole[place] in self.ends:
                return whole[: place + 1]
        return None


def make_prompts(tokenizer: Any, form: PromptFormat, stops: Iterable[int] = ()) -> Prompts:
    """A tokenizer and a format, checked.

    Raises:
        TrainError: The tokenizer has no end token, or no chat template where one is needed.
    """
    name = str(tokenizer.name_or_path) or "the tokenizer"
    if tokenizer.eos_token_id is None:
        what = "has no end-of-sequence token: no answer trained with it would ever end"
        fix = "set one in its tokenizer_config.json (`eos_token`)"
        raise TrainError(Problem(what, name, fix))
    if form.chat and not tokenizer.chat_template:
        what = f"has no chat template, which the prompt format {form.id!r} asks for"
        raise TrainError(Problem(what, name, "use another: --format alpaca, koalpaca or kullm"))
    end = int(tokenizer.eos_token_id)
    return Prompts(tokenizer, form, end, frozenset({end, *stops}))


def encode_all(tokenizer: Any, texts: list[str], *, special: bool) -> list[Ids]:
    """Tokens of each text.

    Args:
        tokenizer: A tokenizer of transformers.
        texts: n texts.
        special: Put the tokenizer's special tokens around them.
    """
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        found: list[Ids] = tokenizer(texts, add_special_tokens=special)["input_ids"]
        return found
    backend.no_truncation()
    backend.no_padding()
    # Rust, all threads, no offsets: 3 times as fast as the tokenizer's own call.
    return [one.ids for one in backend.encode_batch_fast(texts, add_special_tokens=special)]


def _user(instruction: str, text: str) -> dict[str, str]:
    return {"role": "user", "content": f"{instruction}\n\n{text}" if text else instruction}
