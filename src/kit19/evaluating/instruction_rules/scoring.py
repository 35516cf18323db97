"""Strict and loose accuracy over prompts and instructions, as IFEval (arXiv 2311.07911) defines them.

* Strict: the answer follows the instruction.
* Loose: one of eight variants does: the answer without its first line, without its last, without both,
  and each of these without asterisks. This forgives a preface, a closing remark, and emphasis.

Accuracy over prompts counts prompts whose instructions are all followed; accuracy over instructions
counts instructions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
from datasets import Dataset, DatasetDict

from kit19.core.errors import CatalogError, Problem
from kit19.core.parquet import read_parquet
from kit19.evaluating import source
from kit19.evaluating.instruction_rules.rules import Arguments, follows
from kit19.evaluating.source import current_location, find_benchmark
from kit19.fetching.data_dir import resolve_data_dir

_LISTS = ("instruction_id_list", "kwargs")


def load(benchmark: str, data_dir: str | None = None, **_metadata: Any) -> DatasetDict:
    """Load prompts with their instructions; called by the harness.

    Returns:
        The scored split. A document has ``prompt``, ``item``, ``instruction_id_list`` and ``kwargs``:
        the arguments of each instruction, null where it has none.

    Raises:
        FilesError: The file is missing or altered.
        CatalogError: A row lacks the arguments of an instruction.
    """
    folder = resolve_data_dir(data_dir) if data_dir else current_location()
    files = find_benchmark(benchmark, folder)
    split = files.card.scored
    rows = source.load(benchmark, data_dir)[split]
    lists = pl.concat(
        [read_parquet(file.path).select(_LISTS) for file in files.scored], how="diagonal"
    )
    documents = []
    for row, more in zip(rows, lists.iter_rows(named=True), strict=True):
        ids, given = more["instruction_id_list"], more["kwargs"]
        if len(ids) != len(given):
            what = f"has {len(ids)} instructions and {len(given)} arguments"
            raise CatalogError(Problem(what, f"{benchmark}, {row['item']}"))
        prompt = row.get("prompt") or row["instruction"]
        documents.append({"prompt": prompt, "item": row["item"]} | more)
    return DatasetDict({split: Dataset.from_list(documents)})


def variants(text: str) -> list[str]:
    """The eight variants of an answer that loose accuracy accepts."""
    lines = text.split("\n")
    parts = [text, *("\n".join(some).strip() for some in (lines[1:], lines[:-1], lines[1:-1]))]
    return [*parts, *(part.replace("*", "") for part in parts)]


def check(
    ids: Sequence[str], arguments: Sequence[Arguments], text: str, *, loose: bool = False
) -> list[bool]:
    """Whether an answer follows each of its instructions.

    If the answer must begin with the prompt, the prompt's own words do not count against the rules of
    ``Korean:``, which judge every sentence.

    Args:
        ids: Ids of instructions.
        arguments: Arguments of each.
        text: The answer.
        loose: Accept a variant of the answer.

    Raises:
        CatalogError: There is no rule for an instruction, or its arguments do not fit.
    """
    repeated = [str(one["prompt_to_repeat"]) for one in arguments if one.get("prompt_to_repeat")]
    found = []
    for identity, given in zip(ids, arguments, strict=True):
        known = {name: value for name, value in given.items() if value is not None}
        skipped = repeated if identity.startswith("Korean:") else []
        answers = [_without(one, skipped) for one in (variants(text) if loose else [text])]
        found.append(any(follows(identity, one, known) for one in answers))
    return found


def _without(text: str, beginnings: Sequence[str]) -> str:
    for beginning in beginnings:
        text = text.strip().removeprefix(beginning.strip())
    return text


def score_answer(doc: Mapping[str, Any], results: Sequence[str]) -> dict[str, Any]:
    """The metrics of one prompt; called by the harness.

    Raises:
        CatalogError: As in ``check``.
    """
    given = doc["instruction_id_list"], doc["kwargs"], results[0]
    strict, loose = check(*given), check(*given, loose=True)
    return {
        "prompt_level_strict_acc": all(strict),
        "inst_level_strict_acc": strict,
        "prompt_level_loose_acc": all(loose),
        "inst_level_loose_acc": loose,
    }


def share_of_instructions(items: Sequence[Sequence[bool]]) -> float:
    """The share of instructions that are followed, over all prompts."""
    followed = [one for item in items for one in item]
    return sum(followed) / len(followed)
