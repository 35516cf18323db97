"""The documents are true: generated parts are fresh, commands parse, shown output is real."""

import importlib.util
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import click
import pytest
import yaml

from kit19.catalog import BUILT_IN
from kit19.cli import cli
from kit19.core.manifest import read_manifest
from tests.support.golden import Golden, missing_lines, renewed
from tests.support.invoking import printed_by

ROOT = Path(__file__).parents[2]
READMES = (ROOT / "README.md", ROOT / "README.ko.md")
BUILDING = (ROOT / "docs" / "building.md", ROOT / "docs" / "building.ko.md")
DOCUMENTS = [
    *READMES,
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    *(ROOT / "docs").glob("*.md"),
]
_CONSOLE = re.compile(
    r"^```console\n(.*?)^```\n(?:\n```text\n(.*?)^```)?", re.DOTALL | re.MULTILINE
)
_FILE = re.compile(r"^`(\S+)`:\n\n```\w+\n(.*?)^```", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\(([^)\s]+)\)")


def by_name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def shown(path: Path) -> list[tuple[list[str], str]]:
    """Console blocks of a document: their lines, and the output that stands below them."""
    return [
        (m[1].strip().splitlines(), m[2] or "") for m in _CONSOLE.finditer(path.read_text("utf-8"))
    ]


def commands(path: Path) -> list[str]:
    return [line for lines, _ in shown(path) for line in lines]


def help_examples() -> Iterator[str]:
    context = click.Context(cli)
    for command in (cli, *(cli.get_command(context, name) for name in cli.list_commands(context))):
        assert command is not None
        for line in (command.epilog or "").splitlines():
            if line.strip().startswith("kit19 "):
                yield re.split(r"\s{2,}", line.strip())[0]


def parse(line: str) -> None:
    """Have click parse a command line without running it; a click.UsageError if it cannot."""
    name, *arguments = shlex.split(line)[1:]
    # With the settings of the group: click keeps the help option of a command's first context.
    parent = click.Context(cli, info_name="kit19", **cli.context_settings)
    command = cli.get_command(parent, name)
    if command is None:
        raise click.UsageError(f"no such command: {name}")
    command.make_context(name, arguments, parent=parent)


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_generated_documents_are_fresh(generator: ModuleType, golden: Golden) -> None:
    for name in generator.GENERATED:
        path = ROOT / "docs" / name
        golden.check(path, generator.generate(path.read_text("utf-8"), name))
    assert generator.main(["--check"]) == 0


def test_a_changed_help_or_model_makes_a_document_stale(generator: ModuleType) -> None:
    text = "<!-- generated: reasons -->\n\n| reason | once |\n\n<!-- end -->\nby hand\n"
    written = generator.generate(text, "x.md")
    assert "`duplicate`" in written
    assert "once" not in written
    assert written.endswith("by hand\n")
    assert generator.generate(written, "x.md") == written
    assert "| reason | meaning |" in written
    assert "| 사유 | 뜻 |" in generator.generate(text, "x.ko.md")


def test_every_model_that_is_read_from_yaml_has_its_table(generator: ModuleType) -> None:
    text = "".join((ROOT / "docs" / name).read_text("utf-8") for name in generator.GENERATED)
    assert set(re.findall(r"generated: model (\w+)", text)) == set(generator.models())


@pytest.mark.parametrize("path", DOCUMENTS, ids=by_name)
def test_every_command_line_in_a_document_is_accepted_by_the_parser(path: Path) -> None:
    for line in commands(path):
        if line.startswith("kit19 "):
            parse(line)


@pytest.mark.parametrize("line", list(help_examples()))
def test_every_example_of_the_help_is_accepted_by_the_parser(line: str) -> None:
    if line != "kit19 --help":
        parse(line)


@pytest.mark.parametrize("line", [e for e in help_examples() if e.startswith("kit19 show")])
def test_every_show_example_of_the_help_shows_something(line: str, tmp_path: Path) -> None:
    # Without the option it is the sample that is shown, so that this runs anywhere.
    shown = printed_by(line.replace(" --data-dir data", ""), tmp_path)
    assert "[output]" in shown or "[assistant]" in shown


@pytest.mark.parametrize("line", ["kit19 biuld", "kit19 build --otu x", "kit19 verify"])
def test_a_command_line_that_kit19_does_not_have_is_found(line: str) -> None:
    with pytest.raises(click.UsageError):
        parse(line)


