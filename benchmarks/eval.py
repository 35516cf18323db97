"""The scorer next to lm-evaluation-harness's HFLM: same requests, same model, same process.

python -m benchmarks.eval --data-dir ../shared/data            zero-shot, five-shot, levers, end to end
python -m benchmarks.eval --only zero --limit 100 --rounds 1   a quick look
python -m benchmarks.eval --only letters --limit 30            exams of the harness, one-token answers

The model is a small GPT-NeoX from a fixed seed, with a tokenizer trained on the benchmarks' own text.
``--shape`` sets another size, ``--model FOLDER`` another model, ``--gguf`` weights in GGUF.
Rounds are interleaved; figures are medians. Every log-likelihood is compared with HFLM's before it is
reported.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.exams import lay_out_exams
from benchmarks.results import Recorder, add_arguments, at_least, results_folder

TASKS = (
    "kobest_copa",
    "kobest_hellaswag",
    "kobest_wic",
    "kobest_sentineg",
    "klue_sts",
    "klue_ynat",
    "kobest_boolq",
)
BATCHES = (1, 4, 16)
SHAPE = (128, 4, 8000)  # hidden size, layers, vocabulary: 2.8 M parameters
AGREE = 1e-3
END = "<|endoftext|>"
NEOX = "neox"
Times = dict[str, dict[str, float]]
Requests = tuple[str, list[Any]]
EXAMS = ("kmmlu_criminal_law", "haerae", "click")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, default=Path("../shared/data"))
    parser.add_argument("--model", type=Path)
    parser.add_argument("--gguf")
    parser.add_argument(
        "--shape", type=int, nargs=3, default=SHAPE, metavar=("HIDDEN", "LAYERS", "VOCABULARY")
    )
    parser.add_argument("--batches", type=int, nargs="*", default=BATCHES, help="of HFLM")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--only", nargs="*", default=["zero", "five", "levers", "memory", "letters", "command"]
    )
    parser.add_argument("--measure", choices=["ours", "hflm"], help=argparse.SUPPRESS)
    add_arguments(parser)
    asked = parser.parse_args()
    if asked.quick:
        asked.limit, asked.rounds = 4, 1
    os.environ["KIT19_DATA_DIR"] = str(asked.data_dir.resolve())
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ.setdefault("TQDM_DISABLE", "1")
    if asked.measure:
        print(json.dumps(_peak(asked)))
        return
    recorder = Recorder("eval", ["torch", "transformers", "lm_eval"])
    with tempfile.TemporaryDirectory() as folder:
        if asked.model is None:
            asked.model = Path(folder) / NEOX
            call = "import sys, pathlib; from benchmarks.eval import make_model; "
            call += "make_model(*map(pathlib.Path, sys.argv[1:3]), *map(int, sys.argv[3:]))"
            made = [sys.executable, "-c", call, str(asked.model), str(asked.data_dir)]
            subprocess.run([*made, *map(str, asked.shape)], check=True, capture_output=True)
        if "memory" in asked.only:  # first: a child's peak begins with its parent's
            _report_memory(recorder, asked)
        for kind, shots in (("zero", 0), ("five", 5)):
            if kind in asked.only:
                ways = _ways(asked, [f"HFLM, batch {n}" for n in asked.batches])
                _report(recorder, asked, shots, _measure(asked, ways, _requests(asked, shots)))
        parts: dict[str, Callable[[], None]] = {
            "levers": lambda: _report_levers(recorder, asked),
            "letters": lambda: _report_letters(recorder, asked, Path(folder) / "exams"),
            "command": lambda: _report_command(recorder, asked, Path(folder)),
        }
        for name, report in parts.items():
            if name in asked.only:
                report()
    recorder.write(results_folder(asked))


def make_model(folder: Path, data_dir: Path, hidden: int, layers: int, vocabulary: int) -> Path:
    """Create a GPT-NeoX from a fixed seed, with a byte-level BPE trained on KoBEST's text."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import GPTNeoXConfig, GPTNeoXForCausalLM, PreTrainedTokenizerFast

    texts = [path.read_text("utf-8") for path in sorted((data_dir / "kobest").rglob("*.tsv"))]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator((line for text in texts for line in text.splitlines()), trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=END)
    torch.manual_seed(19)
    config = GPTNeoXConfig(
        vocab_size=len(fast),
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=4,
        intermediate_size=4 * hidden,
        max_position_embeddings=2048,
    )
    GPTNeoXForCausalLM(config).save_pretrained(folder)
    fast.save_pretrained(folder)
    return folder


def _load(asked: argparse.Namespace, name: str, **options: Any) -> Any:
    import lm_eval.models  # noqa: F401
    import torch
    from lm_eval.models.huggingface import HFLM

    from kit19.evaluating.scorer import Kit19LM

    torch.set_num_threads(asked.threads)
    kind = Kit19LM if name == "kit19" else HFLM
    more = {"gguf_file": asked.gguf} if asked.gguf else {}
    return kind(pretrained=str(asked.model), device="cpu", dtype="float32", **more, **options)


