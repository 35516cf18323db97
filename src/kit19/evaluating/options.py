"""What may be asked of an evaluation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kit19.core.results import Format

SEED = 1234
"""The harness's own seed for drawing examples."""


@dataclass(frozen=True)
class EvalOptions:
    """How to evaluate.

    Attributes:
        tasks: Names of kit19's tasks or of the harness's, or task files' paths; default: the seven.
        include_paths: Folders of the user's own task files.
        shots: Examples before each question; default: what each task says of itself.
        format: ``raw`` prompts, the training prompt (``instruction``), or the chat template.
        prompt_format: For ``instruction``: a format's name or file; default: the run's own.
        system: A system instruction before every prompt.
        data_dir: Where benchmark files lie; default as everywhere.
        sample: Score kit19's own small sample of the benchmarks instead.
        limit: At most so many items of each task.
        batch_tokens: Tokens in a batch; default by device.
        batch_size: Rows in a batch of HFLM's, which generates, and scores what kit19's scorer cannot.
        device: ``cpu``, ``cuda``, ``cuda:1``, ``mps``; default: what is there.
        dtype: ``auto`` (the model's own), ``float32``, ``bfloat16``, ``float16``.
        revision: Of a model on the Hub.
        adapter: A PEFT adapter to put on the model.
        trust_remote_code: Let the model bring code of its own.
        allow_pickle: Load weights in torch's pickle format too.
        seed: Of the draw of examples.
        use_cache: Read scores from the cache, and write new ones to it.
    """

    tasks: tuple[str, ...] = ()
    include_paths: tuple[Path, ...] = ()
    shots: int | None = None
    format: Format = "raw"
    prompt_format: str | None = None
    system: str | None = None
    data_dir: Path | None = None
    sample: bool = False
    limit: int | None = None
    batch_tokens: int | None = None
    batch_size: int | None = None
    device: str | None = None
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    revision: str | None = None
    adapter: str | None = None
    trust_remote_code: bool = False
    allow_pickle: bool = False
    seed: int = SEED
    use_cache: bool = True
