"""Early stopping as an evaluator: many networks trained a little, few of them fully."""

from __future__ import annotations

import hashlib
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from edgenas.arch import Architecture
from edgenas.data import ImageData, Preprocessing
from edgenas.evaluate.halving.candidates import TrainedCandidates
from edgenas.evaluate.halving.curves import HalvingResult
from edgenas.evaluate.halving.halving import HalvingSettings, asynchronous_halving, successive_halving
from edgenas.evaluate.protocol import Estimates
from edgenas.space import SearchSpace
from edgenas.study.values import Source
from edgenas.train import TrainSettings
from edgenas.train.architecture import untrained
from edgenas.types import Genes, Progress
from edgenas.workers import Workers


class HalvingEvaluator:
    """Successive halving over networks of a space, or its asynchronous form.

    Only networks that got the whole training have a value; the partial accuracy of the others is kept in their
    learning curves (`last`) and never shown as a result.

    Attributes:
        last: Curves and cost of the last evaluation.
    """

    name = "halving"
    source: Source = "trained"
    unit = "1"

    def __init__(
        self,
        space: SearchSpace,
        data: ImageData,
        settings: TrainSettings,
        preprocessing: Preprocessing,
        *,
        halving: HalvingSettings,
        folder: Path,
        workers: int | None = None,
        device: torch.device | str = "cpu",
        processes: Workers | None = None,
    ) -> None:
        """Remember.

        Args:
            space: Of the networks.
            data: Images.
            settings: Of a full training; its epochs are replaced by the halving's.
            preprocessing: Of the images; its resolution is replaced by each network's.
            halving: Rungs.
            folder: Holds one folder of checkpoints for every set of networks. Trainings that lie there are resumed.
            workers: None compares rung by rung. A number runs the asynchronous form with that many trainings at a time,
                so that none waits for a rung to fill. With more than one the choice is not repeatable.
            device: Where to train.
            processes: Train networks of a rung at once, where rungs are compared; None trains one at a time.
        """
        self._space, self._data, self._preprocessing = space, data, preprocessing
        self._settings = replace(settings, epochs=halving.max_epochs, steps=None, seconds=None)
        self._halving, self._folder, self._workers, self._device = halving, folder, workers, device
        self._processes = processes
        self.last: HalvingResult | None = None

    def evaluate(self, genes: Genes, *, progress: Progress | None = None) -> Estimates:
        """Compare networks (N, D); NaN for those that were stopped early.

        Raises:
            TrainingError: No network could be trained.
        """
        started = time.perf_counter()
        networks = [self._space.decode(row) for row in genes]
        candidates = TrainedCandidates(
            lambda i: untrained(networks[i], self._settings),
            self._data,
            self._settings,
            folder=self._folder / _set_name(networks),
            preprocessing=lambda i: replace(self._preprocessing, resolution=networks[i].resolution),
            device=self._device,
        )

        if self._workers is None:
            result = successive_halving(
                candidates, len(genes), self._halving, progress=progress, workers=self._processes
            )
        else:
            result = asynchronous_halving(candidates, len(genes), self._halving, workers=self._workers)
        self.last = result
        values = np.full(len(genes), np.nan)
        for curve in result.curves:
            if not curve.partial and not curve.failure:
                values[curve.candidate] = curve.accuracies[-1]
        return Estimates(values=values, seconds=time.perf_counter() - started)


def _set_name(networks: list[Architecture]) -> str:
    """Name a set of networks. Candidates are only numbered, so another set must not resume their checkpoints."""
    text = " ".join(network.digest for network in networks)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