def _ways(asked: argparse.Namespace, others: list[str]) -> dict[str, Any]:
    ways: dict[str, Any] = {"kit19": _load(asked, "kit19")}
    for name in others:
        ways[name] = _load(asked, "hflm", batch_size=int(name.rsplit(" ", 1)[1]))
    return ways


def _lever_ways(asked: argparse.Namespace) -> dict[str, Any]:
    from kit19.evaluating.scorer import Optimizations

    off: dict[str, dict[str, Any]] = {
        "without sharing contexts": {"optimizations": Optimizations(share_contexts=False)},
        "without a common prefix": {"optimizations": Optimizations(cache_prefix=False)},
        "with predictions everywhere": {"optimizations": Optimizations(skip_unused_logits=False)},
        "batches of 512 tokens": {"batch_tokens": 512},
        "batches of 6,144 tokens": {"batch_tokens": 6144},
    }
    return {"kit19": _load(asked, "kit19")} | {
        name: _load(asked, "kit19", **options) for name, options in off.items()
    }


def _requests(asked: argparse.Namespace, shots: int) -> Iterator[Requests]:
    from lm_eval.tasks import TaskManager

    from kit19.evaluating import TASKS as FOLDER

    manager = TaskManager(include_path=str(FOLDER), include_defaults=False)
    for name in TASKS:
        task = manager.load([name])["tasks"][name]
        task.set_config(key="num_fewshot", value=shots)
        task.set_fewshot_seed(seed=1234)
        task.build_all_requests(limit=asked.limit, rank=0, world_size=1)
        yield name, task.instances


def _exam_requests(asked: argparse.Namespace, folder: Path, shots: int) -> Iterator[Requests]:
    """The requests of three exams, whose choices are one token each."""
    import lm_eval

    from kit19.evaluating.source import use_files
    from kit19.evaluating.task_files import load_tasks

    harness = Path(lm_eval.__file__).parent / "tasks"
    folders = [harness / name for name in ("kmmlu/default", "haerae", "click")]
    for name in EXAMS:
        requests: list[Any] = []
        with use_files(folder):
            tasks = load_tasks([name], folders).tasks
        for task in tasks.values():
            task.set_config(key="num_fewshot", value=shots)
            task.set_fewshot_seed(seed=1234)
            task.build_all_requests(limit=asked.limit, rank=0, world_size=1)
            requests += task.instances
        yield name, requests


def _measure(
    asked: argparse.Namespace, ways: Mapping[str, Any], of_tasks: Iterable[Requests]
) -> Times:
    """Seconds of each way on each task, medians over the rounds."""
    found: Times = {name: {} for name in ways}
    for task, requests in of_tasks:
        taken: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(asked.rounds):
            values: dict[str, list[float]] = {}
            for name, lm in ways.items():
                gc.collect()
                start = time.perf_counter()
                scores = lm.loglikelihood(requests, disable_tqdm=True)
                taken[name].append(time.perf_counter() - start)
                values[name] = [value for value, _ in scores]
            ours = values["kit19"]
            for name, theirs in values.items():
                off = max(abs(a - b) for a, b in zip(ours, theirs, strict=True))
                assert off <= AGREE, f"{task}: {name} differs by {off}"
        for name, times in taken.items():
            found[name][task] = statistics.median(times)
        print(f"  {task}: {taken}", file=sys.stderr, flush=True)
    return found


def _settings(asked: argparse.Namespace) -> str:
    hidden, layers, vocabulary = asked.shape
    model = f"GPT-NeoX, {hidden} hidden, {layers} layers, {vocabulary:,} tokens"
    if asked.gguf or asked.model.name != NEOX:
        model = asked.gguf or asked.model.name
    documents = f"first {asked.limit} documents" if asked.limit else "all documents"
    return f"{model}; {documents} of each task; {asked.threads} thread(s)."


def _report(recorder: Recorder, asked: argparse.Namespace, shots: int, times: Times) -> None:
    others = [name for name in times if name != "kit19"]
    ours, first = times["kit19"], times[others[0]]
    best = {task: min(times[name][task] for name in others) for task in ours}
    rows = [
        [f"`{task}`", f"{own:.2f}", f"{best[task] / own:.1f}", f"{first[task] / own:.1f}"]
        for task, own in ours.items()
    ]
    total = sum(ours.values())
    all_best, all_first = sum(best.values()) / total, sum(first.values()) / total
    rows.append(["together", f"{total:.2f}", f"{all_best:.2f}", f"{all_first:.2f}"])
    targets = [at_least("together, × HFLM's best batch", all_best, 3.5 if shots else 3)]
    if not shots:
        least = min(best[task] / own for task, own in ours.items())
        targets.append(at_least("the slowest task, × HFLM's best batch", least, 2))
    recorder.add(
        f"{'Five' if shots else 'Zero'}-shot",
        ["task", "kit19 s", "× HFLM's best batch", f"× {others[0]}"],
        rows,
        rounds=asked.rounds,
        notes=[_settings(asked)],
        targets=targets,
    )


