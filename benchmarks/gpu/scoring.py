"""Steps: evaluation of seven tasks by kit19 and by HFLM at its best batch."""

from __future__ import annotations

import gc
import time
from pathlib import Path
from typing import Any

from benchmarks.gpu.making import requests
from benchmarks.gpu.scale import Scale


def evaluate(place: Path, scale: Scale, name: str) -> dict[str, Any]:
    """Seconds of each way on each task, and how far scores are apart."""
    import lm_eval.models  # noqa: F401
    from lm_eval.models.huggingface import HFLM

    from kit19.evaluating.scorer import Kit19LM

    of_tasks = requests(scale.copies, items=scale.items)
    given: dict[str, Any] = {
        "pretrained": str(place / name),
        "device": scale.device,
        "dtype": scale.dtype,
    }
    ways: dict[str, Any] = {"kit19": lambda: Kit19LM(**given)}
    for batch in scale.batches:
        ways[f"HFLM, batch {batch}"] = lambda batch=batch: HFLM(**given, batch_size=batch)
    found: dict[str, Any] = {"requests": {task: len(some) for task, some in of_tasks.items()}}
    scores: dict[str, dict[str, list[float]]] = {}
    for way, load in ways.items():
        lm = load()
        lm.loglikelihood(of_tasks["kobest_copa"][:8], disable_tqdm=True)  # kernels are compiled
        found[way], scores[way] = {}, {}
        try:
            for task, some in of_tasks.items():
                start = time.perf_counter()
                scored = lm.loglikelihood(some, disable_tqdm=True)
                _synchronize(scale)
                found[way][task] = time.perf_counter() - start
                scores[way][task] = [value for value, _ in scored]
        except Exception as error:  # a batch that does not fit; the others count
            found[way] = {"error": f"{type(error).__name__}: {error}"[:300]}
        del lm
        gc.collect()
        _free(scale)
    others = [found[way] for way in ways if way != "kit19" and "error" not in found[way]]
    best = {task: min(one[task] for one in others) for task in of_tasks} if others else {}
    own = found["kit19"]
    if best and "error" not in own:
        found["HFLM's best batch over kit19"] = sum(best.values()) / sum(own.values())
        found["the same by task"] = {task: best[task] / own[task] for task in best}
    found["largest difference of a score"] = max(
        (
            abs(one - other)
            for way in ways
            for task, values in scores[way].items()
            for one, other in zip(scores["kit19"].get(task, values), values, strict=True)
        ),
        default=0.0,
    )
    return found


def _synchronize(scale: Scale) -> None:
    import torch

    if scale.device == "cuda":
        torch.cuda.synchronize()


def _free(scale: Scale) -> None:
    import torch

    if scale.device == "cuda":
        torch.cuda.empty_cache()
