"""``kit19.export``: a model as other programs take it."""

from __future__ import annotations

import json
import shlex
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from kit19.catalog import CatalogLike
from kit19.core.arguments import OnProgress, public, silent
from kit19.core.errors import ArgumentError, Problem
from kit19.exporting.converter import found_converter
from kit19.exporting.vllm import serve_arguments
from kit19.training.requirements import require_model
from kit19.writing.place import refuse_foreign, replacing

if TYPE_CHECKING:
    from kit19.exporting.source import Source

Target = Literal["gguf", "ollama", "vllm", "mlx-hint"]
OutType = Literal["auto", "f32", "f16", "bf16", "q8_0"]
RECORD = "export.json"
_HOST, _PORT = "127.0.0.1", 8000


@dataclass(frozen=True)
class Exported:
    """A model as another program takes it.

    Attributes:
        model: The run or model.
        to: The program.
        folder: The folder that was written; empty for ``mlx-hint``, which writes nothing.
        files: Its files.
        commands: What to run next, as lines of a shell.
        stop: Texts that end an answer, which requests to llama.cpp and vLLM must name.
        notes: What differs from ``kit19 chat``, a sentence each.
    """

    model: str
    to: str
    folder: str
    files: list[str]
    commands: list[str]
    stop: list[str]
    notes: list[str]

    def to_dict(self) -> dict[str, Any]:
        """The record as JSON data."""
        return asdict(self)


Written = tuple[list[str], list[str], list[str]]
"""Commands, stops and notes."""


@public
def export(  # noqa: PLR0913  one parameter an option of the command
    model: str | Path,
    to: Target,
    out: str | Path = "",
    *,
    name: str = "",
    format: str | Path = "",  # noqa: A002  as the command and the settings call it
    converter: str | Path = "",
    out_type: OutType = "auto",
    greeting: str | None = None,
    system: str = "",
    catalog: CatalogLike = None,
    trust_remote_code: bool = False,
    on_progress: OnProgress = silent,
) -> Exported:
    """Export a model to another program. The folder is written completely or not at all.

    Args:
        model: A run's folder, any causal model's folder, or a Hub id. An adapter is merged.
        to: ``gguf`` (llama.cpp), ``ollama`` (GGUF and a Modelfile), ``vllm`` (a folder that it serves),
            or ``mlx-hint`` (only the command).
        out: The folder to write; it is new, empty, or an earlier export.
        name: The model's name in the other program. Default: that of its folder.
        format: Prompt format. Default: the run's, else the model's chat template, else ``alpaca``.
        converter: llama.cpp's ``convert_hf_to_gguf.py``, its folder, or a source archive of
            llama-cpp-python. Default: ``KIT19_GGUF_CONVERTER``, an installed one.
        out_type: The type of the GGUF file's matrices. Default: 16 bits, as the model has them.
        greeting: What ``ollama run`` shows first; default: a Korean greeting, empty for none.
        system: A system prompt of Ollama's model; default: none, as in training.
        catalog: A folder of cards to add to kit19's own, or a loaded catalog (see ``load_catalog``).
        trust_remote_code: Run code from the model's repository.
        on_progress: Called with the current step, steps done, and total steps.

    Raises:
        ArgumentError: ``out`` is needed, or a text cannot stand in a Modelfile.
        ModelError: The converter or a package is missing, it cannot convert the model, or the file that
            it wrote is not the model.
        TrainError: There is no such model, or its prompts cannot be written as a template.
        OutputError: The folder holds other files, or cannot be written.
    """
    require_model()
    if to != "mlx-hint" and not str(out):
        raise ArgumentError(Problem("is needed for this target", "out", "name a folder to write"))
    # All of them load transformers.
    from kit19.exporting.gguf_file import write_gguf  # noqa: PLC0415
    from kit19.exporting.ollama import GREETING, check_texts, modelfile  # noqa: PLC0415
    from kit19.exporting.source import find_source, write_model  # noqa: PLC0415
    from kit19.training.preparation import silence_libraries  # noqa: PLC0415

    hello = GREETING if greeting is None else greeting
    check_texts(greeting=hello, system=system)
    with ExitStack() as stack:
        stack.enter_context(silence_libraries())
        script = None
        if to in {"gguf", "ollama"}:
            script = stack.enter_context(found_converter(converter))
        source = find_source(model, format, catalog, name=name, trust=trust_remote_code)
        if to == "mlx-hint":
            return _mlx_hint(source, str(model))
        folder = Path(out)
        refuse_foreign(folder, _is_ours)
        with replacing(folder, _is_ours) as new:
            if script is None:
                write_model(source, new, on_progress)
                written = _for_vllm(source, folder)
            else:
                weights = write_gguf(source, new, script, out_type, on_progress)
                written = _for_llama_cpp(source, folder / weights.name)
                if to == "ollama":
                    text = modelfile(source, weights, greeting=hello, system=system)
                    (new / "Modelfile").write_text(text, encoding="utf-8")
                    written = _for_ollama(source, folder)
            exported = Exported(
                str(model), to, str(folder), sorted(path.name for path in new.iterdir()), *written
            )
            text = json.dumps(exported.to_dict(), ensure_ascii=False, indent=1)
            (new / RECORD).write_text(text + "\n", encoding="utf-8")
    return exported


