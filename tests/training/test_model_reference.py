"""One reference to a model: what a name finds, and the digest of what is found."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kit19 import Kit19Error, ModelError, Settings, TrainError, chat, merge, train
from kit19.core.runs import PLAN, BaseModelEntry, read_run
from kit19.evaluating.pipeline import evaluate
from kit19.training.model.digest import OTHER_FILES
from kit19.training.model.finding import find_model
from kit19.training.model.reference import SMALL_FILES
from tests.support.hub_server import Blob, HubServer, Repo
from tests.support.small_models import SAVE, settings

LORA: dict[str, Any] = {"method": "lora", "max_steps": 2, "validation": 0, "learning_rate": 0.1}


@pytest.fixture(scope="module")
def good(tokenizer: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return SAVE["llama"](tokenizer, tmp_path_factory.mktemp("good") / "model")


def digest(folder: Path | str) -> str:
    return find_model(str(folder)).digest()


def copied(good: Path, folder: Path) -> Path:
    return shutil.copytree(good, folder)


# -- the digest -------------------------------------------------------------------------------------


def test_the_digest_has_the_documented_formula(good: Path) -> None:
    names = ["config.json", "generation_config.json", "model.safetensors"]
    names += ["tokenizer.json", "tokenizer_config.json"]
    names += [name for name in ("chat_template.jinja",) if (good / name).exists()]
    lines = [f"{n}\0{hashlib.sha256((good / n).read_bytes()).hexdigest()}\n" for n in sorted(names)]
    assert digest(good) == "model-v1:" + hashlib.sha256("".join(lines).encode()).hexdigest()


@pytest.mark.parametrize(
    "file",
    [
        "generation_config.json",
        "tokenizer_config.json",
        "chat_template.jinja",
        "additional_chat_templates/tools.jinja",
        "vocab.txt",
        "spiece.model",
        "modeling_own.py",
    ],
)
def test_every_file_that_decides_answers_is_in_the_digest(
    file: str, good: Path, tmp_path: Path
) -> None:
    folder = copied(good, tmp_path / "model")
    path = folder / file
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(path.read_bytes() + b"\n" if path.exists() else b"new")
    assert digest(folder) != digest(good)


def test_other_files_and_places_are_not_in_the_digest(good: Path, tmp_path: Path) -> None:
    folder = copied(good, tmp_path / "elsewhere")
    for name in ("README.md", "run.json.old", "optimizer.pt", "curves.json", "pytorch_model.bin"):
        (folder / name).write_bytes(b"other")
    (folder / "consolidated.safetensors").write_bytes((good / "model.safetensors").read_bytes())
    assert digest(folder) == digest(good)


def test_weights_are_in_the_digest_as_they_are_on_disk(good: Path, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    parts = copied(good, tmp_path / "parts")
    (parts / "model.safetensors").unlink()
    AutoModelForCausalLM.from_pretrained(good).save_pretrained(parts, max_shard_size="50KB")
    shards = sorted(parts.glob("*.safetensors"))
    assert len(shards) > 1
    assert digest(parts) not in ("", digest(good))
    before = digest(parts)
    swapped = [path.read_bytes() for path in shards[::-1]]
    for path, content in zip(shards, swapped, strict=True):
        path.write_bytes(content)
    assert digest(parts) != before


def test_every_file_of_the_digest_is_downloaded() -> None:
    for pattern in OTHER_FILES:
        name = pattern.replace("*", "x")
        assert any(Path(name).match(small) for small in SMALL_FILES), pattern


def test_a_hub_model_has_the_digest_of_its_folder(
    good: Path, data: Path, tmp_path: Path, model_hub: HubServer
) -> None:
    files = {path.name: Blob(path.read_bytes()) for path in good.iterdir()}
    more = {"README.md": Blob(b"# mine"), "onnx/config.json": Blob(b"{}"), "x.bin": Blob(b"x")}
    repo = model_hub.repos["me/base"] = Repo(private=False)
    commit = repo.commit(files | more, "first", branch="v1")
    repo.commit(files | {"vocab.txt": Blob(b"more")}, "second")
    assert digest("me/base@v1") == digest(f"me/base@{commit}") == digest(good)
    assert find_model("me/base", "v1").digest() == digest(good) != digest("me/base")
    given: dict[str, Any] = LORA | {"model": "me/base@v1", "method": "full"}
    run = train(data, tmp_path / "run", settings(**given))
    base = run.record.base
    assert (base.name, base.revision, base.digest) == ("me/base", commit, digest(good))
    # What the run saves does not name the cache of this machine.
    for path in run.folder.glob("*.json"):
        assert "hub-cache" not in path.read_text("utf-8"), path.name


def test_an_adapter_has_its_own_digest_and_its_bases(
    good: Path, data: Path, tmp_path: Path
) -> None:
    base = copied(good, tmp_path / "base")
    run = train(data, tmp_path / "run", settings(base, **LORA)).folder
    found = find_model(str(run))
    assert found.base is not None
    assert found.base.digest() == digest(good)
    before = found.digest()
    assert before != digest(good)
    moved = base.rename(tmp_path / "moved")
    config = json.loads((run / "adapter_config.json").read_text())

    def configured(**changes: Any) -> str:
        (run / "adapter_config.json").write_text(json.dumps(config | changes))
        return digest(run)

    # Where the base is found does not matter, but what it is does.
    assert configured(base_model_name_or_path=str(moved)) == before
    assert configured(base_model_name_or_path=str(moved), lora_alpha=99) != before
    (moved / "generation_config.json").unlink()  # the same weights: still its base
    assert configured(base_model_name_or_path=str(moved)) != before


def test_a_folder_of_the_same_name_does_not_hide_the_base_on_the_hub(
    good: Path, data: Path, tokenizer: Any, tmp_path: Path, model_hub: HubServer
) -> None:
    files = {path.name: Blob(path.read_bytes()) for path in good.iterdir()}
    commit = model_hub.repos.setdefault("me/base", Repo(private=False)).commit(files, "first")
    run = train(data, tmp_path / "run", settings(**LORA | {"model": "me/base"})).folder
    SAVE["llama"](tokenizer, tmp_path / "base", seed=2)  # next to the run
    found = find_model(str(run))
    assert found.base is not None
    assert (found.base.name, found.base.revision) == ("me/base", commit)


def test_files_are_hashed_once(good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from kit19.training.model import reference

    hashed: list[str] = []

    def counted(path: Path) -> str:
        hashed.append(path.name)
        return hashlib.sha256(path.read_bytes()).hexdigest()

    monkeypatch.setattr(reference, "hash_file", counted)
    found = find_model(str(good))
    steps: list[tuple[str, int, int]] = []
    for _ in range(2):
        found.weights_digest()
        found.digest(lambda *step: steps.append(step))
    assert sorted(hashed) == sorted(set(hashed))
    assert "model.safetensors" in hashed
    assert steps[0] == ("hashing the model", 0, len(hashed) - 1)


# -- records of older versions ------------------------------------------------------------------------


def test_an_older_record_keeps_its_digest_of_weights(
    good: Path, data: Path, tmp_path: Path
) -> None:
    base = copied(good, tmp_path / "base")
    run = train(data, tmp_path / "run", settings(base, **LORA))
    record = run.record.to_dict()
    weights = record["base"].pop("weights")
    record["base"]["digest"] = weights
    (run.folder / "run.json").write_text(json.dumps(record))
    found = read_run(run.folder)
    assert found is not None
    assert (found.base.digest, found.base.weights) == ("", weights)
    find_model(str(run.folder))
    SAVE["llama"](_tokenizer(good), base, seed=2)
    with pytest.raises(TrainError, match="other weights than it was trained on"):
        find_model(str(run.folder))
    assert BaseModelEntry(name="tiny").weights == ""


def _tokenizer(folder: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder)


# -- what a name finds --------------------------------------------------------------------------------


def users(data: Path, tmp_path: Path) -> list[Callable[[str], object]]:
    given: dict[str, Any] = {"tasks": "klue_sts", "data_dir": "sample", "device": "cpu"}
    return [
        lambda name: train(data, tmp_path / "run", settings(**LORA | {"model": name})),
        lambda name: evaluate(name, tmp_path / "results", **given),
        chat,
        lambda name: merge(name, tmp_path / "merged"),
    ]


def test_a_wrong_name_is_one_error_everywhere(data: Path, good: Path, tmp_path: Path) -> None:
    pytest.importorskip("lm_eval", reason="kit19[eval] is not installed")
    empty, both = tmp_path / "empty", copied(good, tmp_path / "both")
    empty.mkdir()
    (both / "adapter_config.json").write_text("{}")
    wrong = {
        str(tmp_path / "gone"): "there is no such folder, and it is not a Hub id",
        str(empty): "is not a model: it has no config.json",
        str(good / "config.json"): "is a file; a model is a folder",
        str(both): "is ambiguous: it has an adapter",
        "tiny": "is a preset, not a model",
    }
    for name, what in wrong.items():
        said = set()
        for use in users(data, tmp_path):
            with pytest.raises((TrainError, ModelError)) as stop:
                use(name)
            said.add(str(stop.value))
        [message] = said
        assert message.startswith(f"{name}: {what}")
        assert "\n    " in message  # how to fix it


def test_a_revision_is_part_of_the_name_or_given_apart(good: Path, model_hub: HubServer) -> None:
    files = {path.name: Blob(path.read_bytes()) for path in good.iterdir()}
    repo = model_hub.repos["me/base"] = Repo(private=False)
    commit = repo.commit(files, "first", branch="v1")
    for found in (
        find_model("me/base@v1"),
        find_model("me/base", "v1"),
        find_model("me/base@v1", "v1"),
    ):
        assert (found.name, found.revision) == ("me/base", commit)
    with pytest.raises(TrainError, match="names two revisions: v1 and v2"):
        find_model("me/base@v1", "v2")
    with pytest.raises(TrainError, match="is a folder, which has no revisions"):
        find_model(str(good), "v1")
    with pytest.raises(TrainError, match="and there is no folder 'me/gone' here"):
        find_model("me/gone")
    with pytest.raises(TrainError, match="and there is no folder 'me/base' here"):
        find_model("me/base@v3")


class StopError(Exception):
    pass


def interrupted(data: Path, run: Path, how: Settings) -> None:
    """A run that stops at its third step, after the checkpoint of the second."""

    def stop(what: str, done: int, _total: int) -> None:
        if what.startswith("training") and done == 3:
            raise StopError

    with pytest.raises(StopError):
        train(data, run, how, on_progress=stop)


def test_a_run_resumes_on_the_same_files_only(data: Path, good: Path, tmp_path: Path) -> None:
    base, run = copied(good, tmp_path / "base"), tmp_path / "run"
    how = settings(base, **LORA | {"max_steps": 4})
    interrupted(data, run, how)
    before = (base / "generation_config.json").read_text()
    (base / "generation_config.json").write_text(before + "\n")
    with pytest.raises(TrainError, match="other configuration or tokenizer files than when this"):
        train(data, run, how)
    (base / "generation_config.json").write_text(before)
    # The plan of an older version has the digest of the weights only.
    plan = json.loads((run / PLAN).read_text())
    plan["base"]["digest"] = plan["base"].pop("weights")
    (run / PLAN).write_text(json.dumps(plan))
    assert train(data, run, how).resumed == 2


@pytest.mark.parametrize("method", ["full", "lora"])
def test_a_checkpoint_is_a_model_and_an_unfinished_run_names_it(
    method: str, data: Path, good: Path, tokenizer: Any, tmp_path: Path
) -> None:
    base, run = copied(good, tmp_path / "base"), tmp_path / "run"
    interrupted(data, run, settings(base, **LORA | {"method": method, "max_steps": 4}))
    assert (run / PLAN).is_file()
    checkpoint = run / "checkpoints" / "checkpoint-2"
    with pytest.raises(TrainError, match=f"(?s)is an unfinished run.*{checkpoint}"):
        find_model(str(run))
    assert digest(checkpoint) != digest(good)
    assert list(chat(checkpoint, format="koalpaca", max_new_tokens=2).send("네?"))
    SAVE["llama"](tokenizer, base, seed=2)
    if method == "full":
        digest(checkpoint)
        return
    with pytest.raises(Kit19Error, match="other weights than it was trained on"):
        find_model(str(checkpoint))
