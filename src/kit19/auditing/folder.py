"""Write an audit to a folder: the hits as a table, the result as JSON, and an HTML page."""

from __future__ import annotations

import json
from pathlib import Path

from kit19.auditing.page import audit_page
from kit19.auditing.result import Audit, to_frame
from kit19.core.errors import OutputError, convert_os_errors
from kit19.drawing.glyphs import font_face
from kit19.writing.place import replacing

FILES = ("hits.parquet", "audit.json", "report.html")


@convert_os_errors
def write_audit(result: Audit, folder: Path) -> None:
    """Write an audit to a folder, completely or not at all. An earlier audit there is replaced.

    Raises:
        OutputError: The folder contains other files, or cannot be written.
    """
    with replacing(folder, _is_audit) as place:
        table, document, page = (place / name for name in FILES)
        to_frame(result).write_parquet(table, compression="zstd", row_group_size=50_000)
        text = json.dumps(result.to_dict(), ensure_ascii=False, indent=1)
        document.write_text(text + "\n", encoding="utf-8")
        page.write_text(_render_page(result), encoding="utf-8")


def _render_page(result: Audit) -> str:
    """Render the page, with embedded Korean glyphs if the extra ``report`` is installed."""
    page = audit_page(result)
    try:
        return audit_page(result, face=font_face(page))
    except OutputError:
        return page  # the browser uses the reader's fonts


def _is_audit(folder: Path) -> bool:
    return {path.name for path in folder.iterdir()} <= set(FILES)
