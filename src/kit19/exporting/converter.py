"""Find llama.cpp's converter of models to GGUF, and run it. kit19 has no copy of it."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from kit19.core.errors import ModelError, Problem

SCRIPT = "convert_hf_to_gguf.py"
VARIABLE = "KIT19_GGUF_CONVERTER"
PACKAGES = ("gguf", "sentencepiece")
OUT_TYPES = ("auto", "f32", "f16", "bf16", "q8_0")
_PARTS = (SCRIPT, "conversion", "gguf-py")
_SHOWN = 3  # last lines of the converter's messages
HOW = (
    "pip download --no-deps --no-binary llama-cpp-python llama-cpp-python, then "
    "--converter llama_cpp_python-….tar.gz: llama.cpp's own converter is in it, and nothing is "
    "compiled for it; a checkout of llama.cpp works too"
)


class ConverterMissingError(ModelError):
    """What converts to GGUF, or reads it back, is not on this machine."""


@contextmanager
def found_converter(given: str | Path = "") -> Iterator[Path]:
    """The path of llama.cpp's ``convert_hf_to_gguf.py``, while the context lasts.

    Args:
        given: The script, a folder of llama.cpp, or a source archive of llama-cpp-python. Default: the
            environment variable ``KIT19_GGUF_CONVERTER``, an installed module, a script on the PATH.

    Raises:
        ConverterMissingError: There is none, or packages that it needs are missing.
    """
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    place = Path(given or os.environ.get(VARIABLE, "") or _installed())
    problems = []
    if missing:
        what = f"GGUF needs {', '.join(missing)}, which is not installed"
        problems.append(Problem(what, fix="pip install 'kit19[gguf]'"))
    if not place.name:
        what = "llama.cpp's converter was not found (--converter, KIT19_GGUF_CONVERTER, PATH)"
        problems.append(Problem(what, fix=HOW))
    if problems:
        raise ConverterMissingError(problems)
    if place.is_file() and tarfile.is_tarfile(place):
        with TemporaryDirectory(prefix="kit19-llama-cpp-") as folder:
            yield _unpack(place, Path(folder))
        return
    script = place / SCRIPT if place.is_dir() else place
    if not script.is_file():
        raise ConverterMissingError(Problem(f"there is no {SCRIPT}", str(place), HOW))
    yield script


def _installed() -> str:
    module = importlib.util.find_spec(SCRIPT.removesuffix(".py"))
    return (module.origin or "") if module else shutil.which(SCRIPT) or ""


def _unpack(archive: Path, folder: Path) -> Path:
    """Unpack the converter from an archive that holds llama.cpp, and nothing else of it."""
    with tarfile.open(archive) as opened:
        names = [one for one in opened.getnames() if one.rpartition("/")[2] == SCRIPT]
        if not names:
            raise ConverterMissingError(Problem(f"holds no {SCRIPT}", str(archive), HOW))
        root = min(names, key=len).rpartition("/")[0]
        wanted = tuple(f"{root}/{part}" for part in _PARTS)
        members = [one for one in opened.getmembers() if one.name.startswith(wanted)]
        opened.extractall(folder, members, filter="data")
    return folder / root / SCRIPT


def run_converter(
    script: Path, model: Path, out: Path, *, out_type: str, pre: str, vocabulary: bool = False
) -> None:
    """Convert the model in a folder.

    Args:
        script: llama.cpp's converter.
        model: The folder of a complete model; for a vocabulary, configuration and tokenizer.
        out: The GGUF file.
        out_type: One of ``OUT_TYPES``.
        pre: llama.cpp's name of the tokenizer's pre-tokenizer, for tokenizers that the converter does
            not know; empty if there is none.
        vocabulary: Convert only the vocabulary, without weights.

    Raises:
        ModelError: The converter fails; the message has its last lines.
    """
    arguments = [str(model), "--outfile", str(out), "--outtype", out_type]
    done = subprocess.run(  # noqa: S603  the script that the user names, in our own process
        [
            *(sys.executable, "-P", "-m", "kit19.exporting.converter_process"),
            *(str(script), pre, *arguments, *(["--vocab-only"] if vocabulary else [])),
        ],
        check=False,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    if done.returncode or not out.is_file():
        lines = [line for line in done.stderr.splitlines() if line.strip()][-_SHOWN:]
        output = " / ".join(line.strip() for line in lines) or f"exit code {done.returncode}"
        raise ModelError(Problem(f"llama.cpp's converter cannot convert it: {output}", str(script)))
