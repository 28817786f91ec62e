"""The interface of what the training loop trains: its steps, its epochs, and its part of a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, TypeVar

from torch import Tensor

from edgenas.data.batches import Batch
from edgenas.train.averaging import WeightAverage
from edgenas.train.loop.budget import Budget
from edgenas.train.loop.step import Stepper

Record = TypeVar("Record", covariant=True)


class Work(Protocol[Record]):
    """What is trained.

    Attributes:
        name: Kind of training, for errors.
        loss_name: Name of the loss, for errors about losses that are not finite.
        section: Of a configuration that the settings come from; errors name its keys.
        check_every: Steps between two checks of the losses. Reading a loss makes the host wait for the device.
        stepper: Takes the steps.
        average: Of the model's parameters, where they are averaged.
    """

    name: str
    loss_name: str
    section: str
    check_every: int
    stepper: Stepper
    average: WeightAverage | None

    def take_step(self, batch: Batch, budget: Budget) -> Tensor:
        """Take one step and return its loss, a scalar on the device."""

    def end_epoch(self, epoch: int, loss: float, budget: Budget) -> Record:
        """Evaluate if it is due after epoch `epoch` (from 0) of mean loss `loss`, and return the results."""

    def culprit(self, step: int, share: float, loss: float) -> str:
        """Name what had a loss that is not finite, at a step that began at a share of the budget."""

    def tensors(self) -> dict[str, Tensor]:
        """Return what a checkpoint must hold beside model, optimizer and average, named GROUP.NAME."""

    def facts(self) -> dict[str, Any]:
        """Return what a checkpoint must hold beside tensors, plain values."""

    def load(self, groups: Mapping[str, dict[str, Tensor]], facts: Mapping[str, Any]) -> None:
        """Restore what `tensors` and `facts` returned."""

    def identity(self) -> dict[str, Any]:
        """Return the identity of this training: the values that may not differ when it is resumed."""
