"""The state of a training and the epochs that change it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from edgenas.data.batches import Batches
from edgenas.data.network_input import Preprocessing
from edgenas.data.values import ImageData
from edgenas.errors import TrainingError, WeightsError, explain
from edgenas.train.accuracy import judge
from edgenas.train.averaging import WeightAverage, recalibrate
from edgenas.train.checkpoint import TrainCheckpoint, last_state, read_checkpoint, require_same, write_checkpoint
from edgenas.train.optimizer import load_state_tensors, state_tensors
from edgenas.train.result import Accuracy, EpochRecord, FitResult
from edgenas.train.schedule import learning_rate, spent_share, total_steps
from edgenas.train.settings import TrainSettings
from edgenas.train.step import Stepper
from edgenas.train.teacher import weights_digest

# Reading a loss makes the host wait for the device; so many steps are checked at once.
CHECK_EVERY = 16
# An epoch that no training reaches: recalibration always sees the same images.
RECALIBRATION_EPOCH = 2**30
# Settings that do not change the weights; a resumed training may differ in them.
HARMLESS = ("workers",)


class TrainingRun:
    """Everything that changes while a model is trained.

    Attributes:
        epoch: Epochs done.
        history: One record for each.
    """

    def __init__(
        self,
        model: nn.Module,
        data: ImageData,
        settings: TrainSettings,
        *,
        preprocessing: Preprocessing,
        teacher: nn.Module | None,
        device: torch.device,
    ) -> None:
        self.epoch = 0
        self.history: list[EpochRecord] = []
        self._model = model
        self._data = data
        self._settings = settings
        self._preprocessing = preprocessing
        self._device = device
        self._step = 0
        self._seconds = 0.0
        self._training_seconds = 0.0
        self._waiting_seconds = 0.0
        self._images = 0
        # What is known of the weights as they are now; None where they were not judged since they changed.
        self._judged: Accuracy | None = None
        self._folder: Path | None = None
        self._best: dict[str, Tensor] = {}
        self._best_accuracy = -1.0
        self._teacher = None if teacher is None else weights_digest(teacher)
        self._stepper = Stepper(model, settings, teacher=teacher, device=device, classes=len(data.classes))
        self._average = None if settings.averaging_decay is None else WeightAverage(model, settings.averaging_decay)
        self._batches = Batches(
            data.train, preprocessing, batch_size=settings.batch_size, device=device, workers=settings.workers
        )
        self._validation = Batches(data.validation, preprocessing, batch_size=256, device=device)
        self._total = total_steps(settings, self._batches.steps)

    @property
    def finished(self) -> bool:
        """Whether the budget is spent."""
        return self._spent(self._step, self._seconds) >= 1

    def train_epoch(self, progress: Callable[[int, int], None] | None) -> EpochRecord:
        """Train for one epoch (or the rest of the budget) and judge where it is due.

        Raises:
            TrainingError: A loss or a weight is not finite, or memory ran out.
        """
        started = time.perf_counter()
        waited = self._batches.waiting_seconds
        losses, right, seen, rate = self._walk(started, progress)
        loss = torch.stack(losses).mean().item()
        self._refuse_broken_weights()
        trained = time.perf_counter() - started
        self._training_seconds += trained
        self._waiting_seconds += self._batches.waiting_seconds - waited
        self._images += seen
        self.epoch += 1
        due = self.epoch % self._settings.evaluate_every == 0 or self._spent(self._step, self._seconds + trained) >= 1
        accuracy = self._judged = self._judge_and_remember() if due else None
        self._seconds += time.perf_counter() - started
        mixed = self._settings.augment.mixup_alpha or self._settings.augment.cutmix_alpha
        record = EpochRecord(
            epoch=self.epoch - 1,
            step=self._step,
            learning_rate=rate,
            train_loss=loss,
            train_accuracy=None if mixed else right / seen,
            validation_accuracy=None if accuracy is None else accuracy.value,
            seconds=self._seconds,
        )
        self.history.append(record)
        return record

    def conclude(self) -> FitResult:
        """Put the kept weights into the model and judge them."""
        accuracy = self._judged
        if self._settings.keep == "best" and self._best:
            self._model.load_state_dict(self._best)
            accuracy = None
        elif self._average is not None:
            if accuracy is None:
                self._refresh_average(self._average)
            self._model.load_state_dict(self._average.model.state_dict())
        accuracy = accuracy or judge(self._model, self._validation)
        judged = [record.validation_accuracy for record in self.history if record.validation_accuracy is not None]
        return FitResult(
            history=tuple(self.history),
            validation_accuracy=accuracy.value,
            validation_standard_error=accuracy.standard_error,
            best_validation_accuracy=max(judged, default=accuracy.value),
            steps=self._step,
            seconds=self._seconds,
            images_per_second=self._images / self._training_seconds if self._training_seconds else 0.0,
            waiting_share=self._waiting_seconds / self._training_seconds if self._training_seconds else 0.0,
            accumulation=self._stepper.accumulation,
            complete=self.finished,
            stopped=self._reason(),
            notes=(*self._batches.notes, *self._stepper.notes),
            preprocessing=self._preprocessing,
        )

    def save(self, folder: Path) -> None:
        """Write the state.

        Raises:
            StoreError: The folder cannot be written.
        """
        tensors = {f"model.{name}": value for name, value in self._model.state_dict().items()}
        tensors |= {f"optimizer.{name}": value for name, value in state_tensors(self._stepper.optimizer).items()}
        tensors |= {f"best.{name}": value for name, value in self._best.items()}
        if self._average is not None:
            tensors |= {f"average.{name}": value for name, value in self._average.model.state_dict().items()}
        write_checkpoint(folder, TrainCheckpoint(tensors=tensors, facts=self._facts()), tag=f"{self.epoch:05d}")

    def resume(self, folder: Path) -> None:
        """Take the state up from a folder, where there is one.

        Raises:
            WeightsError: It is broken or belongs to another training.
        """
        self._folder = folder
        checkpoint = read_checkpoint(folder)
        if checkpoint is None:
            return
        facts = checkpoint.facts
        require_same(self._identity(), facts["training"], folder, what="training")
        groups = checkpoint.groups()
        _load(self._model, groups["model"], folder)
        if self._average is not None:
            _load(self._average.model, groups["average"], folder)
        load_state_tensors(self._stepper.optimizer, groups["optimizer"])
        self._best = {name: value.to(self._device) for name, value in groups["best"].items()}
        self._best_accuracy = facts["best_accuracy"]
        self.epoch, self._step = facts["epoch"], facts["step"]
        self._seconds, self._training_seconds = facts["seconds"], facts["training_seconds"]
        self._waiting_seconds, self._images = facts["waiting_seconds"], facts["images"]
        self._stepper.accumulation = facts["accumulation"]
        self._stepper.notes.extend(facts["notes"])
        self._stepper.scaler.load_state_dict(facts["scaler"])
        self.history = [EpochRecord.from_dict(record) for record in facts["history"]]

    def _walk(
        self, started: float, progress: Callable[[int, int], None] | None
    ) -> tuple[list[Tensor], int, int, float]:
        """Take the steps of one epoch; return losses, right answers, images and the last learning rate."""
        losses: list[Tensor] = []
        right: list[Tensor] = []
        seen, rate = 0, 0.0
        self._model.train()
        with torch.random.fork_rng(devices=[self._device] if self._device.type == "cuda" else []):
            self._seed_noise()
            for batch in self._batches.shuffled(
                seed=self._settings.seed,
                epoch=self.epoch,
                classes=len(self._data.classes),
                augment=self._settings.augment,
            ):
                seconds = self._seconds + time.perf_counter() - started
                rate = learning_rate(self._settings, min(1.0, self._spent(self._step + 0.5, seconds)))
                outcome = self._stepper.step(batch, rate)
                losses.append(outcome.loss)
                right.append(outcome.right)
                seen += len(batch.labels)
                if self._average is not None:
                    self._average.update(self._model, self._step)
                self._step += 1
                if len(losses) % CHECK_EVERY == 0:
                    self._refuse_broken_losses(losses[-CHECK_EVERY:])
                seconds = self._seconds + time.perf_counter() - started
                self._tell(progress, seconds)
                if self._spent(self._step, seconds) >= 1:
                    break
        self._refuse_broken_losses(losses[len(losses) // CHECK_EVERY * CHECK_EVERY :])
        return losses, int(torch.stack(right).sum()), seen, rate

    def _spent(self, step: float, seconds: float) -> float:
        return spent_share(self._settings, step, self._total, seconds)

    def _tell(self, progress: Callable[[int, int], None] | None, seconds: float) -> None:
        if progress is None:
            return
        if self._total is not None and self._settings.seconds is None:
            progress(self._step, self._total)
        else:
            progress(min(1000, round(1000 * self._spent(self._step, seconds))), 1000)

    def _judge_and_remember(self) -> Accuracy:
        model = self._model
        if self._average is not None:
            self._refresh_average(self._average)
            model = self._average.model
        accuracy = judge(model, self._validation)
        if self._settings.keep == "best" and accuracy.value > self._best_accuracy:
            self._best_accuracy = accuracy.value
            self._best = {name: value.detach().clone() for name, value in model.state_dict().items()}
        return accuracy

    def _refresh_average(self, average: WeightAverage) -> None:
        """Give the averaged weights norm statistics of their own."""
        average.copy_buffers(self._model)
        count = max(1, self._settings.recalibration_images // self._batches.batch_size)
        batches = self._batches.shuffled(
            seed=self._settings.seed, epoch=RECALIBRATION_EPOCH, classes=len(self._data.classes)
        )
        recalibrate(average.model, (batch.images for batch in islice(batches, count)))

    def _seed_noise(self) -> None:
        """Make dropout and the like depend on the epoch alone, so that a resumed training draws the same."""
        sequence = np.random.SeedSequence((self._settings.seed, self.epoch))
        seed = int(sequence.generate_state(1, np.uint64)[0] >> 1)
        torch.manual_seed(seed)
        for module in self._model.modules():
            generator = getattr(getattr(module, "noise", None), "generator", None)
            if isinstance(generator, torch.Generator):
                generator.manual_seed(seed)

    def _refuse_broken_losses(self, losses: list[Tensor]) -> None:
        if not losses:
            return
        values = torch.stack(losses).float().cpu()
        broken = torch.nonzero(~torch.isfinite(values)).flatten()
        if len(broken):
            first = int(broken[0])
            self._fail("the loss is not finite", self._step - len(losses) + first, got=f"{values[first].item()}")

    def _refuse_broken_weights(self) -> None:
        for name, value in self._model.state_dict().items():
            if value.is_floating_point() and not torch.isfinite(value).all():
                self._fail(f"weight {name} is not finite", self._step - 1, got="nan or inf")

    def _fail(self, what: str, step: int, *, got: str) -> None:
        raise TrainingError(
            explain(
                f"{what} at step {step} (epoch {self.epoch})",
                got=got,
                remedy=f"Lower train.learning_rate or set train.clip_norm.{last_state(self._folder)}",
            )
        )

    def _reason(self) -> str:
        if not self.finished:
            return "stop_after_epochs"
        if self._settings.seconds is not None and (self._total is None or self._step < self._total):
            return "seconds"
        return "steps" if self._settings.steps is not None and self._step >= self._settings.steps else "epochs"

    def _facts(self) -> dict[str, Any]:
        return {
            "epoch": self.epoch,
            "step": self._step,
            "seconds": self._seconds,
            "training_seconds": self._training_seconds,
            "waiting_seconds": self._waiting_seconds,
            "images": self._images,
            "accumulation": self._stepper.accumulation,
            "notes": self._stepper.notes,
            "scaler": self._stepper.scaler.state_dict(),
            "best_accuracy": self._best_accuracy,
            "history": [asdict(record) for record in self.history],
            "training": self._identity(),
            "preprocessing": self._preprocessing.to_dict(),
        }

    def _identity(self) -> dict[str, Any]:
        """Say which training this is: what may not differ when it is taken up again."""
        settings = {name: value for name, value in self._settings.to_dict().items() if name not in HARMLESS}
        taught = {} if self._teacher is None else {"teacher": self._teacher}
        return {**settings, "data": self._data.digest, "input": self._preprocessing.to_dict(), **taught}


def _load(model: nn.Module, tensors: dict[str, Tensor], folder: Path) -> None:
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:300]
        raise WeightsError(
            explain(f"the checkpoint in {folder} is of another network: {reason}", remedy="Name another folder.")
        ) from error
