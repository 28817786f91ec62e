"""Training one network: its steps, its evaluations, and the choice of the weights to keep."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn

from edgenas.data.batches import Batch, Batches
from edgenas.data.network_input import Preprocessing
from edgenas.data.values import ImageData
from edgenas.errors import WeightsError, explain
from edgenas.train.accuracy import BATCH_SIZE, evaluate_batches
from edgenas.train.averaging import WeightAverage, recalibrate
from edgenas.train.loop.budget import Budget
from edgenas.train.loop.images import judging_batches
from edgenas.train.loop.memory import Room
from edgenas.train.loop.schedule import learning_rate
from edgenas.train.loop.step import PartLoss, Stepper
from edgenas.train.losses import batch_loss
from edgenas.train.result import Accuracy, EpochRecord
from edgenas.train.settings import CHANGEABLE, TrainSettings
from edgenas.train.teacher import weights_digest

# An epoch that no training reaches: recalibration always sees the same images.
RECALIBRATION_EPOCH = 2**30


class NetworkWork:
    """A network in training; see `edgenas.train.loop.work.Work`.

    Attributes:
        history: One record per epoch.
    """

    name = "training"
    loss_name = "the loss"
    section = "train"
    check_every = 16

    def __init__(
        self,
        model: nn.Module,
        data: ImageData,
        settings: TrainSettings,
        *,
        preprocessing: Preprocessing,
        teacher: nn.Module | None,
        batches: Batches,
    ) -> None:
        """Keep what is given; the model and the teacher lie on the device of the batches."""
        self.history: list[EpochRecord] = []
        self.stepper = Stepper(model, settings, device=batches.device, section=self.section)
        decay = settings.averaging_decay
        self.average = None if decay is None else WeightAverage(model.parameters(), decay)
        self._data, self._settings, self._preprocessing = data, settings, preprocessing
        self._teacher, self._batches = teacher, batches
        self._taught = {} if teacher is None else {"teacher": weights_digest(teacher)}
        self._validation = judging_batches(
            data.validation, preprocessing, batch_size=BATCH_SIZE, device=batches.device
        )
        self._right: list[Tensor] = []
        self._seen, self._rate = 0, 0.0
        # The last evaluation and the evaluated model; None if the weights have changed since.
        self._judged: tuple[Accuracy, nn.Module] | None = None
        self._best: dict[str, Tensor] = {}
        self._best_accuracy = -1.0

    def take_step(self, batch: Batch, budget: Budget) -> Tensor:
        """Take one step and return its loss.

        Raises:
            TrainingError: Memory ran out.
            WeightsError: The model has another number of classes than the images.
        """
        self._rate = learning_rate(self._settings, min(1.0, budget.share(ahead=0.5)))
        outcome = self.stepper.step(batch, self._rate, self._losses)
        self._right.append(outcome.right)
        self._seen += self._batches.batch_size
        return outcome.loss

    def _losses(self, part: Batch) -> Iterator[PartLoss]:
        with self.stepper.precision.autocast():
            logits = self.stepper.model(part.images)
            soft = self._soft_targets(part.images)
        allowed = (len(part.labels), len(self._data.classes))
        if logits.shape != allowed:
            raise WeightsError(
                explain("the model's logits do not fit the data", got=tuple(logits.shape), allowed=allowed)
            )
        yield PartLoss(batch_loss(logits, part, self._settings, soft), (logits.argmax(1) == part.labels).sum())

    @torch.no_grad()
    def _soft_targets(self, images: Tensor) -> Tensor | None:
        return None if self._teacher is None else self._teacher(images)

    def end_epoch(self, epoch: int, loss: float, budget: Budget) -> EpochRecord:
        """Judge where it is due."""
        due = (epoch + 1) % self._settings.evaluate_every == 0 or budget.spent
        self._judged = self._judge_and_remember() if due else None
        mixed = self._settings.augment.mixup_alpha or self._settings.augment.cutmix_alpha
        record = EpochRecord(
            epoch=epoch,
            step=budget.step,
            learning_rate=self._rate,
            train_loss=loss,
            train_accuracy=None if mixed else int(torch.stack(self._right).sum()) / self._seen,
            validation_accuracy=None if self._judged is None else self._judged[0].value,
            seconds=budget.seconds,
        )
        self._right, self._seen = [], 0
        self.history.append(record)
        return record

    def _judge_and_remember(self) -> tuple[Accuracy, nn.Module]:
        accuracy, model = self._judge()
        if self._settings.keep == "best" and accuracy.value > self._best_accuracy:
            self._best_accuracy = accuracy.value
            self._best = {name: value.detach().clone() for name, value in model.state_dict().items()}
        return accuracy, model

    def _judge(self) -> tuple[Accuracy, nn.Module]:
        model = self.stepper.model if self.average is None else self._averaged(self.average)
        return evaluate_batches(model, self._validation), model

    def _averaged(self, average: WeightAverage) -> nn.Module:
        """Return a copy of the model with the averaged weights and norm statistics that fit them."""
        model = copy.deepcopy(self.stepper.model)
        average.copy_to(list(model.parameters()))
        count = max(1, self._settings.recalibration_images // self._batches.batch_size)
        room = Room(self._batches.device, images=self._batches.batch_size)

        def statistics() -> None:
            batches = self._batches.shuffled(
                seed=self._settings.seed, epoch=RECALIBRATION_EPOCH, classes=len(self._data.classes)
            )
            chosen = islice(batches, count)
            recalibrate(model, (part.images for batch in chosen for part in room.split(batch, least=2)))

        # Begun anew where memory runs out: the first batch replaces all statistics.
        room.do(statistics)
        running = [value for value in model.buffers() if value.is_floating_point()]
        self.stepper.processes.combine(running, self._batches.batch_size)
        return model

    def keep(self) -> Accuracy:
        """Put the weights that are kept into the model and judge them."""
        model = self.stepper.model
        if self._settings.keep == "best" and self._best:
            model.load_state_dict(self._best)
            return evaluate_batches(model, self._validation)
        accuracy, source = self._judged or self._judge()
        if source is not model:
            model.load_state_dict(source.state_dict())
        return accuracy

    def culprit(self, step: int, share: float, loss: float) -> str:
        """Return the loss."""
        return f"{loss}"

    def tensors(self) -> dict[str, Tensor]:
        """Return the best weights so far."""
        return {f"best.{name}": value for name, value in self._best.items()}

    def facts(self) -> dict[str, Any]:
        """Return what a checkpoint must hold beside tensors."""
        return {
            "best_accuracy": self._best_accuracy,
            "history": [asdict(record) for record in self.history],
            "preprocessing": self._preprocessing.to_dict(),
            # Of an epoch that is not finished.
            "right": int(torch.stack(self._right).sum()) if self._right else 0,
            "seen": self._seen,
            "rate": self._rate,
        }

    def load(self, groups: Mapping[str, dict[str, Tensor]], facts: Mapping[str, Any]) -> None:
        """Restore what `tensors` and `facts` returned."""
        self._best = {name: value.to(self._batches.device) for name, value in groups.get("best", {}).items()}
        self._best_accuracy = facts["best_accuracy"]
        self.history = [EpochRecord.from_dict(record) for record in facts["history"]]
        self._right = [torch.tensor(facts.get("right", 0), device=self._batches.device)]
        self._seen, self._rate = facts.get("seen", 0), facts.get("rate", 0.0)

    def identity(self) -> dict[str, Any]:
        """Say which training this is."""
        settings = {name: value for name, value in self._settings.to_dict().items() if name not in CHANGEABLE}
        return {**settings, "data": self._data.digest, "input": self._preprocessing.to_dict(), **self._taught}
