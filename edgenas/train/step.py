"""One optimizer step: parts of a batch, mixed precision, distillation, and what happens when memory runs out."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from edgenas.data.batches import Batch
from edgenas.errors import ConfigError, TrainingError, WeightsError, explain
from edgenas.train.losses import batch_loss
from edgenas.train.memory import is_out_of_memory, release
from edgenas.train.optimizer import make_optimizer, set_learning_rate
from edgenas.train.settings import TrainSettings

PRECISIONS = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StepOutcome:
    """What a step found, still on the device: reading it would make the host wait.

    Attributes:
        loss: Mean over the batch, scalar.
        right: Images classified rightly while training, scalar.
    """

    loss: Tensor
    right: Tensor


class Stepper:
    """Takes optimizer steps on a model.

    Attributes:
        optimizer: Its optimizer.
        scaler: Of fp16 losses; idle in other precisions.
        accumulation: Parts of a batch; doubled once where memory ran out.
        notes: Says so then.
    """

    def __init__(
        self,
        model: nn.Module,
        settings: TrainSettings,
        *,
        teacher: nn.Module | None,
        device: torch.device,
        classes: int,
    ) -> None:
        self.model = model
        self.optimizer = make_optimizer(model, settings)
        self.accumulation = settings.accumulation
        self.notes: list[str] = []
        self._settings = settings
        self._teacher = teacher
        self._device = device
        self._classes = classes
        self._dtype = autocast_dtype(settings, device)
        self.scaler = torch.amp.GradScaler(device.type, enabled=self._dtype is torch.float16)

    def step(self, batch: Batch, learning_rate: float) -> StepOutcome:
        """Take one step.

        Args:
            batch: On the device.
            learning_rate: Of this step.

        Raises:
            TrainingError: Memory ran out although the batch was already processed in more parts.
            WeightsError: The model has another number of classes.
        """
        set_learning_rate(self.optimizer, learning_rate)
        outcome = self._gradients(batch) or self._gradients_in_halves(batch)
        if self._settings.clip_norm is not None:
            self.scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self.model.parameters(), self._settings.clip_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return outcome

    def _gradients_in_halves(self, batch: Batch) -> StepOutcome:
        if self.accumulation > self._settings.accumulation or len(batch.labels) < 4 * self.accumulation:
            raise TrainingError(
                explain(
                    "out of memory",
                    got=f"batch_size {self._settings.batch_size} in {self.accumulation} parts",
                    remedy="Lower train.batch_size or raise train.accumulation.",
                )
            )
        self.accumulation *= 2
        self.notes.append(f"Memory ran out: batches are processed in {self.accumulation} parts from here on.")
        # The failed attempt's tensors are gone only now, outside its except clause.
        release(self._device)
        return self._gradients(batch) or self._gradients_in_halves(batch)

    def _gradients(self, batch: Batch) -> StepOutcome | None:
        """Fill the gradients; None where memory ran out."""
        self.optimizer.zero_grad(set_to_none=True)
        try:
            return self._accumulate(batch)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            self.optimizer.zero_grad(set_to_none=True)
            return None

    def _accumulate(self, batch: Batch) -> StepOutcome:
        count = len(batch.labels)
        # A part of one image has no variance to normalise by.
        parts = max(1, min(self.accumulation, count // 2))
        losses, right = [], []
        for part in batch.split(parts):
            with torch.autocast(self._device.type, dtype=self._dtype, enabled=self._dtype is not None):
                logits = self.model(part.images)
                teacher_logits = self._teach(part.images)
            if logits.shape != (len(part.labels), self._classes):
                raise WeightsError(
                    explain("the model's logits do not fit the data", got=tuple(logits.shape),
                            allowed=(len(part.labels), self._classes))
                )  # fmt: skip
            loss = batch_loss(logits, part, self._settings, teacher_logits) * (len(part.labels) / count)
            self.scaler.scale(loss).backward()
            losses.append(loss.detach())
            right.append((logits.argmax(1) == part.labels).sum())
        return StepOutcome(loss=torch.stack(losses).sum(), right=torch.stack(right).sum())

    @torch.no_grad()
    def _teach(self, images: Tensor) -> Tensor | None:
        if self._teacher is None:
            return None
        logits: Tensor = self._teacher(images)
        return logits


def autocast_dtype(settings: TrainSettings, device: torch.device) -> torch.dtype | None:
    """Return the type of the forward pass; None is fp32.

    Raises:
        ConfigError: fp16 on a device without loss scaling for it.
    """
    if settings.precision == "fp16" and device.type != "cuda":
        raise ConfigError(explain("fp16 trains on CUDA only", got=device.type, allowed="train.precision auto or fp32"))
    if settings.precision != "auto":
        return PRECISIONS[settings.precision]
    if device.type != "cuda":
        return None
    return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16

