"""``kit19 chat``: chat with a trained model."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from kit19.cli.options import COUNT, FiniteRange, api_key_option, catalog_option, json_option
from kit19.cli.output import print_json, print_piece, print_text
from kit19.cli.streams import is_terminal
from kit19.core.errors import Kit19Error

if TYPE_CHECKING:
    from kit19.catalog import CatalogLike
    from kit19.chatting.chat import Chat

_HELP = """\
/reset            clear the conversation
/system TEXT      use a system prompt; without TEXT, show it; "-" removes it
/save FILE        append the conversation to FILE, as a row of JSON lines that `kit19 train` takes
/template NAME    use another prompt format (alpaca, koalpaca, kullm, chat); without NAME, show it
/quit             end (also Ctrl-D)
A line that ends in \\ continues on the next. A line of three double quotes begins or ends a text."""


@click.command(
    epilog="""\b
Examples:
  kit19 chat runs/mine
  kit19 chat runs/mine --prompt "다음 문장을 긍정과 부정 가운데 하나로 분류해 주세요. 정말 재미있었다"
  cat question.txt | kit19 chat runs/mine
  kit19 chat owner/name --format koalpaca --temperature 0.7
  kit19 chat mine --base-url http://localhost:8000/v1      a model on a server (kit19 serve, vLLM)
  kit19 chat runs/mine --system "존댓말로 짧게 답하세요."

\b
In a conversation: /reset, /system, /save, /template, /help, /quit.
"""
)
@click.argument("model", metavar="RUN|MODEL")
@click.option("--prompt", help="Answer this prompt, then exit.")
@click.option("--format", "form", default="", help="Prompt format. Default: the run's own.")
@click.option("--system", default="", help="A system prompt before the conversation.")
@click.option("--max-tokens", type=COUNT, default=512, show_default=True, help="Of an answer.")
@click.option(
    "--temperature",
    type=FiniteRange(min=0),
    default=0.0,
    show_default=True,
    help="0: greedy decoding, with the same answer each time.",
)
@click.option(
    "--base-url", default="", metavar="URL", help="An OpenAI-compatible API that has MODEL."
)
@api_key_option
@click.option("--trust-remote-code", is_flag=True, help="Let the model run code of its own.")
@catalog_option
@json_option
def chat(  # noqa: PLR0913, PLR0917  one parameter an option
    model: str,
    prompt: str | None,
    form: str,
    system: str,
    max_tokens: int,
    temperature: float,
    base_url: str,
    key_env: str,
    trust_remote_code: bool,
    catalog: CatalogLike,
    as_json: bool,
) -> None:
    """Chat with RUN (a run's folder) or any causal MODEL, in the prompt format of its training."""
    from kit19.chatting.chat import chat as run  # noqa: PLC0415

    if prompt is None and not is_terminal(sys.stdin):
        prompt = sys.stdin.read() if sys.stdin else ""
        if not prompt.strip():
            raise click.UsageError("there is nothing on stdin; give --prompt")
    if prompt is None and as_json:
        raise click.UsageError("--json answers one question: give --prompt, or text on stdin")
    talk = run(
        model,
        format=form,
        system=system,
        max_new_tokens=max_tokens,
        temperature=temperature,
        base_url=base_url,
        key_env=key_env,
        catalog=catalog,
        trust_remote_code=trust_remote_code,
    )
    if prompt is None:
        _converse(talk)
    elif as_json:
        answer = "".join(talk.send(prompt))
        found = {"prompt": prompt.strip(), "answer": answer, "format": talk.format_name}
        print_json(found | ({"system": talk.system} if talk.system else {}))
    else:
        _answer(talk, prompt)


def _converse(talk: Chat) -> None:
    about = f", trained on {talk.run.data.label} data" if talk.run else ""
    print_text(f"{talk.name}{about}; prompt format {talk.format_name}. Type /help for commands.")
    while (text := _read()) is not None:
        command, _, rest = text.strip().partition(" ")
        if command in ("/quit", "/exit"):
            return
        try:
            if command.startswith("/"):
                print_text(_command(talk, command, rest.strip()))
            elif command:
                _answer(talk, text)
        except Kit19Error as error:
            print_text(str(error))
        except KeyboardInterrupt:
            print_text("\n(interrupted; not added to the conversation)")
    print_text()


def _command(talk: Chat, command: str, rest: str) -> str:
    if command == "/reset":
        talk.reset()
        return "(cleared)"
    if command == "/template":
        if rest:
            talk.use_format(rest)
        return f"{talk.format.id}: {talk.format.title}"
    if command == "/system":
        if rest:
            talk.use_system("" if rest == "-" else rest)
        return talk.system or "(no system prompt)"
    if command == "/save" and rest:
        turns = talk.save(rest)
        return f"({turns} turns saved to {rest})"
    return _HELP if command == "/help" else f"unknown command {command}\n{_HELP}"


def _answer(talk: Chat, text: str) -> None:
    for piece in talk.send(text):
        print_piece(piece)
    print_text()


def _read() -> str | None:
    """Read one turn of one or more lines; None at the end of input."""
    lines: list[str] = []
    quoted = False
    while True:
        try:
            line = input("… " if lines or quoted else "> ")
        except EOFError:
            return "\n".join(lines) if lines else None
        except KeyboardInterrupt:
            return None
        if line.strip() == '"""':
            if quoted:
                return "\n".join(lines)
            quoted = True
        elif quoted:
            lines.append(line)
        elif line.endswith("\\"):
            lines.append(line[:-1])
        else:
            return "\n".join([*lines, line])
