"""How LLaMA-Factory and axolotl read a build, as its dataset card shows it.

axolotl takes a file that exists from ``path``; with ``data_files`` alone it asks the Hub.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kit19.catalog.recipe import Format

_CONVERSATIONS: Mapping[Format, str] = {
    "messages": """{{"kit19": {{"file_name": "{file}", "formatting": "sharegpt",
           "columns": {{"messages": "messages"}},
           "tags": {{"role_tag": "role", "content_tag": "content", "user_tag": "user",
                    "assistant_tag": "assistant", "system_tag": "system"}}}}}}""",
    "sharegpt": """{{"kit19": {{"file_name": "{file}", "formatting": "sharegpt",
           "columns": {{"messages": "conversations"}},
           "tags": {{"role_tag": "from", "content_tag": "value", "user_tag": "human",
                    "assistant_tag": "gpt", "system_tag": "system"}}}}}}""",
    "alpaca": """{{"kit19": {{"file_name": "{file}",
           "columns": {{"prompt": "instruction", "query": "input", "response": "output",
                       "system": "system", "history": "history"}}}}}}""",
}
"""Entries of LLaMA-Factory for builds with conversations; the first export that there is counts."""

_AXOLOTL: Mapping[Format, str] = {
    "messages": """    type: chat_template
    field_messages: messages
""",
    "sharegpt": """    type: chat_template
    field_messages: conversations
    message_property_mappings:
      role: from
      content: value
""",
}
"""axolotl reads no history of Alpaca rows."""

_TEXTS = """{{"kit19": {{"file_name": "{file}",
           "columns": {{"prompt": "instruction", "query": "input", "response": "output"}}}}}}"""


def trainers_section(formats: Sequence[Format], *, has_conversations: bool) -> str:
    """Return the section of a dataset card on trainers.

    Args:
        formats: The exports of the build.
        has_conversations: Whether some rows are conversations.
    """
    if has_conversations:
        return _of_conversations(formats)
    file = "data/train-00000-of-00001.parquet"
    if "alpaca" in formats:
        file = _file("alpaca")
    return _section("", _TEXTS.format(file=file), _axolotl(file, "    type: alpaca\n"))


def _of_conversations(formats: Sequence[Format]) -> str:
    first: Format = next((kind for kind in _CONVERSATIONS if kind in formats), "messages")
    turns: Format = next((kind for kind in _AXOLOTL if kind in formats), "messages")
    note = ""
    if turns not in formats:
        note = "Build with `--format messages` to have every row as turns in one file.\n\n"
    file = _file(first)
    entry = _CONVERSATIONS[first].format(file=file)
    return _section(note, entry, _axolotl(_file(turns), _AXOLOTL[turns]))


def _file(kind: Format) -> str:
    return f"exports/{kind}-train.jsonl"


def _axolotl(file: str, how: str) -> str:
    kind = "parquet" if file.endswith(".parquet") else "json"
    return f"datasets:\n  - path: path/to/this/folder/{file}\n    ds_type: {kind}\n{how}"


def _section(note: str, llama_factory: str, axolotl: str) -> str:
    return f"""## In trainers

{note}LLaMA-Factory, `dataset_info.json` (with `dataset_dir` set to this folder):

```json
{llama_factory}
```

axolotl:

```yaml
{axolotl}```
"""
