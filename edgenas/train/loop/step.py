"""One optimizer step on any loss: parts of a batch, mixed precision, clipping, and recovery when memory runs out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor, nn

from edgenas.data.batches import Batch
from edgenas.errors import ConfigError, TrainingError, explain
from edgenas.train.loop.memory import is_out_of_memory, release
from edgenas.train.optimizer import make_optimizer, set_learning_rate
from edgenas.train.processes import current
from edgenas.train.settings import TrainSettings

PRECISIONS = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}


class PartLoss(NamedTuple):
    """One loss of a part of a batch.

    Attributes:
        mean: Over the part's images, a scalar with its graph.
        right: Number of images classified rightly, a scalar; None if it is not wanted.
    """

    mean: Tensor
    right: Tensor | None = None


Losses: TypeAlias = Callable[[Batch], Iterator[PartLoss]]
"""From a part of a batch to its losses.

The step runs the backward pass of each before it asks for the next, so that memory holds one graph at a time.
"""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StepOutcome:
    """The result of a step, still on the device, since reading it would make the host wait.

    Attributes:
        loss: Sum of the losses, each a mean over the batch, scalar.
        right: Number of images classified rightly while training, scalar; 0 if it is not wanted.
    """

    loss: Tensor
    right: Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Precision:
    """Of the forward pass.

    Attributes:
        dtype: None is fp32.
        device_type: "cpu" or "cuda".
    """

    dtype: torch.dtype | None
    device_type: str

    @property
    def name(self) -> str:
        """As settings name it: "fp32", "bf16" or "fp16"."""
        return next(name for name, dtype in PRECISIONS.items() if dtype is self.dtype)

    def autocast(self) -> torch.autocast:
        """Return the context of a forward pass; losses are computed outside of it."""
        return torch.autocast(self.device_type, dtype=self.dtype, enabled=self.dtype is not None)


class Stepper:
    """Takes optimizer steps on a model.

    Attributes:
        model: What is trained.
        optimizer: Its optimizer.
        precision: Of its forward pass.
        scaler: Of fp16 losses; idle in other precisions.
        accumulation: Parts of a batch; doubled once where memory ran out.
        notes: Says so then.
        processes: That train this model together.
    """

    def __init__(self, model: nn.Module, settings: TrainSettings, *, device: torch.device, section: str) -> None:
        """Make an optimizer.

        Args:
            model: On the device.
            settings: Optimizer, precision, accumulation, clipping.
            device: Where to compute.
            section: Of a configuration that the settings come from; errors name its keys.

        Raises:
            ConfigError: fp16 on a device without loss scaling for it.
        """
        self.model = model
        self.optimizer = make_optimizer(model, settings)
        self.precision = choose_precision(settings, device)
        self.scaler = torch.amp.GradScaler(device.type, enabled=self.precision.dtype is torch.float16)
        self.accumulation = settings.accumulation
        self.notes: list[str] = []
        self.processes = current()
        self._settings, self._device, self._section = settings, device, section

    def step(self, batch: Batch, learning_rate: float, losses: Losses) -> StepOutcome:
        """Take one step down the sum of losses.

        Args:
            batch: On the device.
            learning_rate: Of this step.
            losses: Called once for each part of the batch, and again for all parts where memory ran out.

        Raises:
            TrainingError: Memory ran out although the batch was already processed in more parts.
        """
        set_learning_rate(self.optimizer, learning_rate)
        outcome = self._gradients(batch, losses)
        # The tensors of the failed attempt are freed only here, outside of its except clause. A second failure is an
        # error.
        while outcome is None:
            self._halve(len(batch.labels))
            outcome = self._gradients(batch, losses)
        if self.processes.count > 1:
            self._combine(outcome, len(batch.labels))
        if self._settings.clip_norm is not None:
            self.scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self.model.parameters(), self._settings.clip_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return outcome

    def _combine(self, outcome: StepOutcome, images: int) -> None:
        """Make gradients, results and running statistics those of the batches of all processes.

        All have gradients for the same weights, since all ran the same network or the same members. What is not finite
        in one process is so in all afterwards, and the scale of fp16 follows alike.
        """
        gradients = [weight.grad for weight in self.model.parameters() if weight.grad is not None]
        statistics = [value for value in self.model.buffers() if value.is_floating_point()]
        self.processes.combine([*gradients, *statistics, outcome.loss], images)
        self.processes.sum_(outcome.right)

    @property
    def facts(self) -> dict[str, Any]:
        """What a checkpoint must hold beside the optimizer's tensors."""
        return {
            "accumulation": self.accumulation,
            "notes": self.notes,
            "precision": self.precision.name,
            "scaler": self.scaler.state_dict(),
        }

    def load_facts(self, facts: Mapping[str, Any]) -> None:
        """Restore what `facts` returned, of a training in any precision: weights are kept in fp32 in all of them.

        A training that goes on in fp16 from another precision begins with torch's first scale of the loss, which
        adapts within a few steps.
        """
        self.accumulation = facts["accumulation"]
        self.notes.extend(facts["notes"])
        before = facts.get("precision", self.precision.name)
        if before != self.precision.name:
            self.notes.append(f"The training began in {before} and went on in {self.precision.name}.")
        if self.scaler.is_enabled() and facts["scaler"]:
            self.scaler.load_state_dict(facts["scaler"])

    def _gradients(self, batch: Batch, losses: Losses) -> StepOutcome | None:
        """Fill the gradients; None where memory ran out."""
        self.optimizer.zero_grad(set_to_none=True)
        try:
            return self._accumulate(batch, losses)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            self.optimizer.zero_grad(set_to_none=True)
            return None

    def _accumulate(self, batch: Batch, losses: Losses) -> StepOutcome:
        count = len(batch.labels)
        total = torch.zeros((), device=self._device)
        right = torch.zeros((), dtype=torch.int64, device=self._device)
        # A part needs more than one image: batch norm has no variance over one.
        for part in batch.split(max(1, min(self.accumulation, count // 2))):
            for loss in losses(part):
                share = loss.mean * (len(part.labels) / count)
                self.scaler.scale(share).backward()
                total += share.detach()
                if loss.right is not None:
                    right += loss.right
        return StepOutcome(loss=total, right=right)

    def _halve(self, images: int) -> None:
        if self.accumulation > self._settings.accumulation or images < 4 * self.accumulation:
            raise TrainingError(
                explain(
                    "out of memory",
                    got=f"batch_size {self._settings.batch_size} in {self.accumulation} parts",
                    remedy=f"Lower {self._section}.batch_size or raise {self._section}.accumulation.",
                )
            )
        self.accumulation *= 2
        self.notes.append(f"Memory ran out: batches are processed in {self.accumulation} parts from here on.")
        release(self._device)


def choose_precision(settings: TrainSettings, device: torch.device) -> Precision:
    """Return the precision of the forward pass on a device.

    Raises:
        ConfigError: fp16 on a device without loss scaling for it.
    """
    if settings.precision == "fp16" and device.type != "cuda":
        raise ConfigError(explain("fp16 trains on CUDA only", got=device.type, allowed="train.precision auto or fp32"))
    if settings.precision != "auto":
        return Precision(dtype=PRECISIONS[settings.precision], device_type=device.type)
    if device.type != "cuda":
        return Precision(dtype=None, device_type=device.type)
    half = torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    return Precision(dtype=half, device_type=device.type)
