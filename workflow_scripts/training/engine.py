"""One training run with the Trainer of transformers: batches, checkpoints, and models saved at budgets."""

import gc
import logging
import shutil
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.utils.data import Dataset
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from workflow_scripts.errors import UserError
from workflow_scripts.storage.folders import check_folder, has_seal, seal_folder
from workflow_scripts.storage.seals import DamagedFile
from workflow_scripts.training.adapters import adapted, whole
from workflow_scripts.training.interruption import Interruption
from workflow_scripts.training.processes import Execution
from workflow_scripts.training.recipe import Recipe
from workflow_scripts.training.schedule import Pieces, Schedule

if TYPE_CHECKING:
    from transformers import PreTrainedModel

logger = logging.getLogger(__name__)

IGNORED = -100
LOG_LINES = 8
STEPS_BETWEEN_AGREEMENTS = 10
SCHEDULERS = {"constant": "constant_with_warmup", "linear": "linear", "cosine": "cosine"}


class MicroBatches(Dataset):
    """Item i is one complete micro-batch, so the Trainer need not collate rows.

    No attention mask is passed: padding is on the right, where a causal model cannot see it, and its labels are
    ignored. If a step's last micro-batches have no rows left, they repeat a row without labels, because every process
    must take part in every step.
    """

    def __init__(self, schedule: Schedule, micro_batches_per_step: int):
        self.schedule = schedule
        self.per_step = micro_batches_per_step

    def __len__(self) -> int:
        return self.schedule.n_steps * self.per_step

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        step, part = divmod(index, self.per_step)
        first, last = self.schedule.bounds[step : step + 2]
        chosen = np.arange(first, last)[part :: self.per_step]
        if len(chosen):
            return _micro_batch(self.schedule, self.schedule.pieces.take(chosen))
        stand_in = self.schedule.pieces.take(np.array([first]))
        return _micro_batch(self.schedule, Pieces(stand_in.block, stand_in.end, stand_in.end))


def _micro_batch(schedule: Schedule, pieces: Pieces) -> dict[str, torch.Tensor]:
    width = int(pieces.end.max())
    input_ids = schedule.blocks.input_ids[pieces.block, :width].astype(np.int64)
    positions = np.arange(width)
    learnt = schedule.blocks.learnable[pieces.block, :width]
    # Nothing predicts a row's first token, but with a label it would still be counted in the mean.
    learnt = learnt & (positions >= np.maximum(pieces.begin, 1)[:, None]) & (positions < pieces.end[:, None])
    labels = np.where(learnt, input_ids, IGNORED)
    return {"input_ids": torch.from_numpy(input_ids), "labels": torch.from_numpy(labels)}


class QuietTrainer(Trainer):
    """The Trainer without the work of each step whose results are not used."""

    in_bfloat16 = False
    """Mixed precision. Not set in the arguments, because accelerate would then copy all logits to float32 in every
    step: with a large vocabulary, a tenth of a small model's time on a GPU."""

    def compute_loss_context_manager(self) -> ExitStack:
        stack = ExitStack()
        stack.enter_context(torch.autocast(self.args.device.type, torch.bfloat16, enabled=self.in_bfloat16))
        return stack

    def floating_point_ops(self, inputs: dict[str, Any]) -> int:
        return 0  # The original walks over all parameters in every step.


