"""Conversations: rows whose turns ask about one record, about the records of a group, or about any.

Each group of records chooses one of the conversations that fit it, by hash, as a record chooses its
template. The conversations then come in the order of their hashes, and the first of them become rows
until they are the share that the recipe sets. All other records are rows as without conversations.
"""

from __future__ import annotations

import polars as pl

from kit19.core.order import hash_order
from kit19.core.rows import MESSAGES, all_messages
from kit19.rendering.choose import TEMPLATE
from kit19.rendering.fit import eligible
from kit19.rendering.render import compile_template
from kit19.rendering.several import BATCH, FURTHER
from kit19.rendering.templates import ParsedConversation, TemplateSet

TALK = "#talk"
PLACE = "#nth"
_HASH = "#hash"
_SCHEMA = pl.Schema({"id": pl.String, TEMPLATE: pl.String, TALK: pl.UInt32, PLACE: pl.UInt32})


def choose_conversations(
    records: pl.DataFrame, apart: pl.Series, templates: TemplateSet, share: float, seed: int
) -> pl.DataFrame:
    """Choose the records that become conversations.

    Args:
        records: Columns id, split, group and the subset's fields.
        apart: Ids of those that may be in none.
        templates: The subset's templates.
        share: The largest share of conversations among all rows.
        seed: The recipe's seed.

    Returns:
        Columns id, template (the conversation's id), ``#talk`` (the number of its row) and ``#nth``
        (the record's 0-based place in it). A record is in at most one row.
    """
    if not (share and templates.conversations and records.height):
        return pl.DataFrame(schema=_SCHEMA)
    free = records.filter(~pl.col("id").is_in(apart.implode())) if len(apart) else records
    fitting = _of_groups(free, templates, seed)
    talks = pl.concat(
        [pl.DataFrame(schema=_SCHEMA)]
        + [
            _talks(fitting.filter(pl.col(TEMPLATE) == one.id), one)
            for one in templates.conversations
        ]
    )
    # Numbers are unique only within a conversation's id until here.
    key = [TEMPLATE, TALK]
    sizes = talks.sort(*key, PLACE).group_by(key, maintain_order=True)
    units = sizes.agg(pl.col("id").first(), size=pl.len()).with_columns(
        hash_order(pl.col("id"), "conversation", seed).alias(_HASH)
    )
    ordered = units.sort(_HASH, "id", *key).with_row_index("count", offset=1)
    rows = records.height - pl.col("size").cum_sum() + pl.col("count")
    taken = ordered.filter(pl.col("count") <= share * rows)
    number = (pl.col("count") - 1).cast(pl.UInt32).alias("#number")
    found = talks.join(taken.select(*key, number), on=key, maintain_order="right_left")
    return found.select("id", TEMPLATE, pl.col("#number").alias(TALK), PLACE)


def _of_groups(records: pl.DataFrame, templates: TemplateSet, seed: int) -> pl.DataFrame:
    """The conversation that each group chooses: columns id, split, group, template, #hash."""
    parts = []
    for one in templates.conversations:
        fits = pl.all_horizontal([eligible(turn, templates.many) for turn in one.turns])
        members = records.filter(fits).select(
            "id",
            "split",
            "group",
            pl.lit(one.id).alias(TEMPLATE),
            hash_order(pl.col("group"), "conversation", seed, suffix=f"|{one.id}").alias("#choice"),
            hash_order(pl.col("id"), "conversation", seed, suffix=f"|{one.id}").alias(_HASH),
        )
        if one.card.records == "group":
            members = members.filter(pl.len().over("split", "group") > 1)
        parts.append(members)
    every = pl.concat(parts)
    least = pl.col("#choice").min().over("split", "group")
    return every.filter(pl.col("#choice") == least).drop("#choice")


def _talks(members: pl.DataFrame, one: ParsedConversation) -> pl.DataFrame:
    """Number the conversations of records that chose the same one, and the records in each."""
    ordered = members.sort("split", _HASH, "id")
    if one.card.records == "one":
        talk, nth = pl.int_range(pl.len()), pl.lit(0)
    elif one.card.records == "group":
        ordered = ordered.sort("split", "group", maintain_order=True)
        is_new = pl.any_horizontal(
            pl.col(name) != pl.col(name).shift() for name in ("split", "group")
        )
        talk = is_new.fill_null(value=True).cum_sum()
        nth = pl.int_range(pl.len()).over("split", "group")
    else:
        # A conversation on any records has none of two of a group.
        ordered = ordered.unique(["split", "group"], keep="first", maintain_order=True)
        place = pl.int_range(pl.len()).over("split")
        full = pl.len().over("split") // one.card.most * one.card.most
        ordered = ordered.with_columns(place.alias("#place")).filter(pl.col("#place") < full)
        talk, nth = pl.int_range(pl.len()) // one.card.most, pl.col("#place") % one.card.most
    numbered = ordered.select(
        "id", TEMPLATE, talk.cast(pl.UInt32).alias(TALK), nth.cast(pl.UInt32).alias(PLACE)
    )
    return numbered.filter(pl.col(PLACE) < one.card.most)


def render_conversations(
    records: pl.DataFrame, chosen: pl.DataFrame, templates: TemplateSet
) -> pl.DataFrame:
    """Render conversations.

    Args:
        records: Columns id and the subset's fields.
        chosen: As of ``choose_conversations``.
        templates: The subset's templates.

    Returns:
        One row for each conversation: the columns of its first record, template, batch (null for a
        conversation on one record), instruction, input and output (""), messages, and
        ``further_records`` (List of String: the ids of its other records).
    """
    joined = chosen.join(records, on="id", maintain_order="left")
    turns = [_turns(joined, one, templates) for one in templates.conversations]
    spoken = pl.concat(turns).sort(TALK, PLACE, maintain_order=True)
    messages = spoken.group_by(TALK, maintain_order=True).agg(
        pl.struct("role", "content").alias(MESSAGES)
    )
    ordered = joined.sort(TALK, PLACE)
    others = ordered.group_by(TALK, maintain_order=True).agg(pl.col("id").slice(1).alias(FURTHER))
    first = ordered.filter(pl.col(PLACE) == 0)
    rows = first.join(messages, on=TALK, maintain_order="left").join(
        others, on=TALK, maintain_order="left"
    )
    is_one = pl.col(FURTHER).list.len() == 0
    batch = pl.when(~is_one).then(TALK).cast(pl.UInt32).alias(BATCH)
    texts = [pl.lit("").alias(name) for name in ("instruction", "input", "output")]
    return rows.with_columns(batch, *texts).drop(TALK, PLACE)


def _turns(joined: pl.DataFrame, one: ParsedConversation, templates: TemplateSet) -> pl.DataFrame:
    """Every turn of the rows of one conversation: columns #talk, #nth, role, content, in order."""
    own = joined.filter(pl.col(TEMPLATE) == one.id)
    last = len(one.turns) - 1
    parts = []
    for number, turn in enumerate(one.turns):
        if one.card.records == "one":
            about = own.with_columns(pl.lit(number, dtype=pl.UInt32).alias(PLACE))
        else:
            place = pl.col(PLACE)
            about = own.filter(place >= number if number == last else place == number)
        texts = about.with_columns(compile_template(turn, templates))
        pair = texts.select(TALK, PLACE, all_messages(()))
        parts.append(pair.explode(MESSAGES).unnest(MESSAGES))
    system = own.filter(pl.col(PLACE) == 0).select(
        TALK, PLACE, role=pl.lit("system"), content=pl.lit(one.card.system)
    )
    return pl.concat([system.filter(pl.col("content") != ""), *parts])
