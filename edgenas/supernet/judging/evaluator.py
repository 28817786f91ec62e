"""Inherited accuracy: members of a supernet judged on validation images with statistics of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from edgenas.data import ImageData, Preprocessing
from edgenas.data.batches import Batches
from edgenas.data.subset import some_of
from edgenas.supernet.judging.calibration import calibration_batches
from edgenas.supernet.judging.images import MEMORY_MIB, HeldBatches, JudgingImages
from edgenas.supernet.judging.member import Member
from edgenas.supernet.supernet import Supernet
from edgenas.supernet.training.placement import require_fitting_data
from edgenas.train.loop.memory import Room
from edgenas.train.result import standard_errors
from edgenas.types import Genes

JUDGE_BATCH = 64
"""Fastest on one core for 8 x 8 to 32 x 32 images.

Larger batches do not fit the cache, smaller ones cost more calls.
"""

_CALIBRATION_SEED = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Inherited:
    """Inherited accuracies of N members.

    Attributes:
        accuracy: (N,) in [0, 1], on validation images.
        standard_error: (N,) binomial, of the choice of images.
    """

    accuracy: NDArray[np.float64]
    standard_error: NDArray[np.float64]


class SupernetEvaluator:
    """Judges members of a trained supernet. It remembers the results.

    Search uses validation images and calibration uses training images; the test images are never looked at.

    Attributes:
        judged: Members judged so far; repeated ones count once.
    """

    def __init__(
        self,
        supernet: Supernet,
        data: ImageData,
        preprocessing: Preprocessing,
        *,
        images: int | None = None,
        calibration: int = 512,
        device: torch.device | str = "cpu",
        memory_mib: int = MEMORY_MIB,
    ) -> None:
        """Keep the arguments. Images are read when the first member of their resolution is judged.

        Args:
            supernet: Trained; its weights must not change while this is in use.
            data: Validation images to judge on, training images to calibrate on.
            preprocessing: Of the training; its resolution is replaced by each member's.
            images: How many validation images, every class in proportion; None for all.
            calibration: How many training images.
            device: Where the supernet is.
            memory_mib: Of the images that are kept between members. A resolution whose images take more is read anew
                for every member.

        Raises:
            DataError: Classes or channels of the images are not those of the space.
        """
        require_fitting_data(supernet, data)
        self._supernet, self._data, self._preprocessing = supernet, data, preprocessing
        self._validation = some_of(data.validation, images, seed=_CALIBRATION_SEED)
        self._count = len(self._validation)
        self._calibration, self._device = calibration, torch.device(device)
        self._known: dict[bytes, int] = {}
        self._room = Room(self._device, images=JUDGE_BATCH)
        self._limit = memory_mib * 2**20
        self._images = JudgingImages(self._batches_at, limit_bytes=self._limit)
        self.judged = 0

    @property
    def images(self) -> int:
        """Validation images of a judgement."""
        return self._count

    def evaluate(
        self, genes: Genes | Sequence[Genes], *, progress: Callable[[int, int, str], None] | None = None
    ) -> Inherited:
        """Judge members.

        Args:
            genes: (N, D).
            progress: Called after each member.

        Returns:
            N accuracies with their standard errors.
        """
        rows = self._supernet.space.canonical(np.asarray(genes, np.int64))
        right = np.empty(len(rows))
        for index, row in enumerate(rows):
            right[index] = self._right(row)
            if progress is not None:
                progress(index + 1, len(rows), "judging with the supernet")
        return Inherited(accuracy=right / self._count, standard_error=standard_errors(right, self._count))

    def member(self, genes: Genes) -> Member:
        """Return a calibrated member, to be exported or trained on."""
        member = Member(self._supernet, self._supernet.space.canonical(np.asarray(genes, np.int64)[None])[0])
        calibration, _ = self._images.at(member.resolution)
        split = self._room.split
        self._room.do(
            lambda: member.calibrate(part.images for batch in calibration for part in split(batch, least=2))
        )
        return member

    def _right(self, row: Genes) -> int:
        key = row.tobytes()
        if key not in self._known:
            member = self.member(row)
            _, validation = self._images.at(member.resolution)
            self._known[key] = self._room.do(lambda: self._hits(member, validation))
            self.judged += 1
        return self._known[key]

    def _hits(self, member: Member, batches: HeldBatches) -> int:
        parts = (part for batch in batches for part in self._room.split(batch))
        return int(torch.stack([(member.logits(part.images).argmax(1) == part.labels).sum() for part in parts]).sum())

    def _batches_at(self, resolution: int) -> tuple[HeldBatches, HeldBatches]:
        """Return calibration and validation batches at a resolution."""
        preprocessing = replace(self._preprocessing, resolution=resolution)
        calibration = calibration_batches(
            self._data, preprocessing, count=self._calibration, batch_size=JUDGE_BATCH, seed=_CALIBRATION_SEED,
            device=self._device, limit_bytes=self._limit,
        )  # fmt: skip
        batches = Batches(
            self._validation, preprocessing, batch_size=JUDGE_BATCH, device=self._device, resident_limit_mib=0
        )
        return calibration, HeldBatches(batches, batches.chunks(), limit_bytes=self._limit)
