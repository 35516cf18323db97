"""Write docs/templates.md: shape and example of every template; with --check, say if it is stale.

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
from kit19.linting import View
from kit19.linting.alike import MAX_ALIKE, nearest_across
from kit19.linting.examples import show
from kit19.linting.shapes import Shape, shapes
from kit19.reading import read_subset
from kit19.rendering import ParsedTemplate, TemplateSet, choose, load_templates, render
from kit19.rendering.templates import ParsedConversation
from kit19.sample import SAMPLE

PATH = Path(__file__).parent / "templates.md"
SEED = 19
LONGEST = 400  # characters of a text that are shown: rulings and petitions would fill the page

HEAD = """\
# Every template, with an example

One rendered example of each of the {templates} templates of {subsets} subsets, and of each of the
{conversations} conversations that the recipe `kit19-chat` uses, from the sample that kit19 carries:
sentences that its authors wrote, not the datasets' own. `make docs` writes this file again. To see more
of one: `kit19 show SUBSET --template ID`; to try one that you are writing:
`kit19 show --from-file FILE`.

The instruction comes first, the input below it, the answer behind →. “inverse” templates ask for the
text, given its label. Conversations come last in their subset, turn by turn.

## Shapes

The shape of a template is computed from its text (`src/kit19/linting/shapes.py`), never declared:

- **opener**: how the instruction begins. *text first*: the record's text precedes the question; *note*:
  a noun phrase; *form*: a form whose last line is blank; *chat*: typed without the last punctuation;
  *situation*: a statement precedes the question.
- **answer**: *label*: a word for the label; *word*: a short field; *phrase*: several words, no
  sentence; *option*: an option's text; *mark*: only its mark; *text*: free text of the record;
  *fields*: labeled lines; *list*: one answer for each record of a batch.
- **options**: *named* where the prompt names the possible answers; *numbered*, *lettered*, *bulleted*
  where it lists them in an order that differs from record to record.
- **layout**: where the record's fields are: alone (*plain*), behind names (*labeled*) or marks
  (*marked*), *quoted* or set *in the instruction*, in a *batch*, after *examples*.
- **register**: the style of the instruction.

{shapes} different shapes are in use. {short}

{summary}

The templates of two subsets have at most {alike:.0%} of their character trigrams in common, without the
fields and words that they insert (the limit is {limit:.0%}). The nearest:

{nearest}
"""

GOAL = 20
"""Templates that each subset should have."""

SHOWN_PAIRS = 5


def document() -> str:
    """The whole document."""
    catalog = load_catalog()
    sets = {name: load_templates(catalog, name) for name in sorted(catalog.owners)}
    found = {
        name: shapes(View(templates, *catalog.subset(name))) for name, templates in sets.items()
    }
    parts = [_subset(catalog, templates, found[name]) for name, templates in sets.items()]
    return "\n".join([_head(list(sets.values()), found), *parts])


def _head(sets: list[TemplateSet], found: dict[str, dict[str, Shape]]) -> str:
    below = [name for name, of_subset in found.items() if len(of_subset) < GOAL]
    rows = [
        f"| [{name}](#{name}) | {len(of_subset)} | {len(set(of_subset.values()))} | "
        + " | ".join(
            str(len(set(part)))
            for part in zip(*(s.cells() for s in of_subset.values()), strict=True)
        )
        + " |"
        for name, of_subset in found.items()
    ]
    pairs = nearest_across(sets)
    return HEAD.format(
        templates=sum(map(len, found.values())),
        subsets=len(found),
        conversations=sum(len(one.conversations) for one in sets),
        shapes=len({shape for of_subset in found.values() for shape in of_subset.values()}),
        short=f"Fewer than {GOAL} templates: {', '.join(below)}."
        if below
        else f"Every subset has at least {GOAL} templates.",
        summary="\n".join(
            [
                "| subset | templates | shapes | openers | answers | options | layouts | registers |",
                "|---|--:|--:|--:|--:|--:|--:|--:|",
                *rows,
            ]
        ),
        alike=pairs[0].share,
        limit=MAX_ALIKE,
        nearest="\n".join(
            f"- {pair.share:.0%}: `{pair.one}` and `{pair.other}`" for pair in pairs[:SHOWN_PAIRS]
        ),
    )


def _subset(catalog: Catalog, templates: TemplateSet, found: dict[str, Shape]) -> str:
    source, card = catalog.subset(templates.subset)
    records = _records(catalog, templates.subset)
    lines = [
        f"## {templates.subset}",
        "",
        f"{source.title}; {card.task.replace('_', ' ')}.",
        "",
        "| template | opener | answer | options | layout | register |",
        "|---|---|---|---|---|---|",
        *(f"| {name} | {' | '.join(shape.cells())} |" for name, shape in found.items()),
        "",
    ]
    for template in templates.templates:
        lines += _example(template, records, templates)
    for one in templates.conversations:
        lines += _conversation(one, templates.subset, catalog)
    return "\n".join(lines)


def _records(catalog: Catalog, name: str) -> pl.DataFrame:
    source, card = catalog.subset(name)
    (selected,) = select_files([subset_use(catalog, name)], SAMPLE)
    records = read_subset(name, source, card, selected.used).frame
    return records.join(find_empty(records, card), on="id", how="anti", maintain_order="left")


def _example(template: ParsedTemplate, records: pl.DataFrame, templates: TemplateSet) -> list[str]:
    alone = replace(templates, templates=[template])
    # Otherwise the record that comes first would show most templates of its subset.
    place = hash_order(pl.concat_str("id", pl.lit(f"|{template.id}")), "template", SEED)
    chosen = choose(records, alone, 1, SEED).select("id", "template", "batch").sort(place)
    of_first = pl.col("batch").eq_missing(pl.col("batch").first())
    shown = chosen.filter(of_first) if template.card.batch else chosen.head(1)
    row = render(records, shown, alone).row(0, named=True)
    asked = [row["instruction"], row["input"]]
    marks: list[str] = [template.card.style]
    if template.card.direction == "inverse":
        marks.append("inverse")
    for field, values in template.card.when.items():
        marks.append(f"only where {field} is {', '.join(values)}")
    texts = [*(_cut(text) for text in asked if text), f"→ {_cut(row['output'])}"]
    return _shown(f"**{template.id}** ({'; '.join(marks)}): {template.card.why}", texts)


_ABOUT = {
    "one": "on one record",
    "group": "on up to {} records of a group",
    "any": "on any {} records",
}


def _conversation(one: ParsedConversation, subset: str, catalog: Catalog) -> list[str]:
    (example,) = show(subset, n=1, template=one.id, seed=SEED, data_dir="sample", catalog=catalog)
    texts = [
        {"system": "(system) ", "user": "(user) ", "assistant": "→ "}[turn["role"]]
        + _cut(turn["content"])
        for turn in example.messages or []
    ]
    about = f"conversation {_ABOUT[one.card.records].format(one.card.most)}"
    return _shown(f"**{one.id}** ({one.card.style}; {about}): {one.card.why}", texts)


def _shown(head: str, texts: list[str]) -> list[str]:
    fence = "````" if any("```" in text for text in texts) else "```"
    return [
        head,
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
