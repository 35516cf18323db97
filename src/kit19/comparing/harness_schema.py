"""The parts of lm-evaluation-harness 0.4's documents that kit19 reads; other keys are ignored."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

_MAX_DOC_ID = 2**32 - 1  # the largest value of the doc_id column

Fields = dict[str, Any]


class SkippedTaskError(Exception):
    """The reason why a task of valid results cannot be compared."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True)


class Document(_Part):
    """``results_<time>.json``; entries of single tasks are validated one by one."""

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

    def groups(self) -> dict[str, list[str]]:
        """The members of the groups; groups without members are left out."""
        return {
            name: [str(member) for member in members]
            for name, members in self.group_subtasks.items()
            if isinstance(members, list) and members
        }


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
        """Whether answers were not scored (``--predict_only``): the metric is then ``bypass``."""
        listed = self.metric_list if isinstance(self.metric_list, list) else []
        return any(isinstance(entry, dict) and entry.get("metric") == "bypass" for entry in listed)

    def delimiter(self, *, chat: bool) -> str:
        """The delimiter that the harness puts between the prompt and each choice.

        In a chat template an answer begins a new turn, so there is no delimiter, unless the task starts
        the answer (``gen_prefix``) with text that does not end in a space.
        """
        if not chat or (self.gen_prefix and not self.gen_prefix[-1].isspace()):
            return self.target_delimiter
        return ""


class Count(_Part):
    """A task's entry in ``n-samples``."""

    effective: int | None = None


class TaskStatement(_Part):
    """Everything that a document states about a task, except its items."""

    scores: Fields
    config: TaskConfig
    version: str | float | None
    shots: Annotated[int, Field(ge=0, le=_MAX_DOC_ID)]
    count: Count


class Argument(_Part):
    """One request: the prompt, and the choice with its delimiter."""

    arg_0: str
    arg_1: str


class Item(_Part):
    """A line of ``samples_<task>_<time>.jsonl`` of a multiple-choice task."""

    doc_id: Annotated[int, Field(ge=0, le=_MAX_DOC_ID)]
    doc: Any = None
    arguments: Annotated[dict[str, Argument], Field(min_length=1)]
    answers: Annotated[list[tuple[FiniteFloat, Any]], Field(alias="filtered_resps")]
    target: Any
    acc: FiniteFloat | None = None
    filter: str = "none"


def task_statement(document: Document, name: str) -> TaskStatement:
    """Parse what a document states about one task.

    Raises:
        ValidationError: A value has an unexpected type.
    """
    return TaskStatement.model_validate(
        {
            "scores": document.results[name],
            "config": document.configs.get(name, {}),
            "version": document.versions.get(name, ""),
            "shots": document.shots.get(name, 0),
            "count": document.counts.get(name, {}),
        }
    )


def first_error(error: ValidationError) -> str:
    """The location and message of the first validation error."""
    first = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
