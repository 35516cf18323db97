"""How an instruction, its input and its answer become one text for a causal language model."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from kit19.catalog.card import Card, Name


class PromptFormat(Card):
    """A prompt format: ``catalog/formats/<id>.yaml``.

    A prompt never ends in a blank: with byte-level tokens ``답변: `` + ``긍정`` is cut elsewhere than
    ``답변: 긍정``, so the blank belongs to the answer.
    """

    id: Name
    title: str
    about: str = ""
    chat: bool = Field(
        default=False,
        description="use the tokenizer's own chat template; then nothing else is given",
    )
    prompt: str = Field(default="", description="the text before the answer; holds {instruction}")
    prompt_with_input: str = Field(
        default="", description="the same where there is an input; holds {instruction} and {input}"
    )
    answer: str = Field(default="{output}", description="the answer; holds {output}")
    stop: list[str] = Field(
        default=[], description="texts that end an answer, beside the end token"
    )

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.chat:
            if self.prompt or self.prompt_with_input:
                raise ValueError("a chat format takes its texts from the tokenizer")
            return self
        wanted = {
            "prompt": ["{instruction}"],
            "prompt_with_input": ["{instruction}", "{input}"],
            "answer": ["{output}"],
        }
        for key, places in wanted.items():
            text = getattr(self, key)
            missing = [place for place in places if text.count(place) != 1]
            if missing:
                raise ValueError(f"`{key}` must hold {' and '.join(missing)} once")
            if key != "answer" and text.endswith((" ", "\t")):
                raise ValueError(f"`{key}` ends in a blank; begin `answer` with it instead")
        return self

    def ask(self, instruction: str, text: str = "") -> str:
        """The prompt for an instruction and its input, which may be empty.

        Fields are put in by one pass: braces inside them stay as they are.
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
        """The answer as it follows the prompt."""
        return self.answer.replace("{output}", output)
