"""Curation: named reasons to drop a record. Frames in, frames out; counts are the ledger's."""

from kit19.curate.across import Said, shared_texts, texts_of
from kit19.curate.contamination import Items, find_contaminated, find_items
from kit19.curate.examine import because, examiner
from kit19.curate.grams import bare
from kit19.curate.near import find_near
from kit19.curate.personal import mask_records
from kit19.curate.reasons import PLACE, find_empty, find_repeats, with_place
from kit19.curate.stored import prepared

__all__ = [
    "PLACE",
    "Items",
    "Said",
    "bare",
    "because",
    "examiner",
    "find_contaminated",
    "find_empty",
    "find_items",
    "find_near",
    "find_repeats",
    "mask_records",
    "prepared",
    "shared_texts",
    "texts_of",
    "with_place",
]
