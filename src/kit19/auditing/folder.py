"""An audit as a folder: all hits as a table, the result as JSON, and a page to read."""

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
    """Write an audit into a folder, whole or not at all; an audit that stands there is replaced.

    Raises:
        OutputError: The folder holds something else, or cannot be written.
    """
    with replacing(folder, _is_audit) as place:
        table, document, page = (place / name for name in FILES)
        to_frame(result).write_parquet(table, compression="zstd", row_group_size=50_000)
        text = json.dumps(result.to_dict(), ensure_ascii=False, indent=1)
        document.write_text(text + "\n", encoding="utf-8")
        page.write_text(_page(result), encoding="utf-8")


def _page(result: Audit) -> str:
    """The page, with its Korean characters where the layer ``report`` is installed."""
    page = audit_page(result)
    try:
        return audit_page(result, face=font_face(page))
    except OutputError:
        return page  # the reader's own fonts do


def _is_audit(folder: Path) -> bool:
    return {path.name for path in folder.iterdir()} <= set(FILES)
