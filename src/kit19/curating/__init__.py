"""Curation: find the records to drop, each with a named reason. Functions take and return frames."""

from kit19.curating.across import SubsetTexts, find_shared, hash_texts
from kit19.curating.contamination import ItemIndex, find_contaminated, find_items
from kit19.curating.examine import examiner, with_reason
from kit19.curating.grams import bare
from kit19.curating.near import find_near
from kit19.curating.personal import mask_records
from kit19.curating.reasons import PLACE, find_empty, find_repeats, with_place
from kit19.curating.stored import load_index

__all__ = [
    "PLACE",
    "ItemIndex",
    "SubsetTexts",
    "bare",
    "examiner",
    "find_contaminated",
    "find_empty",
    "find_items",
    "find_near",
    "find_repeats",
    "find_shared",
    "hash_texts",
    "load_index",
    "mask_records",
    "with_place",
    "with_reason",
]