@pytest.mark.parametrize("path", READMES, ids=by_name)
def test_a_readme_is_read_in_one_go(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= 180


@pytest.mark.parametrize("path", DOCUMENTS, ids=by_name)
def test_every_link_leads_somewhere(path: Path) -> None:
    for target in _LINK.findall(path.read_text("utf-8")):
        name, _, anchor = target.partition("#")
        other = path.parent / name if name else path
        assert other.exists(), f"{by_name(path)}: {target}"
        if anchor:
            heads = re.findall(r"^#+ (.+)$", other.read_text("utf-8"), re.MULTILINE)
            anchors = [re.sub(r"[^\w -]", "", head).lower().replace(" ", "-") for head in heads]
            assert anchor in anchors, f"{by_name(path)}: {target}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=by_name)
def test_no_document_names_a_web_address_or_a_place_on_one_machine(path: Path) -> None:
    assert not re.search(r"https?://[\w-]+\.|www\.|/home/|/work/|/root/", path.read_text("utf-8"))


def test_the_demo_prints_what_the_readme_shows(tmp_path: Path, golden: Golden) -> None:
    claimed = next(out for lines, out in shown(READMES[0]) if lines == ["make demo"])
    assert "\n\t$(BIN)/kit19 demo\n" in (ROOT / "Makefile").read_text("utf-8")
    golden.check_shown(READMES, claimed, printed_by("kit19 demo", tmp_path))


def test_the_readmes_show_a_conversation_as_it_is(tmp_path: Path, golden: Golden) -> None:
    lines, claimed = next(b for b in shown(READMES[0]) if b[0][0].startswith("kit19 show"))
    golden.check_shown(READMES, claimed, printed_by(lines[0], tmp_path))


def test_the_sources_command_prints_what_its_document_shows(tmp_path: Path, golden: Golden) -> None:
    lines, claimed = next(b for b in shown(BUILDING[0]) if b[0][0] == "kit19 sources")
    golden.check_shown(BUILDING, claimed, printed_by(lines[-1], tmp_path))


@pytest.mark.real
def test_the_real_files_give_what_the_readme_shows(
    real_build: Callable[[str], Path], golden: Golden
) -> None:
    line, claimed = next(b for b in shown(READMES[0]) if "--partial" in b[0][-1])
    assert line[-1] == "kit19 build kit19 --data-dir data --partial --out out/kit19"
    folder = real_build("kit19").parents[1]
    golden.check_shown(READMES, claimed, (folder / "printed.txt").read_text("utf-8"))
    line, claimed = next(b for b in shown(BUILDING[0]) if b[0][0].startswith("kit19 explain"))
    golden.check_shown(BUILDING, claimed, printed_by(line[0], folder))


@pytest.mark.real
def test_contamination_was_found_as_often_as_its_document_says(
    real_build: Callable[[str], Path],
) -> None:
    text = (ROOT / "docs" / "contamination.md").read_text("utf-8")
    manifest = read_manifest(real_build("kit19"))
    said = {
        name: int(count.replace(",", ""))
        for names, count in re.findall(r"^\| (`[^|]+) \| ([\d,]+) \|", text, re.MULTILINE)
        for name in re.findall(r"`(\w+)`", names)
    }
    assert said == {
        name: entry.ledger.dropped.get("contaminated", 0)
        for name, entry in manifest.subsets.items()
    }


def test_a_line_that_is_not_printed_is_found() -> None:
    real = "subset   task   read\nnsmc     sts    1,000\n"
    assert not missing_lines("nsmc … 1,000\n…\n", real)
    assert missing_lines("nsmc … 2,000\n", real) == ["nsmc … 2,000"]


def test_a_shown_line_is_renewed_with_the_numbers_of_the_nearest_real_one() -> None:
    real = "subset   task   read\npawsx    sts      200\nnsmc     sts    1,000  99\n"
    assert renewed("nsmc  …   900  98\n…\npawsx …\n", real) == "nsmc  … 1,000  99\n…\npawsx …\n"
    with pytest.raises(AssertionError, match="by hand"):
        renewed("apeach … 900\n", real)


def test_the_python_of_the_readmes_runs(tmp_path: Path) -> None:
    found = [
        re.findall(r"```python\n(import kit19\n.*?)```", path.read_text("utf-8"), re.DOTALL)
        for path in READMES
    ]
    assert len(found[0]) == 1
    assert found[0] == found[1]
    done = subprocess.run(
        [sys.executable, "-c", found[0][0]],
        check=True,
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONUTF8": "1"},
    )
    assert "upstream_rows=1460" in done.stdout


def test_the_dataset_of_contributing_works_as_it_says(tmp_path: Path, golden: Golden) -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    files = dict(_FILE.findall(text))
    assert len(files) == 4
    for name, body in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(body, encoding="utf-8")
    blocks = shown(ROOT / "CONTRIBUTING.md")
    assert len(blocks) == 2
    for lines, claimed in blocks:
        real = [printed_by(line, tmp_path) for line in lines][-1]
        text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
        golden.check(ROOT / "CONTRIBUTING.md", text.replace(claimed, real.strip() + "\n"))


def test_contributing_names_every_test_whose_files_are_renewed() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    tests = (ROOT / "tests").rglob("test_*.py")
    renewed_by = {by_name(path) for path in tests if "golden: Golden" in path.read_text("utf-8")}
    assert set(re.findall(r"\| `(tests/\S+\.py)` \|$", text, re.MULTILINE)) == renewed_by
    assert "KIT19_RENEW=1 $(PYTEST) --dist loadfile -m golden\n" in (ROOT / "Makefile").read_text(
        "utf-8"
    )


def test_the_mistake_of_contributing_is_told_as_it_says(tmp_path: Path) -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    card = dict(_FILE.findall(text))["my/sources/cafe.yaml"]
    (tmp_path / "my" / "sources").mkdir(parents=True)
    path = tmp_path / "my" / "sources" / "cafe.yaml"
    path.write_text(card.replace("key: id", "kye: id"), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "kit19", "sources", "cafe", "--catalog", "my"],
        check=False,
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 1
    assert done.stderr in text


def test_the_readme_counts_templates_and_subsets_as_they_are() -> None:
    recipe = yaml.safe_load((BUILT_IN / "recipes" / "kit19.yaml").read_text("utf-8"))
    files = [BUILT_IN / "templates" / f"{name}.yaml" for name in recipe["subsets"]]
    counts = [len(yaml.safe_load(path.read_text("utf-8"))["templates"]) for path in files]
    english, korean = (path.read_text("utf-8") for path in READMES)
    assert f"at least {min(counts)} for each" in english
    assert f"{min(counts)}개 이상" in korean
    assert f"{len(counts)} subsets" in english


def test_the_license_is_whole_and_says_whose_it_is() -> None:
    text = (ROOT / "LICENSE").read_text("utf-8")
    assert "Version 2.0, January 2004" in text
    assert "9. Accepting Warranty or Additional Liability." in text
    assert "The kit19 authors" in text
