"""Candidates that are trained in pieces, for `edgenas.evaluate.halving.halving`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from edgenas import atomic
from edgenas.data.network_input import Preprocessing
from edgenas.data.values import ImageData
from edgenas.errors import ConfigError, StoreError, WeightsError, explain
from edgenas.reading.json_text import plain_value
from edgenas.train.settings import TrainSettings
from edgenas.train.trainer import fit

# Accuracy by epoch, beside the checkpoint of a candidate.
CURVE = "curve.json"


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
        """Keep the arguments. Nothing is built or read yet.

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
        """Train to `to_epoch`, resuming from the candidate's folder. Known points are not trained again.

        Raises:
            TrainingError: The training cannot go on.
            WeightsError: The folder belongs to another training.
            StoreError: The folder cannot be written.
        """
        folder = self._folder / f"candidate-{candidate:05d}"
        known = self._read_curve(folder)
        if to_epoch in known:
            return known[to_epoch]
        result = fit(
            self._build(candidate),
            self._data,
            self._settings,
            preprocessing=None if self._preprocessing is None else self._preprocessing(candidate),
            checkpoint_dir=folder,
            stop_after_epochs=to_epoch,
            device=self._device,
        )
        self._write_curve(folder, {**known, to_epoch: result.validation_accuracy})
        return result.validation_accuracy

    def _read_curve(self, folder: Path) -> dict[int, float]:
        file = folder / CURVE
        if not file.is_file():
            return {}
        try:
            content = plain_value(file.read_text(encoding="utf-8"))
            points = {int(epoch): float(accuracy) for epoch, accuracy in content["validation_accuracy"].items()}
            identity = content["training"]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise WeightsError(explain(f"{file} is broken: {error}", remedy="Delete the folder.")) from error
        if identity != self._identity():
            raise WeightsError(explain(f"{file} belongs to another training", remedy="Name another folder."))
        return points

    def _write_curve(self, folder: Path, points: dict[int, float]) -> None:
        content = {"training": self._identity(), "validation_accuracy": points}
        try:
            atomic.write_json(folder / CURVE, content)
        except OSError as error:
            what, remedy = f"cannot write {folder / CURVE}: {error.strerror}", atomic.remedy_for(error)
            raise StoreError(explain(what, remedy=remedy)) from error

    def _identity(self) -> dict[str, Any]:
        return {**self._settings.to_dict(), "data": self._data.digest}
