"""``kit19 export``: a model as other programs take it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kit19.cli.options import catalog_option, json_option, quiet_option
from kit19.cli.output import print_error, print_json, print_text, progress

if TYPE_CHECKING:
    from kit19.exporting.pipeline import Exported

MISUSE = 2


@click.command(
    epilog="""\b
Examples:
  kit19 export runs/mine --to vllm --out out/mine
  kit19 export runs/mine --to gguf --out out/mine --converter llama.cpp/convert_hf_to_gguf.py
  kit19 export runs/mine --to gguf --out out/mine --converter llama_cpp_python-0.3.36.tar.gz
  kit19 export runs/mine --to ollama --out out/mine --outtype q8_0
  kit19 export runs/mine --to mlx-hint               only prints the commands

\b
Adapters are merged. GGUF is written by llama.cpp's own converter and read back: tokens, end
token, chat template and weights must be those of the run. Exit code 2: there is no converter.
Environment: KIT19_GGUF_CONVERTER.
"""
)
@click.argument("model", metavar="RUN|MODEL")
@click.option(
    "--to",
    type=click.Choice(["gguf", "ollama", "vllm", "mlx-hint"]),
    required=True,
    help="llama.cpp, Ollama, vLLM, or the command for mlx-lm.",
)
@click.option("--out", type=click.Path(path_type=Path), help="The folder to write.")
@click.option("--name", default="", help="The model's name there. Default: its folder's.")
@click.option("--format", "form", default="", help="Prompt format. Default: the run's own.")
@click.option(
    "--converter",
    type=click.Path(path_type=Path),
    help="For GGUF: convert_hf_to_gguf.py, its folder, or llama-cpp-python's source archive.",
)
@click.option(
    "--outtype",
    "out_type",
    type=click.Choice(["auto", "f32", "f16", "bf16", "q8_0"]),
    default="auto",
    show_default=True,
    help="For GGUF: the type of matrices. auto: 16 bits.",
)
@click.option("--greeting", help="For Ollama: shown first. Default: a Korean greeting.")
@click.option("--system", default="", help="For Ollama: a system prompt. Default: none.")
@click.option("--trust-remote-code", is_flag=True, help="Let the model run code of its own.")
@catalog_option
@json_option
@quiet_option
def export(
    model: str,
    to: Any,
    out: Path | None,
    form: str,
    converter: Path | None,
    as_json: bool,
    quiet: bool,
    **options: Any,
) -> int:
    """Export RUN (a run's folder) or any causal MODEL to another program."""
    from kit19.exporting.converter import ConverterMissingError  # noqa: PLC0415
    from kit19.exporting.pipeline import export as run  # noqa: PLC0415

    if out is None and to != "mlx-hint":
        raise click.UsageError("give --out")
    try:
        with progress(quiet=quiet or as_json) as on_progress:
            exported = run(
                model,
                to,
                out or "",
                format=form,
                converter=converter or "",
                on_progress=on_progress,
                **options,
            )
    except ConverterMissingError as error:
        print_error(error.problems)
        return MISUSE
    if as_json:
        print_json(exported.to_dict())
    else:
        _print(exported)
    return 0


def _print(exported: Exported) -> None:
    if exported.folder:
        print_text(f"{exported.folder}: {', '.join(exported.files)}")
    for command in exported.commands:
        print_text(f"  {command}")
    for note in exported.notes:
        print_text(f"  ! {note}")
