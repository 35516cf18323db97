"""The ledger of a subset: records read = kept + surplus + dropped, each drop with a reason."""

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
"""Why a record is not in a build. Reasons apply in this order; the first that matches wins."""

REASONS: tuple[Reason, ...] = get_args(Reason)

REASON_DESCRIPTIONS: Mapping[Reason, str] = {
    "malformed": "the row does not match the card (columns, encoding, an unknown label), or has no "
    "layout of questions and answers",
    "excluded": "a kind of row that the card leaves out (for example a category page)",
    "empty": "a required field has no text",
    "no_template": "no template of its subset fits it",
    "conflict": "the same record occurs with another label, so both are dropped",
    "duplicate": "the same record comes earlier in hash order; that one is kept",
    "validation_overlap": "it shares a group with a validation record",
    "contaminated": "it contains text of a benchmark item; for a pair, a record of its groups does",
    "pii": "it contains personal data: a telephone, e-mail, registration or account number",
    "duplicate_across": "an earlier subset of the recipe keeps a record with the same text",
    "near_duplicate": "its text is nearly the same as that of a kept record",
}


class Ledger(BaseModel):
    """Counts of what happened to each record of one subset.

    Attributes:
        upstream_rows: Rows in the files read (before pairs are derived from them).
        read: Records read, including malformed ones.
        train: Records kept for training.
        validation: Records kept for validation.
        surplus: Usable records beyond the cap.
        dropped: Records dropped, by reason; reasons without records are omitted.
        malformed_by: The malformed rows of a user's own files by their fault, the most frequent first.
        contaminated_by: The contaminated ones by the benchmark that their evidence names.
        apart: Records kept, but in no conversation, by the reason why another record of their group was
            dropped.
        examples: Rendered rows (more than records if several templates render each record).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    upstream_rows: int = Field(ge=0)
    read: int = Field(ge=0)
    train: int = Field(ge=0)
    validation: int = Field(ge=0)
    surplus: int = Field(ge=0)
    dropped: dict[Reason, int]
    malformed_by: dict[str, int] = {}
    contaminated_by: dict[str, int] = {}
    apart: dict[Reason, int] = {}
    examples: int = Field(ge=0)

    @model_validator(mode="after")
    def _check_sum(self) -> Self:
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
