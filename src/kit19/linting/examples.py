"""Looking at examples of a subset."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from kit19.catalog import Catalog, CatalogLike, TemplateFile, load_catalog
from kit19.catalog.layers import CardOrigin
from kit19.catalog.yaml_file import load_model
from kit19.core.arguments import Count, Seed, public
from kit19.core.errors import (
    CatalogError,
    Problem,
    UnknownNameError,
    suggest_names,
)
from kit19.core.listing import Listing
from kit19.core.order import hash_order
from kit19.core.rows import MESSAGES
from kit19.curating import find_empty, with_place
from kit19.fetching import Leniency, select_files, subset_use
from kit19.fetching.data_dir import resolve_data_dir
from kit19.reading import read_subset
from kit19.rendering import (
    TemplateSet,
    choose,
    choose_conversations,
    find_unfit,
    load_templates,
    render,
    render_conversations,
)
from kit19.rendering.conversations import TALK
from kit19.rendering.load import check_templates
from kit19.rendering.several import BATCH
from kit19.rendering.templates import ParsedConversation

_CHOSEN = pl.Schema({"id": pl.String, "template": pl.String, BATCH: pl.UInt32})


@dataclass(frozen=True)
class Example:
    """One rendered example.

    Attributes:
        id: Its record.
        template: Its template.
        style: The register of the template.
        instruction: The instruction.
        input: The text that the instruction is about; may be empty.
        output: The answer.
        label: The canonical label of the record, if its subset has one.
        messages: The turns of a conversation, whose three texts are empty; None for all others.
        card: Where the card of its source comes from.
        templates: Where its template comes from.
    """

    id: str
    template: str
    style: str
    instruction: str
    input: str
    output: str
    label: str | None
    messages: list[dict[str, str]] | None
    card: CardOrigin
    templates: CardOrigin

    def to_dict(self) -> dict[str, Any]:
        """The example as JSON has it."""
        return asdict(self)


class Examples(Listing[Example]):
    """Examples of a subset."""


@public
def show(  # noqa: PLR0913  one parameter an option of the command
    subset: str | None = None,
    *,
    n: Count = 3,
    template: str | None = None,
    style: str | None = None,
    from_file: str | Path | None = None,
    seed: Seed = 19,
    data_dir: str | Path | None = None,
    catalog: CatalogLike = None,
) -> Examples:
    """Render examples of a subset.

    Args:
        subset: Its name; may be left out where ``from_file`` names it.
        n: How many; of a template, if ``from_file`` has several and none is selected.
        template: Only by this template or conversation; default: as a build without conversations
            would choose.
        style: Only by templates of this style.
        from_file: A templates file that somebody is writing, instead of the catalog's: every
            template and conversation of it is shown.
        seed: Decides which records.
        data_dir: The folder of upstream files; ``"sample"`` for the small sample that kit19 carries;
            default: where ``kit19 fetch`` puts them.
        catalog: A folder of cards to add to kit19's own, or a loaded catalog (see ``load_catalog``).

    Raises:
        Kit19Error: An unknown name, a templates file that is wrong, or files that cannot be used.
    """
    loaded = load_catalog(catalog)
    templates = _templates(loaded, subset, None if from_file is None else Path(from_file))
    _, card = loaded.subset(templates.subset)
    styles = _styles(templates)
    wanted = _select_templates(templates, template, style)
    records = _usable_records(loaded, templates, resolve_data_dir(data_dir), seed)
    single = [one.id for one in templates.templates if one.id in wanted]
    if from_file:
        parts = [_choose_among(records, templates, [name], n, seed) for name in single]
        chosen = pl.concat([pl.DataFrame(schema=_CHOSEN), *parts])
    elif len(single) == len(templates.templates):
        chosen = choose(records.head(n), templates, 1, seed, records)
    else:
        chosen = _choose_among(records, templates, single, n, seed)
    rows = render(records, chosen, templates)
    if not from_file:
        rows = rows.sort(hash_order(pl.col("id"), "sample", seed), "id")
    if from_file or not single:
        spoken = [one for one in templates.conversations if one.id in wanted]
        rows = pl.concat(
            [rows, *(_converse(records, templates, one, n, seed) for one in spoken)], how="diagonal"
        )
    card_from, templates_from = _origins(loaded, templates.subset, from_file)
    return Examples(
        Example(
            id=row["id"],
            template=row["template"],
            style=styles[row["template"]],
            instruction=row["instruction"],
            input=row["input"],
            output=row["output"],
            label=row[card.label] if card.label else None,
            messages=row.get(MESSAGES),
            card=card_from,
            templates=templates_from,
        )
        for row in rows.iter_rows(named=True)
    )


def _origins(
    catalog: Catalog, subset: str, from_file: str | Path | None
) -> tuple[CardOrigin, CardOrigin]:
    """Where the card and the templates of a subset come from."""
    card = catalog.layers.origin("sources", catalog.owners[subset])
    if from_file:
        return card, CardOrigin(str(Path(from_file).parent), str(from_file), replaces=False)
    return card, catalog.layers.origin("templates", subset)


def _templates(catalog: Catalog, subset: str | None, from_file: Path | None) -> TemplateSet:
    """The catalog's templates of a subset, or those of a file that somebody is writing."""
    if from_file is None:
        if subset is None:
            raise UnknownNameError(
                Problem("no subset is named", fix=f"known: {', '.join(sorted(catalog.owners))}")
            )
        return load_templates(catalog, subset)
    file, lines = load_model(from_file, TemplateFile)
    if subset not in (None, file.subset):
        where = f"{from_file}:{lines.get(('subset',), 1)}"
        raise CatalogError(Problem(f"subset: says {file.subset!r}", where, f"write {subset!r}"))
    return check_templates(file, lines, str(from_file), *catalog.subset(file.subset))


