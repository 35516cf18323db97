"""Write the generated parts of the documents, or with --check say which are stale.

A generated part stands between ``<!-- generated: NAME -->`` and ``<!-- end -->``; what stands
around it is written by hand. ``make docs`` runs this, and tests/docs fails where it was forgotten.
"""

from __future__ import annotations

import inspect
import json
import re
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import click
from pydantic.fields import FieldInfo

from kit19.catalog import (
    benchmark,
    card,
    extra,
    file_formats,
    load_catalog,
    prompt_format,
    recipe,
    source,
    tables,
    tasks,
    templates,
)
from kit19.catalog.card import Card
from kit19.cli import cli
from kit19.core.ledger import REASON_DESCRIPTIONS
from kit19.reading.derive import FUNCTIONS
from kit19.rendering import load_templates
from kit19.training import load_preset, preset_names, settings

DOCS = Path(__file__).parent
ARCHITECTURES = DOCS.parent / "tests" / "training" / "architectures.json"
GENERATED = (
    "cli.md",
    "cli.ko.md",
    "catalog.md",
    "catalog.ko.md",
    "labels.md",
    "labels.ko.md",
    "training.md",
    "training.ko.md",
)
WIDTH = 100  # of a terminal, so that the help does not follow the one that this runs in

_BLOCK = re.compile(r"<!-- generated: (?P<name>.+?) -->\n(?P<text>.*?)<!-- end -->", re.DOTALL)
_MODULES = (
    card,
    file_formats,
    tables,
    tasks,
    source,
    templates,
    benchmark,
    extra,
    recipe,
    prompt_format,
    settings,
)
_NAMED = {
    id(card.Name): "name",
    id(recipe.RecipeName): "name, hyphens allowed",
    id(card.RelativePath): "relative path",
    id(card.Digest): "hex digits",
    id(tasks.TaskId): "[task](#tasks)",
    id(templates.Style): "[style](#styles)",
}

# What a key means where its name alone does not say it and its model has no description of it.
# A note whose key is gone, or whose model describes it by now, is an error.
NOTES = {
    "Source.id": "the card's name: the file's, the data folder's",
    "Source.title": "its title",
    "Source.about": "a description and known quirks; goes into the dataset card",
    "Source.license": "what its terms allow",
    "Source.citation": "BibTeX; goes into the dataset card",
    "Source.origins": "where it is published; the first gives the pinned revision",
    "Source.tables": "its files, by shape",
    "Source.subsets": "its uses as instruction data; a subset's name is unique in the catalog",
    "License.commercial": "whether it allows commercial use",
    "License.redistribution": "whether it allows redistributing the data",
    "License.derivatives": "whether it allows redistributing derived data",
    "License.share_alike": "whether derived data must carry the same license",
    "Origin.kind": "the kind of origin",
    "Origin.note": "a free note; not used",
    "Table.read": "how the bytes are read: one of the formats below, named by `format`",
    "Table.files": "split → its files",
    "Table.beside": "a second file with further columns of the same records",
    "Table.columns": "field → upstream column; a text is short for `{from: text}`",
    "Table.derive": "field → the function that computes it from other fields",
    "File.path": "below `<data dir>/<source id>/`",
    "File.bytes": "its size",
    "File.sha256": "its digest; a prefix is enough if only that was published",
    "File.git_blob": "git's name for its content, as the pinned commit lists it",
    "File.rows": "number of records; checked if no digest or size is given",
    "File.archive": "the archive that contains it",
    "File.accept": "further accepted digests",
    "File.note": "a free note; not used",
    "Archive.path": "the archive, below `<data dir>/<source id>/`",
    "Archive.member": "the file's exact name inside it",
    "Archive.bytes": "the archive's size",
    "Archive.sha256": "the archive's digest",
    "Accepted.sha256": "the further digest",
    "Accepted.why": "why it is accepted; goes into the manifest",
    "Delimited.delimiter": "what separates the fields of a line",
    "Delimited.quoting": "`csv`: fields in double quotes, doubled inside; `none`: a quote is text",
    "Delimited.header": "whether the first line names the columns",
    "Column.decode": "undo an escaping that upstream applied to the cell",
    "Pick.by": "a categorical field",
    "Pick.among": "its value → the field to take",
    "Threshold.of": "a field that holds a number",
    "Threshold.at": "the threshold; a number equal to it counts as reached",
    "Threshold.below": "the value below the threshold",
    "Threshold.reached": "the value from the threshold on",
    "Derived.pick": "the field that a categorical field points to",
    "Derived.threshold": "a number as one of two values",
    "Derived.strip_brackets": "a field without its square brackets",
    "Derived.trim_number": "a number without needless decimals",
    "Derived.first_sentence": "a field's first sentence",
    "TwinFile.files": "split → files, one for each file of the table",
    "TwinFile.columns": "fields that come from the twin",
    "Pairs.negatives": "how `different` pairs are formed: by the authors' rule, or drawn by hash",
    "Subset.tables": "the tables of its records",
    "Subset.pairs": "derive pairs from the records",
    "Subset.note": "a free note; not used",
    "Template.id": "unique in its file, and never reused",
    "Template.style": "the register of its instruction",
    "Template.instruction": "the instruction",
    "Template.input": "the text that the instruction is about; may be empty",
    "Template.output": "the answer; must insert something from the record",
    "Template.direction": "`inverse`: generate the text for a given label",
    "Template.retired": "marks a template that is no longer used; it stays in the file",
    "Retired.since": "the version",
    "Retired.use": "the template to use instead",
    "TemplateFile.subset": "its subset; also the file's name",
    "TemplateFile.words": "field → form → value → word",
    "TemplateFile.templates": "at least one",
    "Benchmark.id": "the file's name",
    "Benchmark.title": "its title",
    "Benchmark.source": "the source whose card describes its files",
    "Benchmark.table": "the table of its items",
    "Benchmark.citation": "BibTeX",
    "Recipe.id": "its name",
    "Recipe.title": "the title of the dataset card",
    "Recipe.about": "the first paragraph of the dataset card",
    "Recipe.seed": "the seed of every choice",
    "PromptFormat.id": "its name, and the file's",
    "PromptFormat.title": "its title",
    "PromptFormat.about": "where it comes from",
}


