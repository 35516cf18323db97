"""``kit19 audit``: find benchmark items in any dataset."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from kit19.cli.audit_output import (
    print_audit,
    print_copies,
    print_difference,
    print_failures,
    print_undivided,
)
from kit19.cli.options import (
    COUNT,
    catalog_option,
    cluster_options,
    data_dir_option,
    json_option,
    quiet_option,
)
from kit19.cli.output import print_json, print_text, progress
from kit19.cli.streams import is_terminal

if TYPE_CHECKING:
    from kit19.auditing import FilesAudit
    from kit19.catalog import CatalogLike
    from kit19.core.arguments import OnProgress

FOUND = 3
"""The exit code of --fail-on-hit if something was found or not everything was searched."""
_EVERY = 1_000_000  # rows between two lines of progress where there is no terminal
_TENTHS = 10  # lines of progress over files where there is no terminal
_FOLDER = click.Path(path_type=Path, file_okay=False)


class _Share(click.ParamType[tuple[int, int]]):
    name = "I/N"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        match = re.fullmatch(r"([1-9]\d{0,8})/([1-9]\d{0,8})", value, re.ASCII)
        if not match or int(match[1]) > int(match[2]):
            self.fail(f"{value!r} is not a share such as 1/8", param, ctx)
        return int(match[1]), int(match[2])


@click.command(
    epilog="""\b
Examples:
  kit19 audit my.jsonl                              for every benchmark whose files are present
  kit19 audit data.csv --column question --against kobest_boolq
  kit19 audit owner/name --out audit                a dataset on the Hub, with an HTML report
  kit19 audit owner/name@refs/convert/parquet       a branch, tag or commit of it
  kit19 audit my.jsonl --against kobest             for a set of benchmarks
  kit19 audit train.parquet --against my_exam.jsonl
  kit19 audit my.jsonl --fail-on-hit --json         for CI: exit code 3 if anything is found
  kit19 audit corpus --out audit --jobs 8           many files; run it again to resume
  kit19 audit s3://bucket/corpus --out audit        an object store; also gs://, hf://, https://
  kit19 audit corpus --out audit --engine ray       on a Ray cluster
  kit19 audit corpus --clean clean                  copies without the rows that were found
  kit19 audit --diff before after                   what two audits found

