"""``kit19 demo``: all that kit19 does, on its own sample, offline."""

from __future__ import annotations

from pathlib import Path

import click

from kit19.cli.build import print_summary
from kit19.cli.options import json_option, quiet_option
from kit19.cli.output import print_example, print_json, print_text, progress

_SHOWN = ("nsmc", "kobest_copa", "kowiki_closed_qa")


@click.command(
    epilog="""\b
Examples:
  kit19 demo
  kit19 demo --out /tmp/kit19-demo
"""
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("out/sample"),
    show_default=True,
    help="The folder to write.",
)
@json_option
@quiet_option
def demo(out: Path, as_json: bool, quiet: bool) -> None:
    """Build the sample, verify it, and show its ledger and three examples."""
    from kit19.building import build  # noqa: PLC0415
    from kit19.look import show  # noqa: PLC0415
    from kit19.write import verify  # noqa: PLC0415

    with progress(quiet=quiet or as_json) as on_step:
        build("sample", out, on_step=on_step)
    manifest = verify(out)
    if as_json:
        print_json(manifest.model_dump(mode="json"))
        return
    print_summary(manifest, out)
    print_text("\nThree of its rows:\n")
    for index, subset in enumerate(_SHOWN, 1):
        for example in show(subset, n=1):
            print_example(index, example)
    print_text(f"Next: kit19 stats {out} · kit19 explain {out} nsmc/train/… · kit19 build --help")
