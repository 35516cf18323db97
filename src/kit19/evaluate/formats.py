"""Instruction formats: questions put the way that a model was trained to hear them.

The harness has a place for this, its chat templates: a model turns a list of turns into one text. A
prompt format is put in there, so that every task of the harness can be asked in it.
"""

from __future__ import annotations

from typing import Any

from kit19.catalog import PromptFormat
from kit19.errors import ModelError, Problem
from kit19.evaluate.scorer import SharedLM


def use_format(model: SharedLM, prompt_format: PromptFormat) -> None:
    """Make a model ask in this format instead of its tokenizer's chat template.

    A user's turn becomes the instruction. What the format puts before an answer (a blank, say) ends the
    prompt: blanks at the end of a prompt are scored with the answer, as they were trained.
    """
    before_answer = prompt_format.answer.partition("{output}")[0]

    def apply(turns: list[dict[str, Any]], add_generation_prompt: bool = True) -> str:
        texts = []
        for turn in turns:
            if turn["role"] == "assistant":
                texts.append(prompt_format.reply(str(turn["content"]).strip()) + "\n\n")
            else:
                texts.append(prompt_format.ask(str(turn["content"]).strip()))
        return "".join(texts) + (before_answer if add_generation_prompt else "")

    model.apply_chat_template = apply
    model.chat_template = lambda chat_template=False: prompt_format.id  # noqa: ARG005  the harness's name


def require_chat_template(model: SharedLM) -> None:
    """Stop where a chat template is asked for and the tokenizer has none.

    Raises:
        ModelError: It has none.
    """
    if not getattr(model.tokenizer, "chat_template", None):
        fix = "use --format instruction with --prompt-format, or --format raw"
        raise ModelError(Problem("the tokenizer has no chat template", fix=fix))
