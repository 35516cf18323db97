"""The model to export: its files, its prompt format, and a complete folder of it."""

from __future__ import annotations

import copy
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import GenerationConfig

from kit19.catalog import CatalogLike, PromptFormat, load_catalog
from kit19.core.arguments import OnProgress
from kit19.core.errors import Problem, TrainError
from kit19.exporting.turn_texts import TurnTexts, find_turn_texts, jinja_template
from kit19.training.model.finding import find_model
from kit19.training.model.generation_config import make_savable
from kit19.training.model.loading import check_complete, read_config, read_tokenizer
from kit19.training.model.reference import ModelRef
from kit19.training.rows.files import is_build
from kit19.training.rows.prompts import Prompts, end_ids_of, prompts_of_run
from kit19.training.run.merging import write_merged

_WINDOW = 2048  # tokens, if the configuration names no limit
_GENERATION = "generation_config.json"
_COPIED = ("*.model", "*.tiktoken", "*.py", "LICENSE*", "NOTICE*", "README.md", "run.json")


@dataclass(frozen=True)
class Source:
    """A model to export.

    Attributes:
        ref: Its files.
        name: Its name in the other program.
        prompts: Its tokenizer and the prompt format.
        texts: What the format writes around turns.
        template: The chat template that the tokenizer gets; empty if its own one stays.
        config: Its transformers configuration.
        trust: Whether to run code from its repository.
    """

    ref: ModelRef
    name: str
    prompts: Prompts
    texts: TurnTexts
    template: str
    config: Any
    trust: bool

    @property
    def window(self) -> int:
        """The context length in tokens."""
        found = getattr(self.config.get_text_config(), "max_position_embeddings", None)
        return int(found or _WINDOW)

    @property
    def stops(self) -> list[str]:
        """Texts that end an answer, of the prompt format."""
        return self.prompts.format.stop

    @property
    def more_ends(self) -> list[str]:
        """Tokens that end an answer, besides the end token of training."""
        tokenizer = self.prompts.tokenizer
        ends = sorted(self.prompts.ends - {self.prompts.end})
        return [str(tokenizer.convert_ids_to_tokens(token)) for token in ends]


def find_source(
    model: str | Path, form: str | Path, catalog: CatalogLike, *, name: str, trust: bool
) -> Source:
    """Find a model to export, with its tokenizer and prompt format. Its weights are not read.

    Raises:
        TrainError: There is no such model, or its prompts cannot be written as a template.
        Kit19Error: There is no such format.
    """
    if is_build(Path(model)):
        fix = (
            "name the layouts when it is built: kit19 build --format jsonl (or alpaca, messages …)"
        )
        raise TrainError(Problem("is a build; export a run or a model", str(model), fix))
    ref = find_model(str(model))
    cards = load_catalog(catalog)
    complete = ref.complete
    config = read_config(complete.source, complete.revision or None, trust=trust)
    tokenizer = read_tokenizer(str(ref.tokenizer), trust=trust)
    if form:
        chosen = cards.prompt_format(str(form))
    elif ref.record is not None:
        chosen = PromptFormat.model_validate(ref.record.format)
    else:
        chosen = cards.prompt_format("chat" if tokenizer.chat_template else "alpaca")
    prompts = prompts_of_run(tokenizer, chosen, ref.record, _ends(ref, config))
    texts = find_turn_texts(prompts)
    # A template of the tokenizer's own stays, unless prompts of training end in more than it writes.
    own = chosen.chat and not prompts.head
    template = "" if own else jinja_template(prompts, texts)
    return Source(ref, name or _default_name(ref), prompts, texts, template, config, trust)


def _default_name(ref: ModelRef) -> str:
    return ref.folder.resolve().name if not ref.revision else ref.name.rpartition("/")[2]


def _ends(ref: ModelRef, config: Any) -> list[int]:
    for folder in (ref.folder, ref.complete.folder):
        if (folder / _GENERATION).is_file():
            found = end_ids_of(GenerationConfig.from_pretrained(folder))
            if found:
                return found
    return end_ids_of(config.get_text_config())


def write_tokenizer(source: Source, folder: Path) -> None:
    """Write the tokenizer with a chat template that writes the prompts of training."""
    tokenizer = copy.deepcopy(source.prompts.tokenizer)
    if source.template:
        tokenizer.chat_template = source.template
    tokenizer.save_pretrained(folder)


def write_config(source: Source, folder: Path) -> None:
    """Write the configurations of a complete model, with the tokens that end its answers."""
    ends = source.prompts.stops
    generation = GenerationConfig.from_model_config(source.config)
    for place in (source.ref.complete.folder, source.ref.folder):
        if (place / _GENERATION).is_file():
            generation = GenerationConfig.from_pretrained(place)
    make_savable(source.config, generation)
    generation.eos_token_id = ends if len(ends) > 1 else ends[0]
    source.config.get_text_config().eos_token_id = ends[0]
    source.config.save_pretrained(folder)
    generation.save_pretrained(folder)


def write_model(source: Source, folder: Path, on_progress: OnProgress) -> None:
    """Write a complete model: an adapter is merged into its base, other weights are copied.

    Raises:
        TrainError: As ``merge``, or weights are missing.
        OSError: It cannot be written.
    """
    ref = source.ref
    if ref.base is not None:
        on_progress("merging the adapter", 0, 1)
        write_merged(ref, folder, trust=source.trust)
    else:
        files = ref.weight_files()
        check_complete(str(ref.folder), trust_remote_code=source.trust)
        index = f"{files[0].name.partition('-0')[0]}{files[0].suffix}.index.json"
        files += [ref.folder / index]
        for done, path in enumerate(path for path in files if path.is_file()):
            on_progress("copying the weights", done, len(files))
            shutil.copyfile(path, folder / path.name)
        write_config(source, folder)
    for pattern in _COPIED:
        for path in ref.complete.folder.glob(pattern):
            if not (folder / path.name).exists():
                shutil.copyfile(path, folder / path.name)
    write_tokenizer(source, folder)
