"""What a prompt format writes around each turn, and templates that other programs fill with it.

The texts are read off conversations of marks, and compared with what the format writes for other
conversations. So a template is exact or refused.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kit19.core.errors import Problem, TrainError
from kit19.training.rows.prompts import Prompts

_USER, _ANSWER, _SYSTEM = "\ue000", "\ue001", "\ue002"
_QUESTION = {"role": "user", "content": _USER}
_REPLY = {"role": "assistant", "content": _ANSWER}
_RULE = {"role": "system", "content": _SYSTEM}
_PROBES = (
    ("user",),
    ("user", "assistant", "user"),
    ("user", "assistant", "user", "assistant", "user"),
    ("system", "user"),
    ("system", "user", "assistant", "user"),
)


@dataclass(frozen=True)
class TurnTexts:
    """The texts around the turns of a conversation that ends in a question.

    Attributes:
        begin: Before the first question, without a system prompt.
        system: Before and after a system prompt; None if the format has no place for one.
        question: Between a question and its answer, of earlier turns.
        prompt: After the last question.
        answered: Between an answer and the next question.
    """

    begin: str
    system: tuple[str, str] | None
    question: str
    prompt: str
    answered: str

    def write(self, turns: Sequence[dict[str, str]]) -> str:
        """The prompt of a conversation."""
        first, *others = turns
        parts = [self.begin]
        if first["role"] == "system" and self.system:
            parts, turns = [self.system[0] + first["content"] + self.system[1]], others
        for number, turn in enumerate(turns):
            last = number == len(turns) - 1
            after = self.prompt if last else self.question
            parts.append(turn["content"] + (after if turn["role"] == "user" else self.answered))
        return "".join(parts)


def find_turn_texts(prompts: Prompts) -> TurnTexts:
    """Find the texts that a prompt format writes around turns.

    Raises:
        TrainError: The chat template is not regular: what it writes around a turn depends on more than
            the turn's role, and on whether it is the last.
    """

    def written(*turns: dict[str, str]) -> str:
        return prompts.unmark(prompts.conversation(turns))

    begin, _, prompt = written(_QUESTION).partition(_USER)
    both = written(_QUESTION, _REPLY, _QUESTION).partition(_USER)[2]
    question, _, rest = both.partition(_ANSWER)
    answered = rest.partition(_USER)[0]
    system = None
    try:
        head, found, tail = written(_RULE, _QUESTION).partition(_USER)[0].partition(_SYSTEM)
        system = (head, tail) if found else None
    except TrainError:  # Gemma 2's template refuses system prompts
        system = None
    texts = TurnTexts(begin, system, question, prompt, answered)
    for roles in _PROBES:
        turns = [{"role": role, "content": f"{role} {n}"} for n, role in enumerate(roles)]
        if (system or roles[0] != "system") and texts.write(turns) != written(*turns):
            what = (
                f"its chat template is not regular (a conversation of {len(turns)} turns), so no "
                "template for other programs can be made of it"
            )
            raise TrainError(Problem(what, str(prompts.tokenizer.name_or_path)))
    return texts


def begins_with_bos(tokenizer: Any) -> bool:
    """Whether a tokenizer puts its first token before every text."""
    first = tokenizer("a")["input_ids"][0]
    return tokenizer.bos_token_id is not None and first == tokenizer.bos_token_id


def jinja_template(prompts: Prompts, texts: TurnTexts | None = None) -> str:
    """A Jinja chat template, in one line, that writes the prompts of a format.

    It writes the tokenizer's first token too, as programs expect of a chat template.

    Args:
        prompts: The tokenizer and the prompt format.
        texts: What the format writes around turns; default: it is found.

    Raises:
        TrainError: As ``find_turn_texts``.
    """
    texts = find_turn_texts(prompts) if texts is None else texts
    begin = texts.begin
    bos = not prompts.format.chat and begins_with_bos(prompts.tokenizer)
    system = ""
    if texts.system:
        head, tail = map(_quote, texts.system)
        begin_system = f"{{{{ {head} + messages[0].content + {tail} }}}}"
        system = (
            f"{{%- if messages[0].role == 'system' -%}}{begin_system}{{%- set rest = messages[1:] -%}}"
            "{%- else -%}"
        )
    # Programs return answers with the blank that begins them, which ``question`` ends with already.
    answer = "turn.content | trim" if prompts.format.reply("")[:1].isspace() else "turn.content"
    return (
        f"{'{{ bos_token }}' if bos else ''}{system}{{{{ {_quote(begin)} }}}}"
        f"{{%- set rest = messages -%}}{'{%- endif -%}' if system else ''}"
        "{%- for turn in rest -%}{%- if turn.role == 'user' -%}"
        f"{{{{ turn.content + ({_quote(texts.prompt)} if loop.last else {_quote(texts.question)}) }}}}"
        f"{{%- else -%}}{{{{ ({answer}) + {_quote(texts.answered)} }}}}"
        "{%- endif -%}{%- endfor -%}"
    )


def go_template(texts: TurnTexts, *, without: str = "") -> str:
    """A template in Go's language, as Ollama fills it.

    An assistant's turn before the first question is left out: Ollama shows it as a greeting, and no
    conversation of training begins with one.

    Args:
        texts: The texts of a prompt format.
        without: The text of the first token, which the program puts before the prompt itself.
    """
    begin = texts.begin.removeprefix(without)
    opening = f"{{{{ {_quote(begin)} }}}}"
    if texts.system:
        head, tail = (
            _quote(text) for text in (texts.system[0].removeprefix(without), texts.system[1])
        )
        opening = (
            f"{{{{- if .System }}}}{{{{ {head} }}}}{{{{ .System }}}}{{{{ {tail} }}}}"
            f"{{{{ else }}}}{opening}{{{{ end }}}}"
        )
    return (
        "{{- $asked := false }}"
        f"{opening}"
        "{{- range $i, $_ := .Messages }}"
        "{{- $last := eq (len (slice $.Messages $i)) 1 }}"
        '{{- if eq .Role "user" }}{{- $asked = true }}{{ .Content }}'
        f"{{{{ if $last }}}}{{{{ {_quote(texts.prompt)} }}}}"
        f"{{{{ else }}}}{{{{ {_quote(texts.question)} }}}}{{{{ end }}}}"
        '{{- else if and $asked (eq .Role "assistant") }}{{ .Content }}'
        f"{{{{ {_quote(texts.answered)} }}}}"
        "{{- end }}{{- end }}"
    )


def _quote(text: str) -> str:
    """A text as a string of Jinja and of Go, which take JSON's."""
    return json.dumps(text, ensure_ascii=False)
