"""Fixtures: results of simulated models, written once and read by many tests."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from kit19 import compare
from kit19.core.runs import DataEntry
from tests.support.simulate import model, questions

LEAKED = 12


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """A base that always answers 예 on STS, one tuned with leaked items, and a nearly equal one."""
    root = tmp_path_factory.mktemp("compared")
    leaked = frozenset(q["item"] for q in questions("kobest_copa")[:LEAKED])
    data = DataEntry(
        label="contaminated",
        recipe="paper",
        why="benchmark splits were let in",
        subsets={"kobest_boolq": 30, "kobest_copa": 30, "kobest_wic": 30, "nsmc": 30},
        splits={"kobest_boolq": ["train"], "kobest_wic": ["train", "test"]},
    )
    audit = root / "audit.json"
    found = {"benchmarks": {"kobest_copa": {"ids": sorted(leaked)}, "klue_sts": {"ids": []}}}
    audit.write_text(json.dumps(found), encoding="utf-8")
    return SimpleNamespace(
        root=root,
        base=model(root / "기준", 0.3, constant={"klue_sts": 1}, repeat=5),
        tuned=model(root / "tuned", 1.6, seed=1, known=leaked, data=data, repeat=5),
        flat=model(root / "flat", 0.4, seed=2, constant={"kobest_sentineg": 0}, repeat=5),
        audit=audit,
    )


@pytest.fixture(scope="session")
def comparison(simulated: SimpleNamespace) -> SimpleNamespace:
    """The comparison of the three models, and its output folder."""
    out = simulated.root / "report"
    audits = [f"tuned={simulated.audit}"]
    result = compare(
        [simulated.base, simulated.tuned, simulated.flat], audits=audits, replicates=1_000
    )
    result.write(out)
    return SimpleNamespace(result=result, out=out)
