"""Curation: find the records to drop, each with a named reason. Functions take and return frames."""

from kit19.curating.across import SubsetTexts, find_shared
from kit19.curating.contamination import ItemIndex, find_items
from kit19.curating.evidence import ItemSearch, load_search
from kit19.curating.examine import Examine, Examiner, with_reason
from kit19.curating.grams import bare
from kit19.curating.personal import mask_records
from kit19.curating.reasons import PLACE, find_empty, find_repeats, with_place
from kit19.curating.stored import load_index
from kit19.curating.turns import mask_turns

__all__ = [
    "PLACE",
    "Examine",
    "Examiner",
    "ItemIndex",
    "ItemSearch",
    "SubsetTexts",
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
]
