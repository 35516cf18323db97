"""The model of a templates file: ``catalog/templates/<subset>.yaml``, which linguists edit.

``kit19.rendering`` parses and checks the template language (fields, words, particles).
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from kit19.catalog.card import Card, Name

Style = Literal[
    "합쇼체",
    "해요체",
    "해체",
    "해라체",
    "하십시오체",
    "시험체",
    "명사형",
]
"""The register of a template's instruction. 시험체 is the register of exam papers (…하시오)."""


class Retired(Card):
    """Marks a template that is no longer used. Its id is never reused."""

    since: str
    use: str


Marks = Literal[
    "①", "1)", "1.", "(1)", "가.", "(가)", "㉠", "ㄱ.", "A.", "A)", "(A)", "a)", "-", ""
]
"""How options are marked, by the mark of the first."""


class Options(Card):
    """The options of a question, in an order that the record's hash decides.

    They are the words of one form, or fields of the record. The value of ``by`` names the right one.
    """

    by: Name = Field(description="the categorical field whose value names the right option")
    form: Name | None = Field(default=None, description="the options are its words of this form")
    among: dict[str, Name] = Field(
        default={}, description="or: value of `by` → the field that is the option"
    )
    values: list[str] = Field(
        default=[], description="only these values of `by`, as in `when`; default: all"
    )
    marks: Marks = Field(default="①", description="the mark of the first option; empty for none")
    between: str = Field(default="\n", description="what separates two options")

    @model_validator(mode="after")
    def _one_kind(self) -> Options:
        if bool(self.form) == bool(self.among):
            raise ValueError("give either `form` or `among`")
        return self


class Batch(Card):
    """Several records in one prompt, with an item of each, and an answer of each in the output."""

    size: int = Field(ge=2, le=10, description="the number of records")
    item: str = Field(min_length=1, description="a record's part of `{batch.items}`")
    answer: str = Field(min_length=1, description="a record's part of `{batch.answers}`")
    between: str = Field(default="\n", description="what separates two items")
    between_answers: str = Field(default="\n", description="what separates two answers")


class Shots(Card):
    """Other records of the subset, shown with their answers before the question."""

    count: int = Field(ge=1, le=8, description="the number of examples")
    example: str = Field(min_length=1, description="an example's part of `{shots}`")
    between: str = Field(default="\n\n", description="what separates two examples")


class Template(Card):
    """One wording of an instruction, its input and its output."""

    id: Name
    style: Style
    why: str = Field(min_length=5, description="how this wording differs from the others")
    instruction: str = Field(min_length=1)
    input: str = ""
    output: str = Field(min_length=1)
    when: dict[Name, list[str]] = Field(
        default={}, description="categorical field → values: use only for records with one of them"
    )
    options: Options | None = Field(
        default=None, description="what `{options}` lists; the order differs from record to record"
    )
    batch: Batch | None = Field(
        default=None, description="several records in one row: `{batch.items}`, `{batch.answers}`"
    )
    shots: Shots | None = Field(default=None, description="solved examples: `{shots}`")
    direction: Literal["forward", "inverse"] = "forward"
    retired: Retired | None = None


class Turn(Card):
    """One question of a conversation and its answer, in the language of templates."""

    instruction: str = Field(min_length=1, description="the question, as in a template")
    input: str = Field(default="", description="the text that the question is about")
    output: str = Field(min_length=1, description="the answer")
    direction: Literal["forward", "inverse"] = Field(
        default="forward", description="`inverse` asks for a text rather than for a label"
    )


class Conversation(Card):
    """A conversation: the turns of one record, or a turn for each of several records."""

    id: Name = Field(description="its id; no template of the file has the same")
    style: Style = Field(description="the register of its questions")
    why: str = Field(min_length=5, description="how it differs from the others")
    records: Literal["one", "group", "any"] = Field(
        description="`one`: every turn asks about the same record; `group`: about the records of one "
        "group, such as the questions on one paragraph; `any`: about any records"
    )
    most: int = Field(
        default=2,
        ge=2,
        le=10,
        description="the number of records, with `group` at most; it has no meaning with `one`",
    )
    system: str = Field(default="", description="the system prompt, the same for every record")
    turns: list[Turn] = Field(
        min_length=1,
        description="with several records, the first asks about the first record, and so on; the "
        "last asks about all further ones",
    )
    when: dict[Name, list[str]] = Field(
        default={}, description="categorical field → values: use only records with one of them"
    )

    @model_validator(mode="after")
    def _several_turns(self) -> Conversation:
        if self.records == "one" and len(self.turns) < 2:
            raise ValueError("a conversation on one record needs at least two turns")
        if self.records != "one" and len(self.turns) > self.most:
            raise ValueError("there are more turns than records: set `most`")
        return self


class TemplateFile(Card):
    """All templates of one subset, and their words for labels.

    ``words.<field>.<form>.<value>`` is the word for one value: ``{label.ko}`` in a template becomes
    the word of form ``ko`` for the record's label.
    """

    subset: Name
    words: dict[Name, dict[Name, dict[str, str]]] = Field(default={})
    templates: list[Template] = Field(min_length=1)
    conversations: list[Conversation] = Field(
        default=[], description="used where a recipe sets `conversations`"
    )

    @model_validator(mode="after")
    def _ids_are_unique(self) -> TemplateFile:
        seen: set[str] = set()
        ids = [one.id for one in self.templates] + [one.id for one in self.conversations]
        for name in ids:
            if name in seen:
                raise ValueError(f"the template id {name!r} is used twice")
            seen.add(name)
        return self
