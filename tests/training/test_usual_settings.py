"""Settings that kept libraries carry out: each changes what it should, and saves what loads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("trl", reason="kit19[train] is not installed")

import torch

from kit19 import CatalogError, TrainError, load_preset, merge, train
from kit19.training.model.device import liger_problems
from kit19.training.model.losses import add_answer_losses, token_losses
from tests.support import architectures
from tests.support.effort import every
from tests.support.short_rows import held_out_loss, short_rows, short_settings
from tests.support.small_models import weights


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return architectures.save_model("llama", tmp_path_factory.mktemp("usual") / "base")


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return short_rows(tmp_path_factory.mktemp("usual"))


def loaded_loss(model: Any, tokenizer: Path, rows: Path, how: Any, folder: Path) -> float:
    from transformers import AutoTokenizer

    known = AutoTokenizer.from_pretrained(tokenizer)
    return held_out_loss(model, known, rows, how, folder / "ids")


@pytest.fixture(scope="module")
def plain_adapter(base: Path, rows: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plain")
    return train(rows, folder / "run", short_settings(folder, base, method="lora")).folder


@pytest.mark.parametrize("variant", ["rslora", "dora", "pissa"])
def test_a_variant_of_lora_is_trained_saved_and_merged(
    variant: str, base: Path, rows: Path, plain_adapter: Path, tmp_path: Path
) -> None:
    from peft import AutoPeftModelForCausalLM
    from transformers import AutoModelForCausalLM

    how = short_settings(tmp_path, base, method="lora", **{"lora.variant": variant})
    done = train(rows, tmp_path / "run", how)
    trained = done.record.metrics["eval_loss"]
    config = json.loads((done.folder / "adapter_config.json").read_text())
    found = weights(done.folder)
    assert (config["use_rslora"], config["use_dora"]) == (variant == "rslora", variant == "dora")
    # PiSSA's adapter is plain LoRA by now: nothing that loads it has to decompose weights again.
    assert config["init_lora_weights"] is True
    assert config["r"] == (32 if variant == "pissa" else 16)
    assert any("magnitude" in name for name in found) == (variant == "dora")
    names = [name for name in weights(plain_adapter) if name in found]
    assert any(not torch.equal(weights(plain_adapter)[name], found[name]) for name in names)
    adapted = AutoPeftModelForCausalLM.from_pretrained(done.folder)
    assert loaded_loss(adapted, done.folder, rows, how, tmp_path) == pytest.approx(
        trained, rel=1e-4
    )
    merge(done.folder, tmp_path / "merged")
    merged = AutoModelForCausalLM.from_pretrained(tmp_path / "merged")
    assert loaded_loss(merged, done.folder, rows, how, tmp_path) == pytest.approx(trained, rel=1e-4)


@pytest.mark.parametrize("name", ["llama", "qwen2"])
def test_new_tokens_have_embeddings_that_are_trained_and_saved_whole(
    name: str, rows: Path, tmp_path: Path
) -> None:
    from transformers import AutoModelForCausalLM

    tied = {"tie_word_embeddings": name == "qwen2"}
    base = tmp_path / "base"
    architectures.make_model(name, config=tied).save_pretrained(base)
    architectures.make_tokenizer().save_pretrained(base)
    losses = []
    for method in ("full", "lora"):
        how = short_settings(tmp_path, base, method=method, new_tokens=["giraffe", "elephant"])
        done = train(rows, tmp_path / method, how)
        folder = done.folder
        if method == "lora":
            whole = [one for name, one in weights(folder).items() if "embed_tokens" in name]
            assert architectures.VOCABULARY + 2 in [one.shape[0] for one in whole]
            merge(folder, tmp_path / "merged")
            folder = tmp_path / "merged"
        model = AutoModelForCausalLM.from_pretrained(folder)
        assert model.get_input_embeddings().weight.shape[0] == architectures.VOCABULARY + 2
        losses.append((loaded_loss(model, folder, rows, how, tmp_path / method), done))
        from transformers import AutoTokenizer

        assert AutoTokenizer.from_pretrained(folder).tokenize("a giraffe")[-1] == "giraffe"
        moved = model.get_input_embeddings().weight
        old = AutoModelForCausalLM.from_pretrained(base).get_input_embeddings().weight
        assert not torch.equal(moved[: architectures.VOCABULARY], old)
    for loss, done in losses:
        assert loss == pytest.approx(done.record.metrics["eval_loss"], rel=1e-4)


def test_modules_to_save_are_trained_and_saved_whole(
    base: Path, rows: Path, tmp_path: Path
) -> None:
    how = short_settings(tmp_path, base, method="lora", **{"lora.modules_to_save": ["lm_head"]})
    done = train(rows, tmp_path / "run", how)
    (name,) = (name for name in weights(done.folder) if "lm_head" in name)
    head = weights(done.folder)[name]
    assert head.shape == (architectures.VOCABULARY, 32)
    assert not torch.equal(head, weights(base)["lm_head.weight"])
    wrong = how.model_copy(
        update={"lora": how.lora.model_copy(update={"modules_to_save": ["head"]})}
    )
    with pytest.raises(TrainError, match=r"(?s)no module 'head'.*lm_head"):
        train(rows, tmp_path / "wrong", wrong)


@pytest.fixture(scope="module")
def plain_run(base: Path, rows: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plain")
    return train(rows, folder / "run", short_settings(folder, base)).folder


@pytest.mark.parametrize(
    "changes",
    [
        {"neftune_alpha": 5.0},
        {"label_smoothing": 0.2},
        {"optim": "adafactor"},
        {"optim": "adamw_8bit"},
        {"lr_scheduler_type": "constant"},
        {"warmup_ratio": 0.9},
    ],
    ids="-".join,
)
def test_a_setting_changes_the_weights(
    changes: dict[str, Any], base: Path, rows: Path, plain_run: Path, tmp_path: Path
) -> None:
    if "8bit" in str(changes):
        pytest.importorskip("bitsandbytes", reason="kit19[qlora] is not installed")
    done = train(rows, tmp_path / "run", short_settings(tmp_path, base, **changes))
    found, plain = weights(done.folder), weights(plain_run)
    assert set(found) == set(plain)
    assert any(not torch.equal(found[name], plain[name]) for name in found)


def test_a_paged_optimizer_is_refused_without_a_gpu(base: Path, rows: Path, tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    how = short_settings(tmp_path, base, optim="paged_adamw_8bit")
    with pytest.raises(TrainError, match=r"(?s)there is no GPU.*--set optim=adamw_8bit"):
        train(rows, tmp_path / "run", how)


def events(folder: Path) -> list[Any]:
    """The events of a TensorBoard log: records of a length, a checksum, the event, a checksum."""
    from tensorboardX.proto.event_pb2 import Event

    (path,) = folder.glob("events.*")
    data, found, at = path.read_bytes(), [], 0
    while at < len(data):
        length = int.from_bytes(data[at : at + 8], "little")
        found.append(Event.FromString(data[at + 12 : at + 12 + length]))
        at += length + 16
    return found


def test_the_curves_are_reported_to_tensorboard(
    base: Path, rows: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TENSORBOARD_LOGGING_DIR", str(tmp_path / "log"))
    done = train(rows, tmp_path / "run", short_settings(tmp_path, base, report_to="tensorboard"))
    reported = [
        (value.tag, event.step, value.simple_value)
        for event in events(tmp_path / "log")
        for value in event.summary.value
    ]
    curves = json.loads((done.folder / "curves.json").read_text("utf-8"))
    losses = [[step, value] for tag, step, value in reported if tag == "train/loss"]
    for found, wanted in zip(losses, curves["loss"], strict=True):
        assert found == pytest.approx(wanted, rel=1e-6)
    (held_out,) = [value for tag, _, value in reported if tag == "eval/loss"]
    assert held_out == pytest.approx(done.record.metrics["eval_loss"], rel=1e-6)


@pytest.mark.parametrize(
    ("name", "rates"),
    [
        ("linear", [0.5, 1, 0.75, 0.5, 0.25]),
        ("constant_with_warmup", [0.5, 1, 1, 1, 1]),
        ("cosine", [0.5, 1, 0.8536, 0.5, 0.1464]),
    ],
)
def test_a_schedule_warms_up_and_falls_as_its_name_says(
    name: str, rates: list[float], base: Path, rows: Path, tmp_path: Path
) -> None:
    how = short_settings(
        tmp_path, base, lr_scheduler_type=name, max_steps=6, warmup_ratio=0.33, learning_rate=1e-3
    )
    done = train(rows, tmp_path / "run", how)
    curve = json.loads((done.folder / "curves.json").read_text("utf-8"))["learning_rate"]
    assert [step for step, _ in curve] == [1, 2, 3, 4, 5, 6]
    # The first step has the rate 0.
    assert [rate for _, rate in curve[1:]] == pytest.approx([1e-3 * r for r in rates], rel=1e-3)


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The graphs that torch.compile would translate to C++, a minute of work; here they just run."""
    from torch._inductor import compile_fx

    graphs: list[Any] = []

    def keep(graph: Any, _inputs: Any, **_options: Any) -> Any:
        graphs.append(graph)
        return graph.forward

    torch.compiler.reset()
    monkeypatch.setattr(compile_fx, "compile_fx", keep)
    return graphs


