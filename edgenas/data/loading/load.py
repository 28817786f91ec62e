"""From settings to prepared images in three splits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from math import prod

import numpy as np

from edgenas.data.identity import Contents, SplitContents
from edgenas.data.loading.cache import CacheEntry
from edgenas.data.loading.materialise import BuiltSplits, content_numbers, count_repeated, hash_splits, to_array
from edgenas.data.loading.notes import common_size, content_notes, preparation_notes, refuse_unreadable
from edgenas.data.loading.stored import Preparation
from edgenas.data.registry import SOURCES
from edgenas.data.settings import DataSettings
from edgenas.data.sources.labels import require_every_class
from edgenas.data.sources.raw import RawData, Reader
from edgenas.data.splits import stratified_split, stratified_subset
from edgenas.data.values import ArraySplit, ImageData, Indices, Labels, LazySplit, Skipped
from edgenas.errors import DataError, explain
from edgenas.reading.json_text import plain_text
from edgenas.types import Progress

PARTS = ("train", "validation", "test")
# Part of every cache key: raise it when preparation changes.
PREPARATION_VERSION = 2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Plan:
    """Which images of which reader become one split."""

    prepare: Preparation
    indices: Indices

    @property
    def labels(self) -> Labels:
        return self.prepare.reader.labels[self.indices]

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.prepare.resolution, self.prepare.resolution, self.prepare.channels

    def lazy(self) -> LazySplit:
        return LazySplit(prepare=self.prepare, indices=self.indices, labels=self.labels, shape=self.shape)


def load(settings: DataSettings, *, progress: Progress | None = None) -> ImageData:
    """Read, check, split and prepare images.

    Args:
        settings: Where they lie and what is done to them.
        progress: Called with (images prepared, images in all, "images") while images are decoded.

    Returns:
        Three splits that share no image; the same settings and files give the same splits and digest.

    Raises:
        DataError: The images or labels cannot be used; the message names the file or class.
        ConfigError: The source needs an extra that is not installed.
        StoreError: The cache directory cannot be written.
    """
    raw = _read(settings)
    readers = [reader for reader in (raw.train, raw.validation, raw.test) if reader is not None]
    refuse_unreadable(raw.skipped, sum(len(reader.labels) for reader in readers) + len(raw.skipped))
    plans, channels, resolution = _plan(raw, readers, settings)
    try:
        built = _build(plans, settings, raw.classes, progress)
        contents = _contents(plans, built, settings)
    finally:
        # What was learnt of the files is kept even if the command is interrupted.
        learnt = raw.keep() if raw.keep is not None else ()
    skipped = raw.skipped if built is None else (*raw.skipped, *built.skipped)
    refuse_unreadable(skipped, sum(len(plan.indices) for plan in plans) + len(raw.skipped))
    train, validation, test = built.splits if built is not None else (plan.lazy() for plan in plans)
    for part, split in zip(PARTS, (train, validation, test), strict=True):
        require_every_class(split.labels, raw.classes, what=f"the {part} part")
    notes = (
        *raw.notes,
        *learnt,
        *preparation_notes(settings, readers, channels=channels, resolution=resolution),
        *content_notes(skipped, None if built is None else built.repeated),
    )
    return ImageData(
        train=train,
        validation=validation,
        test=test,
        classes=raw.classes,
        native_size=common_size(readers),
        skipped=skipped,
        notes=notes,
        digest=_lazy_digest(plans, raw.classes, contents) if built is None else built.digest,
        contents=contents,
        settings=settings,
    )


def source_key(source: str, path: str) -> str:
    """Return a text that changes when the images of a source change. For sources other than a user's files.

    Raises:
        DataError: The images or labels cannot be used.
        ConfigError: The source needs an extra that is not installed.
    """
    raw = _read(DataSettings(source=source, path=path))
    return " ".join(reader.key for reader in (raw.train, raw.validation, raw.test) if reader is not None)


def _read(settings: DataSettings) -> RawData:
    try:
        return SOURCES[settings.source].read(settings)
    except OSError as error:
        # Sources report the failures that they expect. These are the others, such as a folder without read permission.
        where = error.filename or settings.path
        raise DataError(
            explain(f"cannot read {where}: {error.strerror or error}", remedy="Check data.path.")
        ) from error


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
            interpolation=settings.interpolation,
            crop=settings.crop,
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
    plans: Sequence[_Plan], settings: DataSettings, classes: tuple[str, ...], progress: Progress | None
) -> BuiltSplits | None:
    """Return the splits as arrays, from the cache if they are there; None if they do not fit."""
    count = sum(len(plan.indices) for plan in plans)
    image_bytes = count * prod(plans[0].shape)
    entry = None
    if settings.cache_dir is not None and settings.store:
        entry = CacheEntry.open(settings.cache_dir, _cache_key(plans, classes))
    if entry is not None and (cached := entry.load(PARTS)) is not None:
        return cached
    fits = entry.has_room(image_bytes) if entry is not None else image_bytes <= settings.memory_limit_mib * 2**20
    if not fits:
        return None
    try:
        built = _materialise(plans, entry, classes, settings.workers, _Counter(progress, count).add)
        if entry is not None:
            entry.commit(PARTS, built)
    except BaseException:
        if entry is not None:
            entry.discard()
        raise
    return built


def _materialise(
    plans: Sequence[_Plan],
    entry: CacheEntry | None,
    classes: tuple[str, ...],
    workers: int,
    done: Callable[[int], None],
) -> BuiltSplits:
    """Decode every split into memory or into its cache entry."""
    splits: list[ArraySplit] = []
    skipped: list[Skipped] = []
    contents: list[Contents] = []
    for part, plan in zip(PARTS, plans, strict=True):
        size = (len(plan.indices), *plan.shape)
        out = np.empty(size, np.uint8) if entry is None else entry.new_array(part, size)
        content = plan.prepare.reader.content
        split, found, failed = to_array(
            plan.prepare, content, plan.indices, plan.labels, out=out, workers=workers, done=done
        )
        splits.append(split)
        contents.append(found)
        skipped += failed
    return BuiltSplits(
        splits=tuple(splits),
        skipped=tuple(skipped),
        digest=hash_splits(splits, classes),
        repeated=count_repeated(splits),
        contents=tuple(contents),
    )


class _Counter:
    """Adds up finished images over the splits and passes them on."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress = progress
        self._total = total
        self._done = 0

    def add(self, count: int) -> None:
        self._done += count
        if self._progress is not None:
            self._progress(self._done, self._total, "images")


