"""Curation: find the records to drop, each with a named reason. Functions take and return frames.

Modules are imported when a name is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit19.core.loaded_on_use import load_on_use

if TYPE_CHECKING:
    from kit19.curating.across import SubsetTexts, find_shared
    from kit19.curating.contamination import ItemIndex, find_items
    from kit19.curating.evidence import Benchmarks, ItemSearch, load_search
    from kit19.curating.examination import with_reason
    from kit19.curating.examine import Examine, Examiner, OnExamined
    from kit19.curating.grams import bare
    from kit19.curating.personal import mask_records
    from kit19.curating.reasons import PLACE, find_empty, find_repeats, with_place
    from kit19.curating.stored import load_index
    from kit19.curating.turns import mask_turns
    from kit19.curating.workers import Workers, workers_for

__all__ = [
    "PLACE",
    "Benchmarks",
    "Examine",
    "Examiner",
    "ItemIndex",
    "ItemSearch",
    "OnExamined",
    "SubsetTexts",
    "Workers",
    "bare",
    "find_empty",
    "find_items",
    "find_repeats",
    "find_shared",
    "load_index",
    "load_search",
    "mask_records",
    "mask_turns",
    "with_place",
    "with_reason",
    "workers_for",
]

__getattr__ = load_on_use(
    __name__,
    {
        "across": ["SubsetTexts", "find_shared"],
        "contamination": ["ItemIndex", "find_items"],
        "evidence": ["Benchmarks", "ItemSearch", "load_search"],
        "examination": ["with_reason"],
        "examine": ["Examine", "Examiner", "OnExamined"],
        "grams": ["bare"],
        "personal": ["mask_records"],
        "reasons": ["PLACE", "find_empty", "find_repeats", "with_place"],
        "stored": ["load_index"],
        "turns": ["mask_turns"],
        "workers": ["Workers", "workers_for"],
    },
)
