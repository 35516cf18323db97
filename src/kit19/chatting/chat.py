"""Chat with a model: one conversation, in the prompt format that its run was trained with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from kit19.catalog import Catalog, CatalogLike, PromptFormat, load_catalog
from kit19.core.arguments import Count, public
from kit19.core.errors import Problem, TrainError
from kit19.training.requirements import require_model

if TYPE_CHECKING:
    from kit19.chatting.answering import ChatModel
    from kit19.core.runs import RunRecord

_PLAIN, _CHAT = "alpaca", "chat"  # for models that are not runs, without and with a chat template


@dataclass
class Chat:
    """A conversation with a model.

    Attributes:
        name: The name of the model.
        max_new_tokens: The most tokens of an answer.
        temperature: 0 for greedy decoding, which is deterministic.
        turns: The conversation so far: ``role`` and ``content`` of each turn.
    """

    name: str
    max_new_tokens: int
    temperature: float
    _model: ChatModel = field(repr=False)
    _catalog: Catalog = field(repr=False)
    turns: list[dict[str, str]] = field(default_factory=list)

    @property
    def format(self) -> PromptFormat:
        """The prompt format in use."""
        return self._model.prompts.format

    @property
    def run(self) -> RunRecord | None:
        """The record of the run; None if the model is not a run."""
        return self._model.run

    def to_dict(self) -> dict[str, Any]:
        """The conversation so far as JSON data."""
        return {"model": self.name, "format": self.format.id, "turns": self.turns}

    def send(self, text: str) -> Iterator[str]:
        """Send a message and stream the answer. Both are remembered when the answer is complete.

        Raises:
            TrainError: The text is empty, or contains lone surrogates, as Python decodes bytes that are
                not UTF-8.
        """
        if not text.strip():
            raise TrainError(Problem("there is nothing to answer", fix="type a message"))
        try:
            text.encode()
        except UnicodeEncodeError as error:
            what = f"the text is not UTF-8 at character {error.start + 1:,}"
            raise TrainError(Problem(what, fix="type or save it as UTF-8")) from None
        turns = [*self.turns, {"role": "user", "content": text.strip()}]
        pieces: list[str] = []
        for piece in self._model.stream(
            turns, max_new_tokens=self.max_new_tokens, temperature=self.temperature
        ):
            pieces.append(piece)
            yield piece
        self.turns = [*turns, {"role": "assistant", "content": "".join(pieces)}]

    def reset(self) -> None:
        """Forget the conversation."""
        self.turns = []

    def use_format(self, name: str) -> None:
        """Use another prompt format from now on.

        Raises:
            Kit19Error: There is no such format, or the tokenizer has no chat template for it.
        """
        from dataclasses import replace  # noqa: PLC0415

        from kit19.training.rows.prompts import answer_head_of, make_prompts  # noqa: PLC0415

        prompts, form = self._model.prompts, self._catalog.prompt_format(name)
        head = answer_head_of(self.run, form)
        new = make_prompts(prompts.tokenizer, form, prompts.ends, head=head)
        self._model = replace(self._model, prompts=new)


@public
def chat(
    model: str | Path,
    *,
    format: str | Path = "",  # noqa: A002  as the command and the settings call it
    max_new_tokens: Count = 512,
    temperature: Annotated[float, Field(ge=0)] = 0.0,
    catalog: CatalogLike = None,
    trust_remote_code: bool = False,
) -> Chat:
    """Load a model for a conversation.

    Args:
        model: A run's folder, any causal model's folder, or a Hub id (also ``owner/name@revision``).
        format: Prompt format; default: the run's format, else the model's chat template, else
            ``alpaca``.
        max_new_tokens: The most tokens of an answer.
        temperature: 0 for greedy decoding; higher values sample.
        catalog: A folder of cards to add to kit19's own, or a loaded catalog (see ``load_catalog``).
        trust_remote_code: Run code from the model's repository.

    Raises:
        TrainError: Optional packages are not installed, or the model cannot be loaded.
        Kit19Error: There is no such format.
    """
    require_model()
    from transformers import logging  # noqa: PLC0415

    from kit19.chatting.answering import load_chat_model  # noqa: PLC0415

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    cards = load_catalog(catalog)
    chosen = cards.prompt_format(str(format)) if format else None

    def default(has_template: bool) -> PromptFormat:
        return cards.prompt_format(_CHAT if has_template else _PLAIN)

    answering = load_chat_model(str(model), chosen, default, trust=trust_remote_code)
    return Chat(str(model), max_new_tokens, temperature, answering, cards)
