"""LLaMA-Factory's and axolotl's own loaders read a build: the same turns out as in.

``make downstream`` installs the two without what they need to train: see ``locks/downstream.txt``.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from kit19 import build
from kit19.catalog.recipe import Format
from kit19.core.rows import all_messages
from kit19.writing.trainers import trainers_section
from tests.support.mixed_rows import mixed_rows, write_mixed
from tests.support.prompt_tokenizers import CHATML, byte_level
from tests.support.samples import rows_of, sample_of

PYTHON = Path(__file__).parents[2] / "build" / "downstream" / "bin" / "python"
KINDS: list[Format] = ["messages", "sharegpt", "alpaca"]

pytestmark = pytest.mark.skipif(
    not PYTHON.exists(), reason="LLaMA-Factory and axolotl are not here: make downstream"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build with conversations: unshuffled, so that the first rows have no earlier turns."""
    place = tmp_path_factory.mktemp("trainers")
    write_mixed(place / "mine.jsonl", mixed_rows(25))
    own = {"name": "mine", "path": "mine.jsonl", "license": "MIT"}
    recipe = {"id": "mine", "title": "M", "data": "sample", "decontaminate": False, "cap": 25,
              "subsets": ["apeach", "nsmc"], "shuffle": False, "conversations": 0.2,
              "formats": KINDS, "extra": [own]}  # fmt: skip
    (place / "mine.yaml").write_text(yaml.safe_dump(recipe), "utf-8")
    build(str(place / "mine.yaml"), place / "out")
    return place / "out"


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build of questions and answers."""
    out = tmp_path_factory.mktemp("pairs") / "out"
    sample_of(out, "nsmc", "math", cap=10, validation=0, formats=["alpaca"])
    return out


def snippets(text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The entries of LLaMA-Factory and axolotl in a card."""
    entry = re.search(r"```json\n(.*?)```", text, re.DOTALL)
    datasets = re.search(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert entry
    assert datasets
    return json.loads(entry[1])["kit19"], yaml.safe_load(datasets[1])["datasets"][0]


def entries(folder: Path, pairs: Path) -> dict[str, tuple[Path, dict[str, Any], dict[str, Any]]]:
    """The entries for each export and for both kinds of rows of a build without conversations."""
    found = {
        str(kind): (folder, *snippets(trainers_section([kind], has_conversations=True)))
        for kind in KINDS
    }
    card = (folder / "README.md").read_text("utf-8").split("## In trainers")[1]
    assert snippets(card)[0] == found["messages"][1]
    card = (pairs / "README.md").read_text("utf-8").split("## In trainers")[1]
    return found | {
        "pairs": (pairs, *snippets(card)),
        "parquet": (pairs, *snippets(trainers_section([], has_conversations=False))),
    }


def run_trainer(code: str, given: Any, home: Path) -> Any:
    """Run code with the trainers, without network; what it prints last is JSON."""
    environment = os.environ | {
        "HOME": str(home),
        "HF_HOME": str(home / "hf"),
        "HF_HUB_OFFLINE": "1",
        "PYTHONWARNINGS": "ignore",
        "DISABLE_VERSION_CHECK": "1",  # LLaMA-Factory: of what it trains with
        "AXOLOTL_DO_NOT_TRACK": "1",
    }
    command = [str(PYTHON), "-c", code, json.dumps(given)]
    done = subprocess.run(command, check=False, capture_output=True, env=environment, cwd=home)
    assert done.returncode == 0, done.stderr.decode()[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


LLAMA_FACTORY = """
import json, sys, types
import transformers.audio_utils
sys.modules["torchaudio"] = types.ModuleType("torchaudio")  # its wheel needs a GPU's torch
from llamafactory.data.loader import _get_merged_dataset
from llamafactory.hparams import DataArguments, ModelArguments
from transformers import Seq2SeqTrainingArguments
found = {}
for name, folder in json.loads(sys.argv[1]).items():
    data = DataArguments(dataset_dir=folder, dataset=name)
    model = ModelArguments(model_name_or_path="none", cache_dir="cache")
    how = Seq2SeqTrainingArguments(output_dir="out", use_cpu=True, report_to="none")
    rows = _get_merged_dataset([name], model, data, how, "sft", return_dict=True)[name]
    found[name] = [
        [{"role": "system", "content": row["_system"]}] * bool(row["_system"])
        + row["_prompt"] + row["_response"] for row in rows
    ]
print("\\n" + json.dumps(found))
"""


def squeezed(turns: list[dict[str, str]]) -> list[tuple[str, str]]:
    return [(turn["role"], turn["content"].replace("\n\n", "\n")) for turn in turns]


def test_llama_factory_reads_the_same_turns(folder: Path, pairs: Path, tmp_path: Path) -> None:
    given = entries(folder, pairs)
    places = {name: shutil.copytree(place, tmp_path / name) for name, (place, *_) in given.items()}
    for name, (_, entry, _) in given.items():
        (places[name] / "dataset_info.json").write_text(json.dumps({name: entry}), "utf-8")
    found = run_trainer(LLAMA_FACTORY, {name: str(one) for name, one in places.items()}, tmp_path)
    rows = rows_of(folder)
    turns = rows.select(all_messages(rows.columns)).to_series().to_list()
    assert any(len(one) > 10 for one in turns)
    assert {one[0]["role"] for one in turns} == {"system", "user"}
    assert found["messages"] == found["sharegpt"] == turns
    # The first row with a history comes first, and one line break is between instruction and input.
    first = next(n for n, one in enumerate(turns) if len(one) > 3)
    assert first >= 25
    moved = [turns[first], *turns[:first], *turns[first + 1 :]]
    assert [squeezed(one) for one in found["alpaca"]] == [squeezed(one) for one in moved]
    texts = rows_of(pairs).select("instruction", "input", "output").rows()
    expected = [["\n".join(filter(None, one[:2])), one[2]] for one in texts]
    for name in ("pairs", "parquet"):
        assert [[turn["content"] for turn in one] for one in found[name]] == expected


AXOLOTL = """
import json, sys
from axolotl.utils.data import prepare_datasets
from axolotl.utils.dict import DictDefault
from transformers import AutoTokenizer
given = json.loads(sys.argv[1])
tokenizer = AutoTokenizer.from_pretrained(given["tokenizer"])
found = {}
for name, entry in given["entries"].items():
    settings = DictDefault(
        datasets=[entry], dataset_prepared_path=f"prepared/{name}", val_set_size=0,
        sequence_len=100_000, seed=1, shuffle_merged_datasets=False, dataset_num_proc=1,
        chat_template="tokenizer_default", train_on_inputs=False, num_epochs=1, world_size=1,
        micro_batch_size=1, gradient_accumulation_steps=1, batch_size=1,
    )
    rows = prepare_datasets(settings, tokenizer)[0]
    found[name] = [[row["input_ids"], row["labels"]] for row in rows]
print("\\n" + json.dumps(found))
"""


def test_axolotl_reads_the_same_turns(folder: Path, pairs: Path, tmp_path: Path) -> None:
    tokenizer = byte_level("<|im_end|>", CHATML)
    tokenizer.save_pretrained(tmp_path / "tokenizer")
    given = entries(folder, pairs)
    del given["alpaca"]  # axolotl would read no history
    paths = {
        name: entry | {"path": entry["path"].replace("path/to/this/folder", str(place))}
        for name, (place, _, entry) in given.items()
    }
    task = {"tokenizer": str(tmp_path / "tokenizer"), "entries": paths}
    found = run_trainer(AXOLOTL, task, tmp_path)
    rows = rows_of(folder)
    turns = rows.select(all_messages(rows.columns)).to_series().to_list()
    texts = [tokenizer.apply_chat_template(one, tokenize=False) for one in turns]
    answers = [[t["content"] for t in one if t["role"] == "assistant"] for one in turns]
    for name in ("messages", "sharegpt"):
        assert [tokenizer.decode(ids) for ids, _ in found[name]] == texts
        supervised = [tokenizer.decode([n for n in labels if n >= 0]) for _, labels in found[name]]
        assert supervised == ["".join(f"{text}<|im_end|>" for text in one) for one in answers]
    written = rows_of(pairs).select("instruction", "input", "output").rows()
    for name in ("pairs", "parquet"):
        for (ids, labels), (*asked, answer) in zip(found[name], written, strict=True):
            whole = tokenizer.decode(ids)
            assert all(text in whole for text in asked)
            assert tokenizer.decode([n for n in labels if n >= 0]) == f"{answer}<|im_end|>"
