"""From rows to sequences of tokens with the answers that have a loss.

At inference, a model answers after ``apply_chat_template(turns, add_generation_prompt=True)``. So
each answer of a conversation is encoded as it is then: the turns before it, the answer, and its end
token. If every one of these is the beginning of the complete conversation, token by token, the
conversation is one sequence. Otherwise the template writes earlier turns differently from the last
(Qwen3 removes their reasoning, gpt-oss ends them with another token), and no single sequence trains
what inference sees. Then each answer is a sequence of its own.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from kit19.training.rows.conversations import Row
from kit19.training.rows.prompts import AnswerText, Ids, Prompts, common_prefix_length
from kit19.training.rows.token_stats import TokenStats
from kit19.training.settings import LongRows, LossOn


@dataclass(frozen=True)
class TokenRules:
    """The settings that decide the tokens of a row.

    Attributes:
        max_tokens: The most tokens of a sequence.
        long_rows: Whether longer rows are dropped, lose their oldest turns, or are truncated.
        loss_on: Which answers of a conversation have a loss.
    """

    max_tokens: int
    long_rows: LongRows = "drop"
    loss_on: LossOn = "all"


@dataclass(frozen=True)
class Example:
    """A sequence of a row.

    Attributes:
        ids: Its tokens.
        answers: Begin and end of each answer that has a loss, with its end token.
    """

    ids: Ids
    answers: list[tuple[int, int]]

    @property
    def supervised(self) -> int:
        """Tokens with a loss."""
        return sum(end - begin for begin, end in self.answers)

    def cut(self, length: int) -> Example:
        """The first tokens."""
        answers = [(begin, min(end, length)) for begin, end in self.answers if begin < length]
        return Example(self.ids[:length], answers)


def encode_rows(
    rows: Sequence[Row], prompts: Prompts, rules: TokenRules, stats: TokenStats
) -> Iterator[tuple[int, list[Example]]]:
    """Encode rows, and count what they contain.

    Args:
        rows: The rows.
        prompts: The tokenizer and the format.
        rules: The settings.
        stats: Counts to add to.

    Yields:
        For each row that is kept, its place in ``rows`` and its sequences.

    Raises:
        TrainError: The chat template cannot write a row.
    """
    encoded = _encode(rows, prompts, rules.loss_on, stats)
    for place, (row, examples) in enumerate(zip(rows, encoded, strict=True)):
        stats.read += 1
        kept = _fit(row, examples, prompts, rules, stats)
        stats.tokens += sum(len(example.ids) for example in kept)
        stats.supervised += sum(example.supervised for example in kept)
        if kept:
            yield place, kept


def _encode(
    rows: Sequence[Row], prompts: Prompts, loss_on: LossOn, stats: TokenStats
) -> Iterator[list[Example]]:
    unknown = _unknown_id(prompts.tokenizer)
    texts = prompts.texts(rows, loss_on)
    alone = iter(prompts.encode([one.prompt for answers in texts for one in answers]))
    complete = iter(prompts.encode([one.text for answers in texts for one in answers]))
    for row, answers in zip(rows, texts, strict=True):
        faults: dict[str, str] = {}
        found = []
        for answer in answers:
            _find_text_faults(prompts, answer, faults)
            stats.other_head_answers += _has_other_head(prompts, answer)
            found.append(_with_answer(prompts, answer, next(alone), next(complete), faults))
        stats.answers += len(answers)
        stats.conversations += row.questions > 1
        if len(found) > 1:
            if different := _rewritten_turn(prompts.tokenizer, answers, found):
                faults["split"] = different
            else:
                found = [Example(found[-1].ids, [one.answers[0] for one in found])]
        for fault, shown in faults.items():
            stats.note(fault, row.name, shown)
        if unknown is not None and (times := sum(one.ids.count(unknown) for one in found)):
            stats.unknown += times
            stats.first.setdefault("unknown", (row.name, prompts.unmark(answers[-1].text)))
        yield found


def _with_answer(
    prompts: Prompts, answer: AnswerText, alone: Ids, complete: Ids, faults: dict[str, str]
) -> Example:
    """The sequence of one answer, as at inference."""
    count = len(alone)
    if complete[:count] != alone and not _has_other_head(prompts, answer):
        shown = _describe_boundary(prompts.tokenizer, alone, complete)
        faults.setdefault("not_prefix", answer.turn + shown)
    ids = prompts.with_end_token(complete, count)
    if ids is None:
        faults.setdefault("no_end", prompts.unmark(answer.text[len(answer.prompt) :]))
        ids = complete
    return Example(ids, [(count, len(ids))])


def _find_text_faults(prompts: Prompts, answer: AnswerText, faults: dict[str, str]) -> None:
    """Find the faults that show in the texts of an answer."""
    prompt, text = answer.prompt, answer.text
    if not answer.content.strip():
        faults.setdefault("no_answer", prompts.unmark(prompt))
    if prompts.omits_data(text, answer.row.texts(answer.place)):
        faults.setdefault("left_out", prompts.unmark(text))
    if control := prompts.controls.first_marked(text):
        faults.setdefault("control", control)
    if _has_other_head(prompts, answer):
        same = next((n for n, (a, b) in enumerate(zip(prompt, text, strict=False)) if a != b), 0)
        faults.setdefault("other_head", prompts.unmark(text[same:]))


def _has_other_head(prompts: Prompts, answer: AnswerText) -> bool:
    """Whether the chat template writes something else before this answer than before others."""
    return bool(prompts.head) and not answer.text.startswith(answer.prompt)


def _rewritten_turn(tokenizer: Any, answers: Sequence[AnswerText], found: Sequence[Example]) -> str:
    """The first difference between what an answer is at inference and in the conversation."""
    complete = found[-1].ids
    for answer, one in zip(answers, found, strict=True):
        same = common_prefix_length(one.ids, complete)
        if same < len(one.ids):
            last, later = (tokenizer.decode(ids[same : same + 3]) for ids in (one.ids, complete))
            return f"{answer.turn}{last!r} if it is the last, {later!r} before later turns"
    return ""


def _fit(
    row: Row, examples: list[Example], prompts: Prompts, rules: TokenRules, stats: TokenStats
) -> list[Example]:
    """The sequences of a row that are not too long; none if the row is dropped."""
    limit, longest = rules.max_tokens, max(len(example.ids) for example in examples)
    stats.longest = max(stats.longest, longest)
    if longest <= limit:
        return examples
    begin = examples[-1].answers[-1][0]
    stats.note("too_long", row.name, f"{longest} tokens, {begin} of them the prompt")
    kept: list[Example] = []
    if rules.long_rows == "shorten":
        kept = _shorten(row, prompts, rules, stats)
    elif rules.long_rows == "cut":
        kept = [one for example in examples if (one := example.cut(limit)).answers]
    is_shortened = bool(kept) and rules.long_rows == "shorten"
    stats.answers_lost += begin >= limit and not is_shortened
    stats.dropped += not kept
    return kept


def _shorten(row: Row, prompts: Prompts, rules: TokenRules, stats: TokenStats) -> list[Example]:
    """The row without as many of its oldest turns as necessary; nothing if it never fits.

    The fewer turns, the fewer tokens, so halving the choices finds the first that fits. The last answer
    follows all turns, so nearly always it alone decides, and the others are encoded once.
    """
    tried: dict[int, tuple[list[Example], TokenStats]] = {}

    def fits(pairs: int, loss_on: LossOn) -> bool:
        found = TokenStats()
        [examples] = _encode([row.without_oldest(pairs)], prompts, loss_on, found)
        if loss_on == rules.loss_on:
            tried[pairs] = examples, found
        return all(len(example.ids) <= rules.max_tokens for example in examples)

    choices = range(1, row.questions)
    place = bisect_left(choices, True, key=lambda pairs: fits(pairs, "last"))
    if place < len(choices) and not fits(choices[place], rules.loss_on):
        place = bisect_left(choices, True, place + 1, key=lambda pairs: fits(pairs, rules.loss_on))
    if place == len(choices):
        return []
    examples, found = tried[choices[place]]
    for fault in found.first.keys() - stats.first.keys():  # of what is trained alone
        stats.note(fault, *found.first[fault])
    stats.shortened += 1
    stats.turns_left_out += choices[place]
    return examples


def _unknown_id(tokenizer: Any) -> int | None:
    unknown = tokenizer.unk_token_id
    # Byte-level tokenizers know every byte, yet some call their end token the unknown token.
    return None if unknown is None or unknown == tokenizer.eos_token_id else int(unknown)


def _describe_boundary(tokenizer: Any, alone: Ids, complete: Ids) -> str:
    """How the end of a prompt is tokenized alone, and before its answer."""
    same = common_prefix_length(alone, complete)
    last, before = (tokenizer.decode(ids[same : same + 3]) for ids in (alone, complete))
    return f"alone it ends in {last!r}, before its answer in {before!r}"
