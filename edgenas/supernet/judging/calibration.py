"""Training images on which the normalisation statistics of members are estimated."""

from __future__ import annotations

import torch

from edgenas.data import ImageData, Preprocessing
from edgenas.data.batches import Batches
from edgenas.data.subset import some_of
from edgenas.supernet.judging.images import HeldBatches

EPOCH = 2**30
"""An epoch that no training reaches: every member sees the same images."""


def calibration_batches(
    data: ImageData,
    preprocessing: Preprocessing,
    *,
    count: int,
    batch_size: int,
    seed: int,
    device: torch.device,
    limit_bytes: int,
) -> HeldBatches:
    """Read training images for normalisation statistics: without augmentation, the same for every member.

    Args:
        data: Its training images.
        preprocessing: At the resolution that is wanted.
        count: Images, every class in proportion, rounded to whole batches.
        batch_size: Images of one batch.
        seed: Of the choice.
        device: Where they are wanted.
        limit_bytes: Largest size that is kept between members.

    Returns:
        Batches (B, C, H, W).
    """
    batch_size = min(batch_size, len(data.train))
    wanted = max(1, min(count, len(data.train)) // batch_size) * batch_size
    # Only a few batches: copying the whole set to a GPU would not pay.
    chosen = some_of(data.train, wanted, seed=seed)
    batches = Batches(chosen, preprocessing, batch_size=batch_size, device=device, resident_limit_mib=0)
    # Shuffled, so that a batch does not have the statistics of a single class.
    return HeldBatches(batches, batches.shuffled_chunks(seed=seed, epoch=EPOCH), limit_bytes=limit_bytes)
