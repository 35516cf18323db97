"""Tokens of texts, by the tokenizer of a model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kit19.core.errors import OutputError, Problem, first_line

_FILE = "tokenizer.json"


class Tokenizer:
    """A tokenizer.

    Args:
        path: The folder of a model, or its ``tokenizer.json``.

    Attributes:
        name: The name of the folder.

    Raises:
        OutputError: The package ``tokenizers`` is not installed, or the file cannot be read.
    """

    def __init__(self, path: Path) -> None:
        file = path / _FILE if path.is_dir() else path
        try:
            import tokenizers  # noqa: PLC0415  comes with transformers, of kit19[eval] and kit19[train]
        except ImportError:
            fix = "pip install tokenizers"
            raise OutputError(Problem("counting tokens needs tokenizers", fix=fix)) from None
        try:
            self._tokenizer: Any = tokenizers.Tokenizer.from_file(str(file))
        except Exception as error:
            what = f"is no tokenizer: {first_line(error)}"
            fix = f"give the folder of a model that has {_FILE}"
            raise OutputError(Problem(what, str(file), fix)) from None
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self.name = file.resolve().parent.name

    def count(self, texts: Sequence[str]) -> list[int]:
        """The tokens of each text, without those that models put around it."""
        encoded = self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        return [len(one.ids) for one in encoded]
