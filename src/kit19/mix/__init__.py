"""Mixing: caps, weights, balance, held-out groups and the order of rows, all by hash."""

from kit19.mix.quota import quotas
from kit19.mix.shares import cap_tasks, weigh
from kit19.mix.shuffle import in_card_order, shuffled
from kit19.mix.take import Examine, Taken, no_drops, take, take_balanced
from kit19.mix.validation import HeldOut, hold_out

__all__ = [
    "Examine",
    "HeldOut",
    "Taken",
    "cap_tasks",
    "hold_out",
    "in_card_order",
    "no_drops",
    "quotas",
    "shuffled",
    "take",
    "take_balanced",
    "weigh",
]
