"""Full training as an evaluator: the truth that the other estimators are compared with, and its cost."""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from edgenas import atomic
from edgenas.arch import Architecture
from edgenas.data import ImageData, Preprocessing
from edgenas.errors import InputError, StoreError, explain
from edgenas.evaluate.protocol import Estimates
from edgenas.reading.json_text import plain_text, plain_value
from edgenas.space import SearchSpace
from edgenas.study.values import Source
from edgenas.train import TrainSettings
from edgenas.train.architecture import train_architecture
from edgenas.train.teacher import weights_digest
from edgenas.types import Genes, Progress
from edgenas.workers import Workers

SHORT_SHARE = 1 / 9
"""Share of a full training that a short training takes.

It is the first rung of a halving that finds the best network.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """One finished training of one network.

    Attributes:
        digest: Of the network.
        seed: Of the training.
        validation_accuracy: In [0, 1].
        seconds: Wall-clock time.
        steps: Optimiser steps.
    """

    digest: str
    seed: int
    validation_accuracy: float
    seconds: float
    steps: int


class TrainedEvaluator:
    """Trains every network from scratch, once per seed, and judges it on validation images, never on test images.

    Finished trainings are kept in a folder and never repeated, and one that was killed goes on at its last checkpoint
    there. A network whose training fails is NaN.
    """

    source: Source = "trained"
    unit = "1"

    def __init__(
        self,
        space: SearchSpace,
        data: ImageData,
        settings: TrainSettings,
        preprocessing: Preprocessing,
        *,
        seeds: int = 1,
        folder: Path | None = None,
        name: str = "trained",
        teacher: Callable[[Preprocessing], nn.Module] | None = None,
        device: torch.device | str = "cpu",
        workers: Workers | None = None,
    ) -> None:
        """Keep the arguments.

        Args:
            space: Of the networks.
            data: Images.
            settings: The recipe; its seed is the first of `seeds` consecutive ones.
            preprocessing: Of the images; its resolution is replaced by each network's.
            seeds: Trainings of each network.
            folder: Where finished trainings and the state of the present one are kept; None keeps none.
            name: In tables.
            teacher: Makes a teacher for a network's input, on the CPU; None distils from none.
            device: Where to train.
            workers: Train so many at once; one after the other if None. The accuracies are the same.
        """
        self.name, self._workers = name, workers or Workers()
        self._space, self._data, self._settings = space, data, settings
        self._preprocessing, self._seeds = preprocessing, seeds
        self._folder, self._device = folder, torch.device(device)
        self._teacher = teacher
        self._taught = {} if teacher is None else {"teacher": weights_digest(teacher(preprocessing))}

    def evaluate(self, genes: Genes, *, progress: Progress | None = None) -> Estimates:
        """Train networks (N, D); values are means over seeds, errors the spread between seeds over their root.

        The seconds are what the trainings took, those that were kept from before included.
        """
        values = np.full((len(genes), self._seeds), np.nan)
        total, seconds = len(genes) * self._seeds, 0.0
        tasks = [(row, self._settings.seed + number) for row in genes for number in range(self._seeds)]
        for done, training in enumerate(self._workers.each(lambda task: self.train(task[0], seed=task[1]), tasks)):
            # A failed training stays NaN; the others still count.
            if isinstance(training, Training):
                values[divmod(done, self._seeds)] = training.validation_accuracy
                seconds += training.seconds
            if progress is not None:
                progress(done + 1, total, f"training networks ({self.name})")
        error = values.std(1, ddof=1) / np.sqrt(self._seeds) if self._seeds > 1 else None
        return Estimates(values=values.mean(1), standard_error=error, seconds=seconds)

    def train(self, genes: NDArray[np.int64], *, seed: int) -> Training:
        """Train one network (D,) with one seed, or return the finished training.

        Raises:
            TrainingError: The training cannot go on.
            StoreError: The folder cannot be read or written.
        """
        architecture = self._space.decode(genes)
        settings = replace(self._settings, seed=seed)
        file = self._file(architecture, settings)
        known = _read(file) if file is not None else None
        if known is not None:
            return known
        preprocessing = replace(self._preprocessing, resolution=architecture.resolution)
        # Evaluated once at the end, since accuracies on the way decide nothing here.
        quiet = replace(settings, evaluate_every=10**9)
        started = time.perf_counter()
        state = None if file is None else file.with_suffix("")
        _, found = train_architecture(
            architecture,
            self._data,
            quiet,
            preprocessing=preprocessing,
            teacher=None if self._teacher is None else self._teacher(preprocessing),
            folder=state,
            # Most of these trainings are short, and there are many.
            spacing_seconds=60.0,
            device=self._device,
        )
        training = Training(
            digest=architecture.digest,
            seed=seed,
            validation_accuracy=found.validation_accuracy,
            # Of a training that was taken up, without what judging and building took before.
            seconds=max(found.seconds, time.perf_counter() - started),
            steps=found.steps,
        )
        if file is not None and state is not None:
            _write(file, training)
            shutil.rmtree(state, ignore_errors=True)
        return training

    def _file(self, architecture: Architecture, settings: TrainSettings) -> Path | None:
        if self._folder is None:
            return None
        identity = {
            "architecture": architecture.digest,
            "settings": {key: value for key, value in settings.to_dict().items() if key != "workers"},
            "data": self._data.digest,
            "preprocessing": self._preprocessing.to_dict(),
            **self._taught,
        }
        text = plain_text(identity, sort_keys=True)
        return self._folder / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.json"


def shortened(settings: TrainSettings, share: float = SHORT_SHARE) -> TrainSettings:
    """Return the same recipe with a share of its budget. Its whole schedule fits into that share.

    Args:
        settings: Of a full training.
        share: Of its epochs, steps and seconds, in (0, 1]; one epoch or step is left at least.

    Raises:
        InputError: The share is impossible.
    """
    if not 0 < share <= 1:
        raise InputError(explain("impossible share of a training", got=share, allowed="above 0, up to 1"))
    return replace(
        settings,
        epochs=None if settings.epochs is None else max(1, round(settings.epochs * share)),
        steps=None if settings.steps is None else max(1, round(settings.steps * share)),
        seconds=None if settings.seconds is None else settings.seconds * share,
    )


def _read(file: Path) -> Training | None:
    if not file.is_file():
        return None
    try:
        content: dict[str, Any] = plain_value(file.read_text(encoding="utf-8"))
        return Training(**content)
    except (OSError, ValueError, TypeError) as error:
        raise StoreError(
            explain(f"the stored training {file} is broken", got=str(error), remedy="Delete it.")
        ) from error


def _write(file: Path, training: Training) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        atomic.write_json(file, asdict(training), indent=None)
    except OSError as error:
        remedy = atomic.remedy_for(error)
        raise StoreError(explain(f"cannot write {file}", got=error.strerror, remedy=remedy)) from error