class Keeper(TrainerCallback):
    """Saves models at budgets and checkpoints, logs the progress, and stops on request."""

    def __init__(
        self,
        schedule: Schedule,
        execution: Execution,
        interruption: Interruption,
        save_reading: Callable[["PreTrainedModel", int], None],
        label: str,
    ):
        self.schedule = schedule
        self.execution = execution
        self.interruption = interruption
        self.save_reading = save_reading
        self.label = label
        learnt = np.concatenate([[0], np.cumsum(schedule.pieces.end - schedule.pieces.begin)])
        self.tokens_after = learnt[schedule.bounds]
        self.budgets_at: dict[int, list[int]] = {}
        for budget, step in schedule.readings.items():
            self.budgets_at.setdefault(step, []).append(budget)
        self.started_at = self.saved_at = time.monotonic()
        self.first_step = 0

    def on_train_begin(self, args: TrainingArguments, state: Any, control: Any, **kwargs: Any) -> None:
        self.started_at = self.saved_at = time.monotonic()
        self.first_step = state.global_step

    def on_step_end(self, args: TrainingArguments, state: Any, control: Any, **kwargs: Any) -> None:
        step = state.global_step
        if state.is_world_process_zero:
            for budget in self.budgets_at.get(step, []):
                self.save_reading(kwargs["model"], budget)
        if step == self.schedule.n_steps:
            return
        stop, save = self._wishes(step)
        control.should_save = save or stop
        # The flag to stop is set after the checkpoint, which would otherwise contain it.
        self.stop_after_saving = stop

    def on_save(self, args: TrainingArguments, state: Any, control: Any, **kwargs: Any) -> None:
        if self.execution.processes > 1:
            torch.distributed.barrier()
        if state.is_world_process_zero:
            seal_folder(Path(str(args.output_dir)) / f"checkpoint-{state.global_step}")
        self.saved_at = time.monotonic()
        control.should_training_stop = self.stop_after_saving

    def on_log(self, args: TrainingArguments, state: Any, control: Any, **kwargs: Any) -> None:
        logs = kwargs["logs"]
        if "loss" not in logs or not state.is_world_process_zero:
            return
        done, total = self.tokens_after[state.global_step], self.tokens_after[-1]
        rate = (done - self.tokens_after[self.first_step]) / (time.monotonic() - self.started_at)
        logger.info(
            "%s: step %d of %d, %d of %d tokens, loss %.4f, %.0f tokens/s, %.0f s left",
            self.label,
            state.global_step,
            self.schedule.n_steps,
            done,
            total,
            logs["loss"],
            rate,
            (total - done) / rate,
        )

    def _wishes(self, step: int) -> tuple[bool, bool]:
        """Whether to stop, and whether to save. All processes must agree, because both are joint actions."""
        every = self.execution.checkpoint_steps
        by_steps = every > 0 and step % every == 0
        late = time.monotonic() - self.saved_at >= self.execution.checkpoint_seconds
        if self.execution.processes == 1:
            return self.interruption.requested, by_steps or late
        if step % STEPS_BETWEEN_AGREEMENTS:
            return False, by_steps
        wishes = torch.tensor([int(self.interruption.requested), int(late)])
        if self.execution.device != "cpu":
            wishes = wishes.to(self.execution.device)
        torch.distributed.all_reduce(wishes, op=torch.distributed.ReduceOp.MAX)
        stop, late = (bool(wish) for wish in wishes.tolist())
        return stop, by_steps or late


def train(
    model: "PreTrainedModel",
    schedule: Schedule,
    recipe: Recipe,
    seed: int,
    folder: Path,
    execution: Execution,
    interruption: Interruption,
    save_reading: Callable[["PreTrainedModel", int], None],
    label: str,
) -> bool:
    """Run a schedule to its end, from the last complete checkpoint below `folder` if there is one.

    Returns whether the end was reached; if not, a checkpoint was saved because an interruption was requested.
    """
    micro_batches = recipe.gradient_accumulation * execution.processes
    if recipe.batch_rows < micro_batches:
        raise UserError(
            f"recipe: batch_rows is {recipe.batch_rows}; with gradient_accumulation {recipe.gradient_accumulation} "
            f"and {execution.processes} processes it must be {micro_batches} or more"
        )
    if model.loss_type is None:
        # If transformers does not recognise a class name, such as GPT2LMHeadModel, it uses this loss with a warning.
        model.loss_type = "ForCausalLM"
    if recipe.gradient_checkpointing:
        _recompute_activations(model)
    trained: Any = model
    if recipe.adapter is not None:
        trained = adapted(model, recipe.adapter, seed)
        save_reading = _saved_whole(save_reading)
    trainer = QuietTrainer(
        model=trained,
        args=_arguments(recipe, seed, folder, execution, schedule.n_steps),
        train_dataset=MicroBatches(schedule, micro_batches),
        data_collator=_only_item,
        callbacks=[Keeper(schedule, execution, interruption, save_reading, label)],
    )
    trainer.in_bfloat16 = recipe.precision == "bfloat16" or (
        recipe.precision == "auto" and execution.device != "cpu"
    )
    trainer.remove_callback(PrinterCallback)
    checkpoint = last_checkpoint(folder)
    if checkpoint is not None:
        logger.info("%s: continued from %s", label, checkpoint.name)
    trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
    return trainer.state.global_step == schedule.n_steps


