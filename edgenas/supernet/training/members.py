"""One step of the optimiser on shared weights: the losses of the members that it trains."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
from torch import Tensor

from edgenas.data.batches import Batch
from edgenas.supernet.supernet import Supernet
from edgenas.supernet.training.schemes import Members
from edgenas.train.loop.step import PartLoss, Stepper
from edgenas.train.losses import batch_loss, distillation_loss
from edgenas.train.settings import TrainSettings


class MemberStepper:
    """Takes optimiser steps down the summed losses of members.

    Attributes:
        stepper: Of the shared weights.
        member_steps: Forward and backward passes of members so far.
        teacher: Gives soft targets (B, K) of images (B, C, H, W) to all members; None without a teacher.
    """

    def __init__(
        self,
        supernet: Supernet,
        settings: TrainSettings,
        device: torch.device,
        *,
        distillation_weight: float = 1.0,
        teacher_weight: float = 0.0,
    ) -> None:
        """Make an optimiser.

        Args:
            supernet: On the device.
            settings: Optimiser, precision, accumulation, clipping, label smoothing.
            device: Where to compute.
            distillation_weight: Weight of the first member's outputs in the loss of the others, if it teaches them.
            teacher_weight: Weight of the outputs of `teacher` in the loss of all members, if there is one.
        """
        self.stepper = Stepper(supernet, settings, device=device, section="supernet")
        self.member_steps = 0
        self.teacher: Callable[[Tensor], Tensor] | None = None
        self._supernet, self._settings = supernet, settings
        self._taught = replace(settings, distillation_weight=teacher_weight)
        self._distillation_weight = distillation_weight

    def step(self, batch: Batch, members: Members, learning_rate: float) -> Tensor:
        """Take one step down the summed gradients of members.

        Args:
            batch: On the device.
            members: Which ones.
            learning_rate: Of this step.

        Returns:
            The mean loss, a scalar that is still on the device: reading it would make the host wait.

        Raises:
            TrainingError: Memory ran out although the batch was already processed in more parts.
        """
        outcome = self.stepper.step(batch, learning_rate, lambda part: self._losses(part, members))
        self.member_steps += len(members.genes)
        return outcome.loss / len(members.genes)

    def _losses(self, part: Batch, members: Members) -> Iterator[PartLoss]:
        first: Tensor | None = None
        soft = self._soft_targets(part)
        for genes in members.genes:
            with self.stepper.precision.autocast():
                logits = self._supernet(part.images, genes)
            yield PartLoss(self._loss(logits, part, first, soft))
            if members.teacher and first is None:
                first = logits.detach()

    @torch.no_grad()
    def _soft_targets(self, batch: Batch) -> Tensor | None:
        if self.teacher is None:
            return None
        with self.stepper.precision.autocast():
            return self.teacher(batch.images)

    def _loss(self, logits: Tensor, batch: Batch, first: Tensor | None, targets: Tensor | None) -> Tensor:
        weight = self._distillation_weight
        if first is None:
            return batch_loss(logits, batch, self._taught, targets)
        soft = distillation_loss(logits.float(), first.float(), 1.0)
        if weight == 1:
            return soft
        return weight * soft + (1 - weight) * batch_loss(logits, batch, self._settings, None)
