"""Training a supernet: steps over members of the space, resumable, deterministic from its seed."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from edgenas.data import ImageData, Preprocessing, fit_preprocessing
from edgenas.data.batches import Batch, Batches
from edgenas.errors import DataError, TrainingError, WeightsError, explain
from edgenas.supernet.schemes import members_of_step
from edgenas.supernet.settings import SupernetSettings
from edgenas.supernet.supernet import Supernet
from edgenas.train.checkpoint import TrainCheckpoint, read_checkpoint, write_checkpoint
from edgenas.train.losses import batch_loss, distillation_loss
from edgenas.train.memory import is_out_of_memory, release
from edgenas.train.optimizer import load_state_tensors, make_optimizer, set_learning_rate, state_tensors
from edgenas.train.schedule import learning_rate, spent_share, total_steps
from edgenas.train.step import autocast_dtype

Progress = Callable[[int, int, str], None]

CHECKPOINT_SECONDS = 60.0
"""A checkpoint is written after the first epoch that ends this long after the last one, and at the end."""


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
    require_fitting_data(supernet, data)
    target = torch.device(device)
    supernet.to(target, memory_format=torch.channels_last)  # type: ignore[call-overload]
    prepared = replace(preprocessing or fit_preprocessing(data.train), resolution=largest_resolution(supernet))
    run = _Run(supernet, data, settings, prepared, target)
    if checkpoint_dir is not None:
        run.resume(checkpoint_dir)
    saved = time.perf_counter()
    while not run.finished:
        record = run.train_epoch(progress)
        due = run.finished or time.perf_counter() - saved > CHECKPOINT_SECONDS
        if checkpoint_dir is not None and due:
            run.save(checkpoint_dir)
            saved = time.perf_counter()
        if on_epoch is not None:
            on_epoch(record)
    return run.conclude()


def largest_resolution(supernet: Supernet) -> int:
    """Return the largest resolution of the space, pixels."""
    return supernet.space.decode(supernet.space.largest()).resolution


def require_fitting_data(supernet: Supernet, data: ImageData) -> None:
    """Check that images have the classes and channels of the supernet's space.

    Raises:
        DataError: They have not.
    """
    member = supernet.space.decode(supernet.space.smallest())
    got = (len(data.classes), data.channels)
    if got != (member.classes, member.in_channels):
        raise DataError(
            explain(
                f"the images do not fit the space {supernet.space.name}",
                got=f"{got[0]} classes, {got[1]} channels",
                allowed=f"{member.classes} classes, {member.in_channels} channels",
                remedy="Adapt the space to the images (edgenas.space.with_task).",
            )
        )


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
        self._preprocessing, self._device = preprocessing, device
        train = settings.train
        self._optimizer = make_optimizer(supernet, train)
        self._dtype = autocast_dtype(train, device)
        self._scaler = torch.amp.GradScaler(device.type, enabled=self._dtype is torch.float16)
        self._batches = Batches(
            data.train, preprocessing, batch_size=train.batch_size, device=device, workers=train.workers
        )
        self._total = total_steps(train, self._batches.steps)
        self._average = [p.detach().clone() for p in supernet.parameters()] if train.averaging_decay else []
        self._accumulation = train.accumulation
        self._history: list[SupernetEpoch] = []
        self._notes: list[str] = []
        self._epoch = self._step = self._member_steps = 0
        self._seconds = self._waited = 0.0

    @property
    def finished(self) -> bool:
        """Whether the budget is spent."""
        return self._share(self._seconds) >= 1

    def train_epoch(self, progress: Progress | None) -> SupernetEpoch:
        """Train for one pass over the images, or the rest of the budget."""
        started, before, waited = time.perf_counter(), self._seconds, self._batches.waiting_seconds
        losses: list[Tensor] = []
        train = self._settings.train
        for batch in self._batches.shuffled(
            seed=train.seed, epoch=self._epoch, classes=len(self._data.classes), augment=train.augment
        ):
            if self._share(self._seconds) >= 1:
                break
            middle = spent_share(train, self._step + 0.5, self._total, self._seconds)
            losses.append(self._train_step(batch, min(middle, 1.0)))
            self._step += 1
            self._seconds = before + time.perf_counter() - started
            if progress is not None:
                progress(*self._done(), "training the supernet")
        self._waited += self._batches.waiting_seconds - waited
        self._require_finite(losses)
        record = SupernetEpoch(
            epoch=self._epoch,
            step=self._step,
            train_loss=torch.stack(losses).mean().item() if losses else float("nan"),
            seconds=self._seconds,
        )
        self._epoch += 1
        self._history.append(record)
        return record

    def _train_step(self, batch: Batch, share: float) -> Tensor:
        train = self._settings.train
        set_learning_rate(self._optimizer, learning_rate(train, share))
        loss = self._gradients_if_they_fit(batch, share)
        # Outside the except clause: only here are the tensors of the failed attempt gone. The second time is an error.
        while loss is None:
            self._halve()
            loss = self._gradients_if_they_fit(batch, share)
        if train.clip_norm is not None:
            self._scaler.unscale_(self._optimizer)
            nn.utils.clip_grad_norm_(self._supernet.parameters(), train.clip_norm)
        self._scaler.step(self._optimizer)
        self._scaler.update()
        if self._average:
            self._update_average()
        return loss

    def _gradients_if_they_fit(self, batch: Batch, share: float) -> Tensor | None:
        """Fill the gradients; None where memory ran out."""
        try:
            return self._gradients(batch, share)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            return None

    def _gradients(self, batch: Batch, share: float) -> Tensor:
        """Fill the gradients of all members of the step; return the mean loss, still on the device."""
        self._optimizer.zero_grad(set_to_none=True)
        members = members_of_step(self._supernet.space, self._settings, step=self._step, share=share)
        parts = _split(batch, max(1, min(self._accumulation, len(batch.labels) // 2)))
        total = torch.zeros((), device=self._device)
        for part in parts:
            teacher: Tensor | None = None
            for genes in members.genes:
                with torch.autocast(self._device.type, dtype=self._dtype, enabled=self._dtype is not None):
                    logits = self._supernet(part.images, genes)
                loss = self._loss(logits, part, teacher)
                self._scaler.scale(loss * (len(part.labels) / len(batch.labels))).backward()
                total += loss.detach() / (len(members.genes) * len(parts))
                if members.teacher and teacher is None:
                    teacher = logits.detach()
        self._member_steps += len(members.genes)
        return total

    def _loss(self, logits: Tensor, batch: Batch, teacher: Tensor | None) -> Tensor:
        weight = self._settings.distillation_weight
        if teacher is None:
            return batch_loss(logits, batch, self._settings.train, None)
        soft = distillation_loss(logits.float(), teacher.float(), 1.0)
        if weight == 1:
            return soft
        return weight * soft + (1 - weight) * batch_loss(logits, batch, self._settings.train, None)

    def _halve(self) -> None:
        if self._accumulation > self._settings.train.accumulation:
            raise TrainingError(
                explain(
                    "out of memory",
                    got=f"batch_size {self._settings.train.batch_size} in {self._accumulation} parts",
                    remedy="Lower supernet.train.batch_size or raise its accumulation.",
                )
            )
        self._accumulation *= 2
        self._notes.append(f"Memory ran out: batches are processed in {self._accumulation} parts from here on.")
        release(self._device)

    @torch.no_grad()
    def _update_average(self) -> None:
        decay = self._settings.train.averaging_decay
        assert decay is not None
        decay = min(decay, (1 + self._step) / (10 + self._step))
        torch._foreach_lerp_(self._average, list(self._supernet.parameters()), 1 - decay)

    def conclude(self) -> SupernetResult:
        """Put the kept weights into the supernet."""
        if self._average:
            with torch.no_grad():
                for parameter, mean in zip(self._supernet.parameters(), self._average, strict=True):
                    parameter.copy_(mean)
        images = self._member_steps * self._batches.batch_size
        return SupernetResult(
            history=tuple(self._history),
            steps=self._step,
            member_steps=self._member_steps,
            seconds=self._seconds,
            images_per_second=images / self._seconds if self._seconds else 0.0,
            waiting_share=self._waited / self._seconds if self._seconds else 0.0,
            notes=tuple(self._notes),
            preprocessing=self._preprocessing,
        )

    def save(self, folder: Path) -> None:
        """Write the state."""
        tensors = {f"supernet.{name}": value.detach() for name, value in self._supernet.shared_weights().items()}
        tensors |= {f"optimizer.{name}": value for name, value in state_tensors(self._optimizer).items()}
        tensors |= {f"average.{index}": value for index, value in enumerate(self._average)}
        facts = {
            "epoch": self._epoch,
            "step": self._step,
            "member_steps": self._member_steps,
            "seconds": self._seconds,
            "waited": self._waited,
            "accumulation": self._accumulation,
            "notes": self._notes,
            "scaler": self._scaler.state_dict(),
            "history": [asdict(record) for record in self._history],
            "training": self._identity(),
        }
        write_checkpoint(folder, TrainCheckpoint(tensors=tensors, facts=facts), tag=f"{self._epoch:05d}")

    @torch.no_grad()
    def resume(self, folder: Path) -> None:
        """Take the state up from a folder, where there is one."""
        checkpoint = read_checkpoint(folder)
        if checkpoint is None:
            return
        facts = checkpoint.facts
        self._require_same_training(facts["training"], folder)
        groups: dict[str, dict[str, Tensor]] = {"supernet": {}, "optimizer": {}, "average": {}}
        for key, value in checkpoint.tensors.items():
            group, name = key.split(".", 1)
            groups[group][name] = value
        for name, parameter in self._supernet.shared_weights().items():
            parameter.copy_(groups["supernet"][name])
        load_state_tensors(self._optimizer, groups["optimizer"])
        for index, mean in enumerate(self._average):
            mean.copy_(groups["average"][str(index)])
        self._scaler.load_state_dict(facts["scaler"])
        self._epoch, self._step, self._member_steps = facts["epoch"], facts["step"], facts["member_steps"]
        self._seconds, self._waited = facts["seconds"], facts["waited"]
        self._accumulation, self._notes = facts["accumulation"], list(facts["notes"])
        self._history = [SupernetEpoch(**record) for record in facts["history"]]

    def _identity(self) -> dict[str, Any]:
        """Say which training this is: what may not differ when it is taken up again."""
        settings = self._settings.to_dict()
        recipe = {name: value for name, value in settings.pop("train").items() if name != "workers"}
        return {
            "space": self._supernet.space.digest,
            "data": self._data.digest,
            "input": self._preprocessing.to_dict(),
            **settings,
            **recipe,
        }

    def _require_same_training(self, theirs: dict[str, Any], folder: Path) -> None:
        ours = self._identity()
        different = sorted(name for name in ours if theirs.get(name) != ours[name])
        if different:
            raise WeightsError(
                explain(
                    f"the checkpoint in {folder} belongs to another training of a supernet",
                    got=", ".join(f"{name} {theirs.get(name)} (now {ours[name]})" for name in different[:3]),
                    remedy="Name another folder, or delete this one to start anew.",
                )
            )

    def _require_finite(self, losses: list[Tensor]) -> None:
        if not losses:
            return
        broken = torch.nonzero(~torch.isfinite(torch.stack(losses))).flatten()
        if len(broken):
            step = self._step - len(losses) + int(broken[0])
            members = members_of_step(self._supernet.space, self._settings, step=step, share=0.5).genes
            raise TrainingError(
                explain(
                    f"the loss of the supernet is not finite at step {step} (epoch {self._epoch})",
                    got=f"member {members[0].tolist()}",
                    remedy="Lower the learning rate or set clip_norm; a checkpoint holds an earlier epoch.",
                )
            )

    def _share(self, seconds: float) -> float:
        return spent_share(self._settings.train, self._step, self._total, seconds)

    def _done(self) -> tuple[int, int]:
        if self._settings.train.seconds is None and self._total is not None:
            return self._step, self._total
        return min(1000, round(1000 * self._share(self._seconds))), 1000


def _split(batch: Batch, parts: int) -> list[Batch]:
    if parts == 1:
        return [batch]
    targets = [None] * parts if batch.targets is None else list(batch.targets.tensor_split(parts))
    images, labels = batch.images.tensor_split(parts), batch.labels.tensor_split(parts)
    return [Batch(images=x, labels=y, targets=t) for x, y, t in zip(images, labels, targets, strict=True)]
