"""The rules of lint by name, a finding, and the report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

RULES: Mapping[str, str] = {
    "empty_render": "the instruction or the output is empty or blank",
    "leftover_syntax": "a piece of a template language is left in the text",
    "wrong_particle": "a particle does not fit the word before it",
    "both_form_particle": "both forms of a particle occur, as in 은(는)",
    "doubled_particle": "one particle follows another",
    "particle_after_free_text": "a particle in one fixed form follows free text",
    "double_blank": "there are two blanks in a row, or one at the end of a line or text",
    "answer_in_instruction": "the question already contains the answer",
    "ambiguous_output": "an output means two values of a label, or none",
    "over_long": "the instruction or a render is too long",
    "mixed_styles": "sentences are not in the style that the template declares",
    "near_duplicate": "two templates of a subset have nearly the same wording",
    "never_eligible": "no record fits the template",
    "one_sided": "every answer to the question is the same",
    "wrong_frame": "a statement is called a question, or a question is judged true or false",
    "broken_quotation": "quotation marks of one kind are nested, or a final stop precedes a copula",
    "fixed_options": "the right answer is always at the same place among the options",
    "misordered_labels": "several labels are listed in one order and answered in another",
    "unused_word": "a label's word is never an answer, so the question presupposes another",
    "either_or_yes": "a question that offers two answers is answered by yes",
    "invalid_json": "an answer in JSON is not valid",
}
"""Rule → its meaning, in the order in which findings are reported."""


@dataclass(frozen=True)
class Shown:
    """A render that is an example of a finding.

    Attributes:
        id: The record; empty if no record was rendered.
        text: The relevant part of the render.
    """

    id: str
    text: str


@dataclass(frozen=True)
class Finding:
    """One rule that one template violates.

    Attributes:
        rule: A key of ``RULES``.
        subset: The subset.
        template: The template's id.
        what: A description, one sentence without a final period.
        count: Number of renders with the finding; 0 if there was no record to render.
        of: Number of renders of the template.
        examples: Up to 3 of them.
    """

    rule: str
    subset: str
    template: str
    what: str
    count: int
    of: int
    examples: tuple[Shown, ...] = ()


@dataclass(frozen=True)
class Checked:
    """How much of one subset was checked.

    Attributes:
        templates: Its templates.
        records: Its records with all required fields.
        renders: Number of renders: records × eligible templates.
        left_out: Files that were skipped, and why.
    """

    templates: int
    records: int
    renders: int
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class LintReport:
    """A run of lint.

    Attributes:
        findings: All of them, by subset, then in the order of ``RULES``.
        subsets: Subset → how much of it was checked.
    """

    findings: list[Finding] = field(default_factory=list)
    subsets: dict[str, Checked] = field(default_factory=dict)

    @property
    def renders(self) -> int:
        """Number of renders checked."""
        return sum(one.renders for one in self.subsets.values())

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON has it."""
        return {"renders": self.renders, **asdict(self)}
