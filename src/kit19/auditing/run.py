"""Run an audit: plan it, search its parts, and merge what was found."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from kit19.auditing.allowed import read_allowed
from kit19.auditing.items import BenchmarkItems, FoundItems, find_benchmark_items
from kit19.auditing.merge import merge
from kit19.auditing.plan import Options, Part, make_plan
from kit19.auditing.result import Audit, Remark
from kit19.auditing.search import Found, Searcher
from kit19.auditing.shards import Failure, Result
from kit19.auditing.summary import Sought, describe
from kit19.catalog import Catalog, CatalogLike, load_catalog
from kit19.core.arguments import OnProgress, one_or_more, public, silent
from kit19.fetching.data_dir import resolve_data_dir
from kit19.reading import Remarks
from kit19.reading.opening import CannotUnpackError

READING_BENCHMARKS = "reading the benchmarks"
READING_ROWS = "rows read"


@public
def audit(  # noqa: PLR0913  one parameter an option of the command
    dataset: str | Path,
    against: str | Path | Collection[str | Path] = (),
    *,
    data_dir: str | Path | None = None,
    columns: str | Collection[str] = (),
    header: bool | None = None,
    catalog: CatalogLike = None,
    allow: str | Path | Collection[str | Path] = (),
    on_progress: OnProgress = silent,
) -> Audit:
    """Search a dataset for benchmark items, in this process and in memory.

    Args:
        dataset: A file or folder (JSON lines, JSON, CSV, TSV, lines of text, parquet), or a dataset
            on the Hub: ``owner/name``, or ``owner/name@revision``.
        against: Benchmarks or sets of them by name, or your own items, one a row: files, folders, or
            datasets on the Hub; default: every benchmark of the catalog whose files are present.
        data_dir: The folder of upstream files; ``"sample"`` for the small sample that kit19 carries;
            default: where ``kit19 fetch`` puts them.
        columns: Search only these columns.
        header: Whether delimited files have a header line; None to detect it.
        catalog: A folder of cards to add to kit19's own, or a loaded catalog (see ``load_catalog``).
        allow: Allow-lists (``kit19 view`` writes them): pairs in them are no findings, and listed as
            ``allowed``.
        on_progress: Called with ``READING_BENCHMARKS``, then with ``READING_ROWS`` and the number of
            rows read so far. The total is unknown (0).

    Raises:
        Kit19Error: A name is unknown, or a file is missing or cannot be read.
    """
    pairs = read_allowed(allow)  # before the search, which may take long
    remarks = Remarks()
    options = Options(tuple(one_or_more(columns, "columns")), header)
    items, sought = read_benchmarks(against, data_dir, catalog, remarks, on_progress)
    plan = make_plan([dataset], remarks)
    searcher = Searcher(items, options, plan.base)
    rows = 0

    def search(part: Part) -> Result:
        try:
            return searcher.search(part, lambda done: on_progress(READING_ROWS, rows + done, 0))
        except CannotUnpackError as error:
            if len(plan.as_files()) == 1:
                raise
            return Failure(error.problems[0])

    def results() -> Iterator[tuple[Part, Result]]:
        nonlocal rows
        for part in plan.parts:
            yield part, (result := search(part))
            rows += result.rows if isinstance(result, Found) else 0

    return merge(plan, results(), sought, options.columns, pairs).audit


def read_benchmarks(
    against: str | Path | Collection[str | Path],
    data_dir: str | Path | None,
    catalog: CatalogLike,
    remarks: Remarks,
    on_progress: OnProgress,
) -> tuple[dict[str, BenchmarkItems], Sought]:
    """Read the items to search for; the arguments are those of ``audit``."""
    names = one_or_more(against, "against")
    on_progress(READING_BENCHMARKS, 0, 0)
    cards = load_catalog(catalog)
    items = find_benchmark_items(cards, names, resolve_data_dir(data_dir), remarks)
    described = {name: describe(one) for name, one in items.benchmarks.items()}
    return items.benchmarks, Sought(described, _list_missing(cards, items))


def _list_missing(catalog: Catalog, items: FoundItems) -> list[Remark]:
    """Say of each benchmark how many of its files are not there."""
    remarks = []
    for name, files in items.missing.items():
        card = catalog.benchmarks[name]
        source = catalog.source(card.source)
        total = sum(len(source.tables[card.table].files[split]) for split in card.splits)
        which = "a file is" if total == 1 else f"{len(files)} of {total} files are"
        remarks.append(Remark(where=name, what=f"{which} missing: run `kit19 fetch {source.id}`"))
    return remarks
