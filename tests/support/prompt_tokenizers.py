"""Small tokenizers, each with one habit that made prompts of training and evaluation differ.

They stand here and not in a conftest.py because mypy refuses two modules of one name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from tokenizers import (
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import PreTrainedTokenizerFast

# Of Llama 3 and Qwen: punctuation takes the line breaks behind it.
_PIECES = Regex(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_TEXT = [
    *[
        "### 지시문:\n다음 문장을 분류하세요.\n\n### 응답:\n긍정",
        "### 질문: 몇 시입니까?\n\n### 답변: 세 시",
    ],
    *[
        "아래는 작업을 설명하는 명령어입니다.\n\n### 명령어:\n쓰세요\n\n### 응답:\n부정",
        "assistant\n<think>",
    ],
]

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
QWEN3 = (  # what it does to the last answer, and to reasoning inside of it
    "{%- for m in messages %}{%- if m.role == 'assistant' %}"
    "{%- set content = m.content %}{%- set reasoning = '' %}"
    "{%- if '</think>' in content %}"
    "{%- set reasoning = content.split('</think>')[0].split('<think>')[-1].strip('\\n') %}"
    "{%- set content = content.split('</think>')[-1].lstrip('\\n') %}{%- endif %}"
    "{%- if loop.last %}{{- '<|im_start|>assistant\\n<think>\\n' + reasoning.strip('\\n')"
    " + '\\n</think>\\n\\n' + content.lstrip('\\n') }}"
    "{%- else %}{{- '<|im_start|>assistant\\n' + content }}{%- endif %}{{- '<|im_end|>\\n' }}"
    "{%- else %}{{- '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}{%- endif %}"
    "{%- endfor %}{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"
)
GPT_OSS = (
    "{%- for m in messages %}{%- if m.role == 'assistant' %}"
    "{{- '<|start|>assistant<|channel|>final<|message|>' + m.content }}"
    "{%- if loop.last %}{{- '<|return|>' }}{%- else %}{{- '<|end|>' }}{%- endif %}"
    "{%- else %}{{- '<|start|>' + m.role + '<|message|>' + m.content + '<|end|>' }}{%- endif %}"
    "{%- endfor %}{%- if add_generation_prompt %}{{- '<|start|>assistant' }}{%- endif %}"
)
LLAMA = (
    "{{ bos_token }}{% for m in messages %}<|im_start|>{{ m.role }}<|message|>\n\n"
    "{{ m.content | trim }}<|im_end|>{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant<|message|>\n\n{% endif %}"
)
MISTRAL = (
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}[INST] {{ m.content }} [/INST]"
    "{% else %} {{ m.content }}</s>{% endif %}{% endfor %}"
)
_SPECIAL = [
    *["<s>", "</s>", "<pad>", "<|im_start|>", "<|im_end|>", "<|start|>", "<|end|>", "<|return|>"],
    *["<|channel|>", "<|message|>"],
]


def _fast(core: Tokenizer, end: str, template: str = "") -> Any:
    made = PreTrainedTokenizerFast(
        tokenizer_object=core,
        bos_token="<s>",
        eos_token=end,
        pad_token="<pad>",
        clean_up_tokenization_spaces=False,
    )
    made.chat_template = template or None
    return made


def byte_level(
    end: str = "</s>", template: str = "", around: str = "", special: Sequence[str] = _SPECIAL
) -> Any:
    """A byte-level BPE in which `:` and the line break behind it are one token.

    Args:
        end: Its end token.
        template: Its chat template.
        around: What it puts around a text, such as ``<s> $A``.
        special: Its special tokens.
    """
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(_PIECES, "isolated"),
            pre_tokenizers.ByteLevel(False, use_regex=False),
        ]
    )
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=420,
        special_tokens=[*special],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    core.train_from_iterator(_TEXT * 2, trainer)
    core.add_tokens(["<think>", "</think>"])  # not special, as Qwen3 has them
    if around:
        parts = [("<s>", core.token_to_id("<s>")), ("</s>", core.token_to_id("</s>"))]
        core.post_processor = processors.TemplateProcessing(single=around, special_tokens=parts)
    return _fast(core, end, template)


def of_template(template: str) -> Any:
    """A tokenizer whose special tokens are those that a template writes."""
    written = re.findall(r"<\|[^|<>]+\|>|<[a-z_|]+>|<｜[^｜]+｜>|\[/?[A-Z_]+\]", template)
    own = [token for token in dict.fromkeys(written) if "think" not in token]
    # Where a template ends answers with a token that is no end yet, as of base models.
    return byte_level("</s>", template, special=[*dict.fromkeys(["<s>", "</s>", "<pad>", *own])])


def llama_2() -> Any:
    """A BPE as SentencePiece makes it: a blank before all, letters that it lacks as bytes."""
    letters = sorted({letter for text in _TEXT for letter in text} - {" ", "\n"} | {*"/>s"})
    words = ["<unk>", *_SPECIAL, *(f"<0x{byte:02X}>" for byte in range(256)), "▁", *letters]
    vocabulary = {word: number for number, word in enumerate([*words, "긍정", "▁긍", "</", "</s"])}
    # The last makes a special token out of letters.
    merges = [("긍", "정"), ("▁", "긍"), ("<", "/"), ("</", "s"), ("</s", ">")]
    core = Tokenizer(
        models.BPE(vocabulary, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    )
    core.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    core.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    core.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", vocabulary["<s>"])]
    )
    core.add_special_tokens(_SPECIAL)
    return _fast(core, "</s>", MISTRAL)


def sentence_pieces(template: str = "") -> Any:
    """A Unigram model with blanks as `▁`, as SentencePiece makes it; it adds `<s>` by itself."""
    core = Tokenizer(models.Unigram())
    core.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    core.decoder = decoders.Metaspace(prepend_scheme="first")
    letters = sorted({letter for text in _TEXT for letter in text} | set("<|>/_abcdefghimnrst"))
    trainer = trainers.UnigramTrainer(
        vocab_size=400,
        special_tokens=["<unk>", *_SPECIAL],
        unk_token="<unk>",
        initial_alphabet=letters,
        show_progress=False,
    )
    core.train_from_iterator([*_TEXT * 2, *letters], trainer)
    core.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", core.token_to_id("<s>"))]
    )
    return _fast(core, "</s>", template)


TOKENIZERS: dict[str, Callable[[], Any]] = {
    "colon and line break are one": lambda: byte_level(template=CHATML),
    "adds a beginning": lambda: byte_level(template=CHATML, around="<s> $A"),
    "adds an end": lambda: byte_level(template=CHATML, around="<s> $A </s>"),
    "qwen3": lambda: byte_level("<|im_end|>", QWEN3),
    "base with chatml": lambda: byte_level("</s>", CHATML),
    "gpt-oss": lambda: byte_level("<|return|>", GPT_OSS),
    "llama": lambda: byte_level("<|im_end|>", LLAMA, "<s> $A"),
    "mistral": lambda: byte_level("</s>", MISTRAL, "<s> $A"),
    "llama 2": llama_2,
    "sentencepiece": lambda: sentence_pieces(CHATML),
}
