"""Chat with a model: one conversation, in the prompt format that its run was trained with."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

from pydantic import Field

from kit19.calling.client import Client
from kit19.calling.endpoint import KEY_ENV, make_endpoint
from kit19.catalog import Catalog, CatalogLike, PromptFormat, load_catalog
from kit19.chatting.remote import RemoteModel
from kit19.core.arguments import Count, public
from kit19.core.errors import OutputError, Problem, TrainError
from kit19.core.json_text import to_json
from kit19.korean.invisible import shows_something
from kit19.training.requirements import require_model

if TYPE_CHECKING:
    from kit19.chatting.answering import ChatModel
    from kit19.core.runs import RunRecord
    from kit19.training.rows.prompts import Prompts

_PLAIN, _CHAT = "alpaca", "chat"  # for models that are not runs, without and with a chat template


@dataclass
class Chat:
    """A conversation with a model.

    Attributes:
        name: The name of the model.
        max_new_tokens: The most tokens of an answer.
        temperature: 0 for greedy decoding, which is deterministic.
        turns: The conversation so far, without a system prompt: ``role`` and ``content`` of each turn.
        system: The system prompt; empty for none. See ``use_system``.
    """

    name: str
    max_new_tokens: int
    temperature: float
    _model: ChatModel | RemoteModel = field(repr=False)
    _catalog: Catalog = field(repr=False)
    turns: list[dict[str, str]] = field(default_factory=list)
    system: str = ""

    @property
    def messages(self) -> list[dict[str, str]]:
        """The conversation so far, with its system prompt."""
        system = [{"role": "system", "content": self.system}] if self.system else []
        return [*system, *self.turns]

    @property
    def format(self) -> PromptFormat:
        """The prompt format in use.

        Raises:
            TrainError: The model is on a server, which chooses the format.
        """
        return self._loaded().prompts.format

    @property
    def format_name(self) -> str:
        """The name of the prompt format; ``server`` if a server chooses it."""
        return "server" if isinstance(self._model, RemoteModel) else self.format.id

    @property
    def run(self) -> RunRecord | None:
        """The record of the run; None if the model is not a run, or on a server."""
        return None if isinstance(self._model, RemoteModel) else self._model.run

    def to_dict(self) -> dict[str, Any]:
        """The conversation so far as JSON data."""
        return {"model": self.name, "format": self.format_name, "turns": self.messages}

    def send(self, text: str) -> Iterator[str]:
        """Send a message and stream the answer. Both are remembered when the answer is complete.

        Raises:
            TrainError: The text is empty, or contains lone surrogates, as Python decodes bytes that are
                not UTF-8.
        """
        if not text.strip():
            raise TrainError(Problem("there is nothing to answer", fix="type a message"))
        _require_utf8(text)
        question = {"role": "user", "content": text.strip()}
        turns = [*self.turns, question]
        pieces: list[str] = []
        for piece in self._model.stream(
            [*self.messages, question],
            max_new_tokens=self.max_new_tokens,
            temperature=self.temperature,
        ):
            pieces.append(piece)
            yield piece
        self.turns = [*turns, {"role": "assistant", "content": "".join(pieces)}]

    def reset(self) -> None:
        """Forget the conversation; the system prompt stays."""
        self.turns = []

    def use_system(self, text: str) -> None:
        """Use a system prompt from now on; an empty text removes it.

        Raises:
            TrainError: The chat template has no place for it. Of a model on a server, nobody knows.
        """
        _require_utf8(text)
        system = text.strip()
        if not isinstance(self._model, RemoteModel):
            _require_place(self._model.prompts, system)
        self.system = system

    def save(self, path: str | Path) -> int:
        """Append the conversation to a file of JSON lines, as a row that ``train`` takes.

        Returns:
            The number of its turns.

        Raises:
            TrainError: There is no answer yet, or one is empty.
            OutputError: The file cannot be written.
        """
        if not self.turns:
            raise TrainError(
                Problem("there is no conversation to save", fix="ask a question first")
            )
        if not all(shows_something(turn["content"]) for turn in self.turns):
            what = "an answer is empty, and `train` takes no such conversation"
            raise TrainError(Problem(what, fix="begin a new one: /reset or `reset`"))
        path = Path(path)
        try:
            with path.open("ab+") as stream:
                row = to_json({"messages": self.messages}) + "\n"
                stream.write((row if _ends_a_line(stream) else f"\n{row}").encode())
        except OSError as error:
            what = f"cannot be written: {error.strerror or error}"
            raise OutputError(Problem(what, str(path), "name another file")) from None
        return len(self.messages)

    def use_format(self, name: str) -> None:
        """Use another prompt format from now on.

        Raises:
            Kit19Error: There is no such format, the tokenizer has no chat template for it, or one
                without a place for the system prompt, or the model is on a server.
        """
        from dataclasses import replace  # noqa: PLC0415

        from kit19.training.rows.prompts import prompts_of_run  # noqa: PLC0415

        model = self._loaded()
        prompts, form = model.prompts, self._catalog.prompt_format(name)
        new = prompts_of_run(prompts.tokenizer, form, self.run, prompts.ends)
        _require_place(new, self.system)
        self._model = replace(model, prompts=new)

    def _loaded(self) -> ChatModel:
        if isinstance(self._model, RemoteModel):
            what = "the server chooses the prompt format"
            fix = "serve the model with another one: kit19 serve --format"
            raise TrainError(Problem(what, fix=fix))
        return self._model


@public
def chat(  # noqa: PLR0913  one parameter an option of the command
    model: str | Path,
    *,
    format: str | Path = "",  # noqa: A002  as the command and the settings call it
    system: str = "",
    max_new_tokens: Count = 512,
    temperature: Annotated[float, Field(ge=0)] = 0.0,
    base_url: str = "",
    key_env: str = KEY_ENV,
    catalog: CatalogLike = None,
    trust_remote_code: bool = False,
) -> Chat:
    """Load a model for a conversation, or connect to one on a server.

    Args:
        model: A run's folder, any causal model's folder, or a Hub id (also ``owner/name@revision``);
            with ``base_url``, its name on the server.
        format: Prompt format; default: the run's format, else the model's chat template, else
            ``alpaca``.
        system: A system prompt before the conversation.
        max_new_tokens: The most tokens of an answer.
        temperature: 0 for greedy decoding; higher values sample.
        base_url: The address of an OpenAI-compatible API that answers, instead of a model loaded here.
        key_env: The environment variable that holds the API key.
        catalog: A folder of cards to add to kit19's own, or a loaded catalog (see ``load_catalog``).
        trust_remote_code: Run code from the model's repository.

    Raises:
        TrainError: Optional packages are not installed, the model cannot be loaded, or its chat
            template has no place for the system prompt.
        ModelError: The address is not valid.
        Kit19Error: There is no such format, or a server would have to use it.
    """
    answering: ChatModel | RemoteModel
    if base_url:
        answering = RemoteModel(Client(make_endpoint(base_url, str(model), key_env), retries=2))
        cards = load_catalog(catalog)
    else:
        answering, cards = open_model(model, format, catalog, trust_remote_code=trust_remote_code)
    talk = Chat(str(model), max_new_tokens, temperature, answering, cards)
    if base_url and format:
        talk.use_format(str(format))  # an error
    talk.use_system(system)
    return talk


def open_model(
    model: str | Path, form: str | Path, catalog: CatalogLike, *, trust_remote_code: bool
) -> tuple[ChatModel, Catalog]:
    """Load a model for generating answers; the arguments and errors are those of ``chat``."""
    require_model()
    from transformers import logging  # noqa: PLC0415

    from kit19.chatting.answering import load_chat_model  # noqa: PLC0415

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    cards = load_catalog(catalog)
    chosen = cards.prompt_format(str(form)) if form else None

    def default(has_template: bool) -> PromptFormat:
        return cards.prompt_format(_CHAT if has_template else _PLAIN)

    answering = load_chat_model(str(model), chosen, default, trust=trust_remote_code)
    return answering, cards


def _require_place(prompts: Prompts, system: str) -> None:
    """Check that a prompt format writes a system prompt, if there is one."""
    turns = [{"role": "system", "content": system}, {"role": "user", "content": "?"}]
    if system and prompts.omits_data(prompts.conversation(turns), [system]):
        fix = "write it into the first message, or use another prompt format"
        raise TrainError(Problem("the chat template leaves a system prompt out", fix=fix))


def _ends_a_line(stream: IO[bytes]) -> bool:
    """Whether a file is empty or ends in a line break, as text that people write may not."""
    if not stream.seek(0, os.SEEK_END):
        return True
    stream.seek(-1, os.SEEK_END)
    return stream.read() == b"\n"


def _require_utf8(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        what = f"the text is not UTF-8 at character {error.start + 1:,}"
        raise TrainError(Problem(what, fix="type or save it as UTF-8")) from None
