"""Options that several commands share."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from kit19.core.errors import CatalogError

if TYPE_CHECKING:
    from kit19.catalog import CatalogLike

Command = TypeVar("Command", bound=Callable[..., Any])
_MOST = 2**63 - 1  # the largest integer of columns and clocks
COUNT = click.IntRange(1, _MOST)
SEED = click.IntRange(0, _MOST)
_FOLDER = click.Path(path_type=Path, file_okay=False)

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document on stdout."
)
quiet_option = click.option("-q", "--quiet", is_flag=True, help="Print no progress on stderr.")
data_dir_option = click.option(
    "--data-dir",
    type=_FOLDER,
    help="Upstream files, as <source>/<path>. Default: KIT19_DATA_DIR, else the user's cache.",
)
api_key_option = click.option(
    "--api-key-env",
    "key_env",
    default="OPENAI_API_KEY",
    show_default=True,
    metavar="NAME",
    help="The environment variable that holds the API key.",
)
folder_argument = click.argument("folder", type=click.Path(path_type=Path))


class FiniteRange(click.FloatRange):
    """A finite number within a range; nan and infinities are errors."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Convert an argument to a number."""
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number.", param, ctx)
        return number


def cluster_options(what: str, each: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return what adds ``--engine``, ``--ray-address`` and ``--cpus`` (see ``core.cluster``).

    Args:
        what: What ``--engine`` does, for its help.
        each: What of it takes ``--cpus``.
    """
    options = [
        click.option(
            "--engine",
            type=click.Choice(["local", "ray"]),
            default="local",
            show_default=True,
            help=what,
        ),
        click.option(
            "--ray-address",
            metavar="ADDRESS",
            help="The cluster. Default: RAY_ADDRESS, or this machine's.",
        ),
        click.option(
            "--cpus",
            type=FiniteRange(0.01),
            default=1,
            show_default=True,
            help=f"CPUs of the cluster that each {each} takes.",
        ),
    ]

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def catalog_option(command: Command) -> Command:
    """Add ``--catalog`` and ``--catalog-only``; the command gets the result as ``catalog``."""

    @click.option(
        "--catalog",
        "layer",
        type=_FOLDER,
        metavar="DIR",
        help="A folder of cards to add to kit19's own; a card with the same id replaces kit19's.",
    )
    @click.option(
        "--catalog-only",
        "only",
        type=_FOLDER,
        metavar="DIR",
        help="A folder of cards to use in place of kit19's own.",
    )
    @functools.wraps(command)
    def with_catalog(*args: Any, layer: Path | None, only: Path | None, **options: Any) -> Any:
        if layer and only:
            raise click.UsageError("--catalog and --catalog-only exclude each other")
        catalog: CatalogLike = layer
        if only:
            from kit19.catalog import load_catalog  # noqa: PLC0415  models load only when used

            catalog = load_catalog(only, only=True)
        return command(*args, catalog=catalog, **options)

    return cast("Command", with_catalog)


def accept_options(command: Command) -> Command:
    """Add ``--accept-…``, what a push accepts; the command gets their names as ``accept``."""

    @click.option(
        "--accept-unclear", is_flag=True, help="Publish subsets whose license is unclear about it."
    )
    @click.option(
        "--accept-contaminated", is_flag=True, help="Publish a build that holds benchmark rows."
    )
    @click.option("--accept-sample", is_flag=True, help="Publish a build of kit19's own sample.")
    @functools.wraps(command)
    def with_accept(
        *args: Any,
        accept_unclear: bool,
        accept_contaminated: bool,
        accept_sample: bool,
        **options: Any,
    ) -> Any:
        flags = {
            "unclear": accept_unclear,
            "contaminated": accept_contaminated,
            "sample": accept_sample,
        }
        return command(*args, accept=[name for name, given in flags.items() if given], **options)

    return cast("Command", with_accept)


def parse_settings(
    _ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]
) -> dict[str, Any]:
    """Parse ``key=value`` pairs; a value is parsed as YAML (numbers, lists, true/false)."""
    settings: dict[str, Any] = {}
    for item in values:
        key, separator, text = item.partition("=")
        if not separator or not key:
            raise click.BadParameter(f"{_short(item)} is not key=value")
        if not text:
            raise click.BadParameter(f"{_short(item)} has no value; write null for none")
        settings[key] = _value(text, item)
    return settings


def _value(text: str, item: str) -> Any:
    from kit19.catalog.yaml_file import parse_yaml  # noqa: PLC0415  only where there is a value

    try:
        return parse_yaml(text, "")[0]
    except CatalogError as error:
        why = error.problems[0].what
        raise click.BadParameter(f"the value of {_short(item)} cannot be read: {why}") from None


def _short(item: str) -> str:
    return repr(item if len(item) <= 80 else item[:79] + "…")


set_option = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    callback=parse_settings,
    help="Replace a recipe value, e.g. --set cap=1000 --set 'formats=[alpaca]'. May be repeated.",
)
