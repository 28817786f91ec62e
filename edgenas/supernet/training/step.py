"""One step of the optimiser on shared weights: members, parts of a batch, mixed precision, memory that runs out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from edgenas.data.batches import Batch
from edgenas.errors import TrainingError, explain
from edgenas.supernet.supernet import Supernet
from edgenas.supernet.training.schemes import Members
from edgenas.train.checkpoint import last_state
from edgenas.train.losses import batch_loss, distillation_loss
from edgenas.train.memory import is_out_of_memory, release
from edgenas.train.optimizer import make_optimizer, set_learning_rate
from edgenas.train.settings import TrainSettings
from edgenas.train.step import autocast_dtype
from edgenas.types import Genes


class SharedStepper:
    """Takes optimiser steps on the weights of a supernet.

    Attributes:
        optimizer: Of the shared weights.
        scaler: Of fp16 losses; idle in other precisions.
        accumulation: Parts of a batch; doubled once where memory ran out.
        notes: Says so then.
        member_steps: Forward and backward passes of members so far.
        teacher: Gives soft targets (B, K) of images (B, C, H, W) to all members; None where nobody teaches.
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
            distillation_weight: Of the first member's outputs in the loss of the others, where it teaches them.
            teacher_weight: Of the outputs of `teacher` in the loss of all, where there is one.
        """
        self.optimizer = make_optimizer(supernet, settings)
        self.accumulation = settings.accumulation
        self.notes: list[str] = []
        self.member_steps = 0
        self.teacher: Callable[[Tensor], Tensor] | None = None
        self._taught = replace(settings, distillation_weight=teacher_weight)
        self._supernet, self._settings, self._device = supernet, settings, device
        self._distillation_weight = distillation_weight
        self._dtype = autocast_dtype(settings, device)
        self.scaler = torch.amp.GradScaler(device.type, enabled=self._dtype is torch.float16)

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
        set_learning_rate(self.optimizer, learning_rate)
        loss = self._gradients_if_they_fit(batch, members)
        # Outside the except clause: only here are the tensors of the failed attempt gone. The second time is an error.
        while loss is None:
            self._halve()
            loss = self._gradients_if_they_fit(batch, members)
        if self._settings.clip_norm is not None:
            self.scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self._supernet.parameters(), self._settings.clip_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return loss

    @property
    def facts(self) -> dict[str, Any]:
        """What a checkpoint must hold beside the optimiser's tensors."""
        return {
            "member_steps": self.member_steps,
            "accumulation": self.accumulation,
            "notes": self.notes,
            "scaler": self.scaler.state_dict(),
        }

    def load_facts(self, facts: Mapping[str, Any]) -> None:
        """Take up what `facts` returned."""
        self.member_steps, self.accumulation = facts["member_steps"], facts["accumulation"]
        self.notes.extend(facts["notes"])
        self.scaler.load_state_dict(facts["scaler"])

    def _gradients_if_they_fit(self, batch: Batch, members: Members) -> Tensor | None:
        """Fill the gradients; None where memory ran out."""
        self.optimizer.zero_grad(set_to_none=True)
        try:
            return self._gradients(batch, members)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            self.optimizer.zero_grad(set_to_none=True)
            return None

    def _gradients(self, batch: Batch, members: Members) -> Tensor:
        """Fill the gradients of all members; return the mean loss."""
        # A part of one image has no variance to normalise by.
        parts = batch.split(max(1, min(self.accumulation, len(batch.labels) // 2)))
        total = torch.zeros((), device=self._device)
        for part in parts:
            teacher: Tensor | None = None
            soft = self._soft_targets(part)
            for genes in members.genes:
                with torch.autocast(self._device.type, dtype=self._dtype, enabled=self._dtype is not None):
                    logits = self._supernet(part.images, genes)
                loss = self._loss(logits, part, teacher, soft)
                self.scaler.scale(loss * (len(part.labels) / len(batch.labels))).backward()
                total += loss.detach() / (len(members.genes) * len(parts))
                if members.teacher and teacher is None:
                    teacher = logits.detach()
        self.member_steps += len(members.genes)
        return total

    @torch.no_grad()
    def _soft_targets(self, batch: Batch) -> Tensor | None:
        if self.teacher is None:
            return None
        with torch.autocast(self._device.type, dtype=self._dtype, enabled=self._dtype is not None):
            return self.teacher(batch.images)

    def _loss(self, logits: Tensor, batch: Batch, teacher: Tensor | None, targets: Tensor | None) -> Tensor:
        weight = self._distillation_weight
        if teacher is None:
            return batch_loss(logits, batch, self._taught, targets)
        soft = distillation_loss(logits.float(), teacher.float(), 1.0)
        if weight == 1:
            return soft
        return weight * soft + (1 - weight) * batch_loss(logits, batch, self._settings, None)

    def _halve(self) -> None:
        if self.accumulation > self._settings.accumulation:
            raise TrainingError(
                explain(
                    "out of memory",
                    got=f"batch_size {self._settings.batch_size} in {self.accumulation} parts",
                    remedy="Lower supernet.train.batch_size or raise its accumulation.",
                )
            )
        self.accumulation *= 2
        self.notes.append(f"Memory ran out: batches are processed in {self.accumulation} parts from here on.")
        release(self._device)


def not_finite(where: str, member: Genes, folder: Path | None) -> TrainingError:
    """Return the error of a loss that is not finite.

    Args:
        where: Step and the like.
        member: The first one of that step.
        folder: Of the checkpoints, where they are kept.
    """
    return TrainingError(
        explain(
            f"the loss of the supernet is not finite at {where}",
            got=f"member {member.tolist()}",
            remedy=f"Lower the learning rate or set clip_norm.{last_state(folder)}",
        )
    )
