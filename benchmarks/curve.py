"""The curve: one source of growing size at a fixed cap.

The records are NSMC's, repeated with a number behind the text, so that all are distinct, in NSMC's
own layout. Every other card, benchmarks included, is the usual one.
"""

from __future__ import annotations

import importlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kit19.catalog.yaml_file import read_yaml

ID = "curve"
Work = Callable[[], Any]


def make_world(data_dir: str, folder: str, sizes: list[int]) -> Work:
    """Write a catalog and, for each size, a data folder with one source more."""

    def work() -> None:
        from kit19.catalog import load_catalog

        place = Path(folder)
        catalog = place / "catalog"
        _write_cards(catalog)
        cards = load_catalog()
        kept_out = cards.kept_out(cards.recipe("kit19")).names
        needed = {cards.benchmarks[name].source for name in kept_out}
        upstream = Path(data_dir).resolve()
        lines = (upstream / "nsmc" / "ratings_train.txt").read_text(encoding="utf-8").split("\n")
        rows = [line.split("\t") for line in lines[1:] if line]
        for size in sizes:
            data = place / "data" / str(size)
            (data / ID).mkdir(parents=True)
            for name in needed:
                (data / name).symlink_to(upstream / name, target_is_directory=True)
            made = ["id\tdocument\tlabel"]
            for number in range(size):
                _, document, label = rows[number % len(rows)]
                made.append(f"{number}\t{document} {number // len(rows)}\t{label}")
            (data / ID / "train.txt").write_text("\n".join(made) + "\n", encoding="utf-8")

    return work


def measure(folder: str, size: int) -> Work:
    """Build the source at one size and return the seconds of each step."""
    # Modules by name: in the package, `build` is the function.
    building, choosing = map(
        importlib.import_module, ("kit19.building.pipeline", "kit19.building.candidates")
    )
    spent: dict[str, float] = {}
    # Private names: no public function separates reading, hashing and the steps after the cap.
    _time(building, "find_inputs", "reading", spent)
    _time(building, "read_subset", "reading", spent)
    _time(building, "_load_benchmark_items", "benchmarks", spent)
    _time(choosing, "_drop_cheaply", "hashing", spent)
    place = Path(folder)
    data = place / "data" / str(size)

    def work() -> dict[str, float]:
        start = time.perf_counter()
        manifest = building.build(
            ID, place / f"out-{size}", data_dir=data, partial=True, catalog=place / "catalog"
        )
        total = time.perf_counter() - start
        ledger = manifest.subsets[ID].ledger
        assert ledger.read == size, ledger
        assert ledger.train == min(5000, size), ledger
        return {**spent, "rest": total - sum(spent.values())}

    return work


def _time(module: Any, name: str, part: str, spent: dict[str, float]) -> None:
    usual = getattr(module, name)

    def timed(*args: Any, **kwargs: Any) -> Any:
        start = time.perf_counter()
        try:
            return usual(*args, **kwargs)
        finally:
            spent[part] = spent.get(part, 0.0) + time.perf_counter() - start

    setattr(module, name, timed)


def _write_cards(catalog: Path) -> None:
    from kit19.catalog import BUILT_IN

    card, _ = read_yaml(BUILT_IN / "sources" / "nsmc.yaml")
    card["tables"]["reviews"]["files"] = {"train": [{"path": "train.txt"}]}
    card |= {"id": ID, "subsets": {ID: card["subsets"].pop("nsmc")}}
    templates, _ = read_yaml(BUILT_IN / "templates" / "nsmc.yaml")
    templates["subset"] = ID
    recipe = {"id": ID, "extends": "kit19", "title": "The curve", "subsets": [ID]}
    for part, content in (("sources", card), ("templates", templates), ("recipes", recipe)):
        # JSON is YAML, and quotes every text.
        text = json.dumps(content, ensure_ascii=False, indent=1)
        (catalog / part).mkdir(parents=True)
        (catalog / part / f"{ID}.yaml").write_text(text, encoding="utf-8")