def _recompute_activations(model: "PreTrainedModel") -> None:
    """Keep only the inputs of layers for the backward pass; what is inside a layer is computed again."""
    if not model.supports_gradient_checkpointing:
        raise UserError(
            f"recipe: a {model.config.model_type} model cannot compute its activations again; remove "
            "gradient_checkpointing"
        )
    # The name has changed within version 5 of transformers.
    enable = getattr(model, "activation_checkpointing_enable", None) or model.gradient_checkpointing_enable
    enable({"use_reentrant": False})


def _saved_whole(
    save_reading: Callable[["PreTrainedModel", int], None],
) -> Callable[["PreTrainedModel", int], None]:
    return lambda model, budget: save_reading(whole(model), budget)


def last_checkpoint(folder: Path) -> Path | None:
    """The last complete and undamaged checkpoint; later ones are removed.

    The list of checksums is written last, so a checkpoint interrupted by a kill has none.
    """
    numbered = {int(path.name.removeprefix("checkpoint-")): path for path in folder.glob("checkpoint-*")}
    for _, checkpoint in sorted(numbered.items(), reverse=True):
        if has_seal(checkpoint):
            try:
                check_folder(checkpoint)
                return checkpoint
            except DamagedFile:
                logger.warning("%s is damaged: using the previous checkpoint", checkpoint)
        shutil.rmtree(checkpoint, ignore_errors=True)
    return None


def _only_item(items: list[dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    return items[0]


def _arguments(
    recipe: Recipe, seed: int, folder: Path, execution: Execution, n_steps: int
) -> TrainingArguments:
    on_cpu = execution.device == "cpu"
    return TrainingArguments(
        output_dir=str(folder),
        seed=seed,
        max_steps=n_steps,
        per_device_train_batch_size=1,  # one complete micro-batch
        gradient_accumulation_steps=recipe.gradient_accumulation,
        train_sampling_strategy="sequential",
        remove_unused_columns=False,
        optim="adamw_torch_fused",
        learning_rate=recipe.learning_rate,
        lr_scheduler_type=SCHEDULERS[recipe.schedule],
        warmup_steps=recipe.warmup_steps,
        weight_decay=recipe.weight_decay,
        max_grad_norm=recipe.clip or 0.0,
        use_cpu=on_cpu,
        ddp_find_unused_parameters=False,
        ddp_backend="gloo" if on_cpu and execution.processes > 1 else None,
        dataloader_pin_memory=not on_cpu,
        # The next batch is sent to the GPU while it still computes the previous one.
        accelerator_config={"non_blocking": not on_cpu},
        save_strategy="no",  # the Keeper decides
        save_total_limit=2,  # the previous one is used if the last one is incomplete or damaged
        logging_steps=max(1, min(100, n_steps // LOG_LINES)),
        logging_nan_inf_filter=False,
        report_to="none",
        disable_tqdm=True,
    )


# The imports of this module create so many objects that a garbage collection at the start of every run would take as
# long as several steps of a small model. None of them is garbage.
gc.freeze()
