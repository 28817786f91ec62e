"""Zero-cost estimators: scores of untrained networks, averaged over initialisations."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import torch

from edgenas.data import ImageData, Preprocessing
from edgenas.data.batches import Batch, Batches
from edgenas.data.subset import some_of
from edgenas.errors import ConfigError, explain, nearest
from edgenas.evaluate.protocol import Estimates
from edgenas.evaluate.scores import SCORES
from edgenas.nn import build
from edgenas.space import SearchSpace
from edgenas.study.values import Source
from edgenas.types import Genes, Progress

IMAGES = 64
INITIALISATIONS = 2


class ZeroCostEvaluator:
    """Judges networks by one of `SCORES` on one batch of training images."""

    source: Source = "score"
    unit = ""

    def __init__(
        self,
        name: str,
        space: SearchSpace,
        data: ImageData,
        preprocessing: Preprocessing,
        *,
        images: int = IMAGES,
        initialisations: int = INITIALISATIONS,
        seed: int = 0,
        device: torch.device | str = "cpu",
    ) -> None:
        """Remember.

        Args:
            name: One of `SCORES`.
            space: Of the networks.
            data: Its training images.
            preprocessing: Of the images; its resolution is replaced by each network's.
            images: Of the batch, every class in proportion.
            initialisations: How many initial weights a score is averaged over.
            seed: Of images and initial weights.
            device: Where to compute.

        Raises:
            ConfigError: The name is unknown.
        """
        if name not in SCORES:
            hint = nearest(name, SCORES)
            raise ConfigError(explain(f"unknown zero-cost score{hint}", got=repr(name), allowed=", ".join(SCORES)))
        self.name = name
        self._space, self._data, self._preprocessing = space, data, preprocessing
        self._images, self._initialisations, self._seed = images, initialisations, seed
        self._device = torch.device(device)
        self._batches: dict[int, Batch] = {}

    def evaluate(self, genes: Genes, *, progress: Progress | None = None) -> Estimates:
        """Score networks (N, D)."""
        scores = np.empty((len(genes), self._initialisations))
        started = time.perf_counter()
        for index, row in enumerate(genes):
            architecture = self._space.decode(row)
            batch = self._batch(architecture.resolution)
            for number in range(self._initialisations):
                generator = torch.Generator().manual_seed(self._seed + number)
                module = build(architecture, generator=generator)
                module.to(self._device, memory_format=torch.channels_last)  # type: ignore[call-overload]
                scores[index, number] = SCORES[self.name](module.train(), batch.images, batch.labels)
            if progress is not None:
                progress(index + 1, len(genes), f"scoring by {self.name}")
        spread = scores.std(1, ddof=1) / np.sqrt(self._initialisations) if self._initialisations > 1 else None
        return Estimates(values=scores.mean(1), standard_error=spread, seconds=time.perf_counter() - started)

    def _batch(self, resolution: int) -> Batch:
        if resolution not in self._batches:
            preprocessing = replace(self._preprocessing, resolution=resolution)
            # Only one batch: copying the whole set to a GPU would not pay.
            chosen = some_of(self._data.train, self._images, seed=self._seed)
            batches = Batches(
                chosen, preprocessing, batch_size=self._images, device=self._device, resident_limit_mib=0
            )
            shuffled = batches.shuffled(seed=self._seed, epoch=0, classes=len(self._data.classes))
            self._batches[resolution] = next(iter(shuffled))
        return self._batches[resolution]
