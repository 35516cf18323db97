"""Curation: named reasons to drop a record. Frames in, frames out; counts are the ledger's."""

from kit19.curating.across import SubsetTexts, shared_texts, texts_of
from kit19.curating.contamination import Items, find_contaminated, find_items
from kit19.curating.examine import examiner, with_reason
from kit19.curating.grams import bare
from kit19.curating.near import find_near
from kit19.curating.personal import mask_records
from kit19.curating.reasons import PLACE, find_empty, find_repeats, with_place
from kit19.curating.stored import prepared

__all__ = [
    "PLACE",
    "Items",
    "SubsetTexts",
    "bare",
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
    "with_reason",
]