def models() -> dict[str, type[Card]]:
    """Every model that is read from YAML, by name."""
    found: dict[str, type[Card]] = {}
    for module in _MODULES:
        for name, value in vars(module).items():
            if inspect.isclass(value) and issubclass(value, Card) and value is not Card:
                found[name] = value
    return found


def model_table(name: str) -> str:
    """The keys of one model: name, type, default, meaning."""
    model = models()[name]
    hints = get_type_hints(model, include_extras=True)
    lines = ["| key | value | default | meaning |", "|---|---|---|---|"]
    for field, info in model.model_fields.items():
        note = NOTES.get(f"{name}.{field}", "")
        if note and info.description:
            raise SystemExit(f"{name}.{field}: its model describes it; remove the note")
        meaning = info.description or note
        if not meaning and field not in ("format", "spdx"):
            raise SystemExit(f"{name}.{field}: give it a description, or a note in {__file__}")
        cells = (f"`{info.alias or field}`", _type(hints[field]), _default(info), meaning)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def _type(hint: Any) -> str:
    """A type as a person would name it; models and long lists of words as links."""
    if id(hint) in _NAMED:
        return _NAMED[id(hint)]
    args = get_args(hint)
    match get_origin(hint):
        case origin if origin is Literal:
            text = " or ".join(f"`{value}`" for value in args)
        case origin if origin in (Union, types.UnionType):
            text = " or ".join(_type(arg) for arg in args if arg is not type(None))
        case origin if origin is list:
            text = f"list of {_type(args[0])}"
        case origin if origin is dict:
            text = f"{_type(args[0])} → {_type(args[1])}"
        case origin if origin is Annotated:
            text = _type(args[0])
        case _ if issubclass(hint, Card):
            text = f"[{hint.__name__}](#{hint.__name__.lower()})"
        case _:
            text = _PLAIN[hint]
    return text


_PLAIN = {str: "text", int: "whole number", float: "number", bool: "`true` or `false`"}


def _default(info: FieldInfo) -> str:
    if info.is_required():
        return "**required**"
    value = info.get_default(call_default_factory=True)
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "`true`" if value else "`false`"
    return f"`{value}`" if value or value == 0 else ""


def commands() -> str:
    """What --help says, for every command."""
    parent = click.Context(
        cli, info_name="kit19", terminal_width=WIDTH, max_content_width=WIDTH, **_HELP
    )
    parts = [_help("kit19", cli.get_help(parent))]
    for name in cli.list_commands(parent):
        command = cli.get_command(parent, name)
        assert command is not None  # noqa: S101  it was listed
        context = click.Context(command, info_name=name, parent=parent)
        parts.append(_help(f"kit19 {name}", command.get_help(context)))
    return "\n\n".join(parts)


