"""Looking at things: examples of a subset, the fate of a record, the numbers of a build."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import polars as pl

from kit19.catalog import BUILT_IN, Catalog, TemplateFile, load_catalog
from kit19.catalog.yaml_file import load_model
from kit19.curate import find_empty, with_place
from kit19.errors import CatalogError, FilesError, Problem, UnknownNameError, names_files, nearest
from kit19.fetch import find_files, usable
from kit19.ledger import MEANING
from kit19.manifest import Manifest, read_manifest
from kit19.order import hash_order
from kit19.parquet import read_parquet
from kit19.read import read_subset
from kit19.render import TemplateSet, choose, find_unfit, load_templates, render
from kit19.render.templates import check_templates
from kit19.sample import SAMPLE
from kit19.write import read_rows


@dataclass(frozen=True)
class Example:
    """One rendered example: where it comes from, how it was asked, the three texts."""

    id: str
    template: str
    style: str
    instruction: str
    input: str
    output: str
    label: str | None


@names_files
def show(  # noqa: PLR0913  one parameter an option of the command
    subset: str | None = None,
    n: int = 3,
    template: str | None = None,
    data_dir: Path | None = None,
    seed: int = 19,
    catalog_dir: Path = BUILT_IN,
    *,
    style: str | None = None,
    from_file: Path | None = None,
) -> list[Example]:
    """Render examples of a subset.

    Args:
        subset: Its name; may be left out where ``from_file`` names it.
        n: How many; of a template, where ``from_file`` brings several and none is picked.
        template: Only by this template; default: as a build would choose.
        data_dir: Upstream files; default: the sample that kit19 carries.
        seed: Decides which records.
        catalog_dir: The folder of cards.
        style: Only by templates of this style.
        from_file: A templates file that somebody is writing, instead of the catalog's: every
            template of it is shown.

    Raises:
        Kit19Error: An unknown name, a templates file that is wrong, or files that cannot be used.
    """
    catalog = load_catalog(catalog_dir)
    templates = _templates(catalog, subset, from_file)
    subset = templates.subset
    _, card = catalog.subset(subset)
    cards = {one.id: one for one in templates.templates}
    wanted = _wanted(templates, template, style)
    records = _usable_records(catalog, templates, data_dir, seed)
    if from_file:
        parts = [_by(records, templates, [name], n, seed) for name in wanted]
        chosen = pl.concat(parts)
    elif len(wanted) == len(cards):
        chosen = choose(records.head(n), templates, 1, seed)
    else:
        chosen = _by(records, templates, wanted, n, seed)
    rows = render(records, chosen, templates)
    if not from_file:
        rows = rows.sort(hash_order(pl.col("id"), "sample", seed), "id")
    return [
        Example(
            id=row["id"],
            template=row["template"],
            style=cards[row["template"]].card.style,
            instruction=row["instruction"],
            input=row["input"],
            output=row["output"],
            label=row[card.label] if card.label else None,
        )
        for row in rows.iter_rows(named=True)
    ]


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


def _wanted(templates: TemplateSet, template: str | None, style: str | None) -> list[str]:
    """Ids of the templates to show by."""
    known = {one.id: one.card.style for one in templates.templates}
    if template is not None and template not in known:
        fix = nearest(template, known)
        what = f"{templates.subset} has no template {template!r}"
        raise UnknownNameError(Problem(what, fix=fix))
    if style is not None and style not in known.values():
        fix = nearest(style, set(known.values()))
        what = f"{templates.subset} has no template in {style}"
        raise UnknownNameError(Problem(what, fix=fix))
    fitting = [name for name in known if template in (None, name) and style in (None, known[name])]
    if not fitting:
        what = f"the template {template!r} is not in {style}"
        raise UnknownNameError(Problem(what, fix=f"it is in {known[str(template)]}"))
    return fitting


def _usable_records(
    catalog: Catalog, templates: TemplateSet, data_dir: Path | None, seed: int
) -> pl.DataFrame:
    """A subset's records that are not empty and that a template fits, in the order of choice."""
    name = templates.subset
    source, card = catalog.subset(name)
    folder = data_dir or SAMPLE
    found = find_files(source, card.tables, card.splits, folder, check=data_dir is not None)
    files, left = usable(found, partial=True, unverified=False)
    if not files:
        what = f"no usable file of {name}; first: {left[0].name}: {left[0].by or 'missing'}"
        raise FilesError(Problem(what, str(folder), "leave out --data-dir to see the sample"))
    records = with_place(read_subset(name, source, card, files).frame, seed)
    for unusable in (find_empty(records, card), find_unfit(records, templates)):
        records = records.join(unusable, on="id", how="anti", maintain_order="left")
    return records.sort(hash_order(pl.col("id"), "sample", seed), "id")


def _by(
    records: pl.DataFrame, templates: TemplateSet, wanted: list[str], n: int, seed: int
) -> pl.DataFrame:
    """The first records that one of the wanted templates fits: columns id, template."""
    some = [one for one in templates.templates if one.id in wanted]
    first = choose(records, replace(templates, templates=some), 1, seed)
    chosen = records.select("id").join(first, on="id", maintain_order="left").head(n)
    return chosen.select("id", "template")


