"""``kit19 serve``: serve a model over OpenAI's API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from kit19.calling.endpoint import is_loopback
from kit19.cli.options import COUNT, FiniteRange, catalog_option, json_option
from kit19.cli.output import print_json, print_note, print_text

if TYPE_CHECKING:
    from kit19.catalog import CatalogLike


@click.command(
    epilog="""\b
Examples:
  kit19 serve runs/mine
  kit19 serve runs/mine --port 0 --name mine
  kit19 serve owner/name --format koalpaca --temperature 0.7
  kit19 serve runs/mine --vllm                               the same through vLLM
  kit19 chat mine --base-url http://localhost:8000/v1        from another terminal

\b
The API is OpenAI's: /v1/chat/completions and /v1/completions (both also streamed), /v1/models.
Prompts have the format that the model was trained with. Ctrl-C ends the server.
"""
)
@click.argument("model", metavar="RUN|MODEL")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=8000,
    show_default=True,
    help="0: any free one.",
)
@click.option("--name", default="", help="The model's name in the API. Default: its folder's.")
@click.option("--format", "form", default="", help="Prompt format. Default: the run's own.")
@click.option(
    "--max-tokens", type=COUNT, default=512, show_default=True, help="Of an answer, by default."
)
@click.option(
    "--temperature",
    type=FiniteRange(min=0, max=2),
    default=0.0,
    show_default=True,
    help="Unless a request names another. 0: greedy decoding.",
)
@click.option(
    "--allowed-host",
    "allowed_hosts",
    multiple=True,
    metavar="NAME",
    help="A name under which other machines may call the server. May be repeated.",
)
@click.option(
    "--vllm",
    is_flag=True,
    help="Print the command that serves MODEL through vLLM, and serve nothing.",
)
@click.option("--trust-remote-code", is_flag=True, help="Let the model run code of its own.")
@catalog_option
@json_option
def serve(  # noqa: PLR0913  one parameter an option
    model: str,
    host: str,
    port: int,
    form: str,
    max_tokens: int,
    vllm: bool,
    catalog: CatalogLike,
    as_json: bool,
    **options: Any,
) -> None:
    """Serve RUN (a run's folder) or any causal MODEL over OpenAI's API, to this machine only."""
    if vllm:
        place = {"host": host, "port": port, "name": options["name"]}
        _print_vllm(model, form=form, catalog=catalog, as_json=as_json, **place)
        return
    from kit19.serving.server import serve as run  # noqa: PLC0415

    def report(name: str, base_url: str) -> None:
        if not is_loopback(host):
            print_note(f"{host} can be reached from other machines, and no key is required.")
            print_note("Name the hosts under which they call it with --allowed-host.")
        print_note(f"{name} at {base_url}; Ctrl-C ends the server.")

    served = run(
        model,
        host=host,
        port=port,
        format=form,
        max_new_tokens=max_tokens,
        catalog=catalog,
        on_start=report,
        **options,
    )
    if as_json:
        print_json(served.to_dict())
    else:
        print_text(f"{served.answered:,} requests answered")


def _print_vllm(model: str, *, as_json: bool, **options: Any) -> None:
    from kit19.exporting.vllm import vllm_command  # noqa: PLC0415

    command = vllm_command(model, **options)
    if as_json:
        print_json(command.to_dict())
        return
    print_text(command.line)
    if command.stop:
        print_note(f"Requests must name the texts that end an answer: stop={command.stop}")
