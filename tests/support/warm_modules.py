"""What commands need of torch and transformers: ``tests.support.warm`` forks a process with it."""

from __future__ import annotations

import gc

import kit19.cli.train
import kit19.evaluating.scorer
import kit19.training.pipeline
import kit19.training.run.trainer  # noqa: F401

# No fork looks at these objects to find garbage, which would also copy their pages.
gc.collect()
gc.freeze()
