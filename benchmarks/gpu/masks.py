"""Step: losses of packed rows against the same rows alone, on every attention kernel."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

from benchmarks.gpu.scale import Scale

ROWS = 64
KERNELS = ("MATH", "EFFICIENT_ATTENTION", "FLASH_ATTENTION", "CUDNN_ATTENTION")


def masks(place: Path, scale: Scale, name: str) -> dict[str, Any]:
    """The largest difference of a row's loss on each kernel, or why the kernel does not work."""
    import numpy as np
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from kit19 import load_catalog
    from kit19.training.model.losses import add_answer_losses, row_losses
    from kit19.training.rows.batches import Collate
    from kit19.training.rows.examples import TokenRules
    from kit19.training.rows.files import load_file_rows
    from kit19.training.rows.packing import one_row_per_sequence, pack
    from kit19.training.rows.prompts import make_prompts
    from kit19.training.rows.tokens import tokenize

    tokenizer = AutoTokenizer.from_pretrained(place / name)
    lines = (place / "rows.jsonl").read_text("utf-8").splitlines()[:ROWS]
    (place / "few.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    prompts = make_prompts(tokenizer, load_catalog().prompt_format("koalpaca"))
    rows = load_file_rows(place / "few.jsonl", 0, 19).train
    tokens = tokenize(rows, "masks", prompts, TokenRules(scale.length), place / "tokens")
    packed, alone = pack(tokens.lengths, scale.length), one_row_per_sequence(len(tokens))
    collate = Collate(tokenizer.pad_token_id)
    kernels = {name.lower(): getattr(SDPBackend, name) for name in KERNELS}
    found: dict[str, Any] = {"rows": len(tokens), "sequences": len(packed)}
    for attention in ("eager", "sdpa", "flash_attention_2"):
        for dtype in ("float32", "bfloat16"):
            try:
                model = AutoModelForCausalLM.from_pretrained(
                    place / name, attn_implementation=attention, dtype=getattr(torch, dtype)
                )
            except Exception as error:
                found[f"{attention}, {dtype}"] = _reason(error)
                continue
            model = model.to(scale.device).eval()
            add_answer_losses(model)
            chosen = kernels if attention == "sdpa" else {"": None}
            for kernel, backend in chosen.items():
                title = " ".join([attention, kernel]).strip() + f", {dtype}"
                try:
                    with sdpa_kernel(backend) if backend is not None else nullcontext():
                        one, other = (
                            row_losses(model, tokens, of, collate, at_once=many, plain=True)
                            for of, many in ((packed, 2), (alone, 1))
                        )
                    found[title] = float(np.abs(one - other).max())
                except Exception as error:
                    found[title] = _reason(error)
    return found


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0][:200]
