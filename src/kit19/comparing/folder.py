"""Writing a comparison: page, JSON, Markdown, LaTeX, and every chart as SVG and PNG."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kit19.comparing.charts import draw_charts, to_png
from kit19.comparing.page import comparison_page
from kit19.comparing.result import Comparison
from kit19.comparing.typesetting import latex, markdown
from kit19.core.json_text import to_json
from kit19.drawing.safe_text import printable
from kit19.writing.place import replacing

PAGE = "report.html"
DOCUMENT = "compare.json"
CHARTS = "charts"
FILES = (PAGE, DOCUMENT, "compare.md", "compare.tex", CHARTS)


def write_comparison(result: Comparison, changed: dict[str, Any], folder: Path) -> None:
    """Write a comparison to a folder, completely or not at all; an earlier one is replaced.

    Raises:
        OutputError: The folder has other files, cannot be written, or ``kit19[report]`` is not
            installed.
    """
    charts = list(draw_charts(result))
    texts = {
        PAGE: comparison_page(result, charts, changed),
        DOCUMENT: to_json(result.to_dict(), indent=1) + "\n",
        "compare.md": markdown(result),
        "compare.tex": latex(result),
    }
    with replacing(folder, _is_comparison) as place:
        for name, text in texts.items():
            (place / name).write_text(printable(text), encoding="utf-8", newline="\n")
        (place / CHARTS).mkdir()
        for chart in charts:
            (place / CHARTS / f"{chart.name}.svg").write_text(chart.svg, encoding="utf-8")
            (place / CHARTS / f"{chart.name}.png").write_bytes(to_png(chart.svg))


def _is_comparison(folder: Path) -> bool:
    return {path.name for path in folder.iterdir()} <= set(FILES)
