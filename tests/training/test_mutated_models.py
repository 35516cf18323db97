"""Mutated model files: whatever they contain, kit19 raises only its own errors.

A number decides each mutation, so a failure is seen again by that number. KIT19_TEST_EFFORT=thorough
tries 1,500 of them.
"""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kit19 import Kit19Error, chat, merge, plan_training
from kit19.evaluating.model_loading import load_scorer
from kit19.evaluating.options import EvalOptions
from kit19.evaluating.resolve import find_scored_model
from tests.support.effort import tries
from tests.support.small_models import SAVE, rows, settings, write_rows

COUNT = tries(150, 1500)
CHUNKS = 10
ONCE = [801]
"""Failed once: a tokenizer with half a surrogate pair, which cannot be saved."""

JSON = ("config.json", "tokenizer_config.json", "tokenizer.json", "generation_config.json")
TEMPLATE, ADAPTER = "chat_template.jinja", "adapter_config.json"
WRITTEN = "{% for m in messages %}<|{{ m.role }}|>{{ m['content'] }}{{ eos_token }}{% endfor %}"
VALUES: list[Any] = [
    *(None, True, False, 0, -1, 1, 3, 2**31, 2**63, 10**30, 0.5, -0.0, 1e308, float("nan")),
    *("", "x", "\ud800", "\x1b[2J", "가" * 300, "../../..", "http://127.0.0.1:1/", "owner/name"),
    *([], [None], [[[]]], [1, "a"], {}, {"a": None}, {"": {"": []}}),
]
BYTES = [b"", b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"[", b"}", b'"', b"\\u", b"NaN", b"{{", b"%}"]


def places(document: Any) -> list[tuple[Any, Any]]:
    """Every container and key or index in a document; of long lists, some."""
    found: list[tuple[Any, Any]] = []
    if isinstance(document, dict):
        found = [(document, key) for key in document]
    elif isinstance(document, list):
        found = [(document, number) for number in range(min(len(document), 5))]
    return found + [place for box, key in list(found) for place in places(box[key])]


def mutate_json(text: str, by: random.Random) -> str:
    document = json.loads(text)
    for _ in range(by.choice([1, 1, 1, 2, 4])):
        # The first half of the choices: keys at the top, where most meaning is.
        deep = places(document)
        top = [(document, key) for key in document] or [(document, "a")]
        box, key = by.choice(by.choice([top, deep or top]))
        what = by.randrange(6)
        if what == 0:
            del box[key]
        elif what == 1:
            box[key] = [box.get(key) if isinstance(box, dict) else box[key]]
        elif what == 2 and isinstance(box, dict):
            box[by.choice(["auto_map", "quantization_config", "rope_scaling", "x"])] = by.choice(
                VALUES
            )
        elif what == 3 and isinstance(box, dict) and isinstance(box.get(key), int):
            box[key] = by.choice([str(box[key]), float(box[key]), -box[key], box[key] + 1])
        else:
            box[key] = by.choice(VALUES)
        if not isinstance(document, dict) or not document:
            break
    return json.dumps(document)


def mutate_bytes(content: bytes, by: random.Random) -> bytes:
    at = by.randrange(len(content) + 1)
    end = min(len(content), at + by.randrange(40))
    return content[:at] + by.choice(BYTES) * by.choice([1, 1, 200]) + content[end:]


def mutate(folder: Path, names: tuple[str, ...], by: random.Random) -> str:
    name = by.choice(names)
    path = folder / name
    content = path.read_bytes()
    if name != TEMPLATE and by.random() < 0.8:
        path.write_text(mutate_json(content.decode(), by), encoding="utf-8")
    else:
        path.write_bytes(mutate_bytes(content, by))
    return name


@pytest.fixture(scope="module")
def models(tokenizer: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """A model with a template, an adapter on it, and rows."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    place = tmp_path_factory.mktemp("mutated")
    base = SAVE["llama"](tokenizer, place / "base")
    (base / TEMPLATE).write_text(WRITTEN)
    config = LoraConfig(task_type="CAUSAL_LM", r=2, target_modules=["q_proj"])
    run = place / "run"
    get_peft_model(AutoModelForCausalLM.from_pretrained(base), config).save_pretrained(run)
    tokenizer.save_pretrained(run)
    return base, run, write_rows(place / "rows.jsonl", rows(8))


def uses(
    base: Path, run: Path, data: Path, out: Path, by: random.Random
) -> dict[str, Callable[[], Any]]:
    form = by.choice(["koalpaca", "chat"])
    given = settings(base, format=form, validation=0, allow=["byte_tokens", "unknown_tokens"])
    return {
        "plan": lambda: plan_training(data, given),
        "chat": lambda: list(chat(base, format=form, max_new_tokens=2).send("네?")),
        "eval": lambda: load_scorer(find_scored_model(str(base)), EvalOptions(device="cpu")),
        "merge": lambda: merge(run, out / "merged"),
        "chat with an adapter": lambda: list(
            chat(run, format="koalpaca", max_new_tokens=2).send("네?")
        ),
        "eval of an adapter": lambda: find_scored_model(str(run)),
    }


@pytest.mark.filterwarnings("default")  # libraries warn of much of it, as they should
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_a_mutated_model_raises_only_errors_of_kit19(
    chunk: int,
    models: tuple[Path, Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)  # a name may become a Hub id
    failed = []
    for number in [*range(chunk, COUNT, CHUNKS), *[one for one in ONCE if one % CHUNKS == chunk]]:
        by = random.Random(number)
        base, run = tmp_path / "base", tmp_path / "run"
        for good, copy in zip(models, (base, run), strict=False):
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(good, copy)
        config = json.loads((run / ADAPTER).read_text())
        (run / ADAPTER).write_text(json.dumps(config | {"base_model_name_or_path": str(base)}))
        of_adapter = by.random() < 0.25
        name = (
            mutate(run, (ADAPTER, *JSON[1:3]), by)
            if of_adapter
            else mutate(base, (*JSON, TEMPLATE), by)
        )
        found = uses(base, run, models[2], tmp_path, by)
        use = by.choice([*found][3:] if of_adapter else [*found][:4])
        shutil.rmtree(tmp_path / "merged", ignore_errors=True)
        try:
            found[use]()
        except Kit19Error:
            continue
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            failed.append(f"{number} ({name}, {use}): {error!r:.200}")
    assert not failed, "\n".join(failed)
