"""What lint tells: the rules by name, a finding, and the report of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

RULES: Mapping[str, str] = {
    "empty_render": "the instruction or the output is empty or blank",
    "leftover_syntax": "a piece of a template language is left in the text",
    "wrong_particle": "a particle does not fit the word before it",
    "both_form_particle": "both forms of a particle are written, as in 은(는)",
    "doubled_particle": "one particle follows another",
    "particle_after_free_text": "a particle of one form is glued to free text",
    "double_blank": "two blanks meet, or a blank stands at the end of a line or text",
    "answer_in_instruction": "what is asked already holds the answer",
    "ambiguous_output": "an output stands for two values of a label, or for none",
    "over_long": "the instruction's own words or a render are too long",
    "mixed_styles": "sentences are not in the style that the template declares",
    "near_duplicate": "two templates of a subset are nearly alike",
    "never_eligible": "no record fits the template",
    "one_sided": "every answer to the question is the same",
}
"""Rule → what it finds, in the order in which findings are told."""


@dataclass(frozen=True)
class Shown:
    """A render that shows a finding.

    Attributes:
        id: The record; empty where there was none to render.
        text: The part of the render that matters.
    """

    id: str
    text: str


@dataclass(frozen=True)
class Finding:
    """One rule broken by one template.

    Attributes:
        rule: A key of ``RULES``.
        subset: The subset.
        template: The template's id.
        what: What is wrong, in one sentence without a final stop.
        count: Renders that show it; 0 for what no record is needed for and none was there.
        of: Renders of the template.
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
    """How much of one subset was looked at.

    Attributes:
        templates: Its templates.
        records: Its records that have all required fields.
        renders: Records × the templates that fit them.
        left_out: Files that were not used, and why.
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
        subsets: Subset → how much of it was looked at.
    """

    findings: list[Finding] = field(default_factory=list)
    subsets: dict[str, Checked] = field(default_factory=dict)

    @property
    def renders(self) -> int:
        """Renders looked at."""
        return sum(one.renders for one in self.subsets.values())

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON has it."""
        return {"renders": self.renders, **asdict(self)}
