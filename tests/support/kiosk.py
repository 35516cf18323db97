"""A subset of our own to render: free text, a short name, and a label with words."""

from __future__ import annotations

from typing import Any

import polars as pl

from kit19.catalog import Source, TemplateFile
from kit19.rendering import TemplateSet
from kit19.rendering.load import check_templates

_CARD = {
    "id": "kiosk",
    "title": "Kiosk",
    "about": "Nothing upstream.",
    "license": {
        "spdx": "CC0-1.0",
        "commercial": "yes",
        "redistribution": "yes",
        "derivatives": "yes",
        "stated_in": "here",
    },
    "citation": "",
    "notice": "Nobody's.",
    "origins": [{"kind": "github", "repo": "a/b", "revision": "c"}],
    "tables": {
        "notes": {
            "read": {"format": "jsonl"},
            "files": {"train": [{"path": "notes.jsonl"}]},
            "columns": {
                "text": "text",
                "name": "name",
                "label": {"from": "label", "values": {"0": "bad", "1": "good"}},
                "topics": {"from": "topics", "many": "|", "values": {"a": "food", "b": "price"}},
            },
        }
    },
    "subsets": {
        "notes": {
            "task": "sentiment_analysis",
            "tables": ["notes"],
            "splits": ["train"],
            "require": ["text", "label"],
            "identity": ["text"],
            "exposed": ["text"],
            "label": "label",
            "short": ["name"],
        }
    },
}
SOURCE = Source.model_validate(_CARD)
WORDS: dict[str, Any] = {
    "label": {"ko": {"bad": "부정", "good": "긍정"}, "like": {"bad": "싫어", "good": "좋아"}},
    "topics": {"ko": {"food": "음식", "price": "값"}},
}


def template(name: str = "plain", **texts: Any) -> dict[str, Any]:
    """A template as it stands in YAML; what is not given is plain."""
    plain = {
        "id": name,
        "style": "해요체",
        "why": "for a test",
        "instruction": "어때요?",
        "input": "{text}",
        "output": "{label.ko}",
    }
    return plain | texts


def templates(*cards: dict[str, Any], words: dict[str, Any] | None = None) -> TemplateSet:
    """Templates parsed and checked for the subset ``notes``."""
    file = TemplateFile.model_validate(
        {"subset": "notes", "words": WORDS if words is None else words, "templates": cards}
    )
    return check_templates(file, {}, "notes.yaml", SOURCE, SOURCE.subsets["notes"])


def record(place: str = "notes/train/0", /, **fields: str | None) -> dict[str, str | None]:
    return {"id": place, "text": "글", "name": "이름", "label": "good", "topics": None} | fields


def frame(*records: dict[str, str | None]) -> pl.DataFrame:
    columns = ["id", "text", "name", "label", "topics"]
    return pl.DataFrame(list(records), schema=dict.fromkeys(columns, pl.String))