_HELP: dict[str, Any] = {"help_option_names": cli.context_settings["help_option_names"]}


def _help(title: str, text: str) -> str:
    # Blanks at line ends would be taken away by editors, and the file would count as stale.
    body = "\n".join(line.rstrip() for line in text.splitlines())
    return f"## {title}\n\n```text\n{body}\n```"


def recipes() -> str:
    """The recipes that kit19 carries."""
    catalog = load_catalog()
    lines = ["| recipe | rows of a subset | splits | cleaned | what for |", "|---|---|---|---|---|"]
    for name in catalog.recipe_names():
        one = catalog.recipe(name)
        cap = f"up to {one.cap:,}" if one.cap else "all"
        if one.fill:
            cap = f"{one.cap:,}, by further templates where records run out"
        out = {"duplicates": one.dedup != "none", "benchmark text": one.decontaminate}
        clean = " and ".join(name for name, is_out in out.items() if is_out)
        clean = f"{clean} out" if clean else "both left in"
        lines.append(
            f"| `{name}` | {cap} | {one.splits} | {clean} | {' '.join(one.about.split())} |"
        )
    return "\n".join(lines)


def benchmark_sets() -> str:
    """The sets of benchmarks that kit19 carries."""
    lines = [
        "| set | what for | benchmarks, or sets | if their files are present |",
        "|---|---|---|---|",
    ]
    for name, one in load_catalog().sets.items():
        members = (", ".join(f"`{m}`" for m in of) for of in (one.benchmarks, one.if_present))
        lines.append(f"| `{name}` | {one.about} | {' | '.join(members)} |")
    return "\n".join(lines)


def functions() -> str:
    """The functions that a card may name under ``derive``."""
    lines = ["| function | gives |", "|---|---|"]
    for name, function in FUNCTIONS.items():
        first = (inspect.getdoc(function) or "").split("\n\n", maxsplit=1)[0]
        lines.append(f"| `{name}` | {' '.join(first.replace('``', '`').split())} |")
    return "\n".join(lines)


def reasons() -> str:
    """Why a record may be dropped."""
    lines = ["| reason | meaning |", "|---|---|"]
    return "\n".join(
        [*lines, *(f"| `{name}` | {text} |" for name, text in REASON_DESCRIPTIONS.items())]
    )


def task_list() -> str:
    """The tasks that kit19 carries."""
    lines = ["| task | what it is | on the Hub |", "|---|---|---|"]
    for name, one in tasks.load_tasks([]).items():
        lines.append(f"| `{name}` | {one.label} | `{one.hub}` |")
    return "\n".join(lines)


def presets() -> str:
    """The presets that kit19 carries."""
    lines = ["| preset | model | purpose |", "|---|---|---|"]
    for name in preset_names():
        one = load_preset(name)
        model = f"`{one.model}`" if one.model else "new, with random weights"
        lines.append(f"| `{name}` | {model} | {' '.join(one.about.split())} |")
    return "\n".join(lines)


def architectures() -> str:
    """What was tried with each architecture, as ``make architectures`` stored it."""
    lines = [
        "| models | architecture | packed rows | full | LoRA | QLoRA |",
        "|---|---|---|---|---|---|",
    ]
    for family in json.loads(ARCHITECTURES.read_text("utf-8"))["families"].values():
        cells = family["cells"]
        packed = {cells[f"{method} packed"].get("layout", "") for method in _METHODS}
        layout = "no: `grouped`" if "grouped" in packed else "yes"
        tried = [
            _tried(cells[f"{method} packed"], cells[f"{method} padded"]) for method in _METHODS
        ]
        if family["adapter"]:
            tried[1:] = [f"{one}, with `{family['adapter']}`" for one in tried[1:]]
        row = [family["models"], f"`{family['type']}`", layout, *tried]
        lines.append("| " + " | ".join(row) + " |")
    return "\n".join(lines)


_METHODS = ("full", "lora", "qlora")


def _tried(packed: dict[str, str], padded: dict[str, str]) -> str:
    """✓ if everything is equal in both layouts, else what is not."""
    faults = {
        _fault(step, value)
        for cell in (packed, padded)
        for step, value in cell.items()
        if step != "layout" and value != "equal"
    }
    return "; ".join(sorted(faults)).replace("|", "\\|") or "✓"


def _fault(step: str, value: str) -> str:
    if step == "refused":
        return f"refused: {value.split(' Incompatible modules', maxsplit=1)[0]}"
    if value.startswith("cannot be merged"):  # by how much is another number for each model
        return "trained, but not merged: the logits would differ"
    return f"{step}: {value}"