def _contents(plans: Sequence[_Plan], built: BuiltSplits | None, settings: DataSettings) -> SplitContents:
    """Return the images by content. Files that were not decoded are read for this."""
    if built is not None:
        train, validation, test = built.contents
    else:
        train, validation, test = (
            content_numbers(plan.prepare.reader.content, plan.indices, workers=settings.workers) for plan in plans
        )
    return SplitContents(
        train=train, validation=validation, test=test, kind=plans[0].prepare.reader.kind, seed=settings.seed
    )


def _lazy_digest(plans: Sequence[_Plan], classes: tuple[str, ...], contents: SplitContents) -> str:
    """Digest of images that are not decoded yet: of their files and of what will be done to them."""
    parts = (contents.train, contents.validation, contents.test)
    keys = [sha256(part.tobytes() + plan.labels.tobytes()).hexdigest() for part, plan in zip(parts, plans, strict=True)]
    return _described(plans, classes, keys)


def _cache_key(plans: Sequence[_Plan], classes: tuple[str, ...]) -> str:
    keys: dict[int, str] = {}
    for plan in plans:
        reader = plan.prepare.reader
        if id(reader) not in keys:
            # The labels count too: a file may be moved to another class unchanged.
            keys[id(reader)] = reader.key + sha256(reader.labels.tobytes()).hexdigest()
    return _described(plans, classes, [keys[id(plan.prepare.reader)] for plan in plans])


def _described(plans: Sequence[_Plan], classes: tuple[str, ...], keys: Sequence[str]) -> str:
    described = [
        {
            "reader": key,
            "indices": sha256(plan.indices.tobytes()).hexdigest(),
            "resolution": plan.prepare.resolution,
            "resize": plan.prepare.resize,
            **_resampling(plan.prepare),
            "channels": plan.prepare.channels,
            "noise": [plan.prepare.noise_std, *plan.prepare.noise_seed] if plan.prepare.noise_std else None,
        }
        for plan, key in zip(plans, keys, strict=True)
    ]
    text = plain_text({"version": PREPARATION_VERSION, "plans": described, "classes": classes}, sort_keys=True)
    return sha256(text.encode()).hexdigest()


def _resampling(prepare: Preparation) -> dict[str, object]:
    """What differs from the usual filter and crop, so that caches of the time before stay valid."""
    usual = (prepare.interpolation, prepare.crop) == ("bilinear", 1.0)
    return {} if usual else {"interpolation": prepare.interpolation, "crop": prepare.crop}


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
