"""Write docs/templates.md, one rendered example of every template, or with --check say if it is stale.

The examples come from the sample that kit19 carries, so they are the same everywhere; which record
shows a template is decided by hash, like everything else.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import polars as pl

from kit19.catalog import Catalog, load_catalog
from kit19.core.order import hash_order
from kit19.curating import find_empty
from kit19.fetching import select_files, subset_use
from kit19.reading import read_subset
from kit19.rendering import ParsedTemplate, TemplateSet, choose, load_templates, render
from kit19.sample import SAMPLE

PATH = Path(__file__).parent / "templates.md"
SEED = 19
LONGEST = 400  # characters of a text that are shown: rulings and petitions would fill the page

HEAD = """\
# Every template, with an example

One rendered example of each of the {templates} templates of {subsets} subsets, from the sample that
kit19 carries: sentences that its authors wrote, not the datasets' own. `make docs` writes this file
again. To see more of one: `kit19 show SUBSET --template ID`; to try one that you are writing:
`kit19 show --from-file FILE`.

The instruction stands first, the input below it, the answer behind →. “inverse” templates ask for the
text, given its label.
"""


def document() -> str:
    """The whole document."""
    catalog = load_catalog()
    sets = {name: load_templates(catalog, name) for name in sorted(catalog.owners)}
    counts = {name: len(templates.templates) for name, templates in sets.items()}
    head = HEAD.format(templates=sum(counts.values()), subsets=len(counts))
    listed = " · ".join(f"[{name}](#{name}) {count}" for name, count in counts.items())
    parts = [_subset(catalog, templates) for templates in sets.values()]
    return "\n".join([head, listed, "", *parts])


def _subset(catalog: Catalog, templates: TemplateSet) -> str:
    source, card = catalog.subset(templates.subset)
    records = _records(catalog, templates.subset)
    lines = [f"## {templates.subset}", "", f"{source.title}; {card.task.replace('_', ' ')}.", ""]
    for template in templates.templates:
        lines += _example(template, records, templates)
    return "\n".join(lines)


def _records(catalog: Catalog, name: str) -> pl.DataFrame:
    source, card = catalog.subset(name)
    (selected,) = select_files([subset_use(catalog, name)], SAMPLE)
    records = read_subset(name, source, card, selected.used).frame
    return records.join(find_empty(records, card), on="id", how="anti", maintain_order="left")


def _example(template: ParsedTemplate, records: pl.DataFrame, templates: TemplateSet) -> list[str]:
    alone = replace(templates, templates=[template])
    fitting = choose(records, alone, 1, SEED).select("id", "template")
    # Otherwise the record that comes first would show most templates of its subset.
    place = hash_order(pl.concat_str("id", pl.lit(f"|{template.id}")), "template", SEED)
    row = render(records, fitting.sort(place).head(1), alone).row(0, named=True)
    asked = [row["instruction"], row["input"]]
    marks: list[str] = [template.card.style]
    if template.card.direction == "inverse":
        marks.append("inverse")
    for field, values in template.card.when.items():
        marks.append(f"only where {field} is {', '.join(values)}")
    texts = [*(_cut(text) for text in asked if text), f"→ {_cut(row['output'])}"]
    fence = "````" if any("```" in text for text in texts) else "```"
    return [
        f"**{template.id}** ({'; '.join(marks)}): {template.card.why}",
        "",
        f"{fence}text",
        # Blanks at line ends would be taken away by editors, and the file would count as stale.
        *(line.rstrip() for text in texts for line in text.split("\n")),
        fence,
        "",
    ]


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST // 2]} […] {text[-LONGEST // 2 :]}"


def main(arguments: list[str]) -> int:
    """Write or check; returns the exit code."""
    if arguments not in ([], ["--check"]):
        print("usage: docs/templates.py [--check]", file=sys.stderr)
        return 2
    text = document()
    fresh = PATH.is_file() and PATH.read_text("utf-8") == text
    if not fresh and arguments:
        print(f"docs/{PATH.name} is stale: run `make docs`", file=sys.stderr)
    elif not fresh:
        PATH.write_text(text, encoding="utf-8", newline="\n")
        print(f"wrote docs/{PATH.name}")
    return 1 if arguments and not fresh else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
