"""``kit19 view``: look at builds, audits, results, comparisons and runs."""

from __future__ import annotations

import contextlib
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click
from click.core import ParameterSource

from kit19.cli.options import COUNT, catalog_option, data_dir_option, json_option
from kit19.cli.output import print_json, print_note, print_text, progress

if TYPE_CHECKING:
    from kit19.catalog import CatalogLike

_OF_THE_SERVER = ("--port", "--no-browser", "--host", "--allowed-host", "--unsafe-open-to-network")
_OF_A_BUNDLE = ("--bundle-language", "--bundle-pages")


@click.command(
    epilog="""\b
Examples:
  kit19 view out/kit19                          a build: rows, templates, what was dropped and why
  kit19 view out/kit19 audit results/*          any mix, told apart by what they are
  kit19 view --sample                           a first look, on kit19's own sample
  kit19 view out/kit19 --port 0 --no-browser
  kit19 view out/kit19 --bundle site            a static site of the same pages

\b
The pages are on this machine only, and their address holds a token. Ctrl-C ends the server.
"""
)
@click.argument("paths", nargs=-1, metavar="PATH...")
@click.option("--sample", is_flag=True, help="Build kit19's sample in the cache, and open it.")
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=8019,
    show_default=True,
    help="0: any free one.",
)
@click.option("--no-browser", is_flag=True, help="Print the address, and open no browser.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--allowed-host",
    "allowed_hosts",
    multiple=True,
    metavar="NAME",
    help="A name under which other machines may call the server. May be repeated.",
)
@click.option(
    "--unsafe-open-to-network",
    is_flag=True,
    help="With --host: let other machines in. Whoever has the address sees every opened folder.",
)
@click.option(
    "--bundle",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Write the pages as a static site into this folder, and serve nothing.",
)
@click.option(
    "--bundle-language",
    "language",
    type=click.Choice(["en", "ko"]),
    default="en",
    show_default=True,
    help="The language of the static site.",
)
@click.option(
    "--bundle-pages",
    "most",
    type=COUNT,
    default=5_000,
    show_default=True,
    help="Most pages of the static site: lists first, then single records.",
)
@click.option(
    "--tokenizer",
    type=click.Path(path_type=Path),
    metavar="MODEL",
    help="The folder of a model: show lengths in its tokens too.",
)
@data_dir_option
@catalog_option
@json_option
def view(  # noqa: PLR0913, PLR0917  one parameter an option
    paths: tuple[str, ...],
    sample: bool,
    port: int,
    no_browser: bool,
    host: str,
    allowed_hosts: tuple[str, ...],
    unsafe_open_to_network: bool,
    bundle: Path | None,
    language: Literal["en", "ko"],
    most: int,
    tokenizer: Path | None,
    data_dir: Path | None,
    catalog: CatalogLike,
    as_json: bool,
) -> None:
    """Open builds, audits, results, comparisons and runs in the browser.

    PATH is their folder, or a folder that holds some.
    """
    from kit19.viewing.server import require_layer  # noqa: PLC0415
    from kit19.viewing.server import view as run  # noqa: PLC0415

    if not paths and not sample:
        raise click.UsageError("Name a PATH, or give --sample.")
    _refuse_unused(is_bundle=bundle is not None)
    require_layer()
    folders = [*paths, *([str(_sample())] if sample else [])]

    if bundle:
        _bundle(
            folders,
            bundle,
            as_json,
            language=language,
            most=most,
            data_dir=data_dir,
            catalog=catalog,
            tokenizer=tokenizer,
        )
        return

    def report(url: str, opened: list[dict[str, str]], once: str) -> None:
        if as_json:
            print_json({"url": url, "opened": opened})
        for one in [] if as_json else opened:
            print_note(f"{one['kind']:<12}{one['path']}")
        if not as_json:
            print_note(f"{url}\nCtrl-C ends the server.")
        if not no_browser:
            # Others on this machine can see the command line of a browser: its token works once.
            with contextlib.suppress(webbrowser.Error):  # the address is printed
                webbrowser.open(once)

    run(
        folders,
        host=host,
        port=port,
        data_dir=data_dir,
        catalog=catalog,
        tokenizer=tokenizer,
        allowed_hosts=allowed_hosts,
        unsafe_open_to_network=unsafe_open_to_network,
        on_start=report,
    )


def _refuse_unused(*, is_bundle: bool) -> None:
    """Refuse options of the server for a static site, and of a static site for the server."""
    context = click.get_current_context()
    unused = _OF_THE_SERVER if is_bundle else _OF_A_BUNDLE
    given = [
        one.opts[0]
        for one in context.command.params
        if one.opts[0] in unused
        and context.get_parameter_source(str(one.name)) is not ParameterSource.DEFAULT
    ]
    if given:
        why = "--bundle serves nothing: leave out" if is_bundle else "Without --bundle, leave out"
        raise click.UsageError(f"{why} {', '.join(given)}.")


def _bundle(folders: list[str], out: Path, as_json: bool, **options: Any) -> None:
    from kit19.viewing.server import bundle_view  # noqa: PLC0415

    with progress(quiet=as_json) as on_progress:

        def report(what: str, done: int, total: int) -> None:
            if done % 100 == 0 or done == total:
                on_progress(what, done, total)

        written = bundle_view(folders, out, on_progress=report, **options)
    if as_json:
        print_json(written.to_dict())
        return
    print_text(f"{written.pages:,} pages in {out}; open {out / 'index.html'}")
    if written.left_out:
        print_text(f"{written.left_out:,} linked pages are left out: --bundle-pages")


def _sample() -> Path:
    """The build of the sample in the cache, built if this version has not yet."""
    from kit19.viewing.first_look import sample_build  # noqa: PLC0415

    return sample_build()
