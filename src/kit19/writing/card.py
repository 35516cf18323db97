"""Write the dataset card (README.md) of a build, with front matter for the Hub."""

from __future__ import annotations

from typing import Any

import yaml

from kit19.catalog import Catalog
from kit19.catalog.license_ids import hub_license
from kit19.core.ledger import REASON_DESCRIPTIONS, REASONS
from kit19.core.manifest import Manifest
from kit19.core.notes import BuildNote
from kit19.core.rows import MESSAGES
from kit19.writing.tables import Tables
from kit19.writing.trainers import trainers_section

_SIZES = [(1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M")]


def dataset_card(manifest: Manifest, tables: Tables, catalog: Catalog) -> str:
    """Render the dataset card.

    Args:
        manifest: The build's manifest, without its outputs.
        tables: The rows, for counts and one example.
        catalog: The source cards and the tasks.
    """
    parts = [
        f"---\n{_front_matter(manifest, tables, catalog)}---\n",
        f"# {manifest.recipe['title']}\n\n{manifest.recipe['about']}\n",
        *_warnings(manifest),
        _use(manifest, tables),
        _example(tables),
        _subset_table(manifest, catalog),
        _ledger_table(manifest),
        _shared(manifest),
        _licenses(manifest, catalog),
        _contamination(manifest),
        _TEMPLATES + _own_rows(manifest),
        trainers_section(manifest.recipe["formats"], has_conversations=MESSAGES in tables.train),
        _sources(manifest, catalog),
    ]
    return "\n".join(parts)


def _front_matter(manifest: Manifest, tables: Tables, catalog: Catalog) -> str:
    spdx = sorted({entry.license for entry in manifest.subsets.values()})
    rows = tables.train.height + tables.validation.height
    size = next((name for limit, name in _SIZES if rows < limit), "1M<n<10M")
    splits = [("train", tables.train), ("validation", tables.validation)]
    files = [
        {"split": split, "path": f"data/{split}-*.parquet"} for split, part in splits if part.height
    ]
    tasks = {catalog.tasks[entry.task].hub for entry in manifest.subsets.values()}
    data: dict[str, Any] = {
        "pretty_name": manifest.recipe["title"],
        "language": ["ko"],
        **hub_license(spdx),
        "task_categories": sorted(tasks | {"text-generation"}),
        "size_categories": [size],
        "tags": ["instruction-tuning", "korean", "kit19"],
        "configs": [{"config_name": "default", "data_files": files}],
    }
    return yaml.safe_dump(data, allow_unicode=True, sort_keys=False)


def _warnings(manifest: Manifest) -> list[str]:
    # Texts in two subsets have a section of their own.
    notes = [_warning(note) for note in manifest.notes() if note.kind != "shared"]
    return ["\n".join(f"> {note}\n>" for note in notes).removesuffix("\n>") + "\n"] if notes else []


def _warning(note: BuildNote) -> str:
    what = note.headline
    if note.subset:
        what = what.replace(note.subset, f"`{note.subset}`", 1)
    more = f" {_capitalize(note.meaning)}." if note.meaning else ""
    return f"**{_capitalize(what)}.**{more}"


def _capitalize(text: str) -> str:
    return text if text.startswith("kit19") else text[:1].upper() + text[1:]


def _use(manifest: Manifest, tables: Tables) -> str:
    turns = _MESSAGES if MESSAGES in tables.train else ""
    return f"""## Use

```python
from datasets import load_dataset

rows = load_dataset("path/to/this/folder", split="train")   # {manifest.rows:,} rows in all
```

Columns: `id` (`<subset>/<upstream split>/<upstream key>`), `task`, `source`, `subset`,
`upstream_split`, `template`, `instruction`, `input`, `output`, `label` (the canonical label, if the
subset has one), `license` (of the row's source), `masked` (personal data masked in the row),
`further_records` (the other records of a batch, or of the solved examples).
{turns}"""


_MESSAGES = """
Some rows are conversations: their texts are empty, and their turns are in `messages`, a list of `role`
(`system`, `user`, `assistant`) and `content`. It is null for all other rows. The exports `messages` and
`sharegpt` have both in one form.
"""


def _example(tables: Tables) -> str:
    row = tables.train.row(0, named=True)
    shown = "\n".join(f"{key}: {_short(str(row[key]))}" for key in ("id", "template"))
    texts = {key: row[key] for key in ("instruction", "input", "output")}
    lines = [f"{key}: {_short(text)}" for key, text in texts.items()]
    if turns := row.get(MESSAGES):
        lines = [f"{turn['role']}: {_short(turn['content'])}" for turn in turns]
    return "One row:\n\n````text\n" + "\n".join([shown, *lines]) + "\n````\n"


def _short(text: str, limit: int = 300) -> str:
    # A fence of backticks inside the text would end the card's own fence.
    text = text.replace("`", "'")
    return text if len(text) <= limit else text[:limit] + " …"


def _subset_table(manifest: Manifest, catalog: Catalog) -> str:
    lines = [
        "## Subsets",
        "",
        "| subset | task | source | license | train | validation | templates | labels |",
        "|---|---|---|---|---:|---:|---:|---|",
    ]
    for name, entry in manifest.subsets.items():
        labels = ", ".join(f"{k} {v:,}" for k, v in list(entry.labels.items())[:6])
        more = ", …" if len(entry.labels) > 6 else ""
        lines.append(
            f"| `{name}` | {entry.task} | {entry.source} | {entry.license} "
            f"| {entry.ledger.train:,} | {entry.ledger.validation:,} | {len(entry.templates)} "
            f"| {labels}{more} |"
        )
    tasks = sorted({entry.task for entry in manifest.subsets.values()})
    lines += ["", *(f"- `{task}`: {catalog.tasks[task].label}" for task in tasks)]
    return "\n".join(lines) + "\n"


def _ledger_table(manifest: Manifest) -> str:
    used = [r for r in REASONS if any(r in e.ledger.dropped for e in manifest.subsets.values())]
    head = "".join(f" {reason} |" for reason in used)
    lines = [
        "## What became of every record",
        "",
        "read = train + validation + surplus (usable, beyond the cap) + dropped by reason.",
        "",
        f"| subset | read | train | validation | surplus |{head}",
        f"|---|---:|---:|---:|---:|{'---:|' * len(used)}",
    ]
    for name, entry in manifest.subsets.items():
        ledger = entry.ledger
        drops = "".join(f" {ledger.dropped.get(reason, 0):,} |" for reason in used)
        lines.append(
            f"| `{name}` | {ledger.read:,} | {ledger.train:,} | {ledger.validation:,} "
            f"| {ledger.surplus:,} |{drops}"
        )
    lines += ["", *[f"- `{reason}`: {REASON_DESCRIPTIONS[reason]}." for reason in used]]
    lines += ["", "`dropped.parquet` names every dropped record with its reason and the evidence."]
    return "\n".join(lines) + "\n"


def _shared(manifest: Manifest) -> str:
    lines = ["## The same text in several subsets", ""]
    if not manifest.shared:
        return "\n".join([*lines, "No two subsets share a text."]) + "\n"
    lines += [
        "Records whose text, apart from punctuation, also occurs in another subset. Both keep it.",
        "",
        "| subset, earlier subset | records | with another label | example |",
        "|---|---:|---:|---|",
    ]
    for pair in manifest.shared:
        one, other = pair.examples[0]
        lines.append(
            f"| `{pair.subset}`, `{pair.earlier}` | {pair.records:,} | {pair.other_label:,} "
            f"| `{one}`, `{other}` |"
        )
    return "\n".join(lines) + "\n"


def _licenses(manifest: Manifest, catalog: Catalog) -> str:
    lines = [
        "## Licenses",
        "",
        "Each row carries the license of its source; the dataset has no single license. Each license",
        "allows the following, according to its text (this is not legal advice):",
        "",
        "| source | license | commercial use | redistribution | derivatives | share alike |",
        "|---|---|---|---|---|---|",
    ]
    doubts = []
    for name in sorted({entry.source for entry in manifest.subsets.values()}):
        card = catalog.source(name).license
        lines.append(
            f"| {name} | {card.spdx} | {card.commercial} | {card.redistribution} "
            f"| {card.derivatives} | {'yes' if card.share_alike else 'no'} |"
        )
        if card.derivatives == "no":
            doubts.append(
                f"- **{name}** forbids sharing adapted material: a dataset with its rows may not be "
                f"published. Build with `--exclude` to leave it out."
            )
        if card.doubt:
            doubts.append(f"- {name}: {card.doubt.strip()}")
    return "\n".join([*lines, "", *doubts]) + "\n"


def _contamination(manifest: Manifest) -> str:
    if manifest.contaminated:
        return "## Contamination\n\nThis build is contaminated on purpose; see the top.\n"
    against = ", ".join(manifest.decontaminated_against) or "none"
    count = sum(e.ledger.dropped.get("contaminated", 0) for e in manifest.subsets.values())
    return (
        "## Contamination\n\nNo row comes from a benchmark's dev or test split. Records whose text "
        "equals a benchmark item, or contains most of one, were dropped before rows were chosen: "
        f"{count:,} records before the caps were full.\n\nBenchmarks searched for: {against}.\n"
        f"{_cost_of_benchmarks(manifest)}{_apart(manifest)}"
    )


def _apart(manifest: Manifest) -> str:
    counts = {name: sum(entry.ledger.apart.values()) for name, entry in manifest.subsets.items()}
    found = ", ".join(f"`{name}` {count:,}" for name, count in counts.items() if count)
    what = "Kept, but in no conversation, because another record of their group was dropped so"
    return f"\n{what}: {found}.\n" if found else ""


def _cost_of_benchmarks(manifest: Manifest) -> str:
    """The records that each benchmark cost each subset, by the evidence of each drop."""
    costs = [
        f"| `{name}` | {benchmark} | {count:,} |\n"
        for name, entry in manifest.subsets.items()
        for benchmark, count in entry.ledger.contaminated_by.items()
    ]
    return (
        "".join(["\n| subset | benchmark | records dropped |\n|---|---|--:|\n", *costs])
        if costs
        else ""
    )


_TEMPLATES = """## How the templates were written

The instructions were written in Korean, for this project; none is translated. No input and no answer
was generated or translated by us: inputs and answers are the sources' own text and labels, with blanks
at their ends removed. (Some sources are themselves translations: KorNLI, KorSTS and the training part
of PAWS-X were machine-translated upstream.) The templates have not been reviewed by a native editor
outside the project.
"""


def _own_rows(manifest: Manifest) -> str:
    own = [one["name"] for one in manifest.recipe["extra"] if one["name"] in manifest.subsets]
    if not own:
        return ""
    names = ", ".join(f"`{name}`" for name in own)
    return f"\nThis does not apply to {names}: those rows are included as provided (`as_is`).\n"


def _sources(manifest: Manifest, catalog: Catalog) -> str:
    lines = ["## Sources", ""]
    for name in sorted({entry.source for entry in manifest.subsets.values()}):
        source = catalog.source(name)
        origin = source.origins[0]
        lines.append(
            f"- **{source.title}** ({origin.kind}:{origin.repo} @ {origin.revision or '–'})"
        )
        lines.append(f"  {' '.join(source.about.split())}")
    lines += ["", "```bibtex"]
    names = sorted({entry.source for entry in manifest.subsets.values()})
    lines += [catalog.source(name).citation.strip() + "\n" for name in names]
    lines[-1] = lines[-1].strip()
    lines += ["```", "", "The selection of sources follows KIT-19 (arXiv 2403.16444).", ""]
    lines += _user_catalog(manifest)
    lines += [
        f"Built by kit19 {manifest.kit19_version}; content digest `{manifest.content_digest}`."
    ]
    return "\n".join(lines) + "\n"


def _user_catalog(manifest: Manifest) -> list[str]:
    if manifest.catalog is None:
        return []
    parts = {
        "Cards of the builder's own": manifest.catalog.added,
        "Cards of the builder's in place of kit19's": manifest.catalog.replaced,
    }
    lines = [
        f"{what}: {', '.join(f'`{name}`' for name in cards)}."
        for what, cards in parts.items()
        if cards
    ]
    return [*lines, ""]
