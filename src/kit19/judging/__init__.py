"""Judging generated answers by a model behind an API: scores, pairs, agreement of judges.

``kit19.judge`` is in ``judging.pipeline``. No call is made that was not asked for.
"""
