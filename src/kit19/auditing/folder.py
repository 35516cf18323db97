"""Write an audit to a folder: the hits as a table, the result as JSON, and an HTML page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from kit19.auditing.page import audit_page
from kit19.auditing.result import Audit, to_frame
from kit19.auditing.shards import FOLDER
from kit19.core.errors import OutputError, Problem, convert_os_errors
from kit19.drawing.glyphs import font_face
from kit19.writing.place import is_leftover, placing, refuse_foreign, replacing, write_errors

FILES = ("hits.parquet", "audit.json", "report.html")
FAILED = "failed.jsonl"


@convert_os_errors
def write_audit(result: Audit, folder: Path) -> None:
    """Write an audit to a folder, completely or not at all. An earlier audit there is replaced.

    Raises:
        OutputError: The folder contains other files, or cannot be written.
    """
    with replacing(folder, _is_audit) as place:
        _write(result, *(place / name for name in FILES))


def require_audit_folder(folder: Path) -> None:
    """Check that a folder is missing, empty, or that of an audit.

    Raises:
        OutputError: It contains other files.
    """
    refuse_foreign(folder, _is_audit)


def place_audit(result: Audit, failures: Mapping[str, Problem], folder: Path) -> None:
    """Write an audit next to the results of its parts.

    ``audit.json`` is the last file to get its name: while it is there, all belong together.

    Args:
        result: The audit.
        failures: What is wrong with files that could not be searched, by name.
        folder: The folder.

    Raises:
        OutputError: A file cannot be written. An earlier audit is still there if the disk is full.
    """
    lines = [
        json.dumps({"file": name, "where": one.where, "what": one.what, "fix": one.fix}) + "\n"
        for name, one in failures.items()
    ]
    with write_errors(folder), ExitStack() as stack:
        document = stack.enter_context(placing(folder / "audit.json"))
        table, page = (
            stack.enter_context(placing(folder / name)) for name in ("hits.parquet", "report.html")
        )
        if lines:
            failed = stack.enter_context(placing(folder / FAILED))
            failed.write_text("".join(lines), encoding="utf-8")
        _write(result, table, document, page)
        (folder / "audit.json").unlink(missing_ok=True)
        if not lines:
            (folder / FAILED).unlink(missing_ok=True)


def _write(result: Audit, table: Path, document: Path, page: Path) -> None:
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
    names = {path.name for path in folder.iterdir() if not is_leftover(path)}
    return names <= {*FILES, FAILED, FOLDER}
