"""Steps: tokens a second, MFU and peak memory of training, by kit19 and by TRL; resumed runs."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from benchmarks.gpu.scale import Scale


def kit19_speed(place: Path, scale: Scale, name: str, **changes: Any) -> dict[str, Any]:
    """Train some steps by ``kit19.train``; the first ones are not timed."""
    from kit19 import plan_training, train

    folder = Path(mkdtemp(dir=place))
    how = _settings(place, scale, name, **changes)
    options: dict[str, Any] = {"cache": place / "tokens"}
    with _peak(scale) as peak:
        plan = plan_training(place / "rows.jsonl", how, **options)
        marks: dict[int, float] = {}

        def mark(what: str, done: int, _total: int) -> None:
            if what.startswith("training"):
                _synchronize(scale)
                marks[done] = time.perf_counter()

        trained = train(place / "rows.jsonl", folder / "run", how, **options, on_progress=mark)
    shutil.rmtree(folder)  # weights and optimizer: 16 GB of the larger model
    first = max(scale.warm, min(marks))
    seconds = marks[max(marks)] - marks[first]
    share = (max(marks) - first) * how.per_device_train_batch_size / plan.rows["lines"]
    passes = _passes(how, plan)
    tokens, positions = plan.cost.tokens / passes * share, plan.cost.positions / passes * share
    flops = plan.cost.flops / plan.cost.positions * positions
    if how.gradient_checkpointing:
        flops *= 3 / 4
    return {
        "tokens a second": tokens / seconds,
        "positions a second": positions / seconds,
        "answer tokens a second": plan.supervised * share / seconds,
        "seconds a step": seconds / (max(marks) - first),
        "MFU": _mfu(flops / seconds),
        "peak bytes": peak.get("bytes"),
        "estimated bytes": plan.need.total,
        "layout": trained.record.settings["layout"],
        "loss": trained.record.metrics["loss"],
        "notes": trained.notes,
    }


def _passes(how: Any, plan: Any) -> float:
    taken = plan.steps * how.per_device_train_batch_size * how.gradient_accumulation_steps
    return float(min(how.num_train_epochs, taken / max(plan.rows["lines"], 1)))


def trl_speed(place: Path, scale: Scale, name: str, *, packing: bool) -> dict[str, Any]:
    """The same rows by TRL's SFTTrainer, in its own layout."""
    import torch
    from datasets import load_dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
    from trl import SFTConfig, SFTTrainer

    marks: dict[int, float] = {}

    class Clock(TrainerCallback):  # type: ignore[misc]  # transformers is untyped here
        def on_step_end(self, _args: Any, state: Any, _control: Any, **_: Any) -> None:
            _synchronize(scale)
            marks[state.global_step] = time.perf_counter()

    batch = scale.sequences if packing else scale.unpacked
    arguments = SFTConfig(
        output_dir=mkdtemp(dir=place),
        max_length=scale.length,
        packing=packing,
        packing_strategy="bfd",
        per_device_train_batch_size=batch,
        max_steps=scale.steps,
        learning_rate=2e-5,
        use_cpu=scale.device == "cpu",
        bf16=scale.device == "cuda",
        gradient_checkpointing=False,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )
    rows = load_dataset(
        "json", data_files=str(place / "pairs.jsonl"), split="train", cache_dir=str(place / "hub")
    )
    with _peak(scale) as peak:
        trainer = SFTTrainer(
            AutoModelForCausalLM.from_pretrained(
                place / name, attn_implementation="sdpa", dtype=torch.float32
            ),
            args=arguments,
            train_dataset=rows,
            processing_class=AutoTokenizer.from_pretrained(place / name),
            callbacks=[Clock()],
        )
        own = [int((one["input_ids"] != -1).sum()) for one in _first(trainer, scale.steps)]
        answers = [int((one["labels"] >= 0).sum()) for one in _first(trainer, scale.steps)]
        trainer.train()
    first = max(scale.warm, min(marks))
    seconds, part = marks[max(marks)] - marks[first], (max(marks) - first) / len(own)
    return {
        "positions a second": sum(own) * part / seconds,
        "answer tokens a second": sum(answers) * part / seconds,
        "seconds a step": seconds / (max(marks) - first),
        "peak bytes": peak.get("bytes"),
    }


