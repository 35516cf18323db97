"""Every setting of a training run, and the presets: named sets of them in ``presets/*.yaml``."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from kit19.catalog.card import Card
from kit19.catalog.yaml_file import fit_model, load_model, read_yaml
from kit19.core.arguments import public
from kit19.core.errors import (
    ArgumentError,
    CatalogError,
    Problem,
    UnknownNameError,
    suggest_names,
)

PRESETS = Path(__file__).parent / "presets"
"""The folder of the built-in presets."""

Fault = Literal["lost_answers", "unknown_tokens", "byte_tokens"]
"""Preflight faults that `allow` can accept. The others always stop a run."""

LossOn = Literal["all", "last"]
"""Which answers of a conversation have a loss."""

LongRows = Literal["drop", "shorten", "cut"]
"""What becomes of rows that are too long."""

# Larger values are mistakes: they lead to a full memory or to a step that never ends.
_TOKENS, _MANY, _STEPS, _LARGE = 100_000_000, 1_000_000, 1_000_000_000, 1e6
_NAMES = re.compile(r"[\w.-]+(\s*,\s*[\w.-]+)*")  # names of modules, separated by commas

_PresetName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9._-]*$")]


class Lora(Card):
    """The adapter of ``method: lora`` and ``qlora``."""

    rank: int = Field(default=16, ge=1, le=65_536, description="rank of the adapter")
    alpha: int = Field(
        default=32, ge=1, le=1_000_000, description="the adapter is scaled by alpha / rank"
    )
    dropout: float = Field(default=0.05, ge=0, lt=1, description="dropout of the adapter's input")
    variant: Literal["lora", "rslora", "dora", "pissa"] = Field(
        default="lora",
        description="`lora`; `rslora`: scaled by alpha / √rank; `dora`: magnitudes of weights are "
        "trained too; `pissa`: begins with the largest singular values of the weights, saved as plain "
        "LoRA of twice the rank",
    )
    modules_to_save: list[str] = Field(
        default=[],
        description="modules that are trained and saved whole, by name, such as `lm_head`",
    )
    targets: str | list[str] = Field(
        default="all-linear",
        description="modules to adapt: `all-linear`, names, or a regular expression for full names; "
        "PEFT's default takes 1 of GPT-NeoX's 4 linear layers",
    )

    @field_validator("targets")
    @classmethod
    def _split_names(cls, value: str | list[str]) -> str | list[str]:
        # PEFT treats any string as a regular expression, and `q_proj` matches no full module name.
        if isinstance(value, str) and value != "all-linear" and _NAMES.fullmatch(value):
            return [name.strip() for name in value.split(",")]
        return value


class Tiny(Card):
    """A new model with random weights: a GPT-NeoX, and a byte-level BPE trained on the rows."""

    layers: int = Field(default=2, ge=1, le=1_000, description="transformer layers")
    hidden: int = Field(default=64, ge=8, le=16_384, description="width; a multiple of `heads`")
    heads: int = Field(default=4, ge=1, le=1_024, description="attention heads")
    vocabulary: int = Field(
        default=4096, ge=300, le=1_000_000, description="tokens, including the 256 bytes"
    )

    @model_validator(mode="after")
    def _check_width(self) -> Self:
        if self.hidden % self.heads:
            raise ValueError("`hidden` must be a multiple of `heads`")
        return self


class Settings(Card):
    """The settings of a training run."""

    id: _PresetName = Field(default="own", description="name of the preset")
    title: str = Field(default="", description="title, for display")
    about: str = Field(default="", description="purpose, and what is untested")
    model: str = Field(
        default="",
        description="base model: Hub id (or owner/name@revision) or folder; empty for `tiny`",
    )
    revision: str = Field(default="", description="commit, tag or branch on the Hub")
    tiny: Tiny | None = Field(default=None, description="train a new small model instead")
    stated: dict[str, str] = Field(
        default={}, description="published settings → their source; the other values are ours"
    )

    new_tokens: list[str] = Field(
        default=[],
        description="tokens to add; their embeddings begin at the mean of the others, and adapters "
        "train and save the embeddings whole",
    )
    format: str = Field(default="alpaca", description="prompt format: a name, or a YAML file")
    end: str = Field(
        default="",
        description="token that ends an answer; default: the one that the chat template writes, else "
        "the tokenizer's end token",
    )
    date: str = Field(
        default="",
        pattern=r"^(\d{4}-\d{2}-\d{2})?$",
        description="date that chat templates write (YYYY-MM-DD); default: the day of the start",
    )
    method: Literal["full", "lora", "qlora"] = Field(
        default="full", description="all weights, an adapter, or an adapter on 4-bit weights"
    )
    lora: Lora = Field(default=Lora(), description="the adapter of `lora` and `qlora`")

    loss_on: LossOn = Field(
        default="all",
        description="answers of a conversation that have a loss: `all`, or the `last`",
    )
    rewritten_turns: Literal["split", "stop"] = Field(
        default="split",
        description="if the chat template writes earlier turns differently from the last: `split` the "
        "conversation into one sequence for each answer, or `stop`",
    )

    max_length: int = Field(
        default=1024,
        ge=16,
        le=_TOKENS,
        description="maximum tokens of a row; see `long_rows`",
    )
    long_rows: LongRows = Field(
        default="drop",
        description="`drop` rows that are too long; `shorten` conversations by their oldest turns, and "
        "drop what is still too long; or `cut` rows, so that they have no end token",
    )
    max_overlong_fraction: float = Field(
        default=0.05,
        ge=0,
        le=1,
        description="stop if a larger share of rows is too long and not shortened",
    )
    allow: list[Fault] = Field(default=[], description="preflight faults to accept")
    layout: Literal["packed", "grouped", "padded"] = Field(
        default="packed",
        description="isolated rows in one sequence; rows of similar length in a batch; or neither",
    )
    pack_length: int = Field(
        default=0, ge=0, le=_TOKENS, description="tokens of a packed sequence; 0 for `max_length`"
    )

    per_device_train_batch_size: int = Field(
        default=8, ge=1, le=_MANY, description="sequences in a batch on each device"
    )
    gradient_accumulation_steps: int = Field(
        default=1, ge=1, le=_MANY, description="batches per optimizer step"
    )
    learning_rate: float = Field(default=2e-5, gt=0, le=_LARGE, description="peak learning rate")
    lr_scheduler_type: str = Field(
        default="cosine", description="schedule of the learning rate, by its name in transformers"
    )
    warmup_ratio: float = Field(
        default=0.03, ge=0, lt=1, description="share of the steps with a rising learning rate"
    )
    weight_decay: float = Field(default=0.0, ge=0, le=_LARGE, description="weight decay of AdamW")
    max_grad_norm: float = Field(
        default=1.0, gt=0, le=_LARGE, description="gradients are clipped to this norm"
    )
    num_train_epochs: float = Field(default=2, gt=0, le=_MANY, description="passes over the rows")
    max_steps: int = Field(default=0, ge=0, le=_STEPS, description="maximum steps; 0 for no limit")
    optim: str = Field(
        default="adamw_torch",
        description="optimizer, by its name in transformers: `adafactor`, `adamw_8bit`, "
        "`paged_adamw_8bit` …",
    )
    neftune_alpha: float = Field(
        default=0.0, ge=0, le=_LARGE, description="strength of NEFTune's noise on embeddings"
    )
    label_smoothing: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="share of the loss spread over all tokens; training only",
    )

    precision: Literal["auto", "bf16", "fp32"] = Field(
        default="auto",
        description="compute dtype; `auto`: bf16 if the device supports it, else fp32",
    )
    weights_dtype: Literal["fp32", "bf16"] = Field(
        default="fp32", description="dtype of trained weights; frozen weights are always bf16"
    )
    attn_implementation: Literal["auto", "sdpa", "eager", "flash_attention_2"] = Field(
        default="auto", description="`auto`: FlashAttention if it is installed, else sdpa"
    )
    gradient_checkpointing: bool = Field(
        default=False, description="recompute activations instead of storing them"
    )
    liger_kernels: bool = Field(
        default=False, description="Liger's fused kernels; needs a CUDA GPU and liger-kernel"
    )
    torch_compile: bool = Field(
        default=False, description="compile the model with torch.compile; needs a C++ compiler"
    )
    threads: int = Field(
        default=0, ge=0, le=4_096, description="CPU threads; 0: chosen by the size of the model"
    )

    validation: int = Field(
        default=200,
        ge=0,
        le=_STEPS,
        description="rows to hold out by hash if the data has no validation split",
    )
    eval_steps: int = Field(
        default=0,
        ge=0,
        le=_STEPS,
        description="steps between evaluations; 0: `save_steps` if `best`, else each epoch",
    )
    save_steps: int = Field(
        default=0,
        ge=0,
        le=_STEPS,
        description="steps between checkpoints; 0: `eval_steps` if `best`, else each epoch",
    )
    save_total_limit: int = Field(
        default=2, ge=1, le=_STEPS, description="checkpoints to keep, besides the best"
    )
    best: bool = Field(
        default=True, description="end with the weights of the lowest validation loss"
    )
    early_stopping_patience: int = Field(
        default=0,
        ge=0,
        le=_STEPS,
        description="stop after this many evaluations without a lower loss; 0: never",
    )
    logging_steps: int = Field(
        default=10, ge=1, le=_STEPS, description="steps between points of the loss curve"
    )
    report_to: list[str] = Field(
        default=[],
        description="wandb, tensorboard …, by their names in transformers; one or a list",
    )
    seed: int = Field(
        default=19, ge=0, le=2**32 - 1, description="seed of new weights, order and dropout"
    )

    @field_validator("report_to", "new_tokens", mode="before")
    @classmethod
    def _as_list(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    @field_validator("date")
    @classmethod
    def _check_date(cls, value: str) -> str:
        if value:
            datetime.date.fromisoformat(value)
        return value

    @model_validator(mode="after")
    def _check_consistency(self) -> Self:
        if self.tiny and self.model:
            raise ValueError("`tiny` trains a new model, so `model` must be empty")
        if self.tiny and self.method != "full":
            raise ValueError("a new model has no pretrained weights, so `method` must be full")
        if self.pack_length and self.pack_length < self.max_length:
            raise ValueError("`pack_length` must not be below `max_length`")
        if self.early_stopping_patience and not self.best:
            raise ValueError(
                "`early_stopping_patience` needs `best`, or the run does not end with its best weights"
            )
        if self.tiny and self.new_tokens:
            raise ValueError(
                "a new model has a tokenizer of its own, so `new_tokens` must be empty"
            )
        if self.method == "qlora" and self.lora.variant == "pissa":
            raise ValueError(
                "`pissa` decomposes weights, which 4-bit weights do not allow; use lora"
            )
        if self.lora.variant == "pissa" and (self.lora.modules_to_save or self.new_tokens):
            raise ValueError("`pissa` is saved as plain LoRA, without modules that are saved whole")
        unknown = sorted(set(self.stated) - set(type(self).model_fields))
        if unknown:
            raise ValueError(f"`stated` names no setting: {', '.join(unknown)}")
        return self

    def to_dict(self) -> dict[str, Any]:
        """The settings as JSON data."""
        return self.model_dump(mode="json")

    @property
    def sequence_length(self) -> int:
        """Tokens of a packed sequence."""
        return self.pack_length or self.max_length


_INSIDE: dict[str, type[Card]] = {"lora": Lora, "tiny": Tiny}  # settings with nested settings


def preset_names() -> list[str]:
    """Ids of all presets."""
    return sorted(path.stem for path in PRESETS.glob("*.yaml"))


@public
def load_preset(name: str | Path = "", changes: Mapping[str, Any] | None = None) -> Settings:
    """Load settings by name or from a YAML file, and replace some values.

    Args:
        name: A preset's id, the path of a YAML file, or empty for the defaults.
        changes: Values that replace the preset's, like ``--set`` of the command line. Dots reach nested
            settings, as in ``lora.rank``.

    Raises:
        UnknownNameError: There is no such preset, or no such setting.
        CatalogError: A value is not valid; the message names file, line and key.
    """
    name = str(name)
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


def choose_settings(
    settings: Settings | None, preset: str | Path, changes: Mapping[str, Any] | None
) -> Settings:
    """Settings as they are given, or those that a preset and changes make.

    Raises:
        ArgumentError: Both are given.
    """
    if settings is None:
        return load_preset(preset, changes)
    if preset or changes:
        fix = "use load_preset(preset, changes) for settings, or leave settings out"
        raise ArgumentError(Problem("settings are given already", "preset, changes", fix))
    return settings


def _refuse_unknown(key: str, outer: str, inner: str) -> None:
    known = set(Settings.model_fields)
    if inner and outer in _INSIDE:
        known = {f"{outer}.{name}" for name in _INSIDE[outer].model_fields}
    if key not in known:
        raise UnknownNameError(
            Problem(f"there is no setting {key!r}", fix=suggest_names(key, known))
        )
