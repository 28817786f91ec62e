"""Training images on which the normalisation statistics of members are estimated."""

from __future__ import annotations

from itertools import islice

import torch
from torch import Tensor

from edgenas.data import ImageData, Preprocessing
from edgenas.data.batches import Batches

EPOCH = 2**30
"""An epoch that no training reaches: every member sees the same images."""


def calibration_images(
    data: ImageData, preprocessing: Preprocessing, *, count: int, batch_size: int, seed: int, device: torch.device
) -> list[Tensor]:
    """Read training images for normalisation statistics: without augmentation, the same for every member.

    Args:
        data: Its training images.
        preprocessing: At the resolution that is wanted.
        count: Images, rounded to whole batches.
        batch_size: Images of one batch.
        seed: Of the choice.
        device: Where they are wanted.

    Returns:
        Batches (B, C, H, W).
    """
    # A few batches: not worth bringing the whole set to a GPU.
    batches = Batches(data.train, preprocessing, batch_size=batch_size, device=device, resident_limit_mib=0)
    wanted = max(1, min(count, len(data.train)) // batches.batch_size)
    shuffled = batches.shuffled(seed=seed, epoch=EPOCH, classes=len(data.classes))
    return [batch.images for batch in islice(shuffled, wanted)]
