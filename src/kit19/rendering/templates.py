"""A subset's templates, parsed and checked (see ``rendering/load.py``)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from kit19.catalog.templates import Conversation, Options, Template
from kit19.rendering.parse import Insertion, OptionPart, Piece, Slot

TEXTS = ("instruction", "input", "output")

Words = Mapping[str, Mapping[str, Mapping[str, str]]]
"""field → form → canonical value → word."""


@dataclass(frozen=True)
class ParsedTemplate:
    """One template, parsed.

    Attributes:
        id: Its id.
        card: Its entry in the templates file.
        texts: Pieces of its instruction, input and output.
        parts: Pieces of what each of several records gives: item and answer of a batch, example.
    """

    id: str
    card: Template
    texts: Mapping[str, list[Piece]]
    parts: Mapping[str, list[Piece]] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """The number of records that a row asks about."""
        return self.card.batch.size if self.card.batch else 1

    @property
    def alone(self) -> ParsedTemplate:
        """The same for a single record: its item and answer in place of the batch's."""
        inline = {"batch.items": "item", "batch.answers": "answer"}
        texts = {
            name: [
                part
                for piece in pieces
                for part in (
                    self.parts[inline[piece.name]]
                    if isinstance(piece, Slot) and piece.name in inline
                    else [piece]
                )
            ]
            for name, pieces in self.texts.items()
        }
        return replace(
            self, texts=texts, parts={k: v for k, v in self.parts.items() if k == "example"}
        )

    @property
    def declared_options(self) -> Options:
        """Its options, for a template whose text has a part of them."""
        assert self.card.options is not None  # noqa: S101  checked when the file is loaded
        return self.card.options

    def fields(self, *texts: str) -> list[str]:
        """Every field that the given texts (default: all) take something from, each once."""
        found = [piece.field for piece in self.insertions(*texts)]
        for part in self.option_parts(*texts):
            options = self.declared_options
            found += [] if part.part == "list" else [options.by]
            found += [] if part.part == "mark" else options.among.values()
        return list(dict.fromkeys(found))

    def option_parts(self, *texts: str) -> list[OptionPart]:
        """Every part of the options in the given texts (default: all), in order."""
        return [piece for piece in self._pieces(*texts) if isinstance(piece, OptionPart)]

    def insertions(self, *texts: str) -> Iterator[Insertion]:
        """Every insertion in the given texts (default: all), in order."""
        yield from (piece for piece in self._pieces(*texts) if isinstance(piece, Insertion))

    def _pieces(self, *texts: str) -> Iterator[Piece]:
        if texts:
            yield from (piece for text in texts for piece in self.texts[text])
        else:
            for pieces in (*self.texts.values(), *self.parts.values()):
                yield from pieces


@dataclass(frozen=True)
class ParsedConversation:
    """One conversation, parsed.

    Attributes:
        id: Its id.
        card: Its entry in the templates file.
        turns: Its turns, each as a template of one record.
    """

    id: str
    card: Conversation
    turns: list[ParsedTemplate]


@dataclass(frozen=True)
class TemplateSet:
    """All templates of a subset that are in use.

    Attributes:
        subset: The subset's name.
        templates: Parsed templates in file order, without retired ones.
        words: The words for categorical values.
        many: Categorical fields that may have several values at once.
        conversations: Parsed conversations in file order.
    """

    subset: str
    templates: list[ParsedTemplate]
    words: Words
    many: frozenset[str]
    conversations: list[ParsedConversation] = field(default_factory=list)

    @property
    def of_one_record(self) -> TemplateSet:
        """Those whose rows are made of one record: no batches, and no solved examples."""
        single = [t for t in self.templates if not (t.card.batch or t.card.shots)]
        return replace(self, templates=single)
