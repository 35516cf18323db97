"""Check the turns of conversations, and bring them into the one form of a build (see ``core.rows``).

The rules are those of chat templates: a system prompt may come first; then questions and answers
alternate, beginning with a question and ending in an answer. A blank system prompt is none.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from kit19.core.rows import MESSAGES, MESSAGES_TYPE
from kit19.korean import nothing_if_invisible
from kit19.reading.layouts import Fault
from kit19.reading.rows import ROW

_BETWEEN = "\x1e"  # of turns in one field: the record separator is in no text that people write
TURNS_SCHEMA = pl.Schema({ROW: pl.UInt32, "role": pl.String, "content": pl.String})
"""The turns of rows: canonical role and text. The turns of a row are together, in order."""

JOINER = "\n\n"
"""What separates turns of one role that are joined, as it separates instruction and input."""

_WHY: dict[Fault, str] = {
    "late system": "is a system prompt after another turn",
    "begins with an answer": "is an answer without a question",
    "two in a row": "has the role of the turn before it",
    "empty turn": "is empty",
    "ends in a question": "is a question without an answer",
    "no question": "is a system prompt, and no other follows",
}
"""What is wrong with a turn, by the fault. The first that applies to a turn counts."""


@dataclass(frozen=True)
class CheckedTurns:
    """Rows whose turns were checked.

    Attributes:
        rows: Columns ``#row``, instruction, input, output and messages: all usable rows, in order. One
            question and its answer without a system prompt are texts, not messages.
        faults: Columns ``#row``, fault, why: all other rows, in order.
    """

    rows: pl.DataFrame
    faults: pl.DataFrame


def check_turns(turns: pl.DataFrame, *, join: bool = False) -> CheckedTurns:
    """Check the turns of rows.

    Args:
        turns: ``TURNS_SCHEMA``; null counts as empty.
        join: Whether to join consecutive turns of one role, rather than to refuse the row.
    """
    content = nothing_if_invisible(pl.col("content").fill_null("").str.strip_chars())
    blank_system = (pl.col("role") == "system") & (pl.col("content") == "")
    shown = turns.with_columns(content).filter(~blank_system)
    shown = shown.with_columns(is_empty=pl.col("content") == "")
    if join:
        shown = _joined(shown)
    is_first = (pl.col(ROW) != pl.col(ROW).shift()).fill_null(value=True)
    place = pl.int_range(pl.len())
    start = pl.when(is_first).then(place).forward_fill()
    marked = shown.with_columns(_fault(is_first), number=place - start + 1)
    faulty = marked.filter(pl.col("fault").is_not_null()).unique(
        ROW, keep="first", maintain_order=True
    )
    why = pl.format("turn {} {}", "number", pl.col("fault").replace_strict(_WHY, default=""))
    no_turn = turns.join(shown, on=ROW, how="anti").unique(ROW)
    faults = pl.concat(
        [
            faulty.select(ROW, "fault", why=why.cast(pl.String)),
            no_turn.select(ROW, fault=pl.lit("no question"), why=pl.lit("has no turn")),
        ]
    )
    return CheckedTurns(_rows(shown.join(faults, on=ROW, how="anti")), faults.sort(ROW))


def _joined(turns: pl.DataFrame) -> pl.DataFrame:
    """Join consecutive turns of one role."""
    is_new = pl.any_horizontal(pl.col(name) != pl.col(name).shift() for name in (ROW, "role"))
    runs = turns.with_columns(run=is_new.fill_null(value=True).cum_sum())
    texts = pl.col("content").str.join(JOINER)
    joined = runs.group_by("run", maintain_order=True).agg(
        pl.col(ROW, "role").first(), texts, pl.col("is_empty").any()
    )
    return joined.select(turns.columns)


def _fault(is_first: pl.Expr) -> pl.Expr:
    role = pl.col("role")
    before = pl.when(~is_first).then(role.shift())
    is_last = (pl.col(ROW) != pl.col(ROW).shift(-1)).fill_null(value=True)
    cases: list[tuple[Fault, pl.Expr]] = [
        ("two in a row", role == before),
        ("late system", (role == "system") & ~is_first),
        ("begins with an answer", (role == "assistant") & (is_first | (before == "system"))),
        ("empty turn", pl.col("is_empty")),
        ("no question", is_last & (role == "system")),
        ("ends in a question", is_last & (role == "user")),
    ]
    return pl.coalesce(pl.when(where).then(pl.lit(fault)) for fault, where in cases).alias("fault")


def _rows(turns: pl.DataFrame) -> pl.DataFrame:
    is_pair = (pl.col(MESSAGES).list.len() == 2) & (pl.col("#role") == "user")
    grouped = turns.group_by(ROW, maintain_order=True).agg(
        pl.struct("role", "content").alias(MESSAGES),
        pl.col("role").first().alias("#role"),
        question=pl.col("content").first(),
        answer=pl.col("content").last(),
    )
    nothing = pl.lit("")
    return grouped.select(
        ROW,
        instruction=pl.when(is_pair).then("question").otherwise(nothing),
        input=nothing,
        output=pl.when(is_pair).then("answer").otherwise(nothing),
        messages=pl.when(~is_pair).then(MESSAGES).cast(MESSAGES_TYPE),
    )


def with_turns_as_texts(rows: pl.DataFrame) -> pl.DataFrame:
    """Write the turns of conversations into the three texts, to compare rows with each other.

    The instruction gets all questions, the input the system prompt, the output all answers.

    Args:
        rows: Columns instruction, input, output and messages.
    """
    roles = {"instruction": "user", "input": "system", "output": "assistant"}
    turn = pl.element().struct
    texts = {
        name: pl.col(MESSAGES)
        .list.eval(turn.field("content").filter(turn.field("role") == role))
        .list.join(_BETWEEN)
        for name, role in roles.items()
    }
    is_pair = pl.col(MESSAGES).is_null()
    return rows.with_columns(
        pl.when(is_pair).then(name).otherwise(text).alias(name) for name, text in texts.items()
    )
