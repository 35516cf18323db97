"""A pytest plugin for the tests of lm-evaluation-harness: who imports ``HFLM`` gets kit19's model.

``PYTHONPATH=tests/support pytest -p kit19_as_hflm HARNESS/tests/models/test_huggingface.py``
"""

from __future__ import annotations

from lm_eval.models import huggingface

from kit19.evaluating.scorer import Kit19LM

huggingface.HFLM = Kit19LM
