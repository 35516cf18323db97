"""What an audit searches, recorded next to its results: enough to merge them anywhere.

``shards/audit-plan.json`` has the files, the options and the items, without their texts. It depends
only on what is searched, so all machines that share an audit write the same bytes.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars as pl
from polars.exceptions import PolarsError

from kit19.auditing.plan import Options, Part, Plan
from kit19.auditing.result import Remark
from kit19.auditing.summary import TEXTS, Searched, Sought
from kit19.core.errors import Problem, ReadError, first_line
from kit19.core.paths import read_json
from kit19.fetching.remote import RemoteFile
from kit19.reading import Remarks
from kit19.reading.folders import AUDIT_PLAN
from kit19.reading.spans import Span
from kit19.writing.place import placing


@dataclass(frozen=True)
class Record:
    """What an audit searches.

    Attributes:
        plan: The files.
        options: How they are read.
        key: What all results depend on, as ``audit_key`` gives it.
        sought: What is searched for.
    """

    plan: Plan
    options: Options
    key: str
    sought: Sought

    def write(self, out: Path) -> None:
        """Write it into the folder of an audit.

        Raises:
            OutputError: It cannot be written.
        """
        text = json.dumps(self._to_dict()) + "\n"
        path = out / AUDIT_PLAN
        with placing(path) as place:
            place.write_text(text, encoding="utf-8")

    def _to_dict(self) -> dict[str, Any]:
        parts = [
            [
                part.file,
                str(part.path),
                part.size,
                part.span and list(vars(part.span).values()),
                part.remote and list(vars(part.remote).values()),
            ]
            for part in self.plan.parts
        ]
        return {
            "dataset": self.plan.dataset,
            "base": self.plan.base,
            "folders": self.plan.folders,
            "key": self.key,
            "options": asdict(self.options),
            "remarks": self.plan.remarks.dump(),
            "benchmarks": {
                name: {**vars(one), "texts": one.texts.rows()}
                for name, one in self.sought.benchmarks.items()
            },
            "missing": [one.model_dump() for one in self.sought.missing],
            "parts": parts,
        }


def read_record(out: Path) -> Record:
    """Read what the audit in a folder searches.

    Raises:
        ReadError: The folder has no results of an audit.
    """
    path = out / AUDIT_PLAN
    fix = "give the folder that `kit19 audit … --out` wrote"
    try:
        found = read_json(path)
        remarks = Remarks()
        remarks.add(found["remarks"])
        parts = [
            Part(
                file,
                Path(place),
                size,
                Span(*span) if span else None,
                RemoteFile(*remote) if remote else None,
            )
            for file, place, size, span, remote in found["parts"]
        ]
        read = found["options"]
        options = Options(tuple(read["columns"]), read["header"], tuple(read["ids"]))
        benchmarks = {
            name: Searched(**{**one, "texts": pl.DataFrame(one["texts"], TEXTS, orient="row")})
            for name, one in found["benchmarks"].items()
        }
        plan = Plan(found["dataset"], found["base"], found["folders"], parts, remarks)
        missing = [Remark(**one) for one in found["missing"]]
        return Record(plan, options, found["key"], Sought(benchmarks, missing))
    except FileNotFoundError:
        raise ReadError(Problem("has no results of an audit", str(out), fix)) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, PolarsError) as error:
        what = f"is not the plan of an audit: {first_line(error)}"
        raise ReadError(Problem(what, str(path), fix)) from None
