"""The options of an evaluation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kit19.calling.endpoint import KEY_ENV
from kit19.core.results import Format
from kit19.fetching.data_dir import is_sample

Dtype = Literal["auto", "float32", "bfloat16", "float16"]

CONCURRENCY = 8
"""Requests to a server at once, unless another number is given."""
SEED = 1234
"""The harness's own seed for drawing examples."""


@dataclass(frozen=True)
class EvalOptions:
    """How to evaluate: the keyword arguments of ``evaluate``, which describes them, as one value."""

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
    base_url: str = ""
    tokenizer: str | None = None
    key_env: str = KEY_ENV
    concurrency: int = CONCURRENCY

    @property
    def sample(self) -> bool:
        """Whether kit19's own small sample of the benchmarks is scored."""
        return self.data_dir is not None and is_sample(self.data_dir)