\b
The benchmarks' own files must be present: `kit19 fetch klue kobest` downloads them. Benchmarks that you
do not name yourself are listed if their files are missing. Sets: default, kobest, klue, paper, today.
"""
)
@click.argument("inputs", metavar="[PATH|URL|HUB_ID]...", nargs=-1)
@click.option(
    "--against",
    multiple=True,
    metavar="NAME|PATH|HUB_ID",
    help="A benchmark or a set of them; or a file, a folder or a dataset on the Hub with one item per "
    "row. May be repeated. Default: every benchmark whose files are present.",
)
@click.option(
    "--column",
    "columns",
    multiple=True,
    help="Search only this column (a.b for nested fields). May be repeated. Default: all text.",
)
@click.option(
    "--header/--no-header",
    default=None,
    help="Whether CSV, TSV or text files have a header line. Default: detected.",
)
@click.option(
    "--id",
    "ids",
    multiple=True,
    metavar="COLUMN",
    help="The column with the id of a document, for hits. Default: id, guid and other usual names.",
)
@click.option(
    "--out",
    type=_FOLDER,
    help="Write hits.parquet, audit.json, report.html and the result of each file into this folder. "
    "Results that are there are used again.",
)
@click.option("-j", "--jobs", type=COUNT, default=1, help="Search in this many processes.")
@cluster_options(
    "Search on this machine, or on the machines of a Ray cluster, which see the files and --out.",
    "file",
)
@click.option(
    "--shard",
    type=_Share(),
    help="Search only the I-th of N shares of the files (with --merge --clean: copy it).",
)
@click.option(
    "--merge", type=_FOLDER, metavar="OUT", help="Merge the results of all shares in this folder."
)
@click.option(
    "--allow",
    type=click.Path(path_type=Path, dir_okay=False),
    multiple=True,
    metavar="FILE",
    help="A list of pairs that are no leaks, as `kit19 view` writes it: not found, but counted as "
    "allowed. May be repeated.",
)
@click.option("--strict", is_flag=True, help="Stop at the first file that cannot be read.")
@click.option(
    "--clean",
    type=_FOLDER,
    help="Write copies of the files without the rows found into this folder.",
)
@click.option(
    "--clean-by",
    type=click.Choice(["touched", "compromised"]),
    default="touched",
    help="Which rows: any with a hit, or with a hit of a compromised item. Default: touched.",
)
@click.option(
    "--mask",
    metavar="COLUMN",
    help="With --clean: keep all rows, and add this column, which names what was found.",
)
@click.option(
    "--diff", type=click.Path(path_type=Path), nargs=2, metavar="A B", help="Compare two audits."
)
@click.option(
    "--fail-on-hit", is_flag=True, help="Exit with 3 if anything is found or was not searched."
)
@click.option("--split-bytes", type=COUNT, hidden=True)
@data_dir_option
@catalog_option
@json_option
@quiet_option
def audit(  # noqa: PLR0913, PLR0917  one parameter an option
    inputs: tuple[str, ...],
    against: tuple[str, ...],
    columns: tuple[str, ...],
    header: bool | None,
    ids: tuple[str, ...],
    out: Path | None,
    jobs: int,
    engine: str,
    ray_address: str | None,
    cpus: float,
    shard: tuple[int, int] | None,
    merge: Path | None,
    allow: tuple[Path, ...],
    strict: bool,
    clean: Path | None,
    clean_by: Literal["touched", "compromised"],
    mask: str | None,
    diff: tuple[Path, Path] | None,
    fail_on_hit: bool,
    split_bytes: int | None,
    data_dir: Path | None,
    catalog: CatalogLike,
    as_json: bool,
    quiet: bool,
) -> None:
    """Find benchmark items in each dataset PATH|URL|HUB_ID.

    A dataset is JSON lines, JSON, CSV, TSV, plain lines, parquet or Arrow, also compressed or in a zip
    archive; a folder of such files; the address of such a file or folder (s3://bucket/folder); or a
    dataset on the Hub (owner/name). All columns are searched, also inside lists and objects. Parts
    that cannot be searched are listed.
    """
    _require_one_task(inputs, out, shard, merge, clean, mask, diff, allow)
    if engine == "ray" and not out:
        raise click.UsageError("--engine ray needs --out, in a folder that all machines see.")
    if diff:
        _compare(*diff, as_json)
        return
    if quiet or as_json:
        os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"  # read when huggingface_hub is loaded
    from kit19.auditing import audit_files, merge_audit  # noqa: PLC0415  polars loads only here
    from kit19.core.cluster import Cluster  # noqa: PLC0415

    with progress(quiet=quiet or as_json) as on_progress:
        if merge:
            result = merge_audit(
                merge,
                jobs=jobs,
                shard=shard,
                clean=clean,
                clean_by=clean_by,
                mask=mask,
                allow=allow,
                on_progress=_Steps(on_progress).report,
            )
        else:
            result = audit_files(
                inputs,
                out,
                against=against,
                data_dir=data_dir,
                columns=columns,
                header=header,
                ids=ids,
                catalog=catalog,
                jobs=jobs,
                cluster=Cluster(ray_address, cpus) if engine == "ray" else None,
                shard=shard,
                strict=strict,
                clean=clean,
                clean_by=clean_by,
                mask=mask,
                allow=allow,
                on_progress=_Steps(on_progress).report,
                **{"span": split_bytes} if split_bytes else {},
            )
        rows = f"{result.audit.rows_read:,} rows" if result.audit else f"{result.files:,} files"
        on_progress(rows, 2, 2)
    _print(result, merge or out, clean, mask, as_json)
    if result.undivided and not quiet:
        print_undivided(result.undivided)
    if shard and out and not as_json:
        print_text(f"when all {shard[1]} shares are done: kit19 audit --merge {out}")
    _exit(result, fail_on_hit)


def _require_one_task(  # noqa: PLR0913  all options that exclude each other
    inputs: tuple[str, ...],
    out: Path | None,
    shard: tuple[int, int] | None,
    merge: Path | None,
    clean: Path | None,
    mask: str | None,
    diff: tuple[Path, Path] | None,
    allow: tuple[Path, ...],
) -> None:
    """Refuse options that do not go together."""
    if sum(map(bool, (inputs, merge, diff))) != 1:
        raise click.UsageError("Give either datasets, or --merge OUT, or --diff A B.")
    if out and not inputs:
        raise click.UsageError("--out needs a dataset.")
    if diff and (shard or clean or allow):
        raise click.UsageError("--diff takes no --shard, no --clean and no --allow.")
    if shard and inputs and clean:
        raise click.UsageError("--clean needs all shares: use it with --merge, when they are done.")
    if shard and inputs and allow:
        raise click.UsageError("--allow needs all shares: use it with --merge, when they are done.")
    if shard and not (out or clean):
        raise click.UsageError("--shard needs --out, a folder that all shares use.")
    if mask is not None and not (clean and mask):
        raise click.UsageError("--mask needs the name of a column, and --clean.")


class _Steps:
    """Reports the benchmarks, then files and rows so far, less often where there is no terminal."""

    def __init__(self, on_progress: OnProgress) -> None:
        self.on_progress = on_progress
        self.rows, self.files, self.reported = 0, "", (-1, -1)

    def report(self, what: str, done: int, total: int) -> None:
        from kit19.auditing.clean import COPYING  # noqa: PLC0415
        from kit19.auditing.files import READING_FILES  # noqa: PLC0415
        from kit19.auditing.run import READING_ROWS  # noqa: PLC0415

        if what not in (READING_ROWS, READING_FILES, COPYING):
            self.on_progress(what, 0, 2)
            return
        step = self.reported
        if what == READING_ROWS:
            self.rows, step = done, (done // _EVERY, step[1])
        elif total > 1:
            self.files = f"{done:,} of {total:,} files"
            step = (step[0], done * _TENTHS // total)
        text = f"looking into the dataset: {self.rows:,} rows"
        if what == COPYING:
            text = "copying"
        if is_terminal(sys.stderr) or step != self.reported:
            self.reported = step
            self.on_progress(f"{text}, {self.files}" if self.files else text, 1, 2)


def _compare(first: Path, second: Path, as_json: bool) -> None:
    from kit19.auditing.difference import diff_audits  # noqa: PLC0415

    diff = diff_audits(first, second)
    if as_json:
        print_json(diff.to_dict())
    else:
        print_difference(diff)


def _print(
    result: FilesAudit, out: Path | None, clean: Path | None, mask: str | None, as_json: bool
) -> None:
    if as_json:
        document = result.audit.to_dict() if result.audit else result.to_dict()
        if result.cleaned is not None:
            document["cleaned"] = [one.to_dict() for one in result.cleaned]
        print_json(document)
    elif result.audit:
        print_audit(result.audit, out)
    if result.reused and not as_json:
        print_text(f"\n{result.reused:,} of {result.files:,} files had a result already")
    if result.cleaned is not None and clean and not as_json:
        print_copies(result.cleaned, clean, mask)


def _exit(result: FilesAudit, fail_on_hit: bool) -> None:
    """Exit as documented if not all went well."""
    uncopied = [one.problem for one in result.cleaned or () if one.problem]
    if result.failures:
        print_failures(list(result.failures.values()), "searched")
    elif uncopied:
        print_failures(uncopied, "copied")
    if result.failures or uncopied:
        raise click.exceptions.Exit(1)
    found = result.audit and (result.audit.hits or result.audit.not_searched)
    if fail_on_hit and found:
        raise click.exceptions.Exit(FOUND)
