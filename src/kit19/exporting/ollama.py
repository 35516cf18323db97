"""The Modelfile that Ollama makes a model of."""

from __future__ import annotations

from pathlib import Path

from kit19.core.errors import ArgumentError, Problem
from kit19.exporting.source import Source
from kit19.exporting.turn_texts import begins_with_bos, go_template

GREETING = "안녕하세요! 무엇을 도와드릴까요?"
_MOST_CONTEXT = 8192  # tokens: a longer window takes memory that few answers need


def check_texts(**texts: str) -> None:
    """Refuse texts that end a value of a Modelfile, before weights are converted.

    Raises:
        ArgumentError: Names the argument.
    """
    for name, text in texts.items():
        if '"""' in text or text.endswith('"'):
            what = 'holds """ or ends in a quotation mark, which ends a text of a Modelfile'
            raise ArgumentError(Problem(what, name, "use other quotation marks: “ ”"))


def modelfile(source: Source, weights: Path, *, greeting: str, system: str) -> str:
    """The Modelfile of a model.

    Args:
        source: The model with its prompt format.
        weights: The GGUF file, in the same folder.
        greeting: What ``ollama run`` shows before the first question; it is no part of prompts.
        system: The system prompt of every conversation; empty for none, as in training.
    """
    from kit19.exporting.gguf_check import read_vocabulary  # noqa: PLC0415  needs the package gguf

    tokenizer = source.prompts.tokenizer
    adds = read_vocabulary(weights)["add_bos_token"]
    # Ollama puts the first token before prompts itself, if the file says so.
    first = tokenizer.bos_token if (begins_with_bos(tokenizer) if adds is None else adds) else None
    template = go_template(source.texts, without=first or "")
    lines = [
        f"# 등록: ollama create {source.name} -f Modelfile",
        f"# 대화: ollama run {source.name}",
        f"FROM ./{weights.name}",
        f"TEMPLATE {_quote(template)}",
        "# 학습할 때와 같은 답을 얻는 설정입니다. temperature를 높이면 답이 다양해집니다.",
        "PARAMETER temperature 0",
        "PARAMETER repeat_penalty 1",
        f"PARAMETER num_ctx {min(source.window, _MOST_CONTEXT)}",
        *(f"PARAMETER stop {_quote(stop)}" for stop in (*source.stops, *source.more_ends)),
    ]
    if greeting:
        lines += [
            "# 첫 화면에 보이는 인사말입니다. 프롬프트에는 들어가지 않습니다.",
            f"MESSAGE assistant {_quote(greeting)}",
        ]
    if system:
        lines.append(f"SYSTEM {_quote(system)}")
    else:
        lines += [
            "# 시스템 프롬프트는 학습에 없었으므로 넣지 않았습니다. 넣으려면 다음 줄의 #을 지우세요.",
            '# SYSTEM """질문에 한국어로 간결하고 정확하게 답하세요."""',
        ]
    return "\n".join(lines) + "\n"


def _quote(text: str) -> str:
    """A value of a Modelfile, which has no escapes; three quotation marks end it."""
    return f'"""{text}"""'