@dataclass(frozen=True)
class Explanation:
    """Why a record is in a build, or is not.

    Attributes:
        id: The record.
        status: `train`, `validation`, `dropped`, `surplus`, `not taken` or `not built`.
        why: One sentence.
        evidence: What the reason rests on (another id, a benchmark item, a file and line).
        rows: The rows that show it, if any.
    """

    id: str
    status: str
    why: str
    evidence: str = ""
    rows: list[dict[str, Any]] = field(default_factory=list)


@names_files
def explain(folder: str | Path, record: str, catalog_dir: Path = BUILT_IN) -> Explanation:
    """Say why a record is in a build, or is not.

    Args:
        folder: A build.
        record: ``<subset>/<upstream split>/<key>``.
        catalog_dir: The folder of cards.

    Raises:
        Kit19Error: No such build, or no such record is possible.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    catalog = load_catalog(catalog_dir).of_build(manifest.recipe)
    name, _, rest = record.partition("/")
    split, _, key = rest.partition("/")
    source, subset = catalog.subset(name)
    splits = source.splits_of(subset)
    if split not in splits or not key:
        what = f"{record!r} is no record id: it reads <subset>/<upstream split>/<key>"
        raise UnknownNameError(Problem(what, fix=f"splits of {name}: {', '.join(splits)}"))
    for part in ("train", "validation"):
        rows = read_rows(folder, part).filter(pl.col("id") == record)
        if rows.height:
            shown = rows.select("template", "instruction", "input", "output", "label")
            why = "kept for training" if part == "train" else "held out for validation"
            return Explanation(record, part, why, rows=shown.to_dicts())
    dropped = read_parquet(folder / "dropped.parquet").filter(pl.col("id") == record)
    if dropped.height:
        row = dropped.row(0, named=True)
        why = f"{row['reason']}: {MEANING[row['reason']]}"
        return Explanation(record, "dropped", why, row["evidence"])
    return _absent(manifest, record, name, split, catalog)


def _absent(
    manifest: Manifest, record: str, name: str, split: str, catalog: Catalog
) -> Explanation:
    recipe = manifest.recipe
    if name not in recipe["subsets"]:
        return Explanation(
            record, "not built", f"the recipe {recipe['id']} does not ask for {name}"
        )
    if name in manifest.not_built:
        gone = manifest.not_built[name]
        if gone[0].status == "license":
            why = f"{name} is left out by the license policy {recipe['license']}"
            return Explanation(record, "not built", why, gone[0].why)
        missing = "; ".join(f"{f.name}: {f.why}" for f in gone)
        return Explanation(record, "not built", f"{name} had no usable file", missing)
    allowed = catalog.subset(name)[1].splits
    if recipe["splits"] == "train" and split not in allowed:
        benchmarks = [
            b.id
            for b in catalog.benchmarks.values()
            if b.source == catalog.owners[name]
            and split in b.splits
            and b.table in catalog.subset(name)[1].tables
        ]
        why = f"the split {split} never becomes training rows; only {', '.join(allowed)} may"
        held = f"it holds items of the benchmark {', '.join(benchmarks)}" if benchmarks else ""
        return Explanation(record, "not taken", why, held)
    cut = manifest.subsets[name].cut
    frame = pl.DataFrame({"id": [record]})
    place = frame.select(hash_order(pl.col("id"), "sample", recipe["seed"])).item()
    if cut and place > min(cut.values()):
        why = (
            "surplus: if upstream has it, its place in the hash order is behind the last one taken"
        )
        last = ", ".join(f"{label or 'last taken'}: {value}" for label, value in cut.items())
        return Explanation(record, "surplus", why, f"its place: {place}; {last}")
    entry = manifest.subsets[name]
    why = "no file of the build holds such a record"
    left = "; ".join(f.name for f in entry.incomplete)
    raise UnknownNameError(
        Problem(f"{record}: {why}", fix=f"files left out: {left}" if left else "check its key")
    )


@names_files
def stats(folder: str | Path) -> pl.DataFrame:
    """Numbers of a build, a row for each subset.

    Returns:
        Columns subset, task, license, rows, records, shared (records whose text another subset has as
        well), templates, labels, and the median and largest number of characters of prompt
        (instruction and input) and output.

    Raises:
        VerifyError: The folder is no build.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    rows = pl.concat([read_rows(folder, "train"), read_rows(folder, "validation")])
    prompt = pl.col("instruction").str.len_chars() + pl.col("input").str.len_chars()
    output = pl.col("output").str.len_chars()
    grouped = rows.group_by("subset").agg(
        task=pl.col("task").first(),
        license=pl.col("license").first(),
        rows=pl.len(),
        records=pl.col("id").n_unique(),
        templates=pl.col("template").n_unique(),
        labels=pl.col("label").drop_nulls().n_unique(),
        prompt_median=prompt.median().cast(pl.UInt32),
        prompt_max=prompt.max(),
        output_median=output.median().cast(pl.UInt32),
        output_max=output.max(),
    )
    shared = [entry.shared for entry in manifest.subsets.values()]
    order = pl.DataFrame({"subset": list(manifest.subsets), "shared": shared})
    found = order.join(grouped, on="subset", maintain_order="left")
    front = ["subset", "task", "license", "rows", "records", "shared"]
    return found.select(*front, pl.exclude(front))
