"""An adapter is used only with the base model that it was trained on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kit19 import (
    ModelError,
    OutputError,
    TrainError,
    chat,
    merge,
    push,
    train,
)
from kit19.evaluating.resolve import find_scored_model
from kit19.training.model.adapters import ignore_peft_warnings
from kit19.training.model.finding import find_model
from kit19.training.model.reference import ModelRef
from tests.support.architectures import is_as_listed
from tests.support.hub_server import Blob, HubServer, Repo
from tests.support.small_models import SAVE, equal, settings, weights

LORA: dict[str, Any] = {"method": "lora", "max_steps": 2, "validation": 0, "learning_rate": 0.1}


def logits(model: Any) -> Any:
    import torch

    with torch.inference_mode():
        return model.eval()(torch.arange(5, 25)[None]).logits


def adapted(run: Path) -> Any:
    """As PEFT alone loads it."""
    from peft import AutoPeftModelForCausalLM

    return logits(AutoPeftModelForCausalLM.from_pretrained(run))


def whole(folder: Path) -> Any:
    from transformers import AutoModelForCausalLM

    return logits(AutoModelForCausalLM.from_pretrained(folder))


def digest(folder: Path) -> str:
    return find_model(str(folder)).weights_digest()


def files(folder: Path) -> dict[str, Blob]:
    return {path.name: Blob(path.read_bytes()) for path in folder.iterdir()}


def test_an_adapter_keeps_the_commit_of_its_base_on_the_hub(
    data: Path, tokenizer: Any, tmp_path: Path, model_hub: HubServer
) -> None:
    import torch

    old, new = (SAVE["llama"](tokenizer, tmp_path / str(seed), seed) for seed in (1, 2))
    repo = model_hub.repos["me/base"] = Repo(private=False)
    commit = repo.commit(files(old), "first", branch="v1")
    repo.commit(files(new), "second")
    run = train(data, tmp_path / "run", settings(revision="v1", **LORA | {"model": "me/base"}))
    assert run.record.base.revision == commit
    assert run.record.base.weights == digest(old) != digest(new)
    assert run.record.base.digest == find_model(str(old)).digest()
    config = json.loads((run.folder / "adapter_config.json").read_text())
    assert (config["base_model_name_or_path"], config["revision"]) == ("me/base", commit)
    repo.commit(files(new), "third", branch="v1")  # the branch moves on
    expected = adapted(run.folder)
    merge(run.folder, tmp_path / "merged")
    assert torch.allclose(whole(tmp_path / "merged"), expected, atol=1e-4)
    assert find_scored_model(str(run.folder)).complete.revision == commit
    assert list(chat(run.folder, max_new_tokens=2).send("네?"))
    # The adapter on the Hub is bound to its base in the same way.
    adapter = model_hub.repos["me/adapter"] = Repo(private=False)
    adapter.commit(files(run.folder), "first")
    assert chat("me/adapter", max_new_tokens=2).run == run.record
    record = run.record.model_copy(
        update={"base": run.record.base.model_copy(update={"weights": digest(new)})}
    )
    (run.folder / "run.json").write_text(record.to_json())
    adapter.commit(files(run.folder), "second")
    with pytest.raises(TrainError, match="other weights than it was trained on"):
        chat("me/adapter")


@pytest.mark.parametrize("method", ["full", "lora"])
def test_a_run_without_a_revision_keeps_the_commit_of_main(
    method: str, data: Path, tokenizer: Any, tmp_path: Path, model_hub: HubServer
) -> None:
    base = SAVE["neox"](tokenizer, tmp_path / "base")
    commit = model_hub.repos.setdefault("me/base", Repo(private=False)).commit(files(base), "first")
    how = settings(**LORA | {"model": "me/base", "method": method, "max_steps": 1})
    record = train(data, tmp_path / "run", how).record
    assert (record.base.revision, record.base.weights) == (commit, digest(base))


def test_the_digest_of_sharded_weights_ignores_other_files(
    tokenizer: Any, tmp_path: Path, model_hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants
    from transformers import AutoModelForCausalLM

    base = SAVE["llama"](tokenizer, tmp_path / "base")
    parts = tmp_path / "parts"
    AutoModelForCausalLM.from_pretrained(base).save_pretrained(parts, max_shard_size="50KB")
    found = ModelRef("parts", parts).weight_files()
    assert len(found) > 1
    model_hub.repos["me/parts"] = Repo(private=False)
    more = {
        "consolidated.safetensors": Blob(b"another layout"),
        "pytorch_model.bin": Blob(b"the same, pickled"),
    }
    commit = model_hub.repos["me/parts"].commit(files(parts) | more, "first")
    on_hub = find_model("me/parts", commit)
    assert on_hub.weights_digest() == digest(parts)
    assert on_hub.digest() == find_model(str(parts)).digest()
    assert not model_hub.requests("consolidated|pytorch_model")
    # Without a network, the cache is enough.
    tokenizer.save_pretrained(parts)
    commit = model_hub.repos["me/parts"].commit(files(parts), "second")
    assert list(chat("me/parts", max_new_tokens=2).send("네?"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    for name in ("me/parts", f"me/parts@{commit}"):
        assert find_model(name).weights_digest() == digest(parts)
        assert find_model(name).digest() == find_model(str(parts)).digest()
    assert list(chat("me/parts", max_new_tokens=2).send("네?"))


def test_a_base_whose_weights_were_replaced_is_refused_everywhere(
    data: Path, tokenizer: Any, tmp_path: Path
) -> None:
    base = SAVE["llama"](tokenizer, tmp_path / "base", seed=1)
    run = train(data, tmp_path / "run", settings(base, **LORA)).folder
    was = digest(base)
    SAVE["llama"](tokenizer, base, seed=2)
    meetings: list[Callable[[], Any]] = [
        lambda: merge(run, tmp_path / "merged"),
        lambda: chat(run),
        lambda: find_scored_model(str(run)),
        lambda: find_scored_model(str(base), adapter=str(run)),
    ]
    for meet in meetings:
        with pytest.raises((TrainError, ModelError)) as stop:
            meet()
        for part in (was, digest(base), str(base), "other weights than it was trained on"):
            assert part in str(stop.value)
    assert not (tmp_path / "merged").exists()
    SAVE["llama"](tokenizer, base, seed=1)
    merge(run, tmp_path / "merged")


@pytest.mark.parametrize("method", ["full", "lora"])
def test_a_run_does_not_resume_from_another_base(
    method: str, data: Path, tokenizer: Any, tmp_path: Path
) -> None:
    base = SAVE["neox"](tokenizer, tmp_path / "base", seed=1)
    how = settings(base, **LORA | {"method": method, "max_steps": 4})
    expected = train(data, tmp_path / "whole", how)

    class StopError(Exception):
        pass

    def stop(what: str, done: int, _total: int) -> None:
        if what.startswith("training") and done == 3:
            raise StopError

    with pytest.raises(StopError):
        train(data, tmp_path / "run", how, on_progress=stop)
    was = digest(base)
    SAVE["neox"](tokenizer, base, seed=2)
    with pytest.raises(TrainError, match=f"sha256 was {was}, is {digest(base)}"):
        train(data, tmp_path / "run", how)
    SAVE["neox"](tokenizer, base, seed=1)
    done = train(data, tmp_path / "run", how)
    assert done.resumed == 2
    assert equal(weights(done.folder), weights(expected.folder))


def test_an_adapter_finds_a_base_that_was_named_by_a_relative_path(
    data: Path, tokenizer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    work = tmp_path / "work"
    SAVE["llama"](tokenizer, work / "models" / "base")
    monkeypatch.chdir(work)
    run = train(data, work / "run", settings(**LORA | {"model": "models/base"})).folder
    expected = adapted(run)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert torch.equal(adapted(run), expected)
    # An adapter of another tool, which names its base by a path next to its folder.
    foreign = shutil.copytree(run, work / "foreign")
    (foreign / "run.json").unlink()
    config = json.loads((foreign / "adapter_config.json").read_text())
    for name in ("../models/base", "models/base"):
        said = json.dumps(config | {"base_model_name_or_path": name})
        (foreign / "adapter_config.json").write_text(said)
        assert find_model(str(foreign)).complete.folder.resolve() == work / "models" / "base"
    # If both are moved together, the base is found by its digest.
    moved = Path(shutil.move(work, tmp_path / "moved"))
    shutil.move(moved / "models" / "base", moved / "base")
    merge(moved / "run", tmp_path / "merged")
    assert torch.allclose(whole(tmp_path / "merged"), expected, atol=1e-4)
    shutil.rmtree(moved / "base")
    for meet in (
        merge,
        lambda run, _out: chat(run),
        lambda run, _out: find_scored_model(str(run)),
    ):
        with pytest.raises((TrainError, ModelError), match="its base model is missing: /"):
            meet(moved / "run", tmp_path / "again")
    with pytest.raises(OutputError, match="is an adapter for a local folder"):
        push(moved / "run", "me/adapter", dry_run=True, accept=["unclear"])


def tied_base(tokenizer: Any, folder: Path) -> Path:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.from_pretrained(SAVE["llama"](tokenizer, folder))
    config.tie_word_embeddings = True
    torch.manual_seed(3)
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    return folder


@pytest.mark.parametrize(
    "targets",
    [["embed_tokens"], ["lm_head"], ["embed_tokens", "lm_head"], ["q_proj", "embed_tokens"]],
)
def test_an_adapter_on_tied_embeddings_is_merged_into_embeddings_that_are_not(
    targets: list[str], tokenizer: Any, tmp_path: Path
) -> None:
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    base = tied_base(tokenizer, tmp_path / "base")
    config = LoraConfig(task_type="CAUSAL_LM", r=4, target_modules=targets, init_lora_weights=False)
    run = tmp_path / "run"
    with ignore_peft_warnings():
        get_peft_model(AutoModelForCausalLM.from_pretrained(base), config).save_pretrained(run)
        tokenizer.save_pretrained(run)
        expected = adapted(run)
    merge(run, tmp_path / "merged")
    assert not torch.allclose(whole(base), expected, atol=0.1)
    assert torch.allclose(whole(tmp_path / "merged"), expected, atol=1e-4)


def test_a_trained_adapter_on_tied_embeddings_is_merged(
    data: Path, tokenizer: Any, tmp_path: Path
) -> None:
    import torch

    base = tied_base(tokenizer, tmp_path / "base")
    how = settings(base, **LORA, lora={"targets": ["q_proj", "embed_tokens"]})
    run = train(data, tmp_path / "run", how, merge=True).folder
    assert "lm_head.weight" in weights(run)
    apart = train(data, tmp_path / "apart", how).folder
    with ignore_peft_warnings():
        assert torch.allclose(whole(run), adapted(apart), atol=1e-4)


def test_embeddings_that_stay_equal_stay_tied(data: Path, tokenizer: Any, tmp_path: Path) -> None:
    from transformers import AutoConfig

    base = tied_base(tokenizer, tmp_path / "base")
    run = train(data, tmp_path / "run", settings(base, **LORA)).folder
    merge(run, tmp_path / "merged")
    merged = weights(tmp_path / "merged")
    embeddings = merged["model.embed_tokens.weight"]
    if is_as_listed():  # older versions of transformers write both
        assert "lm_head.weight" not in merged
    assert merged.get("lm_head.weight", embeddings).equal(embeddings)
    assert AutoConfig.from_pretrained(tmp_path / "merged").tie_word_embeddings


def test_a_merge_that_would_change_answers_is_refused(
    data: Path, tokenizer: Any, tmp_path: Path
) -> None:
    import torch
    from safetensors.torch import save_file

    base = SAVE["llama"](tokenizer, tmp_path / "base")
    run = train(data, tmp_path / "run", settings(base, **LORA)).folder
    adapter = weights(run)
    first = next(iter(adapter))
    save_file(
        adapter | {first: torch.full_like(adapter[first], torch.nan)},
        run / "adapter_model.safetensors",
    )
    with pytest.raises(TrainError, match="logits are off by nan"):
        merge(run, tmp_path / "merged")
    assert not (tmp_path / "merged").exists()
