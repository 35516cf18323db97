"""A comparison as a folder: page, JSON, Markdown, LaTeX, and every chart as SVG and PNG."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kit19.comparing.charts import drawings, to_png
from kit19.comparing.items import changed_items
from kit19.comparing.page import comparison_page
from kit19.comparing.result import Comparison
from kit19.comparing.scored import Scored
from kit19.comparing.table import latex, markdown
from kit19.core.json_text import to_json
from kit19.drawing.safe_text import printable
from kit19.writing.place import replacing

PAGE = "report.html"
DOCUMENT = "compare.json"
CHARTS = "charts"
FILES = (PAGE, DOCUMENT, "compare.md", "compare.tex", CHARTS)


def write_comparison(result: Comparison, models: Sequence[Scored], folder: Path) -> None:
    """Write a comparison into a folder, whole or not at all; one that stands there is replaced.

    Raises:
        OutputError: The folder holds something else, or cannot be written; or the layer ``report`` is
            not installed.
    """
    charts = list(drawings(result))
    texts = {
        PAGE: comparison_page(result, charts, changed_items(models)),
        DOCUMENT: to_json(result.model_dump(mode="json"), indent=1) + "\n",
        "compare.md": markdown(result),
        "compare.tex": latex(result),
    }
    with replacing(folder, _is_comparison) as place:
        for name, text in texts.items():
            (place / name).write_text(printable(text), encoding="utf-8", newline="\n")
        (place / CHARTS).mkdir()
        for one in charts:
            (place / CHARTS / f"{one.name}.svg").write_text(one.svg, encoding="utf-8")
            (place / CHARTS / f"{one.name}.png").write_bytes(to_png(one.svg))


def _is_comparison(folder: Path) -> bool:
    return {path.name for path in folder.iterdir()} <= set(FILES)
