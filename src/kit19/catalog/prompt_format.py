"""The model of a prompt format: how instruction, input and answer become one text."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from kit19.catalog.card import Card, Name


class PromptFormat(Card):
    """A prompt format: ``catalog/formats/<id>.yaml``.

    A prompt never ends in a space: byte-level tokenizers split ``답변: `` + ``긍정`` differently from
    ``답변: 긍정``, so the space belongs to the answer.
    """

    id: Name
    title: str
    about: str = ""
    chat: bool = Field(
        default=False,
        description="use the tokenizer's chat template; excludes all other keys",
    )
    prompt: str = Field(
        default="", description="the text before the answer; contains {instruction}"
    )
    prompt_with_input: str = Field(
        default="",
        description="the same for rows with an input; contains {instruction} and {input}",
    )
    answer: str = Field(default="{output}", description="the answer; contains {output}")
    stop: list[str] = Field(
        default=[], description="texts that end an answer, in addition to the end token"
    )

    @model_validator(mode="after")
    def _check_placeholders(self) -> Self:
        if self.chat:
            if self.prompt or self.prompt_with_input:
                raise ValueError("a chat format takes its texts from the tokenizer")
            return self
        required = {
            "prompt": ["{instruction}"],
            "prompt_with_input": ["{instruction}", "{input}"],
            "answer": ["{output}"],
        }
        for key, places in required.items():
            text = getattr(self, key)
            missing = [place for place in places if text.count(place) != 1]
            if missing:
                raise ValueError(f"`{key}` must contain {' and '.join(missing)} once")
            if key != "answer" and text.endswith((" ", "\t")):
                raise ValueError(f"`{key}` ends in a space; begin `answer` with it instead")
        return self

    def ask(self, instruction: str, text: str = "") -> str:
        """Return the prompt for an instruction and its input, which may be empty.

        Fields are inserted in one pass, so braces inside them are not interpreted.
        """
        if not text:
            return self.prompt.replace("{instruction}", instruction)
        before, _, after = self.prompt_with_input.partition("{input}")
        return (
            before.replace("{instruction}", instruction)
            + text
            + after.replace("{instruction}", instruction)
        )

    def reply(self, output: str) -> str:
        """Return the answer as it follows the prompt."""
        return self.answer.replace("{output}", output)
