"""What is read of the documents of lm-evaluation-harness 0.4: the rest of them is not looked at."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

_MOST = 2**32 - 1  # what a column of item numbers holds

Fields = dict[str, Any]


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True)


class Document(_Part):
    """``results_<time>.json``; parts of single tasks are looked at one by one."""

    results: Fields
    configs: Fields = {}
    versions: Fields = {}
    shots: Fields = Field(default={}, alias="n-shot")
    counts: Fields = Field(default={}, alias="n-samples")
    group_subtasks: Fields = {}
    config: Fields = {}
    model_name: str | None = None
    chat_template: str | None = None
    system_instruction: str | None = None


class TaskConfig(_Part):
    """A task's entry in ``configs``."""

    output_type: str = "multiple_choice"
    target_delimiter: str = " "
    gen_prefix: str | None = None
    test_split: str | None = None
    validation_split: str | None = None
    metric_list: Any = None

    @property
    def predicts_only(self) -> bool:
        """Whether answers were not scored (``--predict_only``): the harness then names no metric."""
        listed = self.metric_list if isinstance(self.metric_list, list) else []
        return any(isinstance(one, dict) and one.get("metric") == "bypass" for one in listed)

    def delimiter(self, *, chat: bool) -> str:
        """What the harness puts between the prompt and each choice.

        In a chat template an answer begins a turn of its own, so there is none; unless the task begins
        the answer itself (``gen_prefix``), and with no blank at the end.
        """
        if not chat or (self.gen_prefix and not self.gen_prefix[-1].isspace()):
            return self.target_delimiter
        return ""


class Count(_Part):
    """A task's entry in ``n-samples``."""

    effective: int | None = None


class Stated(_Part):
    """All that is said of one task outside of its items."""

    scores: Fields
    config: TaskConfig
    version: str | float | None
    shots: Annotated[int, Field(ge=0, le=_MOST)]
    count: Count


class Argument(_Part):
    """One request: the prompt, and the choice with its delimiter."""

    arg_0: str
    arg_1: str


class Item(_Part):
    """A line of ``samples_<task>_<time>.jsonl`` of a task with choices."""

    doc_id: Annotated[int, Field(ge=0, le=_MOST)]
    doc: Any = None
    arguments: Annotated[dict[str, Argument], Field(min_length=1)]
    answers: Annotated[list[tuple[FiniteFloat, Any]], Field(alias="filtered_resps")]
    target: Any
    acc: FiniteFloat | None = None
    filter: str = "none"


def stated(document: Document, name: str) -> Stated:
    """What a document says of one task.

    Raises:
        ValidationError: It has another shape.
    """
    return Stated.model_validate(
        {
            "scores": document.results[name],
            "config": document.configs.get(name, {}),
            "version": document.versions.get(name, ""),
            "shots": document.shots.get(name, 0),
            "count": document.counts.get(name, {}),
        }
    )


def first_error(error: ValidationError) -> str:
    """The first thing that is wrong: where it stands, and what should be there."""
    first = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
