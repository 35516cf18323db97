"""The requests that the server takes: the parts of OpenAI's API that change an answer.

A field that would change the answer in a way that the server cannot is refused, never ignored.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

MAX_STOPS = 16
MAX_LOGPROBS = 20

# Fields that clients send for their own purposes, or whose only value here is the default.
_IGNORED = frozenset(
    {
        "metadata",
        "model",
        "parallel_tool_calls",
        "prompt_cache_key",
        "safety_identifier",
        "service_tier",
        "store",
        "user",
    }
)
_DEFAULTS: dict[str, tuple[Any, ...]] = {
    "best_of": (1,),
    "frequency_penalty": (0,),
    "function_call": ("none",),
    "functions": ([],),
    "logit_bias": ({},),
    "modalities": (["text"],),
    "n": (1,),
    "presence_penalty": (0,),
    "response_format": ({"type": "text"},),
    "suffix": ("",),
    "tool_choice": ("none", "auto"),
    "tools": ([],),
}
"""Fields with the values that change nothing; null is one for each."""


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    max_tokens: Annotated[int, Field(ge=0)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    seed: Annotated[int, Field(ge=0, lt=2**63)] | None = None
    stop: list[str] = []
    stream: bool = False
    stream_options: dict[str, Any] | None = None

    @model_validator(mode="before")
    @classmethod
    def _refuse_unsupported(cls, body: Any) -> Any:
        if not isinstance(body, dict):
            raise ValueError("the body is a JSON object")
        kept = {}
        for name, value in body.items():
            if name in _DEFAULTS:
                if value is not None and value not in _DEFAULTS[name]:
                    raise ValueError(f"`{name}` is not supported: leave it out")
            elif name not in _IGNORED and value is not None:
                kept[name] = value
        return kept

    @field_validator("stop", mode="before")
    @classmethod
    def _list_stops(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    @field_validator("stop")
    @classmethod
    def _check_stops(cls, stops: list[str]) -> list[str]:
        if len(stops) > MAX_STOPS or "" in stops:
            raise ValueError(f"at most {MAX_STOPS} texts, none of them empty")
        return stops

    @property
    def include_usage(self) -> bool:
        """Whether the last event of a stream has the numbers of tokens."""
        return bool((self.stream_options or {}).get("include_usage"))


def _content(value: Any) -> Any:
    """The text of a message, also if it is a list of parts."""
    if not isinstance(value, list):
        return value
    texts = []
    for part in value:
        text = part.get("text") if isinstance(part, dict) and part.get("type") == "text" else None
        if not isinstance(text, str):
            raise ValueError("only parts of type text are supported")
        texts.append(text)
    return "".join(texts)


class Message(BaseModel):
    """One turn of a conversation."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    role: Literal["system", "developer", "user", "assistant"]
    content: Annotated[str, BeforeValidator(_content)]
    name: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _drop_nulls(cls, message: Any) -> Any:
        """Without the fields that are null, as clients send an answer back (``refusal: null``)."""
        if not isinstance(message, dict):
            return message
        return {name: value for name, value in message.items() if value is not None}

    @property
    def turn(self) -> dict[str, str]:
        """The turn as prompt formats take it."""
        role = "system" if self.role == "developer" else self.role
        return {"role": role, "content": self.content}


class ChatRequest(_Request):
    """A request for the answer to the last turn of a conversation."""

    messages: list[Message] = Field(min_length=1)
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    logprobs: Literal[False] = False

    @model_validator(mode="after")
    def _ends_with_a_question(self) -> Self:
        if self.messages[-1].role != "user" or not self.messages[-1].content.strip():
            raise ValueError("the last message is from the user and not empty")
        return self


Tokens = Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)]


class CompletionRequest(_Request):
    """A request for the text after a prompt, or for the log-likelihoods of its tokens."""

    prompt: str | Tokens | list[str] | list[Tokens]
    echo: bool = False
    logprobs: Annotated[int, Field(ge=0, le=MAX_LOGPROBS)] | None = None

    @property
    def prompts(self) -> list[str | list[int]]:
        """The prompts as a list."""
        if isinstance(self.prompt, str):
            return [self.prompt]
        found: list[str | list[int]] = []
        tokens: list[int] = []
        for one in self.prompt:
            if isinstance(one, int):
                tokens.append(one)
            else:
                found.append(one)
        return [tokens] if tokens else found

    @model_validator(mode="after")
    def _check_parts(self) -> Self:
        if not self.prompts:
            raise ValueError("`prompt` is not empty")
        if self.stream and (self.echo or self.logprobs is not None or len(self.prompts) > 1):
            raise ValueError("a stream has one prompt, no `echo` and no `logprobs`")
        if self.logprobs is not None and not (self.echo and (self.max_tokens or 0) <= 1):
            raise ValueError("`logprobs` needs `echo: true` and `max_tokens` 0 or 1")
        return self
