"""The tables of a comparison in the terminal, as Markdown and as LaTeX."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from kit19 import Comparison, compare
from kit19.comparing.table import p_text, score_table, tables
from kit19.comparing.typesetting import latex, markdown
from tests.support.invoking import invoke
from tests.support.simulate import model


def line(text: str, start: str) -> str:
    return next(one for one in text.splitlines() if one.startswith(start))


def test_a_score_is_shown_with_interval_baseline_and_marks(comparison: SimpleNamespace) -> None:
    rows = {(row[0], row[1]): row[2:] for row in score_table(comparison.result).rows}
    # 130 of 300 are 예, and the base says nothing else.
    baseline, base, *_ = rows["KLUE STS (n=300)", "F1"]
    assert (baseline, base) == ("60.47", "60.47 [54.7, 65.5] C")
    assert re.fullmatch(r"\d+\.\d\d \[[\d.]+, [\d.]+\] X", rows["KoBEST COPA (n=200)", "acc"][2])


def test_marks_are_explained_where_they_are_used(comparison: SimpleNamespace) -> None:
    table = score_table(comparison.result)
    used = {mark for row in table.rows for cell in row[3:] for mark in cell.partition("] ")[2]}
    assert used == {note[0] for note in table.notes} == {"C", "B", "X", "I"}


def test_markdown_shows_the_same(comparison: SimpleNamespace) -> None:
    text = markdown(comparison.result)
    assert line(text, "# ") == "# 기준 · tuned · flat"
    heads = [one for one in text.splitlines() if one.startswith("## ")]
    assert heads[0] == "## Scores, percent, with 95% intervals"
    assert heads[1] == "## Differences to 기준, points, paired"
    assert heads[2:4] == ["## Leaderboard, percent", "## Ranks by benchmark, with 95% intervals"]
    assert "published, not re-run" in heads[5]
    row = line(text, "| KLUE STS (n=300) | F1 ")
    assert row.startswith("| KLUE STS (n=300) | F1 | 60.47 | 60.47 [54.7, 65.5] C | ")
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        assert len({one.count("|") - one.count("\\|") for one in table.splitlines()}) == 1


def test_latex_shows_the_same_and_can_be_set(comparison: SimpleNamespace, tmp_path: Path) -> None:
    text = latex(comparison.result)
    assert text.count("\\toprule") == text.count("\\bottomrule") == len(tables(comparison.result))
    row = line(text, "KLUE STS (n=300) & acc & ")
    assert row.endswith(" \\\\")
    assert "43.33 {[}37.8, 49.0{]} C" in row
    assert line(text, " & F1 & 60.47 & ")  # the name of the benchmark is shown once
    assert not re.search(r"(?<!\\)[%&#_](?!.*booktabs)", text.replace(" & ", " ").split("\n", 1)[1])
    if not shutil.which("pdflatex"):
        pytest.skip("no pdflatex to set it with")
    plain = text.replace("기준", "base").replace("\\par", "\\newline ")
    head = "\\documentclass{article}\\usepackage{booktabs}\\begin{document}"
    document = f"{head}{plain}\\end{{document}}"
    (tmp_path / "t.tex").write_text(document, encoding="utf-8")
    command = ["pdflatex", "-halt-on-error", "-interaction=batchmode", "t.tex"]
    assert subprocess.run(command, cwd=tmp_path, check=False).returncode == 0


@pytest.mark.parametrize("name", ["a|b", "x & y_z #1 100%", "<b>\\$^~{}`*", "[link](x)", "a\nb"])
def test_any_name_keeps_the_tables_intact(tmp_path: Path, name: str) -> None:
    pair = [model(tmp_path / "base", tasks=("klue_sts",)), tmp_path / "other"]
    model(pair[1], 1.0, seed=1, tasks=("klue_sts",), name=name)
    result = compare(pair, replicates=200)
    for table in re.findall(r"(?:^\|.*\n)+", markdown(result), re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", one)) for one in table.splitlines()}) == 1
    rows = [one for one in latex(result).splitlines() if one.endswith(r"\\")]
    for one in rows:
        assert len(re.findall(r"(?<!\\)&", one)) in (4, 9, 7)
    assert "\n" not in name or "a b" in markdown(result)


def test_small_p_values_are_not_shown_as_zero() -> None:
    assert [p_text(p) for p in (0.0, 0.0004, 0.001, 0.0496, 1.0)] == [
        "<0.001",
        "<0.001",
        "0.001",
        "0.050",
        "1.000",
    ]


def test_the_command_prints_tables_and_remarks(simulated: SimpleNamespace) -> None:
    result = invoke("compare", simulated.base, simulated.tuned, "--replicates", "200", "-q")
    assert (result.code, result.err) == (0, "")
    assert "Differences to 기준, points, paired" in result.out
    assert "C: the same answer every time" in result.out
    assert "tuned: its training data is contaminated: benchmark splits were let in" in result.out
    assert "published, not re-run" in result.out


def test_json_is_the_comparison_and_nothing_else(simulated: SimpleNamespace) -> None:
    result = invoke("compare", simulated.base, simulated.tuned, "--replicates", "200", "--json")
    assert (result.code, result.err) == (0, "")
    expected = compare([simulated.base, simulated.tuned], replicates=200)
    assert Comparison.model_validate(result.document).to_dict() == expected.to_dict()


def test_the_check_exits_with_three_where_something_is_unfair(tmp_path: Path) -> None:
    base = model(tmp_path / "base", tasks=("klue_sts",))
    same = model(tmp_path / "same", 1.0, seed=1, tasks=("klue_sts",))
    other = model(tmp_path / "other", 1.0, tasks=("klue_sts",), dtype="bfloat16")
    result = invoke("compare", base, same, "--check")
    assert (result.code, result.out) == (0, "fair: only the models differ in what is recorded\n")
    result = invoke("compare", base, other, "--check")
    assert (result.code, result.out) == (
        3,
        "dtype: the base has float32, other has bfloat16\n",
    )
    result = invoke("compare", base, other, "--check", "--json")
    assert (result.code, result.document[0]["aspect"]) == (3, "dtype")


def test_bad_results_are_exit_code_one(tmp_path: Path) -> None:
    result = invoke("compare", tmp_path / "a", tmp_path / "b")
    assert (result.code, result.out) == (1, "")
    assert result.err == (
        f"error: {tmp_path / 'a'}: there are no such results\n"
        f"error: {tmp_path / 'b'}: there are no such results\n"
        "    give a results folder of `kit19 eval` or `lm_eval --output_path`\n"
    )


def test_a_folder_of_something_else_is_not_replaced(
    simulated: SimpleNamespace, tmp_path: Path
) -> None:
    (tmp_path / "thesis.txt").write_text("mine", encoding="utf-8")
    line = ["compare", simulated.base, simulated.flat, "--out", tmp_path, "--replicates", "100"]
    result = invoke(*line)
    assert result.code == 1
    assert "holds files that kit19 did not write" in result.err
    assert [path.name for path in tmp_path.iterdir() if path.name[0] != "."] == ["thesis.txt"]


def test_without_the_layer_the_table_works_and_the_page_says_what_to_install(
    simulated: SimpleNamespace, tmp_path: Path
) -> None:
    code = """
import sys
for name in ("altair", "vl_convert", "fontTools", "pylopdf_fonts_ko", "scipy", "sklearn", "pandas"):
    sys.modules[name] = None
from kit19.cli import main
main()
"""

    def run(*more: str) -> subprocess.CompletedProcess[str]:
        line = [
            "compare",
            str(simulated.base),
            str(simulated.tuned),
            "--replicates",
            "100",
            "-q",
            *more,
        ]
        command = [sys.executable, "-c", code, *line]
        return subprocess.run(command, check=False, capture_output=True, encoding="utf-8")

    done = run("--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["schema_version"] == 1
    done = run("--out", str(tmp_path / "out"))
    assert done.returncode == 1
    assert done.stderr == (
        "error: charts and the page need packages that are not installed\n"
        "    pip install 'kit19[report]'\n"
    )
    assert not (tmp_path / "out").exists()
