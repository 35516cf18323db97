"""TRL's SFTTrainer, with complete checkpoints and losses by task."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from transformers import EarlyStoppingCallback, PrinterCallback, TrainerCallback
from transformers.trainer_pt_utils import LengthGroupedSampler
from trl import SFTConfig, SFTTrainer

from kit19.core.arguments import OnProgress
from kit19.core.runs import CHECKPOINTS, RunRecord
from kit19.training.model.loss_method import LossMethod
from kit19.training.model.losses import add_answer_losses, row_losses, token_losses
from kit19.training.rows.batches import Collate, Sequences, arrange_rows, as_dataset
from kit19.training.rows.tokens import Tokens
from kit19.training.run import checkpoint as checkpoints
from kit19.training.run.callback import RunCallback
from kit19.training.run.folder import describe
from kit19.training.settings import Settings

WRITE_ERRORS = (OSError, RuntimeError, SafetensorError)
"""The errors of a full disk, in Python, torch and safetensors."""


@dataclass(frozen=True)
class TrainingRows:
    """The tokens of training rows and held-out rows, and the sequences of the training rows."""

    train: Tokens
    sequences: Sequences
    validation: Tokens | None


class AnswerTrainer(SFTTrainer):  # type: ignore[misc]  # TRL is untyped here
    """Trains on the answers of tokenized rows."""

    def __init__(  # noqa: PLR0913  the parts of a training
        self,
        model: Any,
        tokenizer: Any,
        rows: TrainingRows,
        settings: Settings,
        run: Path,
        *,
        arguments: SFTConfig,
        loss_method: LossMethod,
        adapter: Any = None,
        on_progress: OnProgress = lambda _what, _done, _total: None,
    ) -> None:
        self.rows, self.settings, self.run = rows, settings, run
        self.collate = Collate(tokenizer.pad_token_id)
        self.is_finished = False
        stop = (
            [EarlyStoppingCallback(settings.early_stopping_patience)]
            if settings.early_stopping_patience
            else []
        )
        flat = (
            arguments.padding_free
        )  # FlashAttention separates rows by lengths, which TRL's collator provides
        held_out = rows.validation
        super().__init__(
            model,
            args=arguments,
            data_collator=None if flat else self.collate,
            train_dataset=as_dataset(rows.train, rows.sequences),
            eval_dataset=as_dataset(held_out, arrange_rows(held_out, settings))
            if held_out
            else None,
            processing_class=tokenizer,
            peft_config=adapter,
            callbacks=[_ProgressCallback(on_progress), *stop],
        )
        if adapter is not None:
            _keep_adapter_in_float32(self.model)
        self.add_callback(_ResumeCallback(self))
        self.pop_callback(PrinterCallback)  # only kit19's command line prints
        inner = self.model.get_base_model() if adapter is not None else self.model
        self.plain = loss_method != "trl"
        if self.plain:
            add_answer_losses(
                inner, own_logits=loss_method == "full", smoothing=settings.label_smoothing
            )

    # -- batches and loss ---------------------------------------------------------------------------

    def _set_signature_columns_if_needed(self) -> None:
        self._signature_columns = ["sequence"]

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        if self.settings.layout != "grouped":
            return super()._get_train_sampler(train_dataset)
        together = self.args.train_batch_size * self.args.gradient_accumulation_steps
        return _GroupedSampler(together, self.rows.train.lengths.tolist(), self.args.data_seed)

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        """The mean loss of labelled tokens, over all batches of the step."""
        if not self.plain or return_outputs:
            if "position_ids" not in inputs:  # TRL counts tokens by one of the two
                inputs = {**inputs, "attention_mask": torch.ones_like(inputs["input_ids"])}
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        labelled = (inputs["labels"][:, 1:] != -100).sum()
        losses = token_losses(model, inputs, plain=True)
        count = labelled if num_items_in_batch is None else num_items_in_batch
        loss = losses.sum() / torch.as_tensor(count).clamp(min=1)
        if self.args.average_tokens_across_devices and num_items_in_batch is not None:
            loss *= self.accelerator.num_processes
        return loss

    # -- evaluation -------------------------------------------------------------------------------

    def evaluate(
        self,
        eval_dataset: Any = None,  # noqa: ARG002  the run's held-out rows are evaluated
        ignore_keys: Any = None,  # noqa: ARG002
        metric_key_prefix: str = "eval",
    ) -> dict[str, float]:
        """The loss per token of held-out answers: in total, and for each task."""
        tokens = self.rows.validation
        if tokens is None:
            return {}
        losses = self._losses(tokens)
        counts = tokens.supervised.astype(np.float64)
        prefix = metric_key_prefix
        found = {f"{prefix}_loss": float(losses.sum() / counts.sum())}
        tasks = tokens.rows["task"].to_numpy()
        for task in sorted(set(tasks) - {""}):
            of = tasks == task
            found[f"{prefix}_{task}_loss"] = float(losses[of].sum() / counts[of].sum())
        if self.is_in_train:
            self.log(dict(found))
        else:  # trackers ended with the training: another report would begin a second run there
            now = {"epoch": self.state.epoch, "step": self.state.global_step}
            self.state.log_history.append({**found, **now})
        handler = self.callback_handler
        self.control: Any = handler.on_evaluate(self.args, self.state, self.control, found)
        return found

    def _losses(self, tokens: Tokens) -> np.ndarray[Any, Any]:
        """The loss of each row. Each of several devices evaluates a share of the rows."""
        sequences = arrange_rows(tokens, self.settings)
        world, rank = self.accelerator.num_processes, self.accelerator.process_index
        # All devices get the same number of sequences, else those that wait for sharded weights hang.
        per_process = -(-len(sequences) // world)
        mine = [sequences[(rank * per_process + n) % len(sequences)] for n in range(per_process)]
        model, was = self.model_wrapped, self.model_wrapped.training
        model.eval()
        try:
            with self._precision():
                losses: np.ndarray[Any, Any] = row_losses(
                    model,
                    tokens,
                    mine,
                    self.collate,
                    at_once=1 if self.padding_free else self.args.per_device_eval_batch_size,
                    plain=self.plain,
                )
        finally:
            model.train(was)
        if world == 1:
            return losses
        found = self.accelerator.gather(torch.tensor(losses, device=self.args.device))
        every: np.ndarray[Any, Any] = np.nanmax(found.view(world, -1).cpu().numpy(), axis=0)
        return every

    def _precision(self) -> AbstractContextManager[Any]:
        if not self.args.bf16:
            return nullcontext()
        context: AbstractContextManager[Any] = torch.autocast(self.args.device.type, torch.bfloat16)
        return context

    # -- checkpoints --------------------------------------------------------------------------------

    def _get_output_dir(self, trial: Any) -> str:  # noqa: ARG002  transformers' signature
        return str(self.run / CHECKPOINTS / checkpoints.UNFINISHED)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        step, best = self.state.global_step, self.state.best_global_step
        main = self.args.should_save
        try:
            if main:
                checkpoints.remove_unfinished(self.run)
            self.accelerator.wait_for_everyone()
            # Not the method of SFTTrainer, which writes a model card into the run folder each time.
            super(SFTTrainer, self)._save_checkpoint(model, trial)
            self._save_losses(checkpoints.unfinished(self.run, step))
            self.accelerator.wait_for_everyone()
            if main:
                checkpoints.finish_checkpoint(self.run, step)
                checkpoints.remove_old(self.run, self.settings.save_total_limit, best or None)
        except WRITE_ERRORS as error:
            if main:
                checkpoints.remove_unfinished(self.run)
            raise checkpoints.explain_write_error(error, self.run) from None
        if best and checkpoints.checkpoint_at(self.run, best).is_dir():
            self.state.best_model_checkpoint = str(checkpoints.checkpoint_at(self.run, best))
        self.accelerator.wait_for_everyone()

    def _save_losses(self, checkpoint: Path) -> None:
        """Save losses that are not logged yet: a resumed transformers Trainer starts at 0.

        Otherwise the next point of the curve, and the mean over all steps, would be wrong.
        """
        of_devices = self.accelerator.gather(self._tr_loss.reshape(1))
        if self.args.should_save:
            kept = {
                "sum": of_devices.mean().item(),
                "since": self._globalstep_last_logged,
                "logged": self._total_loss_scalar,
            }
            (checkpoint / checkpoints.LOSSES).write_text(json.dumps(kept), encoding="utf-8")

    def restore_progress(self) -> None:
        """Restore the state that transformers does not restore from a checkpoint."""
        saved = self.state.stateful_callbacks.get("TrainerControl", {}).get("args", {})
        self.is_finished = bool(saved.get("should_training_stop"))
        # Checkpoints of earlier versions of kit19 do not have this file.
        path = checkpoints.checkpoint_at(self.run, self.state.global_step) / checkpoints.LOSSES
        if path.is_file():
            kept = json.loads(path.read_text(encoding="utf-8"))
            self._tr_loss += kept["sum"]
            self._globalstep_last_logged = kept["since"]
            self._total_loss_scalar = kept["logged"]

    def _run_epoch(self, *args: Any, **kwargs: Any) -> Any:
        # transformers checks after a step whether to stop, so a finished run would take one more step.
        if self.is_finished:
            self.control.should_training_stop = True
            return None
        return super()._run_epoch(*args, **kwargs)

    def mean_loss(self) -> float:
        """The training loss over all steps, including those before it was resumed."""
        return float(self._total_loss_scalar / max(self.state.global_step, 1))

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        if self._has_plain_weights():
            checkpoints.restore(self.model, Path(resume_from_checkpoint))
        else:
            super()._load_from_checkpoint(resume_from_checkpoint, model)

    def _load_best_model(self) -> None:
        # Found by its step: the path in the state may be temporary, or outdated if the run was moved.
        best = checkpoints.checkpoint_at(self.run, self.state.best_global_step)
        self.state.best_model_checkpoint = str(best)
        if self._has_plain_weights():
            checkpoints.restore(self.model, best)
        else:
            super()._load_best_model()

    @property
    def is_sharded(self) -> bool:
        """Whether the model is sharded over the processes; accelerate shards none on CPUs."""
        return bool(self.is_fsdp_enabled or self.is_deepspeed_enabled)

    def _has_plain_weights(self) -> bool:
        """Whether the model holds its own complete weights: neither sharded nor an adapter."""
        return not self.is_sharded and not hasattr(self.model, "peft_config")


class _GroupedSampler(LengthGroupedSampler):  # type: ignore[misc]  # transformers is untyped here
    """Rows of similar length together, in an order that only the seed and the epoch decide.

    transformers draws it from torch's global generator, so a resumed run may see other rows.
    """

    def __init__(self, batch_size: int, lengths: list[int], seed: int) -> None:
        super().__init__(batch_size, lengths=lengths, generator=torch.Generator())
        self.seed, self.epoch = seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Called by accelerate before each epoch."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        self.generator.manual_seed(self.seed + self.epoch)
        return iter(super().__iter__())


def _keep_adapter_in_float32(model: Any) -> None:
    """Undo TRL's rounding of adapters on 4-bit weights to bfloat16, which loses small updates.

    PEFT restores them in float32, so a resumed run would not equal an uninterrupted one either.
    """
    for weight in model.parameters():
        if weight.requires_grad:
            weight.data = weight.data.float()


class _ResumeCallback(TrainerCallback):  # type: ignore[misc]  # transformers is untyped here
    """Restores a resumed trainer's progress, after transformers has reset its state."""

    def __init__(self, trainer: AnswerTrainer) -> None:
        self.trainer = trainer

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        """Before the first step."""
        if state.global_step:
            self.trainer.restore_progress()