def _styles(templates: TemplateSet) -> dict[str, str]:
    """Template or conversation → its register."""
    styles: dict[str, str] = {one.id: one.card.style for one in templates.templates}
    styles.update({one.id: one.card.style for one in templates.conversations})
    return styles


def _select_templates(templates: TemplateSet, template: str | None, style: str | None) -> list[str]:
    """Ids of the templates and conversations to show by."""
    known = _styles(templates)
    if template is not None and template not in known:
        fix = suggest_names(template, known)
        what = f"{templates.subset} has no template {template!r}"
        raise UnknownNameError(Problem(what, fix=fix))
    if style is not None and style not in known.values():
        fix = suggest_names(style, set(known.values()))
        what = f"{templates.subset} has no template in {style}"
        raise UnknownNameError(Problem(what, fix=fix))
    fitting = [name for name in known if template in (None, name) and style in (None, known[name])]
    if not fitting:
        what = f"the template {template!r} is not in {style}"
        raise UnknownNameError(Problem(what, fix=f"it is in {known[str(template)]}"))
    return fitting


def _usable_records(
    catalog: Catalog, templates: TemplateSet, folder: Path, seed: int
) -> pl.DataFrame:
    """A subset's records that are not empty and that a template fits, in the order of choice."""
    name = templates.subset
    source, card = catalog.subset(name)
    (selected,) = select_files([subset_use(catalog, name)], folder, Leniency(partial=True))
    files = selected.require_some(folder, "leave out --data-dir to see the sample")
    records = with_place(read_subset(name, source, card, files).frame, seed)
    for unusable in (find_empty(records, card), find_unfit(records, templates)):
        records = records.join(unusable, on="id", how="anti", maintain_order="left")
    return records.sort(hash_order(pl.col("id"), "sample", seed), "id")


def _converse(
    records: pl.DataFrame, templates: TemplateSet, one: ParsedConversation, n: int, seed: int
) -> pl.DataFrame:
    """The first conversations by one of the declared ones."""
    alone = replace(templates, conversations=[one])
    chosen = choose_conversations(records, records["id"].clear(), alone, 1, seed)
    return render_conversations(records, chosen.filter(pl.col(TALK) < n), alone)


def _choose_among(
    records: pl.DataFrame, templates: TemplateSet, wanted: list[str], n: int, seed: int
) -> pl.DataFrame:
    """The first rows by one of the wanted templates: columns id, template, batch."""
    if not wanted:
        return pl.DataFrame(schema=_CHOSEN)
    some = [one for one in templates.templates if one.id in wanted]
    first = choose(records, replace(templates, templates=some), 1, seed)
    chosen = records.select("id").join(first, on="id", maintain_order="left")
    row = pl.coalesce(pl.format("{}|{}", "template", BATCH), "id").alias("#row")
    wanted_rows = chosen.select(row).unique(maintain_order=True).head(n)
    shown = chosen.with_columns(row).join(wanted_rows, on="#row", how="semi", maintain_order="left")
    return shown.select("id", "template", BATCH)
