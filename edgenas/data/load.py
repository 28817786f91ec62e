"""From settings to prepared images in three splits."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np

from edgenas.data.cache import CacheEntry
from edgenas.data.materialise import Progress, hash_splits, to_array
from edgenas.data.prepare import Preparation
from edgenas.data.reading import RawData, Reader
from edgenas.data.settings import DataSettings
from edgenas.data.sources import READERS
from edgenas.data.splits import stratified_split, stratified_subset
from edgenas.data.values import ArraySplit, ImageData, Indices, Labels, LazySplit, Skipped, Split
from edgenas.errors import DataError, explain

GREATEST_UNREADABLE_SHARE = 0.05
PARTS = ("train", "validation", "test")
# Part of every cache key: raise it when preparation changes.
PREPARATION_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Plan:
    """Which images of which reader become one split."""

    prepare: Preparation
    indices: Indices

    @property
    def labels(self) -> Labels:
        return self.prepare.reader.labels[self.indices]


def load(settings: DataSettings, *, progress: Progress | None = None) -> ImageData:
    """Read, check, split and prepare images.

    Args:
        settings: Where they lie and what is done to them.
        progress: Called with (images prepared, images in all) while images are decoded.

    Returns:
        Three splits that share no image; the same settings and files give the same splits and digest.

    Raises:
        DataError: The images or labels cannot be used; the message names the file or class.
        ConfigError: The source needs an extra that is not installed.
        StoreError: The cache directory cannot be written.
    """
    raw = READERS[settings.source](settings)
    readers = [reader for reader in (raw.train, raw.validation, raw.test) if reader is not None]
    _refuse_unreadable(raw.skipped, sum(len(reader.labels) for reader in readers) + len(raw.skipped))
    plans, channels, resolution = _plan(raw, readers, settings)
    splits, skipped, digest, lazy = _build(plans, readers, settings, raw.classes, progress)
    skipped = (*raw.skipped, *skipped)
    _refuse_unreadable(skipped, sum(len(plan.indices) for plan in plans) + len(raw.skipped))
    return ImageData(
        train=splits[0],
        validation=splits[1],
        test=splits[2],
        classes=raw.classes,
        native_size=_common_size(readers),
        skipped=skipped,
        notes=(*raw.notes, *_notes(readers, settings, channels, resolution, skipped, lazy=lazy)),
        digest=digest,
    )


def _plan(raw: RawData, readers: Sequence[Reader], settings: DataSettings) -> tuple[list[_Plan], int, int]:
    channels = settings.channels or (1 if all(reader.channels == 1 for reader in readers) else 3)
    resolution = settings.resolution or _native_resolution(readers)
    where = _split_off(raw, settings)
    limits = (settings.train_limit, settings.validation_limit, settings.test_limit)
    plans = []
    for number, ((reader, indices), limit) in enumerate(zip(where, limits, strict=True)):
        rng = np.random.default_rng((settings.seed, 10 + number))
        prepare = Preparation(
            reader=reader,
            resolution=resolution,
            resize=settings.resize,
            channels=channels,
            noise_std=settings.noise_std,
            noise_seed=(settings.seed, 20 + readers.index(reader)),
        )
        kept = indices[stratified_subset(reader.labels[indices], limit, rng=rng)]
        plans.append(_Plan(prepare=prepare, indices=kept))
    return plans, channels, resolution


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


def _build(
    plans: Sequence[_Plan],
    readers: Sequence[Reader],
    settings: DataSettings,
    classes: tuple[str, ...],
    progress: Progress | None,
) -> tuple[tuple[Split, ...], tuple[Skipped, ...], str, bool]:
    """Return the splits, the images that failed to decode, the digest and whether the splits are lazy."""
    shape = (plans[0].prepare.resolution, plans[0].prepare.resolution, plans[0].prepare.channels)
    image_bytes = sum(len(plan.indices) for plan in plans) * shape[0] * shape[1] * shape[2]
    entry = None if settings.cache_dir is None else CacheEntry.open(settings.cache_dir, _cache_key(plans, classes))
    if entry is not None and (cached := entry.load(PARTS)) is not None:
        return cached.splits, cached.skipped, cached.digest, False
    fits = entry.has_room(image_bytes) if entry is not None else image_bytes <= settings.memory_limit_mib * 2**20
    if not fits:
        lazy = [
            LazySplit(prepare=plan.prepare, indices=plan.indices, labels=plan.labels, shape=shape) for plan in plans
        ]
        return tuple(lazy), (), _cache_key(plans, classes), True
    counted = _Counter(progress, sum(len(plan.indices) for plan in plans))
    try:
        splits, skipped = _materialise(plans, shape, entry, settings.workers, counted.add)
        digest = hash_splits(splits, classes)
        if entry is not None:
            entry.commit(PARTS, splits, skipped, digest)
    except BaseException:
        if entry is not None:
            entry.discard()
        raise
    return tuple(splits), tuple(skipped), digest, False


def _materialise(
    plans: Sequence[_Plan],
    shape: tuple[int, int, int],
    entry: CacheEntry | None,
    workers: int,
    done: Callable[[int], None],
) -> tuple[list[ArraySplit], list[Skipped]]:
    """Decode every split into memory or into its cache entry."""
    splits: list[ArraySplit] = []
    skipped: list[Skipped] = []
    for part, plan in zip(PARTS, plans, strict=True):
        size = (len(plan.indices), *shape)
        out = np.empty(size, np.uint8) if entry is None else entry.new_array(part, size)
        split, failed = to_array(plan.prepare, plan.indices, plan.labels, out=out, workers=workers, done=done)
        splits.append(split)
        skipped += failed
    return splits, skipped


class _Counter:
    """Adds up finished images over the splits and passes them on."""

    def __init__(self, progress: Callable[[int, int], None] | None, total: int) -> None:
        self._progress = progress
        self._total = total
        self._done = 0

    def add(self, count: int) -> None:
        self._done += count
        if self._progress is not None:
            self._progress(self._done, self._total)


def _cache_key(plans: Sequence[_Plan], classes: tuple[str, ...]) -> str:
    described = [
        {
            "reader": plan.prepare.reader.key,
            "indices": sha256(plan.indices.tobytes()).hexdigest(),
            "resolution": plan.prepare.resolution,
            "resize": plan.prepare.resize,
            "channels": plan.prepare.channels,
            "noise": [plan.prepare.noise_std, *plan.prepare.noise_seed] if plan.prepare.noise_std else None,
        }
        for plan in plans
    ]
    text = json.dumps({"version": PREPARATION_VERSION, "plans": described, "classes": classes}, sort_keys=True)
    return sha256(text.encode()).hexdigest()


def _common_size(readers: Sequence[Reader]) -> tuple[int, int] | None:
    sizes = {reader.size for reader in readers}
    return sizes.pop() if len(sizes) == 1 else None


def _native_resolution(readers: Sequence[Reader]) -> int:
    size = _common_size(readers)
    if size is None or size[0] != size[1]:
        raise DataError(
            explain(
                "the images have no common square size",
                got="different sizes" if size is None else f"{size[0]} x {size[1]}",
                remedy="Set data.resolution, for example to 224.",
            )
        )
    return size[0]


def _refuse_unreadable(skipped: Sequence[Skipped], total: int) -> None:
    if len(skipped) <= GREATEST_UNREADABLE_SHARE * total:
        return
    named = "; ".join(f"{image.name}: {image.reason}" for image in skipped[:3])
    raise DataError(
        explain(
            f"{len(skipped)} of {total} images cannot be read ({named}{'; ...' if len(skipped) > 3 else ''})",
            allowed=f"at most {GREATEST_UNREADABLE_SHARE:.0%}",
            remedy="Replace or delete these files.",
        )
    )


def _notes(
    readers: Sequence[Reader],
    settings: DataSettings,
    channels: int,
    resolution: int,
    skipped: Sequence[Skipped],
    *,
    lazy: bool,
) -> tuple[str, ...]:
    notes = []
    found = {reader.channels for reader in readers}
    if 4 in found:
        notes.append("Transparent pixels are composited over white.")
    if channels == 3 and 1 in found:
        notes.append("Grey images are repeated to three channels.")
    if channels == 1 and found != {1}:
        notes.append("Colour images are turned grey (ITU-R BT.601 luma).")
    size = _common_size(readers)
    if size != (resolution, resolution):
        how = "centre crop of the shorter side" if settings.resize == "crop" else "aspect ratio ignored"
        notes.append(f"Images are brought to {resolution} x {resolution} ({how}, bilinear).")
    if settings.noise_std:
        notes.append(f"Gaussian noise of {settings.noise_std:g} of the full range is added once to every image.")
    if skipped:
        named = ", ".join(image.name for image in skipped[:3]) + (", ..." if len(skipped) > 3 else "")
        notes.append(f"{len(skipped)} unreadable images are left out: {named}")
    if lazy:
        notes.append("The prepared images do not fit; they are decoded while training.")
    return tuple(notes)