def _report_letters(recorder: Recorder, asked: argparse.Namespace, folder: Path) -> None:
    """Exams whose answers are letters: HFLM, too, feeds such a question once for all of them."""
    lay_out_exams(asked.data_dir, folder)
    rows = []
    for shots in (0, 5):
        ways = _ways(asked, [f"HFLM, batch {n}" for n in asked.batches])
        times = _measure(asked, ways, _exam_requests(asked, folder, shots))
        own, others = times.pop("kit19"), list(times.values())
        for task in EXAMS:
            best, first = min(one[task] for one in others), others[0][task]
            ratios = [f"{one / own[task]:.1f}" for one in (best, first)]
            rows.append([f"`{task}`", str(shots), f"{own[task]:.2f}", *ratios])
    recorder.add(
        "Exams with one-token answers",
        ["task", "examples", "kit19 s", "× HFLM's best batch", f"× HFLM, batch {asked.batches[0]}"],
        rows,
        rounds=asked.rounds,
        notes=[_settings(asked)],
    )


def _report_levers(recorder: Recorder, asked: argparse.Namespace) -> None:
    times = _measure(asked, _lever_ways(asked), _requests(asked, 0))
    own = sum(times["kit19"].values())
    recorder.add(
        "Each lever alone, zero-shot, all tasks together",
        ["way", "time × kit19's"],
        [[name, f"{sum(found.values()) / own:.2f}"] for name, found in times.items()],
        rounds=asked.rounds,
        notes=[_settings(asked)],
    )


def _peak(asked: argparse.Namespace) -> dict[str, float]:
    """Measure the peak memory in MiB of one way on the heaviest task, in a separate process."""
    name = "kit19" if asked.measure == "ours" else "hflm"
    lm = _load(asked, name, **({} if name == "kit19" else {"batch_size": 16}))
    for task, requests in _requests(asked, 5):
        if task == "kobest_boolq":
            lm.loglikelihood(requests, disable_tqdm=True)
    return {"mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def _report_memory(recorder: Recorder, asked: argparse.Namespace) -> None:
    rows = []
    for name, measure in (("kit19", "ours"), ("HFLM, batch 16", "hflm")):
        command = [sys.executable, "-m", "benchmarks.eval", "--measure", measure]
        command += ["--data-dir", str(asked.data_dir), "--model", str(asked.model)]
        command += ["--limit", str(asked.limit or 100), "--threads", str(asked.threads)]
        command += ["--gguf", asked.gguf] if asked.gguf else []
        ran = subprocess.run(command, check=True, capture_output=True, text=True)
        rows.append([name, f"{json.loads(ran.stdout.splitlines()[-1])['mib']:,.0f}"])
    recorder.add(
        f"Peak memory, five-shot BoolQ, {asked.limit or 100} documents",
        ["way", "MiB"],
        rows,
        rounds=1,
    )


def _report_command(recorder: Recorder, asked: argparse.Namespace, folder: Path) -> None:
    """Both commands as a user types them: start-up, tokenising and metrics included."""
    from kit19.evaluating import TASKS as FOLDER

    tasks, model = ",".join(TASKS), str(asked.model)
    limit = ["--limit", str(asked.limit)] if asked.limit else []
    ours = [sys.executable, "-m", "kit19", "eval", model, "--tasks", tasks, "--no-cache", "--quiet"]
    theirs = [sys.executable, "-m", "lm_eval", "run", "--model", "hf", "--device", "cpu"]
    theirs += ["--model_args", f"pretrained={model},dtype=float32", "--include_path", str(FOLDER)]
    theirs += ["--tasks", tasks, "--log_samples", "--output_path", str(folder / "theirs")]
    commands: dict[str, list[str]] = {
        "kit19 eval": [*ours, "--dtype", "float32", "--out", str(folder / "ours"), *limit],
        "lm_eval, batch 1 (its default)": [*theirs, *limit],
        "lm_eval, batch 16": [*theirs, "--batch_size", "16", *limit],
    }
    times: dict[str, list[float]] = {name: [] for name in commands}
    environment = os.environ | {"OMP_NUM_THREADS": str(asked.threads)}
    for _ in range(asked.rounds):
        for name, command in commands.items():
            times[name].append(_timed(lambda command=command: _run(command, environment)))  # type: ignore[misc]
            shutil.rmtree(folder / "theirs", ignore_errors=True)
    middle = {name: statistics.median(taken) for name, taken in times.items()}
    ratio = {name: taken / middle["kit19 eval"] for name, taken in middle.items()}
    documents = f"{asked.limit} documents a task" if asked.limit else "all documents"
    recorder.add(
        f"The complete command, seven tasks, {documents}",
        ["command", "s", "× kit19 eval"],
        [[name, f"{middle[name]:.1f}", f"{ratio[name]:.2f}"] for name in commands],
        rounds=asked.rounds,
        targets=[at_least("lm_eval's default, × kit19 eval", list(ratio.values())[1], 2.5)],
    )


def _timed(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _run(command: list[str], environment: Mapping[str, str]) -> None:
    subprocess.run(command, check=True, capture_output=True, env=dict(environment))


if __name__ == "__main__":
    main()
