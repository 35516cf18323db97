"""Training next to TRL's own ways: ``python -m benchmarks.train`` (``--quick``: does it still run).

Same rows, same model, same texts. Each measurement runs in a separate process (``worker.py``), rounds
are interleaved, figures are medians. Training runs on one thread and is measured in CPU time, which
other processes hardly change; preparing rows is measured both ways.
README.md lists what this leaves out.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.results import Recorder, add_arguments, at_least, at_most, results_folder
from benchmarks.worker import run

ONE_THREAD = ("OMP_NUM_THREADS", "RAYON_NUM_THREADS", "POLARS_MAX_THREADS")
LENGTH = 512  # tokens of a row, and of a packed sequence
ROWS = 16  # a batch without packing
SEQUENCES = 4  # a batch with packing: about as many tokens
EVERYWHERE = "kit19, every token predicted"  # as TRL does on a processor
WAYS = {
    "kit19": "kit19",
    EVERYWHERE: EVERYWHERE,
    "padding": "TRL, padding",
    "grouped": "TRL, grouped by length",
    "bfd": "TRL, `bfd` packing",
    "bfd, 1": "TRL, `bfd` packing, one sequence a batch",
}
Work = Callable[[], dict[str, Any]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, default=Path("../shared/data"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="*", default=["speed", "losses", "rows"])
    add_arguments(parser)
    given = parser.parse_args()
    os.environ |= dict.fromkeys(ONE_THREAD, "1")
    os.environ |= {"HF_HUB_OFFLINE": "1", "TQDM_DISABLE": "1", "TOKENIZERS_PARALLELISM": "true"}
    few, many, rounds = (100, 2_000, 1) if given.quick else (500, 100_000, given.rounds)
    recorder = Recorder("train", ["torch", "transformers", "trl", "datasets"])
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        os.environ["HF_HOME"] = str(place / "hub")
        made = run("train:make", data_dir=given.data_dir.resolve(), place=place, rows=many)
        counts = "{rows:,} rows of {subsets} subsets, {parameters:,} parameters"
        print(counts.format(**made["result"]))
        if "speed" in given.only:
            found = _rounds("train:speed", tuple(WAYS), rounds, place=place, rows=few)
            _report_speed(recorder, found, rounds, few)
        if "losses" in given.only:
            _report_losses(recorder, run("train:losses", place=place, rows=few)["result"])
        if "rows" in given.only:
            for name in ONE_THREAD:  # both as a user runs them: on all cores
                del os.environ[name]
            found = _rounds("train:prepare", ("kit19", "TRL"), rounds, place=place, rows=many)
            _report_rows(recorder, found, rounds, many)
    recorder.write(results_folder(given))


def _rounds(job: str, ways: tuple[str, ...], rounds: int, **given: Any) -> dict[str, Any]:
    found: dict[str, list[dict[str, Any]]] = {way: [] for way in ways}
    for number in range(rounds):
        for way in ways:
            found[way].append(run(job, way=way, **given))
            print(f"  {job} {number + 1}: {way} {json.dumps(found[way][-1])}", file=sys.stderr)
    return found


def _report_speed(recorder: Recorder, found: dict[str, Any], rounds: int, count: int) -> None:
    rates = {way: [one["result"]["rate"] for one in runs] for way, runs in found.items()}
    middle = {way: statistics.median(taken) for way, taken in rates.items()}
    own = middle["kit19"]
    recorder.add(
        f"Answer tokens a second, {count:,} rows",
        ["way", "answer tokens a second", "fastest–slowest", "kit19's over it", "steps"],
        [
            [
                WAYS[way],
                f"{middle[way]:,.0f}",
                f"{max(taken):,.0f}–{min(taken):,.0f}",
                f"{own / middle[way]:.1f}",
                str(found[way][0]["result"]["steps"]),
            ]
            for way, taken in rates.items()
        ],
        rounds=rounds,
        targets=[
            at_least("kit19 over TRL with padding", own / middle["padding"], 2),
            at_least("kit19 over TRL's packing", own / max(middle["bfd"], middle["bfd, 1"]), 1),
        ],
    )


def _report_losses(recorder: Recorder, found: dict[str, Any]) -> None:
    recorder.add(
        "Packing leaves the loss of a row as it is",
        ["rows", "packed sequences", "largest difference a token", "of a row's sum"],
        [
            [
                f"{found['rows']:,}",
                f"{found['sequences']:,}",
                f"{found['mean']:.1e}",
                f"{found['sum']:.1e}",
            ]
        ],
        rounds=1,
        targets=[at_most("largest difference", found["sum"], 1e-4)],
    )


def _report_rows(recorder: Recorder, found: dict[str, Any], rounds: int, count: int) -> None:
    def middle(way: str, figure: str) -> float:
        return float(statistics.median(one[figure] for one in found[way]))

    rows = []
    for way, runs in found.items():
        cells = []
        for figure in ("seconds", "cpu_seconds"):
            own = middle(way, figure)
            cells += [f"{own:.1f}", f"{own / middle('kit19', figure):.2f}"]
        peak = f"{middle(way, 'peak_mib'):,.0f} ({middle(way, 'before_mib'):,.0f})"
        rows.append([way, *cells, f"{runs[0]['result']['sequences']:,}", peak])
    ratio = middle("TRL", "seconds") / middle("kit19", "seconds")
    recorder.add(
        f"Tokenizing and packing {count:,} rows",
        ["way", "s", "× kit19", "CPU s", "× kit19", "packed sequences", "peak MiB (before)"],
        rows,
        rounds=rounds,
        targets=[at_least("TRL's time over kit19's", ratio, 3)],
    )


# -- jobs, each in a process of its own -----------------------------------------------------------


def make(data_dir: str, place: str, rows: int) -> Work:
    """Create rows of the real files, and a GPT-NeoX with its tokenizer, from a fixed seed."""
    import polars as pl

    from kit19 import build, load_catalog
    from kit19.training.model.tiny import make_config, make_model, make_tokenizer
    from kit19.training.rows.files import load_file_rows
    from kit19.training.settings import Tiny

    def work() -> dict[str, Any]:
        folder = Path(place)
        manifest = build(
            "kit19",
            folder / "build",
            data_dir=Path(data_dir),
            partial=True,
            changes={"views": 2, "cap": 10_000},  # twice as many rows: 100,000 can be had
        )
        names = ("id", "task", "instruction", "input", "output")
        frame = pl.read_parquet(folder / "build/data/train-*.parquet", columns=list(names)).head(
            rows
        )
        frame.write_parquet(folder / "rows.parquet")
        form = load_catalog().prompt_format("koalpaca")
        shape = Tiny(layers=4, hidden=128, heads=4, vocabulary=8000)
        tokenizer = make_tokenizer(load_file_rows(folder / "rows.parquet", 0, 19), form, shape)
        model = make_model(make_config(tokenizer, shape), 19)
        model.save_pretrained(folder / "model")
        tokenizer.save_pretrained(folder / "model")
        asked = [form.ask(*pair) for pair in frame.select("instruction", "input").iter_rows()]
        answers = [form.reply(text) for text in frame["output"]]
        pairs = pl.DataFrame({"prompt": asked, "completion": answers})
        pairs.write_parquet(folder / "pairs.parquet")
        counts = [
            len(ids)
            for ids in tokenizer([a + b for a, b in pairs.iter_rows()], padding=False)["input_ids"]
        ]
        short = pl.Series(counts) < LENGTH
        for name, table in (("rows", frame), ("pairs", pairs)):
            table.filter(short).write_parquet(folder / f"short-{name}.parquet")
        return {
            "rows": frame.height,
            "subsets": len(manifest.subsets),
            "parameters": model.num_parameters(),
        }

    return work


def _settings(place: str, **changes: Any) -> Any:
    from kit19 import load_preset

    given = {
        "model": f"{place}/model",
        "format": "koalpaca",
        "max_length": LENGTH,
        "num_train_epochs": 1,
    }
    given |= {
        "per_device_train_batch_size": SEQUENCES,
        "best": False,
        "validation": 0,
        "threads": 1,
    }
    return load_preset("", {**given, "learning_rate": 0.001, **changes})


def _first(place: str, name: str, rows: int) -> Path:
    import polars as pl

    path = Path(tempfile.mkdtemp(dir=place)) / f"{name}.parquet"
    pl.read_parquet(Path(place) / f"short-{name}.parquet").head(rows).write_parquet(path)
    return path


def speed(place: str, way: str, rows: int) -> Work:
    """Train one epoch on the first rows; tokenization is not timed."""
    import torch

    torch.set_num_threads(1)
    trainer = _ours(place, way, rows) if "kit19" in way else _theirs(place, way, rows)
    answers = sum(int((batch["labels"] >= 0).sum()) for batch in trainer.get_train_dataloader())

    def work() -> dict[str, Any]:
        start = time.process_time()
        trainer.train()
        rate = answers / (time.process_time() - start)
        return {"rate": rate, "answers": answers, "steps": trainer.state.global_step}

    return work


def _ours(place: str, way: str, rows: int) -> Any:
    from kit19.training.model.base import load_weights
    from kit19.training.preparation import TrainOptions, prepare
    from kit19.training.run.arguments import make_arguments, steps
    from kit19.training.run.trainer import AnswerTrainer, TrainingRows

    data, settings = _first(place, "rows", rows), _settings(place, save_steps=1_000_000)
    options = TrainOptions(cache=data.parent / "tokens")
    prepared = prepare(data, settings, options, lambda _what, _done, _total: None)
    total = steps(settings, len(prepared.sequences), 1)
    run_folder = data.parent / "run"
    trainer = AnswerTrainer(
        load_weights(settings, prepared.base),
        prepared.base.tokenizer,
        TrainingRows(prepared.train, prepared.sequences, None),
        settings,
        run_folder,
        arguments=make_arguments(settings, run_folder, total, validated=False, world=1),
        loss_method="labelled",
    )
    trainer.plain = trainer.plain and way != EVERYWHERE
    return trainer


def _theirs(place: str, way: str, rows: int) -> Any:
    from datasets import load_dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    pairs = _first(place, "pairs", rows)
    sizes = {"bfd": SEQUENCES, "bfd, 1": 1}
    arguments = SFTConfig(
        output_dir=str(pairs.parent / "theirs"),
        max_length=LENGTH,
        packing=way.startswith("bfd"),
        packing_strategy="bfd",
        per_device_train_batch_size=sizes.get(way, ROWS),
        train_sampling_strategy="group_by_length" if way == "grouped" else "random",
        num_train_epochs=1,
        learning_rate=0.001,
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        logging_steps=10,
    )
    return SFTTrainer(
        AutoModelForCausalLM.from_pretrained(f"{place}/model", attn_implementation="sdpa"),
        args=arguments,
        train_dataset=load_dataset("parquet", data_files=str(pairs), split="train"),
        processing_class=AutoTokenizer.from_pretrained(f"{place}/model"),
    )


def losses(place: str, rows: int) -> Work:
    """The loss of each row, packed and alone, by the same model."""
    import numpy as np
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from kit19 import load_catalog
    from kit19.training.model.losses import add_answer_losses, row_losses
    from kit19.training.rows.batches import Collate
    from kit19.training.rows.examples import TokenRules
    from kit19.training.rows.files import load_file_rows
    from kit19.training.rows.packing import one_row_per_sequence, pack
    from kit19.training.rows.prompts import make_prompts
    from kit19.training.rows.tokens import tokenize

    torch.set_num_threads(1)
    data = _first(place, "rows", rows)
    tokenizer = AutoTokenizer.from_pretrained(f"{place}/model")
    model = AutoModelForCausalLM.from_pretrained(f"{place}/model").eval()
    add_answer_losses(model)
    prompts = make_prompts(tokenizer, load_catalog().prompt_format("koalpaca"))
    tokens = tokenize(
        load_file_rows(data, 0, 19).train,
        "first",
        prompts,
        TokenRules(LENGTH),
        data.parent / "tokens",
    )

    def work() -> dict[str, Any]:
        sequences = pack(tokens.lengths, LENGTH)
        packed, alone = (
            row_losses(model, tokens, of, Collate(tokenizer.pad_token_id), at_once=many, plain=True)
            for of, many in ((sequences, SEQUENCES), (one_row_per_sequence(len(tokens)), 1))
        )
        off = np.abs(packed - alone)
        mean = (off / tokens.supervised).max()
        largest = {"mean": float(mean), "sum": float(off.max())}
        return {"rows": len(tokens), "sequences": len(sequences), **largest}

    return work


def prepare(place: str, way: str, rows: int) -> Work:  # noqa: ARG001  the file holds so many
    """From a parquet file to packed sequences, with empty caches."""
    folder = Path(tempfile.mkdtemp(dir=place))
    if way == "kit19":
        import kit19.training.model.base
        import kit19.training.run.trainer  # noqa: F401  imports are not timed
        from kit19 import plan_training

        settings = _settings(place, allow=["lost_answers"])

        def ours() -> dict[str, Any]:
            plan = plan_training(Path(place) / "rows.parquet", settings, cache=folder)
            return {"sequences": plan.rows["lines"]}

        return ours

    from datasets import load_dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    model = AutoModelForCausalLM.from_pretrained(f"{place}/model")
    tokenizer = AutoTokenizer.from_pretrained(f"{place}/model")
    arguments = SFTConfig(
        output_dir=str(folder),
        max_length=LENGTH,
        packing=True,
        packing_strategy="bfd",
        use_cpu=True,
        bf16=False,
        report_to="none",
        disable_tqdm=True,
    )

    def theirs() -> dict[str, Any]:
        cache = str(folder / "datasets")
        pairs = f"{place}/pairs.parquet"
        data = load_dataset("parquet", data_files=pairs, split="train", cache_dir=cache)
        trainer = SFTTrainer(model, arguments, train_dataset=data, processing_class=tokenizer)
        return {"sequences": len(trainer.train_dataset)}

    return theirs


if __name__ == "__main__":
    main()
