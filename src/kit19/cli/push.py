"""``kit19 push``: publish a build or a run on the Hub."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kit19.cli.options import (
    accept_options,
    catalog_option,
    folder_argument,
    json_option,
    quiet_option,
)
from kit19.cli.output import print_json, print_text

if TYPE_CHECKING:
    from kit19.catalog import CatalogLike
    from kit19.publishing.pushing import Pushed
    from kit19.publishing.terms import Accepted


@click.command(
    epilog="""\b
Examples:
  kit19 push out/kit19 me/kit19-ko --dry-run      check everything, list what would be sent
  kit19 push out/kit19 me/kit19-ko --private
  kit19 push runs/mine me/my-model                a training run, as a model
  kit19 push out/kit19 me/kit19-ko --revision v2 --message "without petitions"

\b
Environment: HF_TOKEN (else `hf auth login`), HF_ENDPOINT, HF_HUB_OFFLINE, KIT19_OFFLINE.
Pushing the same build again changes nothing; an interrupted push resumes where it stopped.
"""
)
@folder_argument
@click.argument("repo_id", metavar="REPO_ID")
@click.option("--private", is_flag=True, help="Make a new repository private.")
@click.option("--dry-run", is_flag=True, help="Check everything, send nothing.")
@click.option("--revision", default="main", show_default=True, help="The branch to commit to.")
@click.option("--message", default="", help="The commit message. Default: recipe, rows and digest.")
@accept_options
@catalog_option
@json_option
@quiet_option
def push(  # noqa: PLR0913, PLR0917  one parameter an option
    folder: Path,
    repo_id: str,
    private: bool,
    dry_run: bool,
    revision: str,
    message: str,
    accept: list[Accepted],
    catalog: CatalogLike,
    as_json: bool,
    quiet: bool,
) -> None:
    """Publish the build in FOLDER as the dataset REPO_ID (owner/name), or a run as a model, on the Hub.

    A build is verified first. Subsets whose license forbids sharing are refused, with the command that
    builds without them.
    """
    if quiet or as_json:
        os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"  # read when huggingface_hub is loaded
    from kit19.publishing.pushing import push as run  # noqa: PLC0415

    pushed = run(
        folder,
        repo_id,
        private=private,
        dry_run=dry_run,
        revision=revision,
        message=message,
        accept=accept,
        catalog=catalog,
    )
    if as_json:
        print_json(pushed.to_dict())
    else:
        print_pushed(pushed)


def print_pushed(pushed: Pushed) -> None:
    """Print the result of a push."""
    size = f"{pushed.files} files, {pushed.bytes:,} bytes"
    if pushed.outcome == "unchanged":
        print_text(f"{pushed.url} ({pushed.revision}) is up to date: {size}")
    elif pushed.outcome == "dry run":
        print_text(f"Nothing was sent. A push to {pushed.url} ({pushed.revision}), of {size}:")
        for name in pushed.sent:
            print_text(f"  + {name}")
    else:
        print_text(f"{pushed.url} ({pushed.revision}) is published: {size}")
        print_text(f"  {len(pushed.sent)} of them were new or changed")
    for name in pushed.removed:
        print_text(f"  - {name}")
    for note in pushed.notes:
        print_text(f"  ! {note}")
    if pushed.commit and "/datasets/" in pushed.url:
        print_text(f"  kit19.load({pushed.repo_id!r}, revision={pushed.commit!r}) loads these rows")
