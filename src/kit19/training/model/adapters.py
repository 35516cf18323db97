"""Adapters: load one on its base model, and record the base model in a new one."""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kit19.training.model.reference import ModelRef


def load_with_adapter(ref: ModelRef, **options: Any) -> Any:
    """Load an adapter on its base model with PEFT.

    Args:
        ref: The adapter, with its base model.
        **options: For ``from_pretrained`` of the base model. ``trust_remote_code`` is False by default.

    Raises:
        TrainError: The weights of one of them are missing.
        Exception: Anything that transformers and PEFT raise.
    """
    from peft import PeftModel  # noqa: PLC0415  a second to load, and only for adapters

    from kit19.training.model.loading import read_tokenizer, read_weights  # noqa: PLC0415

    trust = options.setdefault("trust_remote_code", False)
    base = ref.complete
    model = read_weights(base.source, revision=base.revision or None, **options)
    if (ref.folder / "tokenizer_config.json").is_file():
        tokens = len(read_tokenizer(str(ref.folder), trust=trust))
        if tokens > model.get_input_embeddings().weight.shape[0]:  # the adapter has added tokens
            model.resize_token_embeddings(tokens)
    ref.weight_files()  # a Hub adapter's may not be downloaded yet
    with ignore_peft_warnings():
        return PeftModel.from_pretrained(model, ref.folder)


@contextmanager
def ignore_peft_warnings() -> Iterator[None]:
    """Suppress PEFT warnings that do not apply: ``merge`` unties tied embeddings, for example."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Model has `tie_word_embeddings=True`")
        # PEFT's own code reads an attribute that transformers deprecates.
        warnings.filterwarnings(
            "ignore", message=".*is_gradient_checkpointing", category=FutureWarning
        )
        # The initial adapter is loaded next to the trained one only to be subtracted from it.
        warnings.filterwarnings("ignore", message="PiSSA changes the base weights")
        warnings.filterwarnings("ignore", message="Setting `save_embedding_layers` to `True`")
        # GPT-2 stores the weights of linear layers transposed, and PEFT corrects the setting itself.
        # The ranks of experts are set by PEFT, and `all-linear` includes no experts.
        warnings.filterwarnings("ignore", message="fan_in_fan_out is set to False")
        warnings.filterwarnings("ignore", message="The following (rank|alpha)_pattern keys did")
        yield


class InitialAdapter:
    """The adapter before the first step, for variants that change the base model's weights.

    PiSSA trains the largest singular values of the weights, on a base model without them. Saved as it
    is, such an adapter is right only where it is loaded by PEFT, which decomposes the weights again. So
    the difference from its initial state is saved: a plain LoRA of twice the rank.
    """

    def __init__(self, model: Any) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="kit19-adapter-")
        config = model.peft_config[model.active_adapter]
        kind, config.init_lora_weights = config.init_lora_weights, True
        model.save_pretrained(self.folder.name)
        config.init_lora_weights = kind

    def save(self, model: Any, run: Path) -> None:
        """Write the trained adapter as plain LoRA."""
        with self.folder as initial, ignore_peft_warnings():
            model.save_pretrained(run, path_initial_model_for_weight_conversion=initial)


def record_base(model: Any, base: ModelRef) -> None:
    """Record the base model in an adapter's configuration, so that it is found from any folder.

    Args:
        model: A PEFT model.
        base: Its base model.
    """
    for config in model.peft_config.values():
        config.base_model_name_or_path = (
            base.name if base.revision else os.path.abspath(base.folder)  # noqa: PTH100
        )
        config.revision = base.revision or None
