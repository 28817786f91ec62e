"""Candidates that are trained in pieces, for `edgenas.train.halving`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from edgenas.data.preprocessing import Preprocessing
from edgenas.data.values import ImageData
from edgenas.errors import ConfigError, explain
from edgenas.train.settings import TrainSettings
from edgenas.train.trainer import fit


class TrainedCandidates:
    """Trains candidate i from its checkpoint and returns its validation accuracy; a `ResumableEvaluator`.

    The learning rate follows the schedule of a full training, so that a piece is a true part of it. Averaged weights
    (`TrainSettings.averaging_decay`) make candidates comparable before the learning rate has fallen.
    """

    def __init__(
        self,
        build: Callable[[int], nn.Module],
        data: ImageData,
        settings: TrainSettings,
        *,
        folder: Path,
        preprocessing: Callable[[int], Preprocessing] | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        """Remember; nothing is built or read yet.

        Args:
            build: Makes the untrained model of a candidate, always the same for the same number.
            data: Images.
            settings: Of a full training; it must be limited by `epochs` alone.
            folder: Holds one checkpoint folder per candidate.
            preprocessing: Input of a candidate, where their resolutions differ.
            device: Where to train.

        Raises:
            ConfigError: The settings are limited by steps or a clock.
        """
        if settings.epochs is None or settings.steps is not None or settings.seconds is not None:
            raise ConfigError(explain("pieces of a training are counted in epochs", allowed="train.epochs alone"))
        # Only the last epoch of a piece is looked at.
        self._settings = replace(settings, evaluate_every=settings.epochs)
        self._build = build
        self._data = data
        self._folder = folder
        self._preprocessing = preprocessing
        self._device = device

    def __call__(self, candidate: int, from_epoch: int, to_epoch: int) -> float:
        """Train to `to_epoch`, taking up whatever lies in the candidate's folder.

        Raises:
            TrainingError: The training cannot go on.
        """
        result = fit(
            self._build(candidate),
            self._data,
            self._settings,
            preprocessing=None if self._preprocessing is None else self._preprocessing(candidate),
            checkpoint_dir=self._folder / f"candidate-{candidate:05d}",
            stop_after_epochs=to_epoch,
            device=self._device,
        )
        return result.validation_accuracy