def _first(trainer: Any, steps: int) -> Iterator[Any]:
    for number, batch in enumerate(trainer.get_train_dataloader()):
        if number == steps:
            return
        yield batch


def resume(place: Path, scale: Scale, name: str) -> dict[str, Any]:
    """Whether a run that was interrupted ends as one that was not."""
    import torch
    from safetensors.torch import load_file

    from kit19 import train

    class StopError(Exception):
        pass

    def stop(what: str, done: int, _total: int) -> None:
        if what.startswith("training") and done == 5:
            raise StopError

    how = _settings(place, scale, name, max_steps=6, save_steps=2, logging_steps=1)
    folder = Path(mkdtemp(dir=place))
    rows = place / "rows.jsonl"
    options: dict[str, Any] = {"cache": place / "tokens"}
    whole = train(rows, folder / "whole", how, **options)
    try:
        train(rows, folder / "cut", how, **options, on_progress=stop)
    except StopError:
        pass
    else:
        raise RuntimeError("the run was not interrupted")
    resumed = train(rows, folder / "cut", how, **options)
    one, other = (load_file(run.folder / "model.safetensors") for run in (whole, resumed))
    return {
        "resumed from step": resumed.resumed,
        "equal weights": all(torch.equal(one[name], other[name]) for name in one),
        "largest difference": max(
            float((one[name].float() - other[name].float()).abs().max()) for name in one
        ),
        "losses": [whole.record.metrics["loss"], resumed.record.metrics["loss"]],
    }


def _settings(place: Path, scale: Scale, name: str, **changes: Any) -> Any:
    from kit19 import load_preset

    packed = changes.get("layout", "packed") == "packed"
    given = {
        "model": str(place / name),
        "format": "koalpaca",
        "max_length": scale.length,
        "long_rows": "drop",
        "max_overlong_fraction": 1.0,
        "allow": ["lost_answers", "byte_tokens", "unknown_tokens"],
        "per_device_train_batch_size": scale.sequences if packed else scale.unpacked,
        "num_train_epochs": 100,
        "max_steps": scale.steps,
        "validation": 0,
        "best": False,
        "save_steps": 1_000_000,
        "learning_rate": 2e-5,
        "logging_steps": scale.warm,  # progress is told as often
    }
    return load_preset("", {**given, **changes})


@contextmanager
def _peak(scale: Scale) -> Iterator[dict[str, int]]:
    """The peak of the GPU's memory within the context, in bytes; nothing on a processor."""
    import torch

    found: dict[str, int] = {}
    if scale.device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    yield found
    if scale.device == "cuda":
        found["bytes"] = torch.cuda.max_memory_reserved()


def _mfu(rate: float) -> float | None:
    """The share of the GPU's peak in bf16, if the table knows it."""
    import torch

    if not torch.cuda.is_available():
        return None
    peak = peak_of(torch.cuda.get_device_name())
    return rate / peak if peak else None


def peak_of(device: str) -> float | None:
    """FLOPs a second of the GPU of the table that a device's name fits best; None if none does."""
    from kit19.training.cost import load_gpus

    words = set(device.replace("-", " ").split())
    known = [
        (len(words & set(gpu.name.split())), gpu.bf16 * 1e12)
        for gpu in load_gpus()
        if words.issuperset(re.findall(r"[A-Z]*\d+[A-Z]*\b", gpu.name)[:1])
    ]
    return max(known)[1] if known else None


def _synchronize(scale: Scale) -> None:
    import torch

    if scale.device == "cuda":
        torch.cuda.synchronize()