# torch hides this warning of its own tracing where warnings are no errors.
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")
@pytest.mark.parametrize("method", every(2, ["full", "lora"]))
def test_a_compiled_model_is_trained_and_saved_as_another(
    method: str, base: Path, rows: Path, compiled: list[Any], tmp_path: Path
) -> None:
    runs = []
    for name in ("plain", "compiled"):
        assert not compiled
        how = short_settings(tmp_path, base, method=method, torch_compile=name == "compiled")
        runs.append(train(rows, tmp_path / name, how))
    called = " ".join(str(node.target) for graph in compiled for node in graph.graph.nodes)
    assert "scaled_dot_product_attention" in called
    plain, found = (weights(run.folder) for run in runs)
    assert set(found) == set(plain)
    for name in found:
        torch.testing.assert_close(found[name], plain[name], atol=1e-5, rtol=0)
    wanted, losses = (run.record.metrics for run in runs)
    assert losses == pytest.approx(wanted, rel=1e-5)


def test_a_compiler_that_fails_is_named_before_the_first_step(
    base: Path, rows: Path, compiled: list[Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from torch._inductor import compile_fx

    def fail(*_given: Any, **_options: Any) -> Any:
        raise RuntimeError("Failed to find C++ compiler")

    monkeypatch.setattr(compile_fx, "compile_fx", fail)
    how = short_settings(tmp_path, base, torch_compile=True)
    with pytest.raises(TrainError, match=r"(?s)Failed to find C\+\+ compiler.*torch_compile=false"):
        train(rows, tmp_path / "run", how)
    assert not (tmp_path / "run").exists()


def test_smoothed_labels_have_transformers_loss_in_training_only() -> None:
    from transformers.trainer_pt_utils import LabelSmoother

    for own_logits in (False, True):
        model = architectures.make_model("llama").train()
        ids = torch.randint(4, architectures.VOCABULARY, (2, 12))
        labels = ids.masked_fill(torch.arange(12) < 5, -100)
        wanted = LabelSmoother(epsilon=0.2)(model(input_ids=ids), labels, shift_labels=True)
        plain = model(input_ids=ids, labels=labels).loss
        add_answer_losses(model, own_logits=own_logits, smoothing=0.2)
        batch = {"input_ids": ids, "labels": labels}
        answers = int((labels[:, 1:] != -100).sum())
        found = token_losses(model, batch, plain=True).sum() / answers
        assert found.item() == pytest.approx(wanted.item(), rel=1e-5)
        measured = token_losses(model.eval(), batch, plain=True).sum() / answers
        assert measured.item() == pytest.approx(plain.item(), rel=1e-5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lora.variant": "lore"}, r"(?s)lora\.variant.*lora.*rslora.*dora.*pissa"),
        ({"method": "qlora", "lora.variant": "pissa"}, "4-bit weights do not allow"),
        ({"label_smoothing": 1.0}, "label_smoothing"),
    ],
)
def test_wrong_values_are_refused_with_those_that_are_allowed(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(CatalogError, match=message):
        load_preset("", changes)


def test_liger_kernels_are_refused_without_a_gpu(base: Path, rows: Path, tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    how = short_settings(tmp_path, base, liger_kernels=True)
    with pytest.raises(TrainError, match=r"(?s)need a CUDA GPU.*liger_kernels=false"):
        train(rows, tmp_path / "run", how)


def test_liger_kernels_are_refused_for_architectures_that_liger_ignores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a package in liger-kernel's form, which cannot be installed without a GPU's compiler."""
    package = tmp_path / "liger_kernel" / "transformers"
    package.mkdir(parents=True)
    for folder in (package.parent, package):
        (folder / "__init__.py").touch()
    (package / "monkey_patch.py").write_text("MODEL_TYPE_TO_APPLY_LIGER_FN = {'llama': None}\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert liger_problems("llama") == []
    (problem,) = liger_problems("gpt_neox")
    assert "no kernels for the architecture gpt_neox" in str(problem)


def test_a_note_says_that_nothing_is_sharded_on_processors(
    base: Path, rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    done = train(rows, tmp_path / "run", short_settings(tmp_path, base, max_steps=1))
    assert "each process held the complete model" in done.notes[0]


def test_pissa_is_refused_where_weights_are_sharded(
    base: Path, rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    how = short_settings(tmp_path, base, method="lora", **{"lora.variant": "pissa"})
    with pytest.raises(TrainError, match=r"(?s)lora\.variant.*decomposes whole weights"):
        train(rows, tmp_path / "run", how)
