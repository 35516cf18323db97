"""The tables of a comparison as Markdown and LaTeX (booktabs)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from kit19.comparing.result import Comparison
from kit19.comparing.table import Table, remarks, tables


def markdown(result: Comparison) -> str:
    """All tables as one Markdown document."""
    lines = [f"# {' · '.join(_md(model.name) for model in result.models)}", ""]
    for table in tables(result):
        lines += [f"## {_md(table.title)}", ""]
        lines.append("| " + " | ".join(map(_md, table.columns)) + " |")
        lines.append("|" + "---|" * table.names + "---:|" * (len(table.columns) - table.names))
        lines += ["| " + " | ".join(map(_md, row)) + " |" for row in table.rows]
        lines += ["", *(f"- {_md(note)}" for note in table.notes)]
        lines += [""] if table.notes else []
    lines += [
        "## Remarks",
        "",
        *(
            f"- {_md(line)}"
            for line in [*remarks(result), *(result.caveats if result.published else [])]
        ),
    ]
    return "\n".join(lines) + "\n"


_MD_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~])")


def _md(text: str) -> str:
    # An interval's brackets need no escape: without parentheses they are not a link.
    safe = _MD_SPECIAL.sub(r"\\\1", " ".join(text.split()))
    return safe.replace("\\[", "[").replace("\\]", "]") if "(" not in text else safe


def latex(result: Comparison) -> str:
    """All tables in LaTeX; needs booktabs, and kotex or similar for Korean names."""
    parts = ["% needs \\usepackage{booktabs}\n"]
    for table in tables(result):
        parts += list(_latex_table(table, _tex))
    return "\n".join(parts)


def _latex_table(table: Table, tex: Callable[[str], str]) -> Iterator[str]:
    yield "\\begin{table}\n\\centering\\small"
    yield f"\\caption{{{tex(table.title)}}}"
    kinds = "l" * table.names + "r" * (len(table.columns) - table.names)
    yield f"\\begin{{tabular}}{{{kinds}}}\n\\toprule"
    yield _latex_row(table.columns, tex) + "\n\\midrule"
    before = ""
    for row in table.rows:
        # A benchmark's name is shown once, with its first metric.
        shown = ["" if row[0] == before else row[0], *row[1:]]
        before = row[0]
        yield _latex_row(shown, tex)
    yield "\\bottomrule\n\\end{tabular}"
    yield from (f"\\par {tex(note)}" for note in table.notes)
    yield "\\end{table}\n"


def _latex_row(cells: Sequence[str], tex: Callable[[str], str]) -> str:
    return " & ".join(map(tex, cells)) + r" \\"


_TEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"$<$",
    ">": r"$>$",
    "–": "--",
    # LaTeX reads a bracket after a line break as an option.
    "[": "{[}",
    "]": "{]}",
}


def _tex(text: str) -> str:
    return "".join(_TEX.get(character, character) for character in " ".join(text.split()))
