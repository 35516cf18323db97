"""Real exams as files of the Hub: CLIcK, one subject of KMMLU, and what is here of HAE-RAE."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path


def lay_out_exams(data_dir: Path, folder: Path) -> Path:
    """Write the files as ``kit19 fetch`` would, from those that were found elsewhere.

    Args:
        data_dir: The folder of upstream files.
        folder: The folder to write; it has a link to CLIcK's files.
    """
    import pyarrow as pa  # type: ignore[import-untyped]
    from pyarrow import parquet

    found = data_dir / "as_found"
    exam = folder / "kmmlu" / "data"
    exam.mkdir(parents=True)
    (folder / "click").symlink_to(data_dir.resolve() / "click")
    shutil.copyfile(found / "kmmlu" / "Criminal-Law-test.csv", exam / "Criminal-Law-test.csv")
    rows = json.loads((found / "kmmlu/sample/KMMLU-Criminal-Law.json").read_text("utf-8"))
    with (exam / "Criminal-Law-dev.csv").open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows[:5])
    for path in (found / "haerae").glob("*.json"):
        place = folder / "haerae" / path.stem.rpartition("-")[2] / "test"
        place.mkdir(parents=True)
        table = pa.Table.from_pylist(json.loads(path.read_text("utf-8")))
        parquet.write_table(table, place / "0000.parquet")
    return folder
