"""The training loop of all trainings: epochs within a budget, resumed where they were stopped.

The loop owns what all trainings share: the order of the images, the budget, noise, the average of the weights,
checkpoints, progress, and the check that losses and weights are finite. A `Work` defines a step and the end of an
epoch.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Generic

import numpy as np
import torch
from torch import Tensor, nn

from edgenas.data.batches import Batches
from edgenas.errors import TrainingError, WeightsError, explain
from edgenas.train.loop.budget import Budget
from edgenas.train.loop.checkpoint import TrainCheckpoint, last_state, read_checkpoint, require_same, write_checkpoint
from edgenas.train.loop.work import Record, Work
from edgenas.train.optimizer import load_state_tensors, state_tensors
from edgenas.train.settings import TrainSettings
from edgenas.types import Progress


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
            settings: Seed and augmentation.
            classes: Of the labels.
        """
        self.epoch, self.budget = 0, budget
        self.training_seconds, self.waiting_seconds, self.images = 0.0, 0.0, 0
        self._work, self._batches, self._settings, self._classes = work, batches, settings, classes
        self._model = work.stepper.model
        self._folder: Path | None = None

    def run(
        self,
        *,
        folder: Path | None,
        progress: Progress | None,
        on_epoch: Callable[[Record], None] | None = None,
        stop_after_epochs: int | None = None,
        save_every_seconds: float = 0.0,
    ) -> None:
        """Resume the training if the folder holds its state, and finish it.

        Args:
            folder: Of the checkpoints.
            progress: Called after every step.
            on_epoch: Called after every epoch.
            stop_after_epochs: Stop there with budget left.
            save_every_seconds: Least seconds between two checkpoints. They are written after an epoch, and at the end.

        Raises:
            TrainingError: A loss or a weight is not finite, or memory ran out.
            WeightsError: The checkpoint is broken or belongs to another training.
            StoreError: A checkpoint cannot be written.
        """
        if folder is not None:
            self.resume(folder)
        saved = time.perf_counter()
        while not self._done(stop_after_epochs):
            record = self.take_epoch(progress)
            due = self._done(stop_after_epochs) or time.perf_counter() - saved >= save_every_seconds
            if folder is not None and due:
                self.save(folder)
                saved = time.perf_counter()
            if on_epoch is not None:
                on_epoch(record)

    def _done(self, stop_after_epochs: int | None) -> bool:
        return self.budget.spent or (stop_after_epochs is not None and self.epoch >= stop_after_epochs)

    def take_epoch(self, progress: Progress | None) -> Record:
        """Train for one pass over the images, or for the rest of the budget, and evaluate if it is due.

        Raises:
            TrainingError: A loss or a weight is not finite, or memory ran out.
        """
        before, waited = self.budget.seconds, self._batches.waiting_seconds
        self.budget.start()
        loss = self._walk(progress)
        self._refuse_broken_weights()
        self.training_seconds += self.budget.seconds - before
        self.waiting_seconds += self._batches.waiting_seconds - waited
        self.epoch += 1
        record = self._work.end_epoch(self.epoch - 1, loss, self.budget)
        self.budget.pause()
        return record

    def _walk(self, progress: Progress | None) -> float:
        """Take the steps of one epoch and return their mean loss."""
        budget, every = self.budget, self._work.check_every
        losses: list[Tensor] = []
        shares: list[float] = []
        self._model.train()
        with torch.random.fork_rng(devices=[self._batches.device] if self._batches.device.type == "cuda" else []):
            self._seed_noise()
            for batch in self._batches.shuffled(
                seed=self._settings.seed, epoch=self.epoch, classes=self._classes, augment=self._settings.augment
            ):
                shares.append(min(1.0, budget.share(ahead=0.5)))
                losses.append(self._work.take_step(batch, budget))
                if self._work.average is not None:
                    self._work.average.update(self._model.parameters(), budget.step)
                budget.step += 1
                self.images += len(batch.labels)
                if len(losses) % every == 0:
                    self._refuse_broken_losses(losses[-every:], shares[-every:])
                if progress is not None:
                    progress(*budget.progress())
                if budget.spent:
                    break
        rest = len(losses) % every
        self._refuse_broken_losses(losses[len(losses) - rest :], shares[len(losses) - rest :])
        return torch.stack(losses).mean().item()

    def _seed_noise(self) -> None:
        """Seed dropout and other noise by the epoch alone, so that a resumed training draws the same."""
        sequence = np.random.SeedSequence((self._settings.seed, self.epoch))
        seed = int(sequence.generate_state(1, np.uint64)[0] >> 1)
        torch.manual_seed(seed)
        for module in self._model.modules():
            generator = getattr(getattr(module, "noise", None), "generator", None)
            if isinstance(generator, torch.Generator):
                generator.manual_seed(seed)

    # What must not go on

    def _refuse_broken_losses(self, losses: list[Tensor], shares: list[float]) -> None:
        if not losses:
            return
        values = torch.stack(losses).float().cpu()
        broken = torch.nonzero(~torch.isfinite(values)).flatten()
        if len(broken):
            first = int(broken[0])
            step = self.budget.step - len(losses) + first
            culprit = self._work.culprit(step, shares[first], values[first].item())
            self._fail(self._work.loss_name, step, got=culprit)

    def _refuse_broken_weights(self) -> None:
        for name, value in self._model.state_dict().items():
            if value.is_floating_point() and not torch.isfinite(value).all():
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
        write_checkpoint(folder, checkpoint, tag=f"{self.epoch:05d}")

    @torch.no_grad()
    def resume(self, folder: Path) -> None:
        """Restore the state from a folder, if it holds one.

        Raises:
            WeightsError: It is broken or belongs to another training.
        """
        self._folder = folder
        checkpoint = read_checkpoint(folder, notes=self._work.stepper.notes)
        if checkpoint is None:
            return
        facts, groups = checkpoint.facts, checkpoint.groups()
        require_same(self._work.identity(), facts["training"], folder, what=self._work.name)
        _load(self._model, groups["model"], folder)
        load_state_tensors(self._work.stepper.optimizer, groups["optimizer"])
        if self._work.average is not None:
            for index, value in enumerate(self._work.average.values):
                value.copy_(groups["average"][str(index)])
        self._work.stepper.load_facts(facts["stepper"])
        self._work.load(groups, facts["work"])
        self.budget.load_facts(facts["budget"])
        self.epoch, self.images = facts["epoch"], facts["images"]
        self.training_seconds, self.waiting_seconds = facts["training_seconds"], facts["waiting_seconds"]


def _load(model: nn.Module, tensors: dict[str, Tensor], folder: Path) -> None:
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:300]
        raise WeightsError(
            explain(f"the checkpoint in {folder} is of another network: {reason}", remedy="Name another folder.")
        ) from error
