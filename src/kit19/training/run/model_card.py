"""The model card of a run: its base, data, licenses, settings and limits."""

from __future__ import annotations

from collections.abc import Sequence

import yaml

from kit19.core.notes import SAMPLE
from kit19.core.runs import RunRecord

NAME = "README.md"

_LABELS = {
    "clean": "**clean**: benchmark text was kept out of its training data.",
    "contaminated": (
        "**CONTAMINATED**: benchmark rows are in its training data on purpose. Its scores on these "
        "benchmarks measure leakage and must never be reported as if they measured ability."
    ),
    "unverified": "**unverified**: it is unknown whether its training data holds benchmark text.",
}


def model_card(run: RunRecord, name: str) -> str:
    """The model card, as Markdown with the Hub's front matter.

    Args:
        run: The run.
        name: The title of the model.
    """
    parts = [
        _front_matter(run),
        f"# {name}",
        _description(run),
        _data(run),
        _training(run),
        _metrics(run),
    ]
    parts += [
        _usage(run, name),
        "Trained with kit19, the Korean Instruction Toolkit. `run.json` holds every detail.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _front_matter(run: RunRecord) -> str:
    tags = ["kit19", "sft", f"kit19-{run.data.label}"]
    head: dict[str, object] = {"language": ["ko"], "library_name": "transformers", "tags": tags}
    head["pipeline_tag"] = "text-generation"
    if "/" in run.base.name:
        head["base_model"] = run.base.name
    if run.method != "full":
        head["library_name"] = "peft"
    # The licenses differ from row to row, so no single identifier fits.
    head["license"] = "other"
    head["license_name"] = "see-the-licenses-of-the-data-below"
    return f"---\n{yaml.safe_dump(head, allow_unicode=True, sort_keys=False)}---"


def _description(run: RunRecord) -> str:
    how = {
        "full": "all weights",
        "lora": "a LoRA adapter",
        "qlora": "a LoRA adapter on 4-bit weights",
    }
    base = run.base.name + (f" @ {run.base.revision[:12]}" if run.base.revision else "")
    text = f"{base} ({run.base.architecture}), tuned on Korean instructions: {how[run.method]}."
    if not run.base.weights:
        text = (
            f"A small {run.base.architecture}, trained from scratch on the rows below to show that "
            "training works. It has seen no other Korean and has no other use."
        )
    if "unfinished" in run.settings:
        text += (
            f" **The training is not finished:** this is the state {run.settings['unfinished']}."
        )
    return f"{text}\n\nTraining data: {_LABELS[run.data.label]}" + (
        f" Why: {run.data.why}." if run.data.why else ""
    )


def _data(run: RunRecord) -> str:
    data = run.data
    lines = ["## Data"]
    if data.sample:
        lines.append(f"**{SAMPLE}**: no figure below describes them.")
    if data.recipe:
        lines.append(
            f"A build of the recipe `{data.recipe}` (content digest `{data.content_digest[:16]}…`), "
            f"{sum(data.subsets.values()):,} rows of {len(data.subsets)} subsets."
        )
        lines.append(_markdown_table(("subset", "rows", "upstream splits"), _subsets(run)))
    if data.licenses:
        lines.append(f"Licenses of the rows: {', '.join(data.licenses)}. {_terms(data.licenses)}")
    if data.decontaminated_against:
        lines.append(f"Decontaminated against: {', '.join(data.decontaminated_against)}.")
    if data.not_decontaminated_against:
        lines.append(f"Not decontaminated against: {', '.join(data.not_decontaminated_against)}.")
    return "\n\n".join(lines)


def _terms(licenses: list[str]) -> str:
    terms = []
    if any("-NC" in one for one in licenses):
        terms.append("some forbid commercial use")
    if any("-SA" in one for one in licenses):
        terms.append("some require that derived work carry the same license")
    if any("-ND" in one for one in licenses):
        terms.append("some forbid sharing adapted material")
    return f"Note: {'; '.join(terms)}." if terms else ""


def _subsets(run: RunRecord) -> list[tuple[str, ...]]:
    splits = run.data.splits
    return [(n, f"{c:,}", ", ".join(splits.get(n, []))) for n, c in run.data.subsets.items()]


def _training(run: RunRecord) -> str:
    # The steps taken: a run may end before its last epoch.
    names = ["learning_rate", "lr_scheduler_type", "steps", "max_length", "layout"]
    names += ["per_device_train_batch_size", "gradient_accumulation_steps", "devices", "optim"]
    shown = [(name, str(run.settings[name])) for name in names if name in run.settings]
    shown += [("seed", str(run.seed)), ("prompt format", str(run.format["id"]))]
    counts = ", ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in run.rows.items())
    versions = ", ".join(f"{name} {version}" for name, version in run.versions.items())
    return (
        f"## Training\n\n{_markdown_table(('setting', 'value'), shown)}\n\nRows: {counts}.\n\n"
        f"Versions: kit19 {run.kit19_version}, {versions}.\n\n![loss](curves.svg)"
    )


def _metrics(run: RunRecord) -> str:
    rows = [(name, f"{value:.4g}") for name, value in run.metrics.items()]
    note = "Losses are of held-out answers, in nats per token."
    return (
        f"## Final metrics\n\n{note}\n\n{_markdown_table(('metric', 'value'), rows)}"
        if rows
        else ""
    )


def _usage(run: RunRecord, name: str) -> str:
    prompt = str(run.format.get("prompt", ""))
    shown = f"```text\n{prompt}\n```" if prompt else "The tokenizer's own chat template."
    if run.answer_head:
        shown += f" It was trained to answer after the generation prompt and `{run.answer_head!r}`."
    command = f"```console\nkit19 chat {name}\n```"
    return f"## Usage\n\nThe prompt that it was trained with:\n\n{shown}\n\n{command}"


def _markdown_table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])
