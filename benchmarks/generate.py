"""Generated answers next to lm-evaluation-harness's HFLM: same prompts, same model, same process.

python -m benchmarks.generate --data-dir ../shared/data     KorQuAD's prompts

The model is a small GPT-NeoX from a fixed seed. It knows nothing, so answers end by chance, at a
frequent letter. Rounds are interleaved; figures are medians. Every text is compared with HFLM's at
batch size 1 before it is reported. Times are seconds of the processor, on one thread.
"""

from __future__ import annotations

import argparse
import gc
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.eval import NEOX, SHAPE, _load, make_model
from benchmarks.results import Recorder, add_arguments, at_least, results_folder

BATCHES = (1, 4, 16)
KINDS: dict[str, dict[str, Any]] = {
    "long prompts, short answers": {"until": ["다", "\n"], "max_gen_toks": 64},
    "short prompts, long answers": {"until": ["가", "\n\n"], "max_gen_toks": 192},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, default=Path("../shared/data"))
    parser.add_argument("--prompts", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    add_arguments(parser)
    asked = parser.parse_args()
    if asked.quick:
        asked.prompts, asked.rounds = 6, 1
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ.setdefault("TQDM_DISABLE", "1")
    recorder = Recorder("generate", ["torch", "transformers", "lm_eval"])
    with tempfile.TemporaryDirectory() as folder:
        asked.threads, asked.gguf = 1, None
        asked.model = make_model(Path(folder) / NEOX, asked.data_dir, *SHAPE)
        _enlarge(asked.model)
        ways = {"kit19": _load(asked, "kit19")} | {
            f"HFLM, batch {size}": _load(asked, "hflm", batch_size=size) for size in BATCHES
        }
        for kind, settings in KINDS.items():  # the first call tests the model
            ways["kit19"].generate_until(_requests(asked, kind, settings)[:1], disable_tqdm=True)
            _report(recorder, asked, kind, ways, _requests(asked, kind, settings))
    recorder.write(results_folder(asked))


def _enlarge(folder: Path) -> None:
    """Enlarge a model's random weights, so that its answers differ from prompt to prompt."""
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder)
    with torch.no_grad():
        for weights in model.parameters():
            if weights.dim() > 1:
                weights.mul_(4)
    model.save_pretrained(folder)


def _requests(asked: argparse.Namespace, kind: str, settings: dict[str, Any]) -> list[Any]:
    from lm_eval.api.instance import Instance

    from kit19.evaluating.source import load

    documents = load("korquad", str(asked.data_dir))["dev"].select(range(asked.prompts))
    long = kind.startswith("long")
    prompts = [
        f"{one['context']}\n\n질문: {one['question']}\n답:" if long else one["question"]
        for one in documents
    ]
    return [
        Instance(
            request_type="generate_until",
            doc={},
            arguments=(prompt, dict(settings)),
            idx=0,
            metadata=(kind, number, 1),
        )
        for number, prompt in enumerate(prompts)
    ]


def _report(
    recorder: Recorder,
    asked: argparse.Namespace,
    kind: str,
    ways: dict[str, Any],
    requests: list[Any],
) -> None:
    taken: dict[str, list[float]] = {name: [] for name in ways}
    texts: dict[str, list[str]] = {}
    for _ in range(asked.rounds):
        for name, model in ways.items():
            gc.collect()
            start = time.process_time()
            texts[name] = model.generate_until(requests, disable_tqdm=True)
            taken[name].append(time.process_time() - start)
        print(f"  {kind}: {taken}", file=sys.stderr, flush=True)
    assert not ways["kit19"].fallbacks
    assert texts["kit19"] == texts["HFLM, batch 1"]
    prompts, lengths = _tokens(ways["kit19"], requests)
    seconds = {name: statistics.median(times) for name, times in taken.items()}
    own = seconds["kit19"]
    rows = [
        [
            name,
            f"{sum(lengths) / spent:,.0f}",
            f"{spent / own:.2f}",
            str(sum(a == b for a, b in zip(texts[name], texts["HFLM, batch 1"], strict=True))),
        ]
        for name, spent in seconds.items()
    ]
    best = min(spent for name, spent in seconds.items() if name != "kit19")
    recorder.add(
        f"Generated answers: {kind}",
        ["way", "tokens/CPU s", "time × kit19's", "texts of batch 1"],
        rows,
        rounds=asked.rounds,
        notes=[_settings(prompts, lengths)],
        targets=[at_least("HFLM's best batch, × kit19", best / own, 1.5)],
    )


def _settings(prompts: list[int], lengths: list[int]) -> str:
    hidden, layers, vocabulary = SHAPE
    model = f"GPT-NeoX, {hidden} hidden, {layers} layers, {vocabulary:,} tokens"
    asked = f"{len(prompts)} prompts of {min(prompts)} to {max(prompts)} tokens"
    answers = (
        f"answers of {min(lengths)} to {max(lengths)} (median {statistics.median(lengths):.0f})"
    )
    return f"{model}; {asked}, {answers}."


def _tokens(model: Any, requests: list[Any]) -> tuple[list[int], list[int]]:
    """Numbers of tokens of the prompts and of the answers."""
    prompts = [len(ids) for ids in model.encode_prompts([one.args[0] for one in requests])]
    lengths: list[int] = []
    real = model._text

    def count(tokens: list[int], until: list[str]) -> str:
        lengths.append(len(tokens))
        return str(real(tokens, until))

    model._text = count
    model.generate_until(requests, disable_tqdm=True)
    model._text = real
    return prompts, lengths


if __name__ == "__main__":
    main()