def _is_ours(folder: Path) -> bool:
    return (folder / RECORD).is_file()


def _for_vllm(source: Source, folder: Path) -> Written:
    named = [str(folder), "--served-model-name", source.name]
    command = shlex.join(serve_arguments(named, _HOST, _PORT))
    return [command, _chat_command(source)], source.stops, _stop_notes(source)


def _for_llama_cpp(source: Source, file: Path) -> Written:
    server = ["llama-server", "-m", str(file), "--jinja", "--alias", source.name]
    notes = _stop_notes(source)
    if source.more_ends:
        ends = ", ".join(source.more_ends)
        notes.append(f"these tokens end answers too, and GGUF names only one: {ends}")
    command = shlex.join([*server, "--port", str(_PORT)])
    return [command, _chat_command(source)], source.stops, notes


def _for_ollama(source: Source, folder: Path) -> Written:
    name, file = shlex.quote(source.name), shlex.quote(str(folder / "Modelfile"))
    commands = [f"ollama create {name} -f {file}", f"ollama run {name}"]
    return commands, [], _blank_notes(source)  # the Modelfile names the stops


def _chat_command(source: Source) -> str:
    return f"kit19 chat {shlex.quote(source.name)} --base-url http://{_HOST}:{_PORT}/v1"


def _stop_notes(source: Source) -> list[str]:
    notes = []
    if source.stops:
        notes.append(f"requests must name the texts that end an answer: stop={source.stops}")
    return notes + _blank_notes(source)


def _blank_notes(source: Source) -> list[str]:
    if not source.prompts.format.reply("")[:1].isspace():
        return []
    return ["answers begin with the blank of the prompt format, which kit19 chat leaves out"]


def _mlx_hint(source: Source, model: str) -> Exported:
    commands, folder = [], model
    if source.ref.base is not None or not source.prompts.format.chat:
        # The folder for vLLM is one of transformers, merged, with the prompt format as chat template.
        folder = f"{source.name}-merged"
        commands.append(shlex.join(["kit19", "export", model, "--to", "vllm", "--out", folder]))
    mlx = f"{source.name}-mlx"
    commands += [
        shlex.join(["mlx_lm.convert", "--hf-path", folder, "--mlx-path", mlx, "-q"]),
        shlex.join(["mlx_lm.server", "--model", mlx, "--port", str(_PORT)]),
    ]
    notes = ["kit19 does not run mlx-lm, which needs a Mac; -q stores weights in 4 bits"]
    return Exported(model, "mlx-hint", "", [], commands, source.stops, notes + _stop_notes(source))
