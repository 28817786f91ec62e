"""What a training of shared weights keeps between epochs, and how much of its budget is spent."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor

from edgenas.data import ImageData, Preprocessing
from edgenas.supernet.supernet import Supernet
from edgenas.supernet.training.step import SharedStepper
from edgenas.train.optimizer import load_state_tensors, state_tensors
from edgenas.train.schedule import spent_share
from edgenas.train.settings import TrainSettings
from edgenas.types import Progress

CHECKPOINT_SECONDS = 60.0
"""A checkpoint is written after the first epoch that ends this long after the last one, and at the end."""

Record = TypeVar("Record", covariant=True)


class Budget:
    """Steps and seconds of a training against what its settings allow.

    Attributes:
        step: Optimiser steps so far.
        seconds: Wall-clock time so far.
    """

    def __init__(self, settings: TrainSettings, total: int | None) -> None:
        self.step, self.seconds = 0, 0.0
        self._settings, self._total = settings, total

    def share(self, *, ahead: float = 0.0) -> float:
        """Return the share that is spent, `ahead` steps from now; 1 or more is the end."""
        return spent_share(self._settings, self.step + ahead, self._total, self.seconds)

    @property
    def spent(self) -> bool:
        """Whether nothing is left."""
        return self.share() >= 1

    @property
    def facts(self) -> dict[str, Any]:
        """What a checkpoint must hold."""
        return {"step": self.step, "seconds": self.seconds}

    def load_facts(self, facts: Mapping[str, Any]) -> None:
        """Take up what `facts` returned."""
        self.step, self.seconds = facts["step"], facts["seconds"]

    def done(self) -> tuple[int, int]:
        """Return what is done and what is to be done: steps, or thousandths where a clock limits."""
        if self._settings.seconds is None and self._total is not None:
            return self.step, self._total
        return self.thousandths()

    def thousandths(self) -> tuple[int, int]:
        """Return the share as (thousandths, 1000)."""
        return min(1000, round(1000 * self.share())), 1000


class Resumable(Protocol[Record]):
    """A training that is taken up between its epochs."""

    @property
    def finished(self) -> bool:
        """Whether the budget is spent."""

    def take_epoch(self, progress: Progress | None) -> Record:
        """Train for one pass over the images, or the rest of the budget."""

    def save(self, folder: Path) -> None:
        """Write the state."""

    def resume(self, folder: Path) -> None:
        """Take the state up from a folder, where there is one."""


def run_to_the_end(
    run: Resumable[Record],
    *,
    progress: Progress | None,
    folder: Path | None,
    on_epoch: Callable[[Record], None] | None = None,
) -> None:
    """Take a training up from a folder, where one is given and holds its state, and finish it."""
    if folder is not None:
        run.resume(folder)
    saved = time.perf_counter()
    while not run.finished:
        record = run.take_epoch(progress)
        due = run.finished or time.perf_counter() - saved > CHECKPOINT_SECONDS
        if folder is not None and due:
            run.save(folder)
            saved = time.perf_counter()
        if on_epoch is not None:
            on_epoch(record)


def weight_tensors(supernet: Supernet, stepper: SharedStepper) -> dict[str, Tensor]:
    """Return shared weights and the optimiser's state as a checkpoint holds them."""
    tensors = {f"supernet.{name}": value.detach() for name, value in supernet.shared_weights().items()}
    return tensors | {f"optimizer.{name}": value for name, value in state_tensors(stepper.optimizer).items()}


@torch.no_grad()
def load_weight_tensors(
    supernet: Supernet, stepper: SharedStepper, groups: Mapping[str, dict[str, Tensor]]
) -> None:
    """Take in what `weight_tensors` returned, by group."""
    for name, parameter in supernet.shared_weights().items():
        parameter.copy_(groups["supernet"][name])
    load_state_tensors(stepper.optimizer, groups["optimizer"])


def identity(
    supernet: Supernet, data: ImageData, preprocessing: Preprocessing, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """Say which training this is: what may not differ when it is taken up again.

    Args:
        supernet: Its space counts, not its weights.
        data: Its digest counts.
        preprocessing: Of the images.
        settings: Plain values with the recipe under "train".
    """
    recipe = {name: value for name, value in settings["train"].items() if name != "workers"}
    # A few names are in both; the recipe has them plain.
    own = {f"own.{name}" if name in recipe else name: value for name, value in settings.items() if name != "train"}
    return {
        "space": supernet.space.digest,
        "data": data.digest,
        "input": preprocessing.to_dict(),
        **own,
        **recipe,
    }
