"""What readers of a build must know: what is missing, unverified, or not decontaminated.

The command line, dataset cards, publishing and training take their words from here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from kit19.core.manifest import Manifest, SubsetEntry

NoteKind = Literal[
    "sample",
    "contaminated",
    "not_decontaminated",
    "replaced",
    "shared",
    "entangled",
    "short",
    "incomplete",
    "unverified",
    "malformed",
    "not_built",
]

SAMPLE = "kit19's own sample, not the datasets"
CONTAMINATED = "benchmark splits are included on purpose"


@dataclass(frozen=True)
class BuildNote:
    """One fact about a build.

    Attributes:
        kind: What it is about.
        what: The fact, one sentence without a full stop.
        meaning: What follows from it, likewise; empty if that is clear.
        subset: The subset that it is about; empty for the complete build.
    """

    kind: NoteKind
    what: str
    meaning: str = ""
    subset: str = ""

    @property
    def headline(self) -> str:
        """``what``, with a word in front that nobody overlooks if the build is contaminated."""
        return f"CONTAMINATED: {self.what}" if self.kind == "contaminated" else self.what


def build_notes(manifest: Manifest) -> Iterator[BuildNote]:
    """The notes on a build, the gravest first, then those on its subsets in the recipe's order."""
    if manifest.sample:
        meaning = (
            "the authors of kit19 wrote its rows in the file layouts of the sources; numbers computed "
            "from them do not apply to the datasets"
        )
        yield BuildNote("sample", SAMPLE, meaning)
    if manifest.contaminated:
        meaning = (
            "do not report KoBEST or KLUE scores of a model trained on it, but to measure leakage"
        )
        yield BuildNote("contaminated", CONTAMINATED, meaning)
    elif manifest.not_decontaminated_against or not manifest.decontaminated_against:
        names = ", ".join(manifest.not_decontaminated_against) or "any benchmark"
        yield BuildNote("not_decontaminated", f"not decontaminated against {names}")
    if manifest.partly_decontaminated_against:
        parts = [
            f"{name} ({used} of {expected} files)"
            for name, (used, expected) in manifest.partly_decontaminated_against.items()
        ]
        what = f"decontaminated against a part of {', '.join(parts)}"
        yield BuildNote("not_decontaminated", what)
    if manifest.catalog and manifest.catalog.replaced:
        names = ", ".join(manifest.catalog.replaced)
        yield BuildNote("replaced", f"cards of a user's catalog are in place of kit19's: {names}")
    yield from _mixture_notes(manifest)
    for name, entry in manifest.subsets.items():
        yield from _subset_notes(name, entry)
    for name, files in manifest.not_built.items():
        first = files[0]
        why = first.why if first.status == "license" else f"{first.name}: {first.why}"
        more = f" and {len(files) - 1} more" if len(files) > 1 else ""
        yield BuildNote("not_built", f"{name} is not built: {why}{more}", subset=name)


def _subset_notes(name: str, entry: SubsetEntry) -> Iterator[BuildNote]:
    used, expected = entry.files
    if used < expected:
        what = f"{name} is incomplete: {used} of {expected} files"
        yield BuildNote("incomplete", what, subset=name)
    if entry.unverified:
        what = f"{name} has rows of unverified files: {', '.join(entry.unverified)}"
        yield BuildNote("unverified", what, subset=name)
    if faults := entry.ledger.malformed_by:
        counted = ", ".join(f"{count:,} {fault}" for fault, count in faults.items())
        what = f"{name} lacks {sum(faults.values()):,} malformed rows: {counted}"
        yield BuildNote("malformed", what, subset=name)


def _mixture_notes(manifest: Manifest) -> Iterator[BuildNote]:
    if manifest.shared:
        pairs = ", ".join(f"{s.subset}/{s.earlier} {s.records:,}" for s in manifest.shared)
        what = f"records whose text is in two subsets: {pairs} (--set dedup=across drops them)"
        yield BuildNote("shared", what)
    if manifest.entangled_by:
        keys = ", ".join(manifest.entangled_by)
        yield BuildNote("entangled", f"excluding a subset may change rows of the others: {keys}")
    if manifest.short:
        cap = manifest.recipe["cap"]
        yield BuildNote("short", f"fewer than {cap:,} rows with all templates: {manifest.short}")
