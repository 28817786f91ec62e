"""Which images of which part become which split, and how they are described."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np

from edgenas.data.identity import Contents
from edgenas.data.loading.notes import common_size
from edgenas.data.loading.stored import Preparation
from edgenas.data.settings import DataSettings
from edgenas.data.sources.raw import RawData, Reader
from edgenas.data.splits import stratified_split, stratified_subset
from edgenas.data.values import Indices, Labels, LazySplit
from edgenas.errors import DataError, explain
from edgenas.reading.json_text import plain_text

PARTS = ("train", "validation", "test")
PREPARATION_VERSION = 2
"""Part of every key in the cache: raise it when preparation changes."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plan:
    """Which images of which reader become one split.

    Attributes:
        prepare: From an index of the reader to a prepared image.
        indices: Of the images in the reader, (N,).
        part: Number of the reader among those of the source.
    """

    prepare: Preparation
    indices: Indices
    part: int

    @property
    def labels(self) -> Labels:
        """Class numbers, (N,)."""
        return self.prepare.reader.labels[self.indices]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of every image."""
        return self.prepare.resolution, self.prepare.resolution, self.prepare.channels

    def lazy(self) -> LazySplit:
        """Return the split that decodes every image when it is asked for."""
        return LazySplit(prepare=self.prepare, indices=self.indices, labels=self.labels, shape=self.shape)


def make_plans(raw: RawData, readers: Sequence[Reader], settings: DataSettings) -> tuple[list[Plan], int, int]:
    """Decide the splits. Nothing is read.

    Returns:
        Plans of train, validation and test; channels and resolution of the prepared images.

    Raises:
        DataError: A class has too few images, or the images have no common square size.
    """
    channels = settings.channels or (1 if all(reader.channels == 1 for reader in readers) else 3)
    resolution = settings.resolution or _native_resolution(readers)
    where = _split_off(raw, settings)
    limits = (settings.train_limit, settings.validation_limit, settings.test_limit)
    plans = []
    for number, ((reader, indices), limit) in enumerate(zip(where, limits, strict=True)):
        rng = np.random.default_rng((settings.seed, 10 + number))
        part = readers.index(reader)
        prepare = Preparation(
            reader=reader,
            resolution=resolution,
            resize=settings.resize,
            interpolation=settings.interpolation,
            crop=settings.crop,
            channels=channels,
            noise_std=settings.noise_std,
            noise_seed=(settings.seed, 20 + part),
        )
        kept = indices[stratified_subset(reader.labels[indices], limit, rng=rng)]
        plans.append(Plan(prepare=prepare, indices=kept, part=part))
    return plans, channels, resolution


def lazy_digest(plans: Sequence[Plan], classes: tuple[str, ...], contents: Sequence[Contents]) -> str:
    """Digest of images by the content of their files and by what is done to them.

    Args:
        plans: Of the splits.
        classes: Names.
        contents: Numbers of the images of every plan, (N,) each.
    """
    described = [
        {
            "reader": sha256(part.tobytes() + plan.labels.tobytes()).hexdigest(),
            "indices": sha256(plan.indices.tobytes()).hexdigest(),
            **preparation_of(plan.prepare),
        }
        for plan, part in zip(plans, contents, strict=True)
    ]
    text = plain_text({"version": PREPARATION_VERSION, "plans": described, "classes": classes}, sort_keys=True)
    return sha256(text.encode()).hexdigest()


def preparation_of(prepare: Preparation) -> dict[str, object]:
    """Return what is done to an image, plain values."""
    # What differs from the usual filter and crop, so that digests of the time before stay valid.
    usual = (prepare.interpolation, prepare.crop) == ("bilinear", 1.0)
    return {
        "resolution": prepare.resolution,
        "resize": prepare.resize,
        **({} if usual else {"interpolation": prepare.interpolation, "crop": prepare.crop}),
        "channels": prepare.channels,
        "noise": [prepare.noise_std, *prepare.noise_seed] if prepare.noise_std else None,
    }


def _split_off(raw: RawData, settings: DataSettings) -> list[tuple[Reader, Indices]]:
    """Return the reader and indices of train, validation and test; missing parts are taken from train."""
    labels = raw.train.labels
    remaining = np.arange(len(labels))
    found: dict[str, tuple[Reader, Indices]] = {}
    fraction = settings.validation_fraction
    if raw.test is not None:
        found["test"] = (raw.test, np.arange(len(raw.test.labels)))
    else:
        rng = np.random.default_rng((settings.seed, 0))
        remaining, aside = stratified_split(
            labels, settings.test_fraction, classes=raw.classes, what="the test part", rng=rng
        )
        found["test"] = (raw.train, aside)
        # Both fractions are shares of all images.
        fraction = fraction / (1 - settings.test_fraction)
    if raw.validation is not None:
        found["validation"] = (raw.validation, np.arange(len(raw.validation.labels)))
    else:
        rng = np.random.default_rng((settings.seed, 1))
        keep, aside = stratified_split(
            labels[remaining], fraction, classes=raw.classes, what="the validation part", rng=rng
        )
        found["validation"] = (raw.train, remaining[aside])
        remaining = remaining[keep]
    found["train"] = (raw.train, remaining)
    return [found[part] for part in PARTS]


def _native_resolution(readers: Sequence[Reader]) -> int:
    size = common_size(readers)
    if size is None or size[0] != size[1]:
        raise DataError(
            explain(
                "the images have no common square size",
                got="different sizes" if size is None else f"{size[0]} x {size[1]}",
                remedy="Set data.resolution, for example to 224.",
            )
        )
    return size[0]
