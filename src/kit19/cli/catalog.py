"""``kit19 sources``: the sources to build from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kit19.catalog.index import summarize_sources
from kit19.catalog.layers import layers_of
from kit19.cli.options import catalog_option, json_option
from kit19.cli.output import print_json, print_table, print_text

if TYPE_CHECKING:
    from kit19.catalog import CatalogLike
    from kit19.catalog.listing import SourceEntry


@click.command(
    epilog="""\b
Examples:
  kit19 sources                 one line per source
  kit19 sources unsmile         license, doubts, origin and files of one
  kit19 sources --json
"""
)
@click.argument("name", required=False)
@json_option
@catalog_option
def sources(name: str | None, as_json: bool, catalog: CatalogLike) -> None:
    """List the sources, with their licenses, files, origins and subsets."""
    if name or as_json:
        from kit19.catalog.listing import sources as run  # noqa: PLC0415  a plain list need not wait

        found = run(name or (), catalog=catalog)
        if as_json:
            print_json(found[0].to_dict() if name else found.to_dict())
        else:
            _print_one(found[0])
        return
    layers = layers_of(catalog)
    rows = [
        [
            source.id,
            source.title,
            source.license,
            source.commercial,
            source.derivatives,
            ", ".join(source.subsets) or "–",
            ", ".join(source.benchmarks) or "–",
            _in_catalog(source.origin.catalog, replaces=source.origin.replaces),
        ]
        for source in summarize_sources(layers)
    ]
    columns = ["source", "title", "license", "commercial", "derivatives", "subsets", "benchmarks"]
    if layers.own:
        columns.append("catalog")
    print_table("", columns, [row[: len(columns)] for row in rows])
    print_text("\nOne source in full: kit19 sources NAME")


def _in_catalog(catalog: str, *, replaces: bool) -> str:
    return f"{catalog}, in place of kit19's" if replaces else catalog


def _print_one(entry: SourceEntry) -> None:
    source, card = entry.card, entry.card.license
    print_text(f"{source.title} ({source.id})\n{source.about.strip()}\n")
    print_text(f"Catalog: {_in_catalog(entry.catalog, replaces=entry.replaces)}")
    print_text(f"License: {card.spdx}, stated in {card.stated_in}")
    print_text(
        f"  commercial use: {card.commercial} · redistribution: {card.redistribution} · "
        f"derivatives: {card.derivatives} · share alike: {'yes' if card.share_alike else 'no'}"
    )
    if card.doubt:
        print_text(f"  doubt: {card.doubt.strip()}")
    for origin in source.origins:
        notes = ["" if origin.tried else "not tried online", origin.note.strip()]
        note = "; ".join(text for text in notes if text)
        print_text(
            f"Origin: {origin.kind}:{origin.repo} @ {origin.revision or 'unpinned'}"
            + (f" ({note})" if note else "")
        )
    if source.access:
        print_text(f"Access: {source.access.strip()}")
    print_text()
    files = [
        (name, split, file.path, file.rows, file.bytes, (file.sha256 or "")[:12])
        for name, table in source.tables.items()
        for split, group in table.files.items()
        for file in group
    ]
    columns = ("table", "split", "file", "rows", "bytes", "sha256")
    print_table("Files", columns, files, numbers=("rows", "bytes"))
    if source.subsets:
        subsets = [
            (name, subset.task, ", ".join(subset.splits), subset.note.strip())
            for name, subset in source.subsets.items()
        ]
        print_text()
        print_table("Subsets", ("subset", "task", "train on", "note"), subsets)