class CheckpointCallback(TrainerCallback):  # type: ignore[misc]
    """Describes each complete checkpoint as a run is described, and passes it on.

    Args:
        run: The run folder.
        record: Makes the record of the run from what was used, and the metrics.
        used: What the run uses besides its settings, such as the number of threads.
        callback: What gets the checkpoints.
    """

    def __init__(
        self,
        run: Path,
        record: Callable[[dict[str, Any], dict[str, float]], RunRecord],
        used: dict[str, Any],
        callback: RunCallback,
    ) -> None:
        self.run, self.record, self.used, self.callback = run, record, used, callback

    def on_save(
        self,
        args: Any,  # noqa: ARG002  transformers' signature
        state: Any,
        control: Any,  # noqa: ARG002
        model: Any = None,
        **_: Any,
    ) -> None:
        """After a checkpoint has its name."""
        if not state.is_world_process_zero:
            return
        step, total = state.global_step, state.max_steps
        folder = checkpoints.checkpoint_at(self.run, step)
        losses = [entry["loss"] for entry in state.log_history if "loss" in entry]
        used = {**self.used, "steps": step, "unfinished": f"after step {step:,} of {total:,}"}
        record = self.record(used, {"loss": losses[-1]} if losses else {})
        try:
            if hasattr(model, "peft_config"):
                base = model.get_base_model()
                base.generation_config.save_pretrained(folder)  # where the adapter's answers end
            describe(folder, record, state.log_history, self.run.name)
        except WRITE_ERRORS as error:
            raise checkpoints.explain_write_error(error, self.run) from None
        self.callback.on_checkpoint(folder, step, total)


class _ProgressCallback(TrainerCallback):  # type: ignore[misc]
    """Reports progress."""

    def __init__(self, on_progress: OnProgress) -> None:
        self.on_progress = on_progress

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        """After each optimizer step."""
        if state.is_world_process_zero and state.global_step % args.logging_steps == 0:
            losses = [entry["loss"] for entry in state.log_history[-3:] if "loss" in entry]
            what = f"training, loss {losses[-1]:.3f}" if losses else "training"
            self.on_progress(what, state.global_step, state.max_steps)
