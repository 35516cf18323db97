"""``kit19 lint`` and ``kit19 show``, as a contributor uses them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from kit19.catalog import BUILT_IN
from tests.support.invoking import run_main

NO_FOLDER = "run `kit19 fetch`, name another data folder, or set KIT19_DATA_DIR"


@pytest.fixture
def own_catalog(tmp_path: Path) -> Path:
    """A copy of the catalog in which one template of nsmc is broken."""
    for part in ("sources", "templates", "benchmarks", "recipes"):
        shutil.copytree(BUILT_IN / part, tmp_path / "catalog" / part)
    broken = tmp_path / "catalog" / "templates" / "nsmc.yaml"
    text = broken.read_text(encoding="utf-8")
    changed = text.replace("'관람평: {text}'", "'관람평:  {text}'")
    assert changed != text
    broken.write_text(changed, encoding="utf-8")
    return tmp_path / "catalog"


def test_clean_templates_exit_with_0(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_main("lint", "nsmc", "math", "--quiet") == 0
    shown = capsys.readouterr()
    assert shown.out.endswith("renders checked: clean\n")
    assert shown.err == ""


def test_a_finding_exits_with_3_and_says_where(
    capsys: pytest.CaptureFixture[str], own_catalog: Path
) -> None:
    assert run_main("lint", "nsmc", "-q", "--catalog", str(own_catalog)) == 3
    shown = capsys.readouterr().out
    assert shown.startswith("nsmc.sort_order: double_blank: its input has two blanks in a row")
    assert "in 1,660 of 1,660 renders" in shown
    assert "1 findings" in shown


def test_json_is_one_document(capsys: pytest.CaptureFixture[str], own_catalog: Path) -> None:
    assert run_main("lint", "nsmc", "--json", "--catalog", str(own_catalog)) == 3
    document = json.loads(capsys.readouterr().out)
    assert document["renders"] == document["subsets"]["nsmc"]["renders"] == 48_167
    (finding,) = document["findings"]
    assert (finding["rule"], finding["template"]) == ("double_blank", "sort_order")
    assert len(finding["examples"]) == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nmsc"], "error: there is no subset 'nmsc'\n    did you mean nsmc?\n"),
        (
            ["nsmc", "--data-dir", "nowhere"],
            f"error: nowhere: there is no such data folder\n    {NO_FOLDER}\n",
        ),
    ],
)
def test_a_mistake_is_told_in_one_message(
    arguments: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run_main("lint", "-q", *arguments) == 1
    assert capsys.readouterr().err == message


def test_missing_files_stop_a_strict_run_and_are_named_in_a_partial_one(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run_main("lint", "nsmc", "-q", "--data-dir", str(tmp_path)) == 1
    assert "nsmc/ratings_train.txt" in capsys.readouterr().err
    assert run_main("lint", "nsmc", "-q", "--partial", "--data-dir", str(tmp_path)) == 0
    shown = capsys.readouterr().out
    assert "only checks without records ran" in shown


def test_show_can_keep_to_a_style(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_main("show", "nsmc", "--style", "해체", "-n", "4", "--json") == 0
    assert {one["style"] for one in json.loads(capsys.readouterr().out)} == {"해체"}


def test_show_names_the_styles_that_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_main("show", "nsmc", "--style", "해채") == 1
    assert "did you mean 해체" in capsys.readouterr().err


MINE = """\
subset: nsmc
words:
  label:
    ko: {negative: 부정, positive: 긍정}
templates:
  - id: mine
    style: 해요체
    why: tried out before it goes into the catalog
    instruction: 이 영화평은 긍정인가요, 부정인가요?
    input: '{text}'
    output: '{label.ko}이에요.'
"""


def test_a_file_of_ones_own_is_shown_and_linted(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text(MINE, encoding="utf-8")
    assert run_main("show", "--from-file", str(mine), "-n", "1") == 0
    shown = capsys.readouterr().out
    assert "· mine (해요체)" in shown
    assert "이 영화평은 긍정인가요, 부정인가요?" in shown
    assert shown.endswith("1,663 renders checked: clean\n")

    mine.write_text(MINE.replace("이에요.'", "예요.'"), encoding="utf-8")
    assert run_main("show", "nsmc", "--from-file", str(mine), "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert len(document["examples"]) == 3
    (finding,) = {finding["rule"] for finding in document["findings"]}
    assert finding == "wrong_particle"


def test_a_mistake_in_a_file_of_ones_own_names_its_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text(MINE.replace("'{text}'", "'{txt}'"), encoding="utf-8")
    assert run_main("show", "--from-file", str(mine)) == 1
    assert f"error: {mine}:10: template mine: {{txt}}: unknown field" in (capsys.readouterr().err)
    mine.write_text(MINE, encoding="utf-8")
    assert run_main("show", "pawsx", "--from-file", str(mine)) == 1
    assert f"error: {mine}:1: subset: says 'nsmc'" in capsys.readouterr().err


def test_show_without_a_subset_is_a_wrong_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_main("show") == 2
    assert "Name a SUBSET" in capsys.readouterr().err
