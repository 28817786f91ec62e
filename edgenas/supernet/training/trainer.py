"""Training a supernet: steps over members of the space, resumable, deterministic from its seed."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from edgenas.data import ImageData, Preprocessing
from edgenas.data.batches import Batch
from edgenas.supernet.elastic.channels import sort_channels
from edgenas.supernet.registry import SCHEMES
from edgenas.supernet.settings import SupernetSettings
from edgenas.supernet.supernet import Supernet
from edgenas.supernet.training import schemes, shared
from edgenas.supernet.training.members import MemberStepper
from edgenas.supernet.training.placement import place
from edgenas.train.averaging import WeightAverage
from edgenas.train.loop.budget import Budget
from edgenas.train.loop.images import training_batches
from edgenas.train.loop.loop import Loop
from edgenas.train.loop.schedule import learning_rate
from edgenas.types import Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class SupernetEpoch:
    """One pass over the training images.

    Attributes:
        epoch: From 0.
        step: Optimiser steps so far.
        train_loss: Mean over steps and members.
        seconds: Wall-clock time of the whole training so far.
    """

    epoch: int
    step: int
    train_loss: float
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SupernetResult:
    """A finished training of a supernet; the weights are in the supernet.

    Attributes:
        history: One record per epoch.
        steps: Optimiser steps.
        member_steps: Forward and backward passes of members.
        seconds: Wall-clock time.
        images_per_second: Images that passed through members, a second.
        waiting_share: Share of the time spent waiting for images.
        notes: What a user may not expect, one sentence each.
        preprocessing: Of the images, at the largest resolution of the space.
    """

    history: tuple[SupernetEpoch, ...]
    steps: int
    member_steps: int
    seconds: float
    images_per_second: float
    waiting_share: float
    notes: tuple[str, ...]
    preprocessing: Preprocessing


def train_supernet(
    supernet: Supernet,
    data: ImageData,
    settings: SupernetSettings,
    *,
    preprocessing: Preprocessing | None = None,
    progress: Progress | None = None,
    checkpoint_dir: Path | None = None,
    on_epoch: Callable[[SupernetEpoch], None] | None = None,
    device: torch.device | str = "cpu",
    teacher: Callable[[Tensor], Tensor] | None = None,
) -> SupernetResult:
    """Train a supernet on the training images; validation and test images are not touched.

    Order, augmentation and members depend only on (seed, epoch, step). So a training that was killed at any step and
    started again with the same arguments ends with the same weights bit for bit, on a CPU and with a budget of epochs
    or steps.

    Where torchrun started several processes, they train together, as in `edgenas.train.fit`.

    Args:
        supernet: Changed in place and moved to `device`.
        data: Its training images, of the space's number of classes and channels.
        settings: The recipe.
        preprocessing: Normalisation of the images; None takes the statistics of the training images.
        progress: Called after every step with (steps done, steps in all, "steps"), or in thousandths ("") where a clock
            limits.
        checkpoint_dir: Where to keep the state. A state that lies there is resumed.
        on_epoch: Called with every new record of the history.
        device: Where to train.
        teacher: Gives logits (B, K) of prepared images (B, C, H, W), with the weight `teacher_weight` from the first
            step; None takes the largest member after its warm-up, where that weight is above 0.

    Raises:
        DataError: Classes or channels of the images are not those of the space.
        TrainingError: The loss is not finite (names step and member), or memory ran out twice.
        WeightsError: The checkpoint belongs to another training or another space.
        StoreError: A checkpoint cannot be written.
    """
    target = torch.device(device)
    prepared = place(supernet, data, preprocessing, target)
    train = settings.train
    batches = training_batches(data.train, prepared, train, device=target, section="supernet")
    work = SupernetWork(supernet, data, settings, prepared, target, teacher=teacher)
    loop = Loop(work, batches, Budget(train, batches.steps), train, classes=len(data.classes))
    loop.run(
        folder=checkpoint_dir, progress=progress, on_epoch=on_epoch, spacing_seconds=shared.CHECKPOINT_SECONDS
    )
    work.keep()
    images, seconds = work.members.member_steps * batches.batch_size, loop.training_seconds
    return SupernetResult(
        history=tuple(work.history),
        steps=loop.budget.step,
        member_steps=work.members.member_steps,
        seconds=loop.budget.seconds,
        images_per_second=images / seconds if seconds else 0.0,
        waiting_share=loop.waiting_seconds / seconds if seconds else 0.0,
        notes=(*batches.notes, *work.stepper.notes),
        preprocessing=prepared,
    )


class SupernetWork:
    """Shared weights in training; see `edgenas.train.loop.work.Work`.

    Attributes:
        history: One record per epoch.
        members: Takes the steps.
    """

    name = "training of a supernet"
    loss_name = "the loss of the supernet"
    section = "supernet"
    check_every = 16

    def __init__(
        self,
        supernet: Supernet,
        data: ImageData,
        settings: SupernetSettings,
        preprocessing: Preprocessing,
        device: torch.device,
        *,
        teacher: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        """Keep what is given; the supernet lies on the device."""
        self.history: list[SupernetEpoch] = []
        self.members = MemberStepper(
            supernet,
            settings.train,
            device,
            distillation_weight=settings.distillation_weight,
            teacher_weight=settings.teacher_weight,
        )
        self.stepper = self.members.stepper
        decay = settings.train.averaging_decay
        self.average = None if decay is None else WeightAverage(supernet.parameters(), decay)
        self._supernet, self._data, self._settings = supernet, data, settings
        self._preprocessing = preprocessing
        self._teacher: Supernet | None = None
        self._taught, self._phase = teacher is not None, 0
        self.members.teacher = teacher

    def take_step(self, batch: Batch, budget: Budget) -> Tensor:
        """Take one step on the members that the scheme says."""
        share = min(budget.share(ahead=0.5), 1.0)
        late = share >= schemes.WARM_UP_SHARE
        if self._settings.teacher_weight and self._teacher is None and late and not self._taught:
            self._appoint_teacher()
        phase = schemes.phase_of(self._settings.scheme, share)
        if phase > self._phase:
            self._phase = phase
            sort_channels(self._supernet, self._settings.importance, beside=self._beside())
        return self.members.step(batch, self._members(budget.step, share), learning_rate(self._settings.train, share))

    def _beside(self) -> Callable[[str], list[Tensor]]:
        """Return what is sorted like a shared weight: the optimiser's moments and the average."""
        state, names = self.stepper.optimizer.state, list(self._supernet.shared_weights())
        averages = {} if self.average is None else dict(zip(names, self.average.values, strict=True))

        def found(name: str) -> list[Tensor]:
            weight = self._supernet.shared_weights()[name]
            moments = [value for value in state.get(weight, {}).values() if isinstance(value, Tensor)]
            average = [averages[name]] if name in averages else []
            return [tensor for tensor in (*moments, *average) if tensor.shape == weight.shape]

        return found

    def _members(self, step: int, share: float) -> schemes.Members:
        return schemes.members_of_step(self._supernet.space, self._settings, step=step, share=share)

    def _appoint_teacher(self) -> None:
        """Make the largest member, with its present weights, the teacher from now on."""
        frozen = copy.deepcopy(self._supernet).requires_grad_(False)
        largest = frozen.space.largest()
        self._teacher = frozen
        self.members.teacher = lambda images: frozen(images, largest)

    def end_epoch(self, epoch: int, loss: float, budget: Budget) -> SupernetEpoch:
        """Record the epoch. Nothing is evaluated."""
        record = SupernetEpoch(epoch=epoch, step=budget.step, train_loss=loss, seconds=budget.seconds)
        self.history.append(record)
        return record

    def keep(self) -> None:
        """Put the weights that are kept into the supernet."""
        if self.average is not None:
            self.average.copy_to(list(self._supernet.parameters()))

    def culprit(self, step: int, share: float, loss: float) -> str:
        """Return the first member of the step."""
        return f"member {self._members(step, share).genes[0].tolist()}"

    def tensors(self) -> dict[str, Tensor]:
        """Return the teacher's weights."""
        return {} if self._teacher is None else {f"teacher.{k}": v for k, v in self._teacher.shared_weights().items()}

    def facts(self) -> dict[str, Any]:
        """Return what a checkpoint must hold beside tensors."""
        history = [asdict(record) for record in self.history]
        return {"member_steps": self.members.member_steps, "history": history, "phase": self._phase}

    def load(self, groups: Mapping[str, dict[str, Tensor]], facts: Mapping[str, Any]) -> None:
        """Restore what `tensors` and `facts` returned."""
        if groups.get("teacher"):
            self._appoint_teacher()
            assert self._teacher is not None
            for name, value in self._teacher.shared_weights().items():
                value.copy_(groups["teacher"][name])
        self.members.member_steps = facts["member_steps"]
        self._phase = facts.get("phase", 0)
        self.history = [SupernetEpoch(**record) for record in facts["history"]]

    def identity(self) -> dict[str, Any]:
        """Return the identity of this training."""
        settings = self._settings.to_dict()
        if not SCHEMES[self._settings.scheme].first_teaches:
            # The other schemes have no teacher.
            del settings["distillation_weight"]
        if self._settings.importance == "none":
            del settings["importance"]
        if not self._settings.teacher_weight:
            # Without a teacher the identity stays as it was before teachers existed, so that older trainings can be
            # resumed.
            del settings["teacher_weight"]
        return shared.identity(self._supernet, self._data, self._preprocessing, settings)
