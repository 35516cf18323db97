"""The options of an evaluation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kit19.core.results import Format
from kit19.fetching.data_dir import is_sample

Dtype = Literal["auto", "float32", "bfloat16", "float16"]

SEED = 1234
"""The harness's own seed for drawing examples."""


@dataclass(frozen=True)
class EvalOptions:
    """How to evaluate.

    Attributes:
        tasks: Names of kit19's tasks or of the harness's, or task files' paths; default: the seven.
        include_paths: Folders of the user's own task files.
        shots: Examples before each question; default: each task's own number.
        format: ``raw`` prompts, the training prompt (``instruction``), or the chat template.
        prompt_format: For ``instruction``: a format's name or file; default: the run's own.
        system: A system instruction before every prompt.
        data_dir: The folder of benchmark files; default: ``KIT19_DATA_DIR``, or kit19's cache.
        limit: Most items of each task.
        batch_tokens: Tokens in a batch; default by device.
        batch_size: Rows in a batch of HFLM, which generates, and scores what the fast path cannot.
        device: ``cpu``, ``cuda``, ``cuda:1``, ``mps``; default: the best available.
        dtype: ``auto`` (the model's own), ``float32``, ``bfloat16``, ``float16``.
        revision: Commit, tag or branch of a model on the Hub.
        adapter: A PEFT adapter to load on the model.
        trust_remote_code: Run code from the model's repository.
        allow_pickle: Load weights in torch's pickle format too.
        seed: The seed for drawing examples.
        use_cache: Read scores from the cache, and write new ones to it.
    """

    tasks: tuple[str, ...] = ()
    include_paths: tuple[Path, ...] = ()
    shots: int | None = None
    format: Format = "raw"
    prompt_format: str | None = None
    system: str | None = None
    data_dir: Path | None = None
    limit: int | None = None
    batch_tokens: int | None = None
    batch_size: int | None = None
    device: str | None = None
    dtype: Dtype = "auto"
    revision: str | None = None
    adapter: str | None = None
    trust_remote_code: bool = False
    allow_pickle: bool = False
    seed: int = SEED
    use_cache: bool = True

    @property
    def sample(self) -> bool:
        """Whether kit19's own small sample of the benchmarks is scored."""
        return self.data_dir is not None and is_sample(self.data_dir)
