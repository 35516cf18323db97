"""Checks of the rows before the first step, with the real tokenizer.

Public issue trackers have a case of each fault, and each silently trained a wrong model: a loss that is
masked everywhere, prompts that are tokenized differently at inference, answers that never learn to end.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from kit19.core.errors import Problem, TrainError
from kit19.training.rows.conversations import all_texts
from kit19.training.rows.files import Data
from kit19.training.rows.prompts import Prompts, encode_all
from kit19.training.rows.token_stats import TokenStats
from kit19.training.rows.tokens import Tokens
from kit19.training.settings import Fault, Settings

_MOST_UNKNOWN = 0.001  # share of tokens; above it, the tokenizer does not fit the text
_MOST_PER_SYLLABLE = 2.0  # Korean tokenizers need 0.5 to 1; as bytes, a syllable is 3
_HANGUL = re.compile("[가-힣]+")
_SAMPLED = 500  # rows whose syllables are counted
_SHOWN = 160  # characters of a row in a message


def check_rows(stats: TokenStats, name: str, settings: Settings) -> None:
    """Check the rows for faults that would train a wrong model.

    Raises:
        TrainError: Lists every fault, each with its first row.
    """
    problems = [
        *_row_problems(stats, name),
        *_rewritten_problems(stats, name, settings),
        *_length_problems(stats, name, settings),
        *_vocabulary_problems(stats, name, settings),
    ]
    if not stats.read:
        problems = [Problem("holds no row to train on", name, "see `kit19 stats`")]
    elif stats.read == stats.dropped and not problems:
        problems = [Problem("no row is left: all are too long", name, "raise max_length")]
    if problems:
        raise TrainError(problems)


def _row_problems(stats: TokenStats, name: str) -> list[Problem]:
    messages = {
        "no_answer": (
            "without a supervised token: the answer is empty",
            "remove the rows, or fill in their answers",
        ),
        "no_end": (
            "without an end token in the answer: the model would never learn to stop",
            (
                "the chat template writes no end token after an answer: name one with "
                "--set end=TOKEN, or use --format alpaca, koalpaca or kullm"
            ),
        ),
        "left_out": (
            "of whose text the chat template omits a part",
            "remove what it cuts (some templates cut at </think>), or use another --format",
        ),
        "other_head": (
            "before whose answer the chat template writes something else than in the other rows",
            "remove the reasoning from these answers (or add it to all), or use another --format",
        ),
        "not_prefix": (
            "whose prompt is tokenized differently alone and before its answer",
            "inference would use other prompts than training: move a blank between them to the answer",
        ),
    }
    return [
        Problem(f"{_rows(getattr(stats, fault))} {what}; {_first(stats, fault)}", name, fix)
        for fault, (what, fix) in messages.items()
        if getattr(stats, fault)
    ]


def _rewritten_problems(stats: TokenStats, name: str, settings: Settings) -> list[Problem]:
    if not stats.split or settings.rewritten_turns == "split":
        return []
    what = (
        f"{_conversations(stats.split)} of which the chat template writes an earlier turn differently "
        f"from the last; {_first(stats, 'split')}"
    )
    fix = (
        "train each answer as its own sequence: --set rewritten_turns=split; or only the last of each "
        "conversation: --set loss_on=last"
    )
    return [Problem(what, name, fix)]


def check_head(stats: TokenStats, name: str) -> None:
    """Check that the chat template writes the same text before every answer.

    Raises:
        TrainError: Names the first row that differs.
    """
    if stats.other_head:
        raise TrainError([one for one in _row_problems(stats, name) if "before whose" in one.what])


def _length_problems(stats: TokenStats, name: str, settings: Settings) -> list[Problem]:
    count = stats.too_long - stats.shortened
    share = count / max(stats.read, 1)
    if share <= settings.max_overlong_fraction or "lost_answers" in settings.allow:
        return []
    what = (
        f"{_rows(count)} of {stats.read:,} ({share:.1%}) are longer than max_length "
        f"({settings.max_length}), {stats.answers_lost:,} whose answer is cut completely; "
        f"{_first(stats, 'too_long')}"
    )
    fix = (
        f"raise it (the longest has {stats.longest:,} tokens): --set max_length=…; or accept it: "
        "--allow lost_answers"
    )
    return [Problem(what, name, fix)]


def _vocabulary_problems(stats: TokenStats, name: str, settings: Settings) -> list[Problem]:
    share = stats.unknown / max(stats.tokens, 1)
    if share <= _MOST_UNKNOWN or "unknown_tokens" in settings.allow:
        return []
    what = f"{share:.2%} of all tokens are unknown to the tokenizer; {_first(stats, 'unknown')}"
    fix = "use a model with a Korean tokenizer; or accept it: --allow unknown_tokens"
    return [Problem(what, name, fix)]


def tokens_per_syllable(texts: Sequence[str], tokenizer: Any) -> float:
    """Tokens per syllable of Korean; 0 without any Korean."""
    words = [word for text in texts for word in _HANGUL.findall(text)]
    if not words:
        return 0.0
    ids = encode_all(tokenizer, words, special=False)
    return sum(map(len, ids)) / sum(map(len, words))


def check_syllables(data: Data, prompts: Prompts, allowed: Sequence[Fault]) -> float:
    """Tokens per syllable of Korean in the first rows.

    Raises:
        TrainError: The tokenizer splits Korean into bytes.
    """
    for batch in data.train.batches():
        texts = [*all_texts(batch.head(_SAMPLED))]
        rate = tokens_per_syllable(texts, prompts.tokenizer)
        if rate > _MOST_PER_SYLLABLE and "byte_tokens" not in allowed:
            shown = texts[0][:40]
            pieces = len(prompts.tokenizer(shown, add_special_tokens=False)["input_ids"])
            what = (
                f"the tokenizer needs {rate:.1f} tokens for a syllable of Korean: it splits it into "
                f"bytes ({pieces} tokens for {shown!r})"
            )
            fix = "use a model trained on Korean; or accept it: --allow byte_tokens"
            raise TrainError(Problem(what, data.name, fix))
        return rate
    return 0.0


def check_batches(collate: Callable[[list[Any]], Any], tokens: Tokens, tokenizer: Any) -> None:
    """Check that batches keep the labels of the rows.

    Many data collators mask labels by token. Where the padding token is also the end token, they
    mask the end of every answer.

    Args:
        collate: Takes rows as dicts of ``input_ids``, ``labels`` and ``seq_lengths``; returns a
            batch with ``labels``.
        tokens: The rows.
        tokenizer: For the message.

    Raises:
        TrainError: Shows the first row that loses a label.
    """
    for number in range(min(len(tokens), 8)):
        ids, labels = tokens.row(number)
        # A longer row in the same batch makes the collator pad this one.
        longer = np.concatenate([ids, ids])
        batch = collate(
            [
                {"input_ids": ids, "labels": labels, "seq_lengths": [len(ids)]},
                {"input_ids": longer, "labels": longer, "seq_lengths": [len(longer)]},
            ]
        )
        batched = np.asarray(batch["labels"]).reshape(-1)[: len(ids)]
        masked = np.flatnonzero((labels != -100) & (batched != labels))
        if masked.size:
            token = int(labels[masked[-1]])
            same = token == tokenizer.eos_token_id == tokenizer.pad_token_id
            what = (
                f"the token {tokenizer.convert_ids_to_tokens(token)!r} of the answer "
                f"{tokenizer.decode(labels[labels != -100])!r} is masked in the batch"
                f"{': padding and end are one token' if same else ''}"
            )
            fix = "give the tokenizer a separate padding token, or mask by length instead of token"
            raise TrainError(Problem(what, f"row {tokens.rows['id'][number]}", fix))


def _rows(count: int) -> str:
    return f"{count:,} row" if count == 1 else f"{count:,} rows"


def _conversations(count: int) -> str:
    return f"{count:,} conversation" if count == 1 else f"{count:,} conversations"


def _first(stats: TokenStats, fault: str) -> str:
    row, shown = stats.first[fault]
    text = " ".join(shown.split())
    return f"first {row}: {text if len(text) <= _SHOWN else text[:_SHOWN] + '…'}"
