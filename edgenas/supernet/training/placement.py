"""Moving a supernet to its device, and checking that images fit it."""

from __future__ import annotations

from dataclasses import replace

import torch

from edgenas.data import ImageData, Preprocessing, fit_preprocessing
from edgenas.errors import DataError, explain
from edgenas.supernet.supernet import Supernet


def largest_resolution(supernet: Supernet) -> int:
    """Return the largest resolution of the space, pixels."""
    return supernet.space.decode(supernet.space.largest()).resolution


def require_fitting_data(supernet: Supernet, data: ImageData) -> None:
    """Check that images have the classes and channels of the supernet's space.

    Raises:
        DataError: Classes or channels differ.
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


def place(
    supernet: Supernet, data: ImageData, preprocessing: Preprocessing | None, device: torch.device
) -> Preprocessing:
    """Move a supernet to a device and return its input at the largest resolution of the space.

    Args:
        supernet: Moved.
        data: Its training images give the statistics where there is no preprocessing.
        preprocessing: Normalisation of the images, or None.
        device: Where to train.

    Raises:
        DataError: Classes or channels of the images are not those of the space.
    """
    require_fitting_data(supernet, data)
    supernet.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return replace(preprocessing or fit_preprocessing(data.train), resolution=largest_resolution(supernet))
