"""Measure how many copies of the items of every benchmark are found, and how many innocent rows too.

``python -m studies.today --data-dir ../shared/data`` prints Markdown tables; ``--json`` names a file
for all figures. results.json next to this module is the last run; docs/contamination.md has its tables.

A copy is a row of a dataset: the perturbed text of an item in one column (see
``studies.contamination.perturbations``), and in another one, word by word, the text that its card wants
in the same row (the right answer, the second turn). Copies are counted by the length of the text. An
unrelated row is hit if it touches any item. Everything follows from hashes of texts, so two runs give
the same figures.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from kit19.auditing.items import BenchmarkItems, find_benchmark_items
from kit19.catalog import load_catalog
from kit19.core.order import stable_hash
from kit19.curating import ItemSearch, bare, load_search
from studies.contamination.labeled_set import BANDS, read_part, sample, split_sentences
from studies.contamination.perturbations import perturbations

EACH = 60
"""Texts of each field and band of lengths that are copied."""
STRENGTHS = ("light", "medium", "heavy")
_ROWS = 20_000  # searched at a time


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Recall and false hits of the benchmarks of today."
    )
    parser.add_argument("--data-dir", required=True, type=Path)
    parser.add_argument("--json", type=Path, help="file for all figures")
    given = parser.parse_args()
    items = find_benchmark_items(load_catalog(), ("today",), given.data_dir)
    search = load_search({name: (one.card, one.rows) for name, one in items.benchmarks.items()})
    unrelated = load_unrelated(given.data_dir)
    words = " ".join(unrelated["reviews (NSMC)"].head(2_000).to_list()).split()
    results: dict[str, Any] = {
        "texts": len(search.index.keys),
        "recall": {
            name: recall(name, one, search, words) for name, one in items.benchmarks.items()
        },
        "unrelated": {name: hits(texts, search) for name, texts in unrelated.items()},
        "missing": {name: len(files) for name, files in items.missing.items()},
    }
    print("\n\n".join("\n".join(table) for table in tables(results)))
    if given.json:
        text = json.dumps(results, ensure_ascii=False, indent=1)
        given.json.write_text(text + "\n", encoding="utf-8")


def load_unrelated(data_dir: Path) -> dict[str, pl.Series]:
    """Rows that no benchmark was made of, but by chance: texts by the name of their source."""
    catalog = load_catalog()
    chat = data_dir / "audit_inputs" / "chatbot_data" / "ChatbotData.csv"
    with chat.open(encoding="utf-8", newline="") as file:
        talk = [cell for row in csv.DictReader(file) for cell in (row["Q"], row["A"])]
    seeds = data_dir / "audit_inputs" / "kochatgpt" / "kochatgpt_seed_data.txt"
    prompts = pl.Series(seeds.read_text("utf-8-sig").splitlines())
    (asked,) = find_benchmark_items(catalog, ("korquad",), data_dir).benchmarks.values()
    own = bare(asked.rows["question"]).unique()
    petitions = read_part(catalog, data_dir, "petitions", "petitions")["content"]
    reviews = read_part(catalog, data_dir, "nsmc", "reviews", "train")["text"]
    commands = read_part(catalog, data_dir, "sae4k", "utterances")["text"]
    return {
        "reviews (NSMC)": sample(reviews, 40_000),
        "commands (sae4k)": sample(commands, 20_000),
        "web text (sentences of petitions)": sample(split_sentences(petitions), 40_000),
        "dialog (ChatbotData)": sample(pl.Series(talk), 20_000),
        "prompts (KoChatGPT, none of KorQuAD)": prompts.filter(~bare(prompts).is_in(own.implode())),
    }


def recall(
    name: str, exam: BenchmarkItems, search: ItemSearch, words: list[str]
) -> dict[str, dict[str, list[float]]]:
    """Find copies of one benchmark's texts.

    Returns:
        Field → band of lengths → the number of texts, and for each strength the percentage of copies
        of which the item is touched.
    """
    found: dict[str, dict[str, list[float]]] = {}
    for field in exam.card.texts:
        others = [other for other, of in exam.card.only_with.items() if of == field]
        texts = exam.rows.select(
            item=pl.concat_str(pl.lit(f"{name}/"), "split", pl.lit("/"), "#id"),
            text=pl.col(field).fill_null(""),
            with_it=pl.concat_str(others, separator="\n") if others else pl.lit(""),
        )
        texts = texts.with_columns(
            length=bare(texts["text"]).str.len_chars(), bare=bare(texts["text"])
        )
        band = pl.lit(BANDS[-1][1])
        for below, title in reversed(BANDS[:-1]):
            band = pl.when(pl.col("length") < below).then(pl.lit(title)).otherwise(band)
        order = stable_hash(pl.lit("today:") + pl.col("bare"))
        some = texts.filter(pl.col("length") > 0).unique("bare", keep="first", maintain_order=True)
        some = some.with_columns(band=band).sort(order)
        some = some.filter(pl.int_range(pl.len()).over("band") < EACH)
        by_band: dict[str, list[float]] = {}
        for _, title in BANDS:
            part = some.filter(band=title)
            if part.height:
                shares = _recall_of(part, field, search, words)
                by_band[title] = [part.height, *(shares[strength] for strength in STRENGTHS)]
        found[field] = by_band
    return found


def _recall_of(
    some: pl.DataFrame, field: str, search: ItemSearch, words: list[str]
) -> Mapping[str, float]:
    rows: list[tuple[str, str, str, str]] = [
        (item, strength, copy, with_it)
        for item, text, with_it in some.select("item", "text", "with_it").iter_rows()
        for _, strength, copy in perturbations(text, words)
    ]
    copies = pl.DataFrame(rows, schema=["item", "strength", "text", "with_it"], orient="row")
    copies = copies.with_row_index("row")
    cells = pl.concat([copies.select("row", "text"), copies.select("row", text="with_it")])
    cells = cells.sort("row", maintain_order=True)
    hits = search.find(cells["text"], cells["row"])
    touched = hits.select(row=cells["row"].gather(hits["place"]), item="item", field="field")
    right = copies.join(touched.filter(field=field), on=["row", "item"], how="semi")
    shares: dict[str, float] = defaultdict(float)
    for strength in STRENGTHS:
        total = copies.filter(strength=strength).height
        shares[strength] = round(100 * right.filter(strength=strength).height / max(1, total), 1)
    return shares


def hits(texts: pl.Series, search: ItemSearch) -> dict[str, Any]:
    """Count the rows that are hit, and the hits by benchmark: all, and those that compromise."""
    by_benchmark: dict[str, set[int]] = defaultdict(set)
    rows: set[int] = set()
    inexact: set[int] = set()
    for start in range(0, len(texts), _ROWS):
        part = texts[start : start + _ROWS]
        found = search.find(part, pl.int_range(len(part), eager=True))
        for place, item, rule in found.select("place", "item", "rule").iter_rows():
            rows.add(start + place)
            by_benchmark[item.partition("/")[0]].add(start + place)
            if rule != "equal":
                inexact.add(start + place)
    return {
        "rows": len(texts),
        "hits": len(rows),
        "not_equal": len(inexact),
        "by_benchmark": {name: len(by_benchmark[name]) for name in sorted(by_benchmark)},
    }


def tables(results: dict[str, Any]) -> Iterable[list[str]]:
    """The tables of the document."""
    lines = ["| benchmark | text | " + " | ".join(title for _, title in BANDS) + " |"]
    lines.append("|---|---|" + "--:|" * len(BANDS))
    for name, fields in results["recall"].items():
        for field, bands in fields.items():
            cells = [
                " / ".join(f"{share:.0f}" for share in bands[title][1:]) if title in bands else ""
                for _, title in BANDS
            ]
            lines.append(f"| `{name}` | {field} | {' | '.join(cells)} |")
    yield lines
    lines = ["| unrelated rows | rows | hits in 100,000 | not equal | by benchmark |"]
    lines.append("|---|--:|--:|--:|---|")
    for name, one in results["unrelated"].items():
        share, other = (100_000 * one[key] / one["rows"] for key in ("hits", "not_equal"))
        told = ", ".join(f"{name} {count}" for name, count in one["by_benchmark"].items())
        lines.append(f"| {name} | {one['rows']:,} | {share:.0f} | {other:.0f} | {told} |")
    yield lines


if __name__ == "__main__":
    main()
