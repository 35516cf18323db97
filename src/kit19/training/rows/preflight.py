"""What must hold before the first step, looked for in the real rows by the real tokenizer.

Each of these faults trained wrong models in silence, in public trackers: a loss that is masked
everywhere, prompts that are cut differently when they are asked, answers that never learn to end.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from kit19.core.errors import Problem, TrainError
from kit19.training.rows.files import Data
from kit19.training.rows.prompts import Prompts, encode_all
from kit19.training.rows.tokens import Tokens, TokenStats
from kit19.training.settings import Fault, Settings

_MOST_UNKNOWN = 0.001  # share of tokens; above, the tokenizer was not made for this text
_MOST_PER_SYLLABLE = 2.0  # Korean tokenizers need 0.5 to 1; cut into bytes, a syllable is 3
_HANGUL = re.compile("[가-힣]+")
_LOOKED_AT = 500  # rows whose syllables are counted
_SHOWN = 160  # characters of a row in a message


def check_rows(found: TokenStats, name: str, settings: Settings) -> None:
    """Stop if a row cannot teach what it should.

    Raises:
        TrainError: Every fault that the rows have, each with its first row.
    """
    problems = [
        *_of_rows(found, name),
        *_of_length(found, name, settings),
        *_of_vocabulary(found, name, settings),
    ]
    if not found.read:
        problems = [Problem("holds no row to train on", name, "see `kit19 stats`")]
    elif found.read == found.dropped and not problems:
        problems = [Problem("no row is left", name, "raise max_length")]
    if problems:
        raise TrainError(problems)


def _of_rows(found: TokenStats, name: str) -> list[Problem]:
    said = {
        "no_answer": (
            "without a supervised token: their answers are empty",
            "remove the rows, or fill in their answers",
        ),
        "no_end": (
            "without an end token in the answer: the model would never learn to stop",
            (
                "what the chat template writes behind an answer is no end token: name one with "
                "--set end=TOKEN, or use --format alpaca, koalpaca or kullm"
            ),
        ),
        "left_out": (
            "of whose text the chat template leaves something out",
            "take out what it cuts (it may look for </think>), or use another --format",
        ),
        "other_head": (
            "before whose answer the chat template writes something else than before the others",
            "take the reasoning out of these answers (or give one to all), or use another --format",
        ),
        "not_prefix": (
            "whose prompt is cut into other tokens alone than before its answer",
            "what is asked would not be what was trained: a blank between them belongs to the answer",
        ),
    }
    return [
        Problem(f"{_rows(getattr(found, fault))} {what}; {_first(found, fault)}", name, fix)
        for fault, (what, fix) in said.items()
        if getattr(found, fault)
    ]


def check_head(found: TokenStats, name: str) -> None:
    """Stop if the chat template writes something else before some answers than before the others.

    Raises:
        TrainError: Names the first such row.
    """
    if found.other_head:
        raise TrainError([one for one in _of_rows(found, name) if "before whose" in one.what])


def _of_length(found: TokenStats, name: str, settings: Settings) -> list[Problem]:
    share = found.too_long / max(found.read, 1)
    if share <= settings.max_overlong_fraction or "lost_answers" in settings.allow:
        return []
    what = (
        f"{_rows(found.too_long)} of {found.read:,} ({share:.1%}) are longer than max_length "
        f"({settings.max_length}), {found.answers_lost:,} without any of their answer left; "
        f"{_first(found, 'too_long')}"
    )
    fix = (
        f"raise it (the longest has {found.longest:,} tokens): --set max_length=…; or accept it: "
        "--allow lost_answers"
    )
    return [Problem(what, name, fix)]


def _of_vocabulary(found: TokenStats, name: str, settings: Settings) -> list[Problem]:
    share = found.unknown / max(found.tokens, 1)
    if share <= _MOST_UNKNOWN or "unknown_tokens" in settings.allow:
        return []
    what = f"{share:.2%} of all tokens are unknown to the tokenizer; {_first(found, 'unknown')}"
    fix = "use a model whose tokenizer knows Korean; or accept it: --allow unknown_tokens"
    return [Problem(what, name, fix)]


def tokens_per_syllable(texts: Sequence[str], tokenizer: Any) -> float:
    """Tokens that the tokenizer needs for a syllable of Korean; 0 where there is no Korean."""
    words = [word for text in texts for word in _HANGUL.findall(text)]
    if not words:
        return 0.0
    ids = encode_all(tokenizer, words, special=False)
    return sum(map(len, ids)) / sum(map(len, words))


def check_syllables(data: Data, prompts: Prompts, allowed: Sequence[Fault]) -> float:
    """Tokens per syllable in the first rows.

    Raises:
        TrainError: Korean falls into bytes.
    """
    for batch in data.train.batches():
        head = batch.head(_LOOKED_AT)
        texts = [*head["instruction"], *head["input"], *head["output"]]
        rate = tokens_per_syllable(texts, prompts.tokenizer)
        if rate > _MOST_PER_SYLLABLE and "byte_tokens" not in allowed:
            shown = head["instruction"][0][:40]
            pieces = len(prompts.tokenizer(shown, add_special_tokens=False)["input_ids"])
            what = (
                f"the tokenizer needs {rate:.1f} tokens for a syllable of Korean: it cuts it into "
                f"bytes ({pieces} tokens for {shown!r})"
            )
            fix = "use a model made for Korean; or accept it: --allow byte_tokens"
            raise TrainError(Problem(what, data.name, fix))
        return rate
    return 0.0


def check_batches(collate: Callable[[list[Any]], Any], tokens: Tokens, tokenizer: Any) -> None:
    """Stop if the batches that training will see do not supervise what the rows say.

    What collates may mask by token: where the padding token is the end token, many mask the end of
    every answer with it.

    Args:
        collate: Takes rows as dicts of ``input_ids``, ``labels`` and ``seq_lengths``; gives ``labels``.
        tokens: The rows.
        tokenizer: For the message.

    Raises:
        TrainError: Shows the first row that loses a label.
    """
    for number in range(min(len(tokens), 8)):
        ids, labels = tokens.row(number)
        # Beside a longer line, so that there is something to pad.
        longer = np.concatenate([ids, ids])
        batch = collate(
            [
                {"input_ids": ids, "labels": labels, "seq_lengths": [len(ids)]},
                {"input_ids": longer, "labels": longer, "seq_lengths": [len(longer)]},
            ]
        )
        seen = np.asarray(batch["labels"]).reshape(-1)[: len(ids)]
        lost = np.flatnonzero((labels != -100) & (seen != labels))
        if lost.size:
            token = int(labels[lost[-1]])
            same = token == tokenizer.eos_token_id == tokenizer.pad_token_id
            what = (
                f"the token {tokenizer.convert_ids_to_tokens(token)!r} of the answer "
                f"{tokenizer.decode(labels[labels != -100])!r} is masked in the batch"
                f"{': padding and end are one token' if same else ''}"
            )
            fix = (
                "give the tokenizer a padding token of its own, or mask by length instead of token"
            )
            raise TrainError(Problem(what, f"row {tokens.rows['id'][number]}", fix))


def _rows(count: int) -> str:
    return f"{count:,} row" if count == 1 else f"{count:,} rows"


def _first(found: TokenStats, fault: str) -> str:
    row, shown = found.first[fault]
    text = " ".join(shown.split())
    return f"first {row}: {text if len(text) <= _SHOWN else text[:_SHOWN] + '…'}"
