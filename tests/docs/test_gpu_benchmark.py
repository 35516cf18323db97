"""``make gpu`` without a GPU: every step runs on small models, and what fails is recorded."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

pytest.importorskip("trl")
pytest.importorskip("lm_eval")

from benchmarks.gpu.__main__ import _bounded, _is_wanted, steps
from benchmarks.gpu.scale import DRY, Scale
from benchmarks.gpu.training import peak_of
from tests.support.warm import start

# The other steps run the same functions on the other model; they would double the time.
KINDS = [
    *("masks", "resume", "eval 125m", "train 125m", "TRL 125m, full, packed"),
    *("train 1.3b, full, packed, checkpointed", "train 1.3b, qlora"),
]


def fail(_place: Path, _scale: Scale) -> dict[str, object]:
    raise ValueError("no such kernel")


def hang(_place: Path, _scale: Scale) -> dict[str, object]:
    import signal

    signal.pause()
    return {}


def die(_place: Path, _scale: Scale) -> dict[str, object]:
    os.kill(os.getpid(), 9)
    return {}


def test_a_step_that_fails_hangs_or_dies_does_not_end_the_others(tmp_path: Path) -> None:
    failed = _bounded(fail, tmp_path, DRY, 60)
    assert (failed["state"], failed["error"]) == ("failed", "ValueError: no such kernel")
    assert _bounded(hang, tmp_path, DRY, 0.1)["state"] == "timeout"
    assert _bounded(die, tmp_path, DRY, 60)["error"] == "it ended with code -9"


def test_steps_fit_into_a_quarter_of_an_hour_together_with_their_setup() -> None:
    bounds = {name: bound for name, (bound, _) in steps().items()}
    assert max(bounds.values()) <= 150
    assert _is_wanted("make", ["masks"])
    assert not _is_wanted("eval 125m", ["masks"])


@pytest.mark.parametrize(
    ("device", "peak"),
    [
        ("NVIDIA H100 80GB HBM3", 989),
        ("NVIDIA H100 PCIe", 756),
        ("NVIDIA A100-SXM4-40GB", 312),
        ("NVIDIA GeForce RTX 4090", 165.2),
        ("NVIDIA GeForce RTX 3060", None),
        ("NVIDIA L40S", 362),
    ],
)
def test_the_peak_is_that_of_the_device(device: str, peak: float | None) -> None:
    assert peak_of(device) == (peak and peak * 1e12)


def test_every_kind_of_step_runs_dry(tmp_path: Path) -> None:
    out = tmp_path / "gpu.json"
    words = ["--dry", "--out", str(out), "--only", *KINDS]
    code = "from benchmarks.gpu.__main__ import main; main()"
    cache = {"OMP_NUM_THREADS": "1", "KIT19_CACHE": str(tmp_path / "cache")}
    done = start(*words, folder=tmp_path, code=code, **cache).ended()
    assert done.code == 0, done.err
    document = json.loads(out.read_text("utf-8"))
    assert list(document["steps"]) == [name for name in steps() if _is_wanted(name, KINDS)]
    assert document["versions"]["torch"] != "not installed"
    results = {}
    for name, step in document["steps"].items():
        if "flash" in name:
            assert "FlashAttention needs a CUDA GPU" in step["error"]
        elif "qlora" in name and step["state"] == "failed":
            assert "bitsandbytes" in step["error"]
        else:
            assert step["state"] == "ok", (name, step)
            results[name] = step["result"]
    assert results["resume"]["equal weights"]
    masks = {name: value for name, value in results["masks"].items() if "float32" in name}
    assert masks["eager, float32"] < 1e-3
    assert masks["sdpa math, float32"] < 1e-3
    assert results["eval 125m"]["HFLM's best batch over kit19"] > 0
    assert results["eval 125m"]["largest difference of a score"] < 1e-3
    trained = [result for name, result in results.items() if name.startswith("train")]
    assert all(result["tokens a second"] > 0 and result["estimated bytes"] for result in trained)
    assert {result["layout"] for result in trained} == {"packed", "padded"}