def labels() -> str:
    """Every value that templates have words for, with its definition and the words."""
    catalog = load_catalog()
    lines: list[str] = []
    for name in sorted(catalog.owners):
        card = catalog.subset(name)[1]
        words = load_templates(catalog, name).words
        lines += [f"## {name}", ""] if words else []
        for field, forms in words.items():
            defined = card.definitions[field]
            note = f" {' '.join(defined.note.split())}" if defined.note else ""
            lines += [f"`{field}`, defined in: {' '.join(defined.where.split())}.{note}", ""]
            lines += ["| value | definition | words |", "|---|---|---|"]
            for value, text in defined.values.items():
                used = dict.fromkeys(form[value] for form in forms.values() if value in form)
                cells = (f"`{value}`", " ".join(text.split()), " · ".join(used))
                lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
            lines.append("")
    return "\n".join(lines).strip()


def _listed(values: Any) -> Callable[[], str]:
    return lambda: ", ".join(f"`{value}`" for value in get_args(values))


BLOCKS: dict[str, Callable[[], str]] = {
    "commands": commands,
    "recipes": recipes,
    "benchmark sets": benchmark_sets,
    "functions": functions,
    "reasons": reasons,
    "presets": presets,
    "architectures": architectures,
    "tasks": task_list,
    "labels": labels,
    "styles": _listed(templates.Style),
}


def block(name: str) -> str:
    """The text of one generated part."""
    if name.startswith("model "):
        return model_table(name.removeprefix("model "))
    return BLOCKS[name]()


# What differs in the generated parts of Korean pages: heads of tables, and links to Korean headings.
_KOREAN = {
    "| key | value | default | meaning |": "| 키 | 값 | 기본값 | 뜻 |",
    "| **required** |": "| **필수** |",
    "| value | definition | words |": "| 값 | 정의 | 쓰는 말 |",
    "`, defined in: ": "`, 정의된 곳: ",
    "| recipe | rows of a subset | splits | cleaned | what for |": (
        "| 레시피 | 하위 데이터셋의 행 | 분할 | 제거 | 용도 |"
    ),
    "| set | what for | benchmarks, or sets | if their files are present |": (
        "| 묶음 | 용도 | 벤치마크 또는 묶음 | 파일이 있을 때만 |"
    ),
    "| function | gives |": "| 함수 | 결과 |",
    "| reason | meaning |": "| 사유 | 뜻 |",
    "| task | what it is | on the Hub |": "| 과제 | 설명 | Hub의 이름 |",
    "(#paths)": "(#경로)",
    "(#tasks)": "(#과제)",
    "(#styles)": "(#문체)",
    "(#benchmarks)": "(#벤치마크)",
    "(#sets-of-benchmarks)": "(#벤치마크-묶음)",
    "(evaluation.md#tasks-of-the-harness)": "(evaluation.ko.md#하네스의-과제)",
}


def generate(text: str, page: str) -> str:
    """A document with all its generated parts written again.

    Args:
        text: The document.
        page: Its file name.
    """

    def fill(match: re.Match[str]) -> str:
        name = match["name"]
        written = block(name)
        for english, korean in _KOREAN.items() if page.endswith(".ko.md") else ():
            written = written.replace(english, korean)
        return f"<!-- generated: {name} -->\n\n{written}\n\n<!-- end -->"

    return _BLOCK.sub(fill, text)


def _fresh(path: Path) -> str:
    return generate(path.read_text("utf-8"), path.name)


def stale() -> list[Path]:
    """Documents whose generated parts are not what they would be now."""
    paths = [DOCS / name for name in GENERATED]
    return [path for path in paths if _fresh(path) != path.read_text("utf-8")]


def main(arguments: list[str]) -> int:
    """Write or check; returns the exit code."""
    if arguments not in ([], ["--check"]):
        print("usage: docs/generate.py [--check]", file=sys.stderr)
        return 2
    gone = [key for key in NOTES if not _is_key(key)]
    if gone:
        print(f"no such key: {', '.join(gone)}; remove its note", file=sys.stderr)
        return 1
    found = stale()
    for path in found:
        name = path.relative_to(DOCS.parent)
        if arguments:
            print(f"{name} is stale: run `make docs`", file=sys.stderr)
        else:
            path.write_text(_fresh(path), encoding="utf-8", newline="\n")
            print(f"wrote {name}")
    return 1 if found and arguments else 0


def _is_key(key: str) -> bool:
    model, _, field = key.partition(".")
    return model in models() and field in models()[model].model_fields


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
