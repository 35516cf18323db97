"""Counts that must add up: records in = records kept + surplus + dropped by a named reason."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

Reason = Literal[
    "malformed",
    "excluded",
    "empty",
    "no_template",
    "conflict",
    "duplicate",
    "validation_overlap",
    "contaminated",
    "pii",
    "duplicate_across",
    "near_duplicate",
]
"""Why a record is not in a build, in the order in which reasons apply; the first wins."""

REASONS: tuple[Reason, ...] = get_args(Reason)

REASON_DESCRIPTIONS: Mapping[Reason, str] = {
    "malformed": "the row cannot be read as the card says (columns, encoding, an unknown label)",
    "excluded": "a kind of row that the card leaves out (a category page, say)",
    "empty": "a required field has no text",
    "no_template": "no template of its subset fits it",
    "conflict": "the same record occurs with another label, so both go",
    "duplicate": "the same record stands earlier in the hash order, and stays there",
    "validation_overlap": "it shares a group with a validation record",
    "contaminated": "it, or for a pair something in its groups, holds text of a benchmark item",
    "pii": "it holds personal data: a telephone, e-mail, registration or account number",
    "duplicate_across": "an earlier subset of the recipe keeps a record with the same text",
    "near_duplicate": "it says almost what a kept record says",
}


class Ledger(BaseModel):
    """What became of every record of one subset.

    Attributes:
        upstream_rows: Rows in the files read (before pairs are derived from them).
        read: Records looked at, malformed ones included.
        train: Records kept for training.
        validation: Records kept for validation.
        surplus: Usable records beyond the cap.
        dropped: Records dropped, by reason; reasons without a record are left out.
        examples: Rendered rows (more than records where a record is shown by several templates).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    upstream_rows: int = Field(ge=0)
    read: int = Field(ge=0)
    train: int = Field(ge=0)
    validation: int = Field(ge=0)
    surplus: int = Field(ge=0)
    dropped: dict[Reason, int]
    examples: int = Field(ge=0)

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        lost = sum(self.dropped.values())
        total = self.train + self.validation + self.surplus + lost
        if total != self.read:
            raise ValueError(
                f"the ledger does not add up: {self.read} read, but {self.train} train + "
                f"{self.validation} validation + {self.surplus} surplus + {lost} dropped = {total}"
            )
        return self

    @property
    def kept(self) -> int:
        """Records kept, for training or validation."""
        return self.train + self.validation
