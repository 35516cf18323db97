"""Write a model as a GGUF file, through llama.cpp's converter, and read the file back."""

from __future__ import annotations

import shutil
from pathlib import Path

from kit19.core.arguments import OnProgress
from kit19.core.errors import ModelError, Problem
from kit19.exporting.converter import run_converter
from kit19.exporting.pre_tokenizer import pre_tokenizer_name
from kit19.exporting.source import Source, write_model, write_tokenizer
from kit19.exporting.turn_texts import begins_with_bos


def write_gguf(
    source: Source, folder: Path, script: Path, out_type: str, on_progress: OnProgress
) -> Path:
    """Convert a model to GGUF: first its vocabulary, before weights are read, then all of it.

    Args:
        source: The model.
        folder: The folder to write to.
        script: llama.cpp's converter.
        out_type: The type of matrices, as the converter names it.
        on_progress: Called with progress.

    Returns:
        The path of the file.

    Raises:
        ModelError: The converter fails, or the file is not the model.
    """
    _refuse_odd_rotation(source)
    model, trial = folder / ".model", folder / ".vocabulary"
    file = f"{source.name.replace('/', '-')}.gguf"
    pre = pre_tokenizer_name(source.prompts.tokenizer)

    def convert(given: Path, out: Path, *, vocabulary: bool) -> None:
        run_converter(script, given, out, out_type=out_type, pre=pre, vocabulary=vocabulary)
        _raise_any(_vocabulary_problems(out, source))

    on_progress("checking the vocabulary", 0, 3)
    trial.mkdir()
    write_tokenizer(source, trial)
    source.config.save_pretrained(trial)
    convert(trial, trial / file, vocabulary=True)
    model.mkdir()
    write_model(source, model, on_progress)
    on_progress("converting the weights", 1, 3)
    convert(model, folder / file, vocabulary=False)
    on_progress("reading the file back", 2, 3)
    from kit19.exporting.gguf_check import check_weights  # noqa: PLC0415  needs the package gguf

    _raise_any(check_weights(folder / file, model))
    shutil.rmtree(model)
    shutil.rmtree(trial)
    return folder / file


def _refuse_odd_rotation(source: Source) -> None:
    """Refuse what the converter writes and llama.cpp cannot compute."""
    text = source.config.get_text_config()
    heads = getattr(text, "num_attention_heads", 0)
    rope = getattr(text, "rope_parameters", None) or {}
    if not heads or "partial_rotary_factor" not in rope:
        return
    width = int(getattr(text, "head_dim", None) or text.hidden_size // heads)
    rotated = int(width * rope["partial_rotary_factor"])
    if rotated % 2:
        what = (
            f"it rotates {rotated} of the {width} values of a head; llama.cpp needs an even number"
        )
        raise ModelError(Problem(what, str(source.ref.folder), "serve it: kit19 serve"))


def _vocabulary_problems(path: Path, source: Source) -> list[Problem]:
    from kit19.exporting.gguf_check import check_vocabulary  # noqa: PLC0415  needs the package gguf

    tokenizer = source.prompts.tokenizer
    template = source.template or tokenizer.chat_template
    begins = begins_with_bos(tokenizer)
    return check_vocabulary(path, tokenizer, template, source.prompts.end, begins=begins)


def _raise_any(problems: list[Problem]) -> None:
    if problems:
        raise ModelError(problems)
