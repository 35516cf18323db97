"""The command that serves a model through vLLM, in the prompt format of its training."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kit19.catalog import CatalogLike, PromptFormat, load_catalog
from kit19.core.errors import Problem, TrainError
from kit19.training.model.finding import find_model
from kit19.training.model.reference import ModelRef
from kit19.training.rows.prompts import prompts_of_run


@dataclass(frozen=True)
class VllmCommand:
    """How to serve a model through vLLM.

    Attributes:
        arguments: The command and its arguments.
        stop: Texts that end an answer, which requests must name: vLLM has no setting for them.
    """

    arguments: list[str]
    stop: list[str]

    @property
    def line(self) -> str:
        """The command for a shell."""
        return shlex.join(self.arguments)

    def to_dict(self) -> dict[str, Any]:
        """The command as JSON data."""
        return {"command": self.arguments, "line": self.line, "stop": self.stop}


def vllm_command(
    model: str | Path,
    *,
    host: str,
    port: int,
    name: str = "",
    form: str | Path = "",
    catalog: CatalogLike = None,
) -> VllmCommand:
    """The command that serves a model through vLLM. An adapter is served on its base model.

    Args:
        model: A run's folder, any causal model's folder, or a Hub id.
        host: The address to listen on.
        port: The port.
        name: The model's name in the API. Default: that of its folder, or its Hub id.
        form: Prompt format. Default: the run's, else the model's own chat template.
        catalog: As for ``serve``.

    Raises:
        TrainError: There is no such model, or vLLM does not serve such an adapter.
        Kit19Error: There is no such format.
    """
    ref = find_model(str(model))
    chosen = None
    if form:
        chosen = load_catalog(catalog).prompt_format(str(form))
    elif ref.run is not None:
        chosen = PromptFormat.model_validate(ref.run.format)
    arguments = serve_arguments(_model_arguments(ref, name or served_name(model)), host, port)
    if chosen is not None and not chosen.chat:
        # Both are slow to load.
        from kit19.exporting.turn_texts import jinja_template  # noqa: PLC0415
        from kit19.training.model.loading import read_tokenizer  # noqa: PLC0415

        tokenizer = read_tokenizer(str(ref.tokenizer))
        ends = ref.run.ends if ref.run is not None else []
        template = jinja_template(prompts_of_run(tokenizer, chosen, ref.run, ends))
        arguments += ["--chat-template", template]
    return VllmCommand(arguments, chosen.stop if chosen else [])


def serve_arguments(model: list[str], host: str, port: int) -> list[str]:
    """The command of vLLM for a model, given the arguments that name it."""
    place = ["--host", host, "--port", str(port)]
    # Else vLLM takes the temperature of the model's folder where a request names none.
    return ["vllm", "serve", *model, *place, "--generation-config", "vllm"]


def served_name(model: str | Path) -> str:
    """The name of a model in the API, unless another is given: its folder's, or its Hub id."""
    return Path(model).resolve().name if Path(model).is_dir() else str(model)


def _model_arguments(ref: ModelRef, name: str) -> list[str]:
    if ref.base is None:
        revision = ["--revision", ref.revision] if ref.revision else []
        return [ref.source, *revision, "--served-model-name", name]
    base = ref.base
    revision = ["--revision", base.revision] if base.revision else []
    config = json.loads((ref.folder / "adapter_config.json").read_text(encoding="utf-8"))
    unserved = ["DoRA"] if config.get("use_dora") else []
    unserved += ["modules that are saved whole"] if config.get("modules_to_save") else []
    if unserved:
        what = f"vLLM serves no adapter with {' or '.join(unserved)}"
        fix = "serve it merged: kit19 export … --to vllm --out FOLDER"
        raise TrainError(Problem(what, str(ref.folder), fix))
    rank = int(config.get("r") or 16)
    allowed = next((one for one in (8, 16, 32, 64, 128, 256, 320, 512) if one >= rank), rank)
    module = f"{name}={ref.source}"
    lora = ["--enable-lora", "--max-lora-rank", str(allowed), "--lora-modules", module]
    return [base.source, *revision, *lora]
