"""The training loop of all trainings: epochs within a budget, resumed at the step where they were stopped.

The loop owns what all trainings share: the order of the images, the budget, noise, the average of the weights,
checkpoints, progress, and the check that losses and weights are finite. A `Work` defines a step and the end of an
epoch.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic

import numpy as np
import torch
from torch import Tensor, nn

from edgenas.data.batches import Batch, Batches
from edgenas.errors import TrainingError, WeightsError, explain
from edgenas.interrupt import finishing, stops_here, terminating
from edgenas.train.loop.budget import Budget
from edgenas.train.loop.checkpoint import TrainCheckpoint, last_state, read_checkpoint, require_same, write_checkpoint
from edgenas.train.loop.handed_on import shared_checkpoint
from edgenas.train.loop.losses import BrokenLoss, EpochLosses
from edgenas.train.loop.work import Record, Work
from edgenas.train.optimizer import load_state_tensors, state_tensors
from edgenas.train.settings import CHANGEABLE, TrainSettings
from edgenas.types import Progress

TOGETHER = 16
"""Steps after which several processes ask each other whether they shall end."""


class Loop(Generic[Record]):
    """A training between its start and its end.

    Attributes:
        epoch: Epochs done.
        budget: What is spent.
        training_seconds: Wall-clock time without judging.
        waiting_seconds: Time spent waiting for images.
        images: Training images so far, repeated ones included.
    """

    def __init__(
        self, work: Work[Record], batches: Batches, budget: Budget, settings: TrainSettings, *, classes: int
    ) -> None:
        """Keep what is given.

        Args:
            work: What is trained.
            batches: Of the training images.
            budget: Nothing of it is spent.
            settings: Seed, augmentation, and how often the state is kept.
            classes: Of the labels.
        """
        self.epoch, self.budget = 0, budget
        self.training_seconds, self.waiting_seconds, self.images = 0.0, 0.0, 0
        self._work, self._batches, self._settings, self._classes = work, batches, settings, classes
        self._model, self._processes = work.stepper.model, work.stepper.processes
        self._folder: Path | None = None
        self._losses = self._no_losses()
        self._saved, self._spacing = time.perf_counter(), 0.0
        self._counted = (0.0, 0.0)

    def run(
        self,
        *,
        folder: Path | None,
        progress: Progress | None,
        on_epoch: Callable[[Record], None] | None = None,
        stop_after_epochs: int | None = None,
        spacing_seconds: float = 0.0,
    ) -> None:
        """Resume the training if the folder holds its state, and finish it.

        The state is kept within an epoch whenever `checkpoint_minutes` have passed, after an epoch, and at the
        end. On Ctrl-C the present step is finished and the state is kept.

        Args:
            folder: Of the checkpoints.
            progress: Called after every step.
            on_epoch: Called after every epoch.
            stop_after_epochs: Stop there with budget left.
            spacing_seconds: Least seconds between two checkpoints that are written because an epoch has ended.

        Raises:
            TrainingError: A loss or a weight is not finite, or memory ran out.
            WeightsError: The checkpoint is broken or belongs to another training.
            StoreError: A checkpoint cannot be written.
            KeyboardInterrupt: The user ended it.
        """
        # One process writes. The others take what it read.
        if folder is not None or self._processes.count > 1:
            self.resume(folder if self._processes.first else None)
        self._begin_alike()
        self._saved, self._spacing = time.perf_counter(), spacing_seconds
        with terminating():
            while not self._done(stop_after_epochs):
                record = self.take_epoch(progress, stop_after_epochs=stop_after_epochs)
                if on_epoch is not None:
                    on_epoch(record)

    def _done(self, stop_after_epochs: int | None) -> bool:
        """Whether the training has ended; an epoch that was begun is ended first."""
        stopped = stop_after_epochs is not None and self.epoch >= stop_after_epochs
        return stopped or (self.budget.spent and not len(self._losses))

    def take_epoch(self, progress: Progress | None, *, stop_after_epochs: int | None = None) -> Record:
        """Train for the rest of a pass over the images, or of the budget, and evaluate if it is due.

        Raises:
            TrainingError: A loss or a weight is not finite, or memory ran out.
            KeyboardInterrupt: The user ended it; the state is kept.
        """
        self._counted = (self.budget.seconds, self._batches.waiting_seconds)
        self.budget.start()
        self._walk(progress)
        with finishing("this epoch"):
            self._refuse_broken()
            loss = self._losses.values().mean().item()
            self._count_time()
            self.epoch += 1
            self._losses = self._no_losses()
            record = self._work.end_epoch(self.epoch - 1, loss, self.budget)
            self.budget.pause()
            due = self._done(stop_after_epochs) or time.perf_counter() - self._saved >= self._spacing
            ends = self._processes.agree(stops_here())
            if self._folder is not None and (due or ends):
                self.save(self._folder)
        if ends:
            raise KeyboardInterrupt
        return record

    def _walk(self, progress: Progress | None) -> None:
        """Take the steps of an epoch that are left."""
        self._model.train()
        noises = _noises(self._model)
        batches = self._batches.shuffled(
            seed=self._settings.seed, epoch=self.epoch, classes=self._classes, augment=self._settings.augment,
            first_step=len(self._losses),
        )  # fmt: skip
        with torch.random.fork_rng(devices=[self._batches.device] if self._batches.device.type == "cuda" else []):
            going = True
            while going and not self._spent:
                with finishing("this training step"):
                    for _ in range(1 if self._processes.count == 1 else TOGETHER):
                        batch = None if self._spent else next(batches, None)
                        if going := batch is not None:
                            self._seed_noise(noises)
                            self._step(batch)
                            if progress is not None:
                                progress(*self.budget.progress())
                    ends = self._processes.agree(stops_here())
                    self._keep_if_due(ends)
                if ends:
                    raise KeyboardInterrupt

    @property
    def _spent(self) -> bool:
        """Whether the budget is spent. An epoch that was begun takes one step, whatever the clock says by then."""
        return self.budget.spent and len(self._losses) > 0

    def _step(self, batch: Batch) -> None:
        budget = self.budget
        share = min(1.0, budget.share(ahead=0.5))
        loss = self._work.take_step(batch, budget)
        if self._work.average is not None:
            self._work.average.update(self._model.parameters(), budget.step)
        budget.step += 1
        self.images += self._batches.batch_size
        self._losses.add(loss, share)

    def _keep_if_due(self, ends: bool) -> None:
        """Keep the state within an epoch where it is time, or where the user ends the training."""
        due = time.perf_counter() - self._saved >= 60 * self._settings.checkpoint_minutes
        if self._folder is None or not (due or ends):
            return
        self._refuse_broken()
        self.budget.pause()
        self._count_time()
        self.save(self._folder)
        self.budget.start()

    def _count_time(self) -> None:
        """Add the time since the last count to what was trained and waited."""
        seconds, waited = self._counted
        self._counted = (self.budget.seconds, self._batches.waiting_seconds)
        self.training_seconds += self._counted[0] - seconds
        self.waiting_seconds += self._counted[1] - waited

    def _seed_noise(self, noises: list[Any]) -> None:
        """Seed dropout and other noise by epoch and step alone, so that a resumed training draws the same."""
        rank = (self._processes.rank,) if self._processes.rank else ()
        sequence = np.random.SeedSequence((self._settings.seed, self.epoch, len(self._losses), *rank))
        seed = int(sequence.generate_state(1, np.uint64)[0] >> 1)
        torch.manual_seed(seed)
        for noise in noises:
            noise.generator.manual_seed(seed)

    # What must not go on

    def _no_losses(self) -> EpochLosses:
        return EpochLosses(self._work.check_every, self._refuse_loss)

    def _refuse_loss(self, broken: BrokenLoss) -> None:
        step = self.budget.step - len(self._losses) + broken.step
        self._fail(self._work.loss_name, step, got=self._work.culprit(step, broken.share, broken.value))

    def _refuse_broken(self) -> None:
        """Refuse to go on with a loss or a weight that is not finite."""
        self._losses.settle()
        weights = {name: value for name, value in self._model.state_dict().items() if value.is_floating_point()}
        # One answer for all weights: asking for each would make the host wait for the device as many times.
        finite = torch.stack([torch.isfinite(value).all() for value in weights.values()]).tolist() if weights else []
        for name, whole in zip(weights, finite, strict=True):
            if not whole:
                self._fail(f"weight {name}", self.budget.step - 1, got="nan or inf")

    def _fail(self, what: str, step: int, *, got: str) -> None:
        raise TrainingError(
            explain(
                f"{what} is not finite at step {step} (epoch {self.epoch})",
                got=got,
                remedy=f"Lower {self._work.section}.learning_rate or set {self._work.section}.clip_norm."
                f"{last_state(self._folder)}",
            )
        )

    # Checkpoints

    def save(self, folder: Path) -> None:
        """Write the state.

        Raises:
            StoreError: The folder cannot be written.
        """
        stepper, average = self._work.stepper, self._work.average
        tensors = {f"model.{name}": value for name, value in self._model.state_dict().items()}
        tensors |= {f"optimizer.{name}": value for name, value in state_tensors(stepper.optimizer).items()}
        if average is not None:
            tensors |= {f"average.{index}": value for index, value in enumerate(average.values)}
        if len(self._losses):
            tensors["epoch.losses"] = self._losses.values()
        facts = {
            "epoch": self.epoch,
            "training_seconds": self.training_seconds,
            "waiting_seconds": self.waiting_seconds,
            "images": self.images,
            "budget": self.budget.facts,
            "stepper": stepper.facts,
            "work": self._work.facts(),
            "training": self._work.identity(),
        }
        checkpoint = TrainCheckpoint(tensors=tensors | self._work.tensors(), facts=facts)
        write_checkpoint(folder, checkpoint, tag=f"{self.epoch:05d}-{self.budget.step:08d}")
        self._saved = time.perf_counter()

    def _begin_alike(self) -> None:
        """Give all processes the weights of the first."""
        average = self._work.average
        self._processes.spread_([*self._model.state_dict().values(), *([] if average is None else average.values)])

    @torch.no_grad()
    def resume(self, folder: Path | None) -> None:
        """Restore the state from the folder of the first process, if it holds one.

        Raises:
            WeightsError: It is broken or belongs to another training.
        """
        self._folder, where = folder, folder or Path("the first process")
        checkpoint = None if folder is None else read_checkpoint(folder, notes=self._work.stepper.notes)
        checkpoint = shared_checkpoint(checkpoint, self._processes)
        if checkpoint is None:
            return
        facts, groups = checkpoint.facts, checkpoint.groups()
        theirs = {name: value for name, value in facts["training"].items() if name not in CHANGEABLE}
        require_same(self._work.identity(), theirs, where, what=self._work.name)
        _load(self._model, groups["model"], where)
        load_state_tensors(self._work.stepper.optimizer, groups["optimizer"])
        if self._work.average is not None:
            for index, value in enumerate(self._work.average.values):
                value.copy_(groups["average"][str(index)])
        self._work.stepper.load_facts(facts["stepper"])
        self._work.load(groups, facts["work"])
        self.budget.load_facts(facts["budget"])
        self.epoch, self.images = facts["epoch"], facts["images"]
        self.training_seconds, self.waiting_seconds = facts["training_seconds"], facts["waiting_seconds"]
        if "losses" in groups["epoch"]:
            self._losses.load(groups["epoch"]["losses"].to(self._batches.device))


def _noises(model: nn.Module) -> list[Any]:
    """Return what holds the generators of a model's own noise. They may move to another device in the first step."""
    found = (getattr(module, "noise", None) for module in model.modules())
    return [noise for noise in found if isinstance(getattr(noise, "generator", None), torch.Generator)]


def _load(model: nn.Module, tensors: dict[str, Tensor], folder: Path) -> None:
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:300]
        raise WeightsError(
            explain(f"the checkpoint in {folder} is of another network: {reason}", remedy="Name another folder.")
        ) from error
