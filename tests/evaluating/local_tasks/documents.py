"""Documents of the local tasks: small, Korean, and made here."""

from __future__ import annotations

from typing import Any

from datasets import Dataset, DatasetDict

_WORDS = [
    "사과",
    "바다",
    "구름",
    "연필",
    "기차",
    "나무",
    "하늘",
    "시계",
    "가방",
    "우산",
    "달력",
    "거울",
]


def load(**metadata: Any) -> DatasetDict:
    """Splits ``train`` and ``test``; a key of kit19's own among the metadata is an error."""
    strange = set(metadata) & {"data_dir", "sample", "pretrained"}
    if strange:
        raise TypeError(f"unexpected {strange}")
    rows = [
        {
            "question": f"{word} 다음에 오는 낱말은?",
            "options": [word, _WORDS[(place + 1) % 12], "없음", "모름"],
            "answer": 1 + place % 3,
            "answers": [1, 2 + place % 2],
            "reply": _WORDS[(place + 1) % 12],
        }
        for place, word in enumerate(_WORDS)
    ]
    return DatasetDict({"train": Dataset.from_list(rows[6:]), "test": Dataset.from_list(rows[:6])})
