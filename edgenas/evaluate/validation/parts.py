"""Validation images in two parts: one that estimators see, one that the truth is judged on."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np

from edgenas.data import ImageData
from edgenas.data.splits import stratified_split
from edgenas.data.subset import SplitPart, part_of
from edgenas.data.values import Indices
from edgenas.errors import InputError, explain

TRUTH_SHARE = 0.5


def part_validation(
    data: ImageData, *, truth_share: float = TRUTH_SHARE, seed: int = 0
) -> tuple[ImageData, ImageData]:
    """Split the validation images of a set, class by class, into those of the estimators and those of the truth.

    An estimate and the truth that it is compared with must share no image: an image that is hard for all networks would
    favour the estimate. Both results have the training images of the set and no test images. The comparison decides
    which estimator is used, so test images must not influence it.

    Args:
        data: A set.
        truth_share: Share of the validation images that the truth gets, in (0, 1).
        seed: Of the choice.

    Returns:
        The set as estimators see it, and as the truth does.

    Raises:
        InputError: The share is impossible.
        DataError: A class has a single validation image.
    """
    if not 0 < truth_share < 1:
        raise InputError(explain("impossible share of images for the truth", got=truth_share, allowed="0 to 1"))
    kept, aside = stratified_split(
        data.validation.labels,
        truth_share,
        classes=data.classes,
        what="the truth that estimators are held against",
        rng=np.random.default_rng((seed, 2)),
    )
    return _with(data, kept, "estimators"), _with(data, aside, "truth")


def _with(data: ImageData, indices: Indices, name: str) -> ImageData:
    """Return the set with a part of its validation images and without test images."""
    part = part_of(data.validation, indices)
    identity = hashlib.sha256(f"{data.digest} {name} ".encode() + indices.astype("<i8").tobytes())
    nothing = SplitPart(whole=data.test, indices=np.empty(0, np.int64))
    return replace(data, validation=part, test=nothing, digest=identity.hexdigest())
