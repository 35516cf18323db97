"""llama.cpp's names of pre-tokenizers, by what tokenizer.json says of them.

llama.cpp splits text by built-in expressions, each with a name. A tokenizer that splits by one of them,
and does not change the text before, gives the same tokens there.
"""

from __future__ import annotations

import json
from typing import Any

_NUMBERS_BY_THREE = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_EXPRESSIONS = {
    _NUMBERS_BY_THREE: "llama-bpe",
    _NUMBERS_BY_THREE.replace("{1,3}", ""): "qwen2",
}


def pre_tokenizer_name(tokenizer: Any) -> str:
    """llama.cpp's name of the pre-tokenizer of a byte-level BPE; empty if it has none for it.

    Args:
        tokenizer: A transformers tokenizer.
    """
    backend = getattr(tokenizer, "backend_tokenizer", None)
    state = json.loads(backend.to_str()) if backend is not None else {"model": {}}
    if state["model"].get("type") != "BPE" or state.get("normalizer"):
        return ""
    split = state.get("pre_tokenizer") or {}
    *before, last = split.get("pretokenizers") or [split]
    if last.get("type") != "ByteLevel" or last.get("add_prefix_space") or len(before) > 1:
        return ""
    if not before:
        return "gpt-2" if last.get("use_regex", True) else ""
    [first] = before
    isolates = first.get("type") == "Split" and first.get("behavior") == "Isolated"
    if not isolates or first.get("invert") or last.get("use_regex", True):
        return ""
    return _EXPRESSIONS.get(first["pattern"].get("Regex", ""), "")
