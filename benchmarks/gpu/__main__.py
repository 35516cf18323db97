"""Run every step, each bounded in time, and write what was measured after each of them.

``make gpu WHEELS=folder`` installs from a folder of wheels first; ``--dry`` runs all steps on a
processor with tiny models and no bounds, so that what fails on a GPU fails because of the GPU.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import json
import multiprocessing
import os
import platform
import shutil
import tempfile
import time
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.gpu import making, masks, scoring, training
from benchmarks.gpu.scale import DRY, REAL, Scale

PACKAGES = (
    "torch",
    "transformers",
    "trl",
    "peft",
    "accelerate",
    "lm_eval",
    "bitsandbytes",
    "flash_attn",
)
Step = Callable[[Path, Scale], dict[str, Any]]


def steps() -> dict[str, tuple[int, Step]]:
    """Every step by name: the most seconds that it may take, and what it does."""
    speed, theirs = training.kit19_speed, training.trl_speed
    sdpa: dict[str, Any] = {"attn_implementation": "sdpa"}
    flash: dict[str, Any] = {"attn_implementation": "flash_attention_2"}
    padded = {**sdpa, "layout": "padded"}
    saved = {**sdpa, "gradient_checkpointing": True}
    return {
        "machine": (30, machine),
        "make": (90, making.make_all),
        "masks": (60, partial(masks.masks, name="125m")),
        "resume": (80, partial(training.resume, name="125m")),
        "eval 125m": (100, partial(scoring.evaluate, name="125m")),
        "eval 1.3b": (150, partial(scoring.evaluate, name="1.3b")),
        "train 125m, full, packed, sdpa": (50, partial(speed, name="125m", **sdpa)),
        "train 125m, full, packed, flash": (50, partial(speed, name="125m", **flash)),
        "train 125m, full, padded, sdpa": (50, partial(speed, name="125m", **padded)),
        "TRL 125m, full, packed": (50, partial(theirs, name="125m", packing=True)),
        "TRL 125m, full, padded": (50, partial(theirs, name="125m", packing=False)),
        "train 1.3b, full, packed, sdpa": (110, partial(speed, name="1.3b", **sdpa)),
        "train 1.3b, full, packed, flash": (110, partial(speed, name="1.3b", **flash)),
        "train 1.3b, full, packed, checkpointed": (110, partial(speed, name="1.3b", **saved)),
        "train 1.3b, lora, packed, sdpa": (110, partial(speed, name="1.3b", method="lora", **sdpa)),
        "train 1.3b, qlora, packed, sdpa": (
            80,
            partial(speed, name="1.3b", method="qlora", **sdpa),
        ),
        "train 1.3b, lora, padded, sdpa": (
            80,
            partial(speed, name="1.3b", method="lora", **padded),
        ),
        "TRL 1.3b, full, packed": (110, partial(theirs, name="1.3b", packing=True)),
    }


def machine(_place: Path, _scale: Scale) -> dict[str, Any]:
    """The GPU, as torch sees it."""
    import torch

    if not torch.cuda.is_available():
        return {"gpu": None}
    properties = torch.cuda.get_device_properties(0)
    return {
        "gpu": properties.name,
        "memory": properties.total_memory,
        "capability": list(torch.cuda.get_device_capability()),
        "cuda": torch.version.cuda,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("build/gpu.json"))
    parser.add_argument("--minutes", type=float, default=13.0, help="of all steps together")
    parser.add_argument("--only", nargs="*", help="names of steps, or how they begin")
    parser.add_argument("--dry", action="store_true", help="on a processor, with tiny models")
    asked = parser.parse_args()
    scale = DRY if asked.dry else REAL
    os.environ |= {"HF_HUB_OFFLINE": "1", "TQDM_DISABLE": "1", "TOKENIZERS_PARALLELISM": "false"}
    if asked.dry:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    end = time.monotonic() + asked.minutes * 60
    document = _head(dry=asked.dry)
    place = Path(tempfile.mkdtemp(prefix="kit19-gpu-"))
    try:
        _import_all()
        for name, (bound, step) in steps().items():
            if not _is_wanted(name, asked.only):
                continue
            left = end - time.monotonic()
            if left < 10:
                document["steps"][name] = {"state": "skipped", "why": "no time was left"}
            else:
                seconds = left if asked.dry else min(bound, left)
                document["steps"][name] = _bounded(step, place, scale, seconds)
            print(name, json.dumps(document["steps"][name], ensure_ascii=False)[:600], flush=True)
            _write(asked.out, document)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    print(f"{asked.out}: {len(document['steps'])} steps")


def _is_wanted(name: str, only: list[str] | None) -> bool:
    return not only or name in {"machine", "make"} or name.startswith(tuple(only))


def _import_all() -> None:
    """Import what the steps share. Each is a fork of this process, which itself uses no GPU."""
    import kit19.evaluating.scorer
    import kit19.training.run.trainer  # noqa: F401


def _bounded(step: Step, place: Path, scale: Scale, seconds: float) -> dict[str, Any]:
    """Run a step in a fork, and end it after so many seconds."""
    context = multiprocessing.get_context("fork")
    receiving, sending = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=(step, place, scale, sending))
    start = time.monotonic()
    process.start()
    sending.close()
    try:
        found = receiving.recv() if receiving.poll(seconds) else {"state": "timeout"}
    except EOFError:  # it was killed, for its memory perhaps
        process.join()
        found = {"state": "failed", "error": f"it ended with code {process.exitcode}"}
    finally:
        process.join(1)
        if process.is_alive():
            process.kill()
            process.join()
    return {**found, "seconds": round(time.monotonic() - start, 1)}


def _run(step: Step, place: Path, scale: Scale, sending: Any) -> None:
    try:
        sending.send({"state": "ok", "result": step(place, scale)})
    except Exception as error:
        last = traceback.format_exc().splitlines()[-6:]
        what = f"{type(error).__name__}: {error}"[:500]
        sending.send({"state": "failed", "error": what, "trace": last})


def _head(*, dry: bool) -> dict[str, Any]:
    versions = {"python": platform.python_version()}
    for name in ("kit19", *PACKAGES):
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "not installed"
    return {
        "benchmark": "gpu",
        "dry": dry,
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "machine": {"system": platform.system(), "cores": os.cpu_count()},
        "versions": versions,
        "steps": {},
    }


def _write(path: Path, document: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    new.write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    new.replace(path)


if __name__ == "__main__":
    main()
