"""Every setting of a training run, and the presets: named sets of them in ``presets/*.yaml``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from kit19.catalog.card import Card
from kit19.catalog.yaml_file import fit_model, load_model, read_yaml
from kit19.core.errors import (
    CatalogError,
    Problem,
    UnknownNameError,
    convert_os_errors,
    suggest_names,
)

PRESETS = Path(__file__).parent / "presets"
"""The presets that kit19 carries."""

Fault = Literal["lost_answers", "unknown_tokens", "byte_tokens"]
"""What preflight stops at, but a person may allow; the other faults have no use that we know."""

# Above these a value is a mistake, and what it leads to is a full memory or a step that never ends.
_TOKENS, _MANY, _STEPS, _LARGE = 100_000_000, 1_000_000, 1_000_000_000, 1e6
_NAMES = re.compile(r"[\w.-]+(\s*,\s*[\w.-]+)*")  # of modules, with commas between them

_PresetName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9._-]*$")]


class Lora(Card):
    """The adapter of ``method: lora`` and ``qlora``."""

    rank: int = Field(default=16, ge=1, le=65_536, description="inner width of the adapter")
    alpha: int = Field(default=32, ge=1, le=1_000_000, description="its weight is alpha / rank")
    dropout: float = Field(default=0.05, ge=0, lt=1, description="of its input")
    targets: str | list[str] = Field(
        default="all-linear",
        description="modules that get one: `all-linear`, names, or a regular expression of whole "
        "names; PEFT's own default takes 1 of GPT-NeoX's 4 linear layers",
    )

    @field_validator("targets")
    @classmethod
    def _names(cls, value: str | list[str]) -> str | list[str]:
        # PEFT takes any text for a regular expression, and `q_proj` matches no module's whole name.
        if isinstance(value, str) and value != "all-linear" and _NAMES.fullmatch(value):
            return [name.strip() for name in value.split(",")]
        return value


class Tiny(Card):
    """A model made from nothing: a GPT-NeoX, and a byte-level BPE trained on the rows."""

    layers: int = Field(default=2, ge=1, le=1_000, description="transformer layers")
    hidden: int = Field(default=64, ge=8, le=16_384, description="width; a multiple of `heads`")
    heads: int = Field(default=4, ge=1, le=1_024, description="attention heads")
    vocabulary: int = Field(
        default=4096, ge=300, le=1_000_000, description="tokens, the 256 bytes among them"
    )

    @model_validator(mode="after")
    def _divides(self) -> Self:
        if self.hidden % self.heads:
            raise ValueError("`hidden` must be a multiple of `heads`")
        return self


class Settings(Card):
    """All that decides a run beside the model and the rows."""

    id: _PresetName = Field(default="own", description="name of the preset")
    title: str = Field(default="", description="for people")
    about: str = Field(default="", description="what it is for, and what was not tried")
    model: str = Field(default="", description="base model: Hub id or folder; empty for `tiny`")
    revision: str = Field(default="", description="commit, tag or branch on the Hub")
    tiny: Tiny | None = Field(default=None, description="make a model from nothing instead")
    stated: dict[str, str] = Field(
        default={}, description="settings that somebody stated → who; all others are ours"
    )

    format: str = Field(default="alpaca", description="prompt format: a name, or a YAML file")
    end: str = Field(
        default="",
        description="token that ends an answer; default: what the chat template writes, else the "
        "tokenizer's end token",
    )
    method: Literal["full", "lora", "qlora"] = Field(
        default="full", description="all weights, an adapter, or one on 4-bit weights"
    )
    lora: Lora = Field(default=Lora(), description="the adapter, where there is one")

    max_length: int = Field(
        default=1024,
        ge=16,
        le=_TOKENS,
        description="tokens of a row; longer rows lose their answer's end",
    )
    long_rows: Literal["drop", "cut"] = Field(
        default="drop",
        description="`drop` rows that are too long, or `cut` them: they then never teach to stop",
    )
    max_overlong_fraction: float = Field(
        default=0.05, ge=0, le=1, description="stop if more than this share of rows is too long"
    )
    allow: list[Fault] = Field(default=[], description="faults of preflight to go on in spite of")
    layout: Literal["packed", "grouped", "padded"] = Field(
        default="packed",
        description="several rows in one line, unseen by each other; rows of like length together; "
        "or neither",
    )
    pack_length: int = Field(
        default=0, ge=0, le=_TOKENS, description="tokens of a line; 0 for `max_length`"
    )

    per_device_train_batch_size: int = Field(
        default=8, ge=1, le=_MANY, description="lines on one device at once"
    )
    gradient_accumulation_steps: int = Field(
        default=1, ge=1, le=_MANY, description="batches before each step"
    )
    learning_rate: float = Field(default=2e-5, gt=0, le=_LARGE, description="at its highest")
    lr_scheduler_type: str = Field(default="cosine", description="as transformers names it")
    warmup_ratio: float = Field(
        default=0.03, ge=0, lt=1, description="share of the steps to warm up in"
    )
    weight_decay: float = Field(default=0.0, ge=0, le=_LARGE, description="of AdamW")
    max_grad_norm: float = Field(
        default=1.0, gt=0, le=_LARGE, description="largest norm of the gradient"
    )
    num_train_epochs: float = Field(default=2, gt=0, le=_MANY, description="times through the rows")
    max_steps: int = Field(
        default=0, ge=0, le=_STEPS, description="at most so many steps; 0 for no limit"
    )
    optim: str = Field(default="adamw_torch", description="as transformers names it")

    precision: Literal["auto", "bf16", "fp32"] = Field(
        default="auto", description="`auto`: bf16 where the device computes in it, else fp32"
    )
    weights_dtype: Literal["fp32", "bf16"] = Field(
        default="fp32", description="what trained weights are kept in; frozen ones are always bf16"
    )
    attn_implementation: Literal["auto", "sdpa", "eager", "flash_attention_2"] = Field(
        default="auto", description="`auto`: flash where it is installed, else sdpa"
    )
    gradient_checkpointing: bool = Field(
        default=False, description="compute activations again instead of keeping them"
    )
    threads: int = Field(
        default=0, ge=0, le=4_096, description="CPU threads; 0: kit19 tries what is fast"
    )

    validation: int = Field(
        default=200,
        ge=0,
        le=_STEPS,
        description="rows held out by hash where the data has no validation",
    )
    eval_steps: int = Field(
        default=0,
        ge=0,
        le=_STEPS,
        description="steps; 0: as `save_steps` if `best`, else each epoch's end",
    )
    save_steps: int = Field(
        default=0,
        ge=0,
        le=_STEPS,
        description="steps; 0: as `eval_steps` if `best`, else each epoch's end",
    )
    save_total_limit: int = Field(default=2, ge=1, le=_STEPS, description="checkpoints to keep")
    best: bool = Field(default=True, description="end with the weights of the lowest loss")
    early_stopping_patience: int = Field(
        default=0,
        ge=0,
        le=_STEPS,
        description="stop after so many evaluations without a lower loss; 0: never",
    )
    logging_steps: int = Field(
        default=10, ge=1, le=_STEPS, description="steps between two points of the curve"
    )
    report_to: list[str] = Field(
        default=[], description="wandb, tensorboard … as transformers names them; one or a list"
    )
    seed: int = Field(
        default=19, ge=0, le=2**32 - 1, description="of weights made anew, order and dropout"
    )

    @field_validator("report_to", mode="before")
    @classmethod
    def _one_or_more(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if self.tiny and self.model:
            raise ValueError("`tiny` makes a model from nothing; then `model` must be empty")
        if self.tiny and self.method != "full":
            raise ValueError("a model made from nothing has no weights to keep: `method` is full")
        if self.pack_length and self.pack_length < self.max_length:
            raise ValueError("`pack_length` must not be below `max_length`")
        if self.early_stopping_patience and not self.best:
            raise ValueError(
                "`early_stopping_patience` needs `best`, or the run ends past its best weights"
            )
        unknown = sorted(set(self.stated) - set(type(self).model_fields))
        if unknown:
            raise ValueError(f"`stated` names no setting: {', '.join(unknown)}")
        return self

    @property
    def sequence_length(self) -> int:
        """Tokens of a packed sequence."""
        return self.pack_length or self.max_length


_INSIDE: dict[str, type[Card]] = {"lora": Lora, "tiny": Tiny}  # settings that have settings


def preset_names() -> list[str]:
    """Ids of all presets."""
    return sorted(path.stem for path in PRESETS.glob("*.yaml"))


@convert_os_errors
def load_preset(name: str = "", changes: Mapping[str, Any] | None = None) -> Settings:
    """Settings by name, or from a YAML file of the user's, with some values replaced.

    Args:
        name: A preset's id, the path of a YAML file, or empty for the defaults.
        changes: Values that replace the preset's (the command line's ``--set``). ``lora.rank`` and
            the like reach inside.

    Raises:
        UnknownNameError: There is no such preset, or no such setting.
        CatalogError: A value is not valid; file, line and key are told.
    """
    path = Path(name)
    if name and path.suffix not in {".yaml", ".yml"}:
        if name not in preset_names():
            what = f"there is no preset {name!r}"
            fix = f"{suggest_names(name, preset_names())} A file of yours must end in .yaml"
            raise UnknownNameError(Problem(what, fix=fix))
        path = PRESETS / f"{name}.yaml"
    if not changes:
        return load_model(path, Settings)[0] if name else Settings()
    data, lines = read_yaml(path) if name else ({}, {})
    if not isinstance(data, dict):
        raise CatalogError(Problem("a preset is a mapping of keys to values", str(path)))
    for key, value in changes.items():
        outer, _, inner = key.partition(".")
        _refuse_unknown(key, outer, inner)
        data[outer] = {**(data.get(outer) or {}), inner: value} if inner else value
    changed = {key.partition(".")[0] for key in changes}
    return fit_model(data, lines, name or "the settings", Settings, changed=changed)


def _refuse_unknown(key: str, outer: str, inner: str) -> None:
    known = set(Settings.model_fields)
    if inner and outer in _INSIDE:
        known = {f"{outer}.{name}" for name in _INSIDE[outer].model_fields}
    if key not in known:
        raise UnknownNameError(
            Problem(f"there is no setting {key!r}", fix=suggest_names(key, known))
        )
