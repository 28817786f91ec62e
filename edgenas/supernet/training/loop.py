"""Training a supernet: steps over members of the space, resumable, deterministic from its seed."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from edgenas.data import ImageData, Preprocessing
from edgenas.data.batches import Batches
from edgenas.supernet.settings import SupernetSettings
from edgenas.supernet.supernet import Supernet
from edgenas.supernet.training.placement import prepare
from edgenas.supernet.training.schemes import WARM_UP_SHARE, members_of_step
from edgenas.supernet.training.state import Budget, identity, load_weight_tensors, run_to_the_end, weight_tensors
from edgenas.supernet.training.step import SharedStepper, not_finite
from edgenas.train.checkpoint import TrainCheckpoint, read_checkpoint, require_same, write_checkpoint
from edgenas.train.schedule import learning_rate, total_steps
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
) -> SupernetResult:
    """Train a supernet on the training images; validation and test images are not touched.

    Order, augmentation and members depend on (seed, epoch, step) alone and checkpoints are written between epochs: a
    training that was killed and started again with the same arguments ends, on a CPU and with a budget of epochs or
    steps, with the same weights bit for bit.

    Args:
        supernet: Changed in place and moved to `device`.
        data: Its training images, of the space's number of classes and channels.
        settings: The recipe.
        preprocessing: Normalisation of the images; None takes the statistics of the training images.
        progress: Called after every step with (done, all, what); thousandths where a clock limits.
        checkpoint_dir: Where to keep the state; taken up from where there is one.
        on_epoch: Called with every new record of the history.
        device: Where to train.

    Raises:
        DataError: Classes or channels of the images are not those of the space.
        TrainingError: The loss is not finite (names step and member), or memory ran out twice.
        WeightsError: The checkpoint belongs to another training or another space.
        StoreError: A checkpoint cannot be written.
    """
    target = torch.device(device)
    prepared = prepare(supernet, data, preprocessing, target)
    run = _Run(supernet, data, settings, prepared, target)
    run_to_the_end(run, progress=progress, folder=checkpoint_dir, on_epoch=on_epoch)
    return run.conclude()


class _Run:
    """The state of a training and the epochs that change it."""

    def __init__(
        self,
        supernet: Supernet,
        data: ImageData,
        settings: SupernetSettings,
        preprocessing: Preprocessing,
        device: torch.device,
    ) -> None:
        self._supernet, self._data, self._settings = supernet, data, settings
        self._preprocessing = preprocessing
        train = settings.train
        self._stepper = SharedStepper(
            supernet,
            train,
            device,
            distillation_weight=settings.distillation_weight,
            teacher_weight=settings.teacher_weight,
        )
        self._teacher: Supernet | None = None
        self._batches = Batches(
            data.train, preprocessing, batch_size=train.batch_size, device=device, workers=train.workers
        )
        self._budget = Budget(train, total_steps(train, self._batches.steps))
        self._average = [p.detach().clone() for p in supernet.parameters()] if train.averaging_decay else []
        self._history: list[SupernetEpoch] = []
        self._epoch = 0
        self._waited = 0.0
        self._folder: Path | None = None

    @property
    def finished(self) -> bool:
        """Whether the budget is spent."""
        return self._budget.spent

    def take_epoch(self, progress: Progress | None) -> SupernetEpoch:
        """Train for one pass over the images, or the rest of the budget."""
        budget, train = self._budget, self._settings.train
        started, before, waited = time.perf_counter(), budget.seconds, self._batches.waiting_seconds
        losses: list[Tensor] = []
        for batch in self._batches.shuffled(
            seed=train.seed, epoch=self._epoch, classes=len(self._data.classes), augment=train.augment
        ):
            if budget.spent:
                break
            share = min(budget.share(ahead=0.5), 1.0)
            members = members_of_step(self._supernet.space, self._settings, step=budget.step, share=share)
            if self._settings.teacher_weight and self._teacher is None and share >= WARM_UP_SHARE:
                self._appoint_teacher()
            losses.append(self._stepper.step(batch, members, learning_rate(train, share)))
            if self._average:
                self._update_average()
            budget.step += 1
            budget.seconds = before + time.perf_counter() - started
            if progress is not None:
                progress(*budget.done(), "training the supernet")
        self._waited += self._batches.waiting_seconds - waited
        self._require_finite(losses)
        record = SupernetEpoch(
            epoch=self._epoch,
            step=budget.step,
            train_loss=torch.stack(losses).mean().item() if losses else float("nan"),
            seconds=budget.seconds,
        )
        self._epoch += 1
        self._history.append(record)
        return record

    def _appoint_teacher(self) -> None:
        """Let the largest member teach from here on, with the weights that it has now."""
        frozen = copy.deepcopy(self._supernet).requires_grad_(False)
        largest = frozen.space.largest()
        self._teacher = frozen
        self._stepper.teacher = lambda images: frozen(images, largest)

    @torch.no_grad()
    def _update_average(self) -> None:
        decay = self._settings.train.averaging_decay
        assert decay is not None
        decay = min(decay, (1 + self._budget.step) / (10 + self._budget.step))
        torch._foreach_lerp_(self._average, list(self._supernet.parameters()), 1 - decay)

    def _require_finite(self, losses: list[Tensor]) -> None:
        if not losses:
            return
        broken = torch.nonzero(~torch.isfinite(torch.stack(losses))).flatten()
        if len(broken):
            step = self._budget.step - len(losses) + int(broken[0])
            # As in `take_epoch`; where a clock limits, the share then is not known any more.
            share = min(self._budget.share(ahead=step - self._budget.step + 0.5), 1.0)
            members = members_of_step(self._supernet.space, self._settings, step=step, share=share).genes
            raise not_finite(f"step {step} (epoch {self._epoch})", members[0], self._folder)

    def conclude(self) -> SupernetResult:
        """Put the kept weights into the supernet."""
        if self._average:
            with torch.no_grad():
                for parameter, mean in zip(self._supernet.parameters(), self._average, strict=True):
                    parameter.copy_(mean)
        images, seconds = self._stepper.member_steps * self._batches.batch_size, self._budget.seconds
        return SupernetResult(
            history=tuple(self._history),
            steps=self._budget.step,
            member_steps=self._stepper.member_steps,
            seconds=seconds,
            images_per_second=images / seconds if seconds else 0.0,
            waiting_share=self._waited / seconds if seconds else 0.0,
            notes=(*self._batches.notes, *self._stepper.notes),
            preprocessing=self._preprocessing,
        )

    def save(self, folder: Path) -> None:
        """Write the state."""
        tensors = weight_tensors(self._supernet, self._stepper)
        tensors |= {f"average.{index}": value for index, value in enumerate(self._average)}
        if self._teacher is not None:
            tensors |= {f"teacher.{name}": value for name, value in self._teacher.shared_weights().items()}
        facts = {
            "epoch": self._epoch,
            **self._budget.facts,
            **self._stepper.facts,
            "waited": self._waited,
            "history": [asdict(record) for record in self._history],
            "training": self._identity(),
        }
        write_checkpoint(folder, TrainCheckpoint(tensors=tensors, facts=facts), tag=f"{self._epoch:05d}")

    @torch.no_grad()
    def resume(self, folder: Path) -> None:
        """Take the state up from a folder, where there is one."""
        self._folder = folder
        checkpoint = read_checkpoint(folder)
        if checkpoint is None:
            return
        facts = checkpoint.facts
        require_same(self._identity(), facts["training"], folder, what="training of a supernet")
        groups = checkpoint.groups()
        load_weight_tensors(self._supernet, self._stepper, groups)
        for index, mean in enumerate(self._average):
            mean.copy_(groups["average"][str(index)])
        if groups.get("teacher"):
            self._appoint_teacher()
            assert self._teacher is not None
            for name, value in self._teacher.shared_weights().items():
                value.copy_(groups["teacher"][name])
        self._stepper.load_facts(facts)
        self._budget.load_facts(facts)
        self._epoch, self._waited = facts["epoch"], facts["waited"]
        self._history = [SupernetEpoch(**record) for record in facts["history"]]

    def _identity(self) -> dict[str, Any]:
        settings = self._settings.to_dict()
        if self._settings.scheme != "sandwich":
            # Nobody teaches in the other schemes.
            del settings["distillation_weight"]
        if not self._settings.teacher_weight:
            # As before there was one: trainings that were begun then are taken up.
            del settings["teacher_weight"]
        return identity(self._supernet, self._data, self._preprocessing, settings)
