"""Each fault that trains a wrong model in silence, with a real tokenizer, is a clear stop."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from kit19 import TrainError, load_catalog
from kit19.catalog import PromptFormat
from kit19.training.rows.batches import Collate
from kit19.training.rows.examples import TokenRules
from kit19.training.rows.files import load_file_rows
from kit19.training.rows.preflight import (
    check_batches,
    check_rows,
    check_syllables,
    tokens_per_syllable,
)
from kit19.training.rows.prompts import Prompts, make_prompts
from kit19.training.rows.token_stats import TokenStats
from kit19.training.rows.tokens import tokenize
from tests.support.small_models import prompts_of, row_files, rows, settings, write_rows

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}END\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def found_in(
    made: list[dict[str, Any]], prompts: Prompts, place: Path, limit: int = 128
) -> TokenStats:
    path = write_rows(place / "rows.jsonl", made)
    return tokenize(row_files(path), "k", prompts, TokenRules(limit), place / "cache").stats


def with_template(tokenizer: Any, end: str) -> Any:
    one = copy.deepcopy(tokenizer)
    one.chat_template = CHATML.replace("END", end)
    return one


def test_an_empty_answer_stops_and_shows_its_row(tokenizer: Any, tmp_path: Path) -> None:
    made = rows(6)
    made[3]["output"] = " "
    found = found_in(made, prompts_of(tokenizer), tmp_path)
    with pytest.raises(TrainError, match=r"1 row without a supervised token.*first cafe/train/3"):
        check_rows(found, "my rows", settings())


def test_a_prompt_that_ends_in_a_space_stops(tokenizer: Any, tmp_path: Path) -> None:
    # A user's format may look like this. Its model rejects it, so it is built without validation.
    form = load_catalog().prompt_format("koalpaca")
    blank = PromptFormat.model_construct(
        **{**form.model_dump(), "prompt": form.prompt + " ", "answer": "{output}"}
        | {"prompt_with_input": form.prompt_with_input + " "}
    )
    found = found_in(rows(6), make_prompts(tokenizer, blank), tmp_path)
    assert found.not_prefix == 6
    with pytest.raises(TrainError) as stop:
        check_rows(found, "my rows", settings())
    assert "6 rows whose prompt is tokenized differently" in str(stop.value)
    assert "first cafe/train/0: alone it ends in ' '" in str(stop.value)
    assert "move a blank between them to the answer" in str(stop.value)


def test_an_answer_without_an_end_token_stops(tokenizer: Any, tmp_path: Path) -> None:
    without = with_template(tokenizer, "")
    found = found_in(rows(6), prompts_of(without, "chat"), tmp_path)
    with pytest.raises(TrainError, match="6 rows without an end token in the answer"):
        check_rows(found, "my rows", settings())


def test_a_chat_template_with_an_end_token_passes_and_ends_there(
    tokenizer: Any, tmp_path: Path
) -> None:
    good = with_template(tokenizer, "<|endoftext|>")
    path = write_rows(tmp_path / "rows.jsonl", rows(6))
    prompts = prompts_of(good, "chat")
    tokens = tokenize(row_files(path), "k", prompts, TokenRules(128), tmp_path / "cache")
    check_rows(tokens.stats, "my rows", settings())
    ids, labels = tokens.row(0)
    assert ids[-1] == good.eos_token_id
    assert good.decode(labels[labels != -100]) == "좋은 평이에요.<|endoftext|>"


def test_a_template_that_writes_the_prompt_differently_is_a_stop(
    tokenizer: Any, tmp_path: Path
) -> None:
    thinking = with_template(tokenizer, "<|endoftext|>")
    thinking.chat_template += "{% if add_generation_prompt %}<think>{% endif %}"
    found = found_in(rows(6), prompts_of(thinking, "chat"), tmp_path)
    with pytest.raises(TrainError, match="6 rows whose prompt is tokenized differently"):
        check_rows(found, "my rows", settings())


def test_too_many_lost_answers_stop_unless_allowed(tokenizer: Any, tmp_path: Path) -> None:
    made = rows(10)
    made[7]["instruction"] *= 20
    found = found_in(made, prompts_of(tokenizer), tmp_path)
    assert (found.read, found.dropped, found.answers_lost) == (10, 1, 1)
    with pytest.raises(TrainError) as stop:
        check_rows(found, "my rows", settings())
    said = str(stop.value)
    assert "1 row of 10 (10.0%) are longer than max_length (128), 1 whose answer is cut" in said
    assert "first cafe/train/7" in said
    assert "--allow lost_answers" in said
    check_rows(found, "my rows", settings(allow=["lost_answers"]))
    check_rows(found, "my rows", settings(max_overlong_fraction=0.1))


def test_all_faults_are_reported_at_once(tokenizer: Any, tmp_path: Path) -> None:
    made = rows(6)
    made[0]["output"] = ""
    made[1]["instruction"] *= 20
    found = found_in(made, prompts_of(with_template(tokenizer, ""), "chat"), tmp_path)
    with pytest.raises(TrainError) as stop:
        check_rows(found, "my rows", settings())
    assert len(stop.value.problems) == 3


def test_no_rows_or_only_too_long_rows_stop(tokenizer: Any) -> None:
    with pytest.raises(TrainError, match="holds no row"):
        check_rows(TokenStats(), "my rows", settings())
    with pytest.raises(TrainError, match="no row is left"):
        check_rows(
            TokenStats(read=2, too_long=2, dropped=2), "my rows", settings(allow=["lost_answers"])
        )


def word_tokenizer() -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = {"<unk>": 0, "</s>": 1, "###": 2}
    core = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(
        tokenizer_object=core, unk_token="<unk>", eos_token="</s>", pad_token="</s>"
    )


def test_unknown_tokens_stop_unless_allowed(tmp_path: Path) -> None:
    found = found_in(rows(6), prompts_of(word_tokenizer()), tmp_path)
    with pytest.raises(TrainError, match=r"% of all tokens are unknown to the tokenizer; first"):
        check_rows(found, "my rows", settings())
    check_rows(found, "my rows", settings(allow=["unknown_tokens"]))


def byte_tokenizer() -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    core = Tokenizer(models.BPE({c: n for n, c in enumerate(alphabet)}, []))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return PreTrainedTokenizerFast(tokenizer_object=core, eos_token="</s>")


def test_korean_split_into_bytes_stops_unless_allowed(data: Path) -> None:
    prompts = prompts_of(byte_tokenizer())
    with pytest.raises(TrainError, match=r"needs 3\.0 tokens for a syllable of Korean"):
        check_syllables(load_file_rows(data, 0, 19), prompts, [])
    assert check_syllables(load_file_rows(data, 0, 19), prompts, ["byte_tokens"]) == 3.0


def test_only_korean_syllables_are_counted(tokenizer: Any) -> None:
    assert tokens_per_syllable(["123 abc", ""], tokenizer) == 0
    assert tokens_per_syllable(["abc 가 abc"], byte_tokenizer()) == 3


def test_a_padding_token_that_masks_the_end_is_a_stop(
    data: Path, tokenizer: Any, tmp_path: Path
) -> None:
    from transformers import DataCollatorForLanguageModeling

    same = copy.deepcopy(tokenizer)
    same.pad_token = same.eos_token
    tokens = tokenize(row_files(data), "k", prompts_of(same), TokenRules(128), tmp_path)
    masking = DataCollatorForLanguageModeling(same, mlm=False)

    def collate(lines: list[dict[str, Any]]) -> Any:
        return masking([{"input_ids": line["input_ids"]} for line in lines])

    with pytest.raises(TrainError) as stop:
        check_batches(collate, tokens, same)
    assert "'<|endoftext|>' of the answer ' 좋은 평이에요.<|endoftext|>' is masked" in str(
        stop.value
    )
    assert "padding and end are one token" in str(stop.value)
    check_batches(Collate(same.pad_token_id), tokens, same)


def test_a_tokenizer_without_an_end_or_a_template_stops(tokenizer: Any) -> None:
    endless = copy.deepcopy(tokenizer)
    endless.eos_token = None
    with pytest.raises(TrainError, match="has no end-of-sequence token"):
        prompts_of(endless)
    with pytest.raises(TrainError, match="has no chat template"):
        prompts_of(tokenizer, "chat")
