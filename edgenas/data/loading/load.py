"""From settings to prepared images in three splits."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from edgenas.data.identity import Contents, SplitContents
from edgenas.data.loading.contents import content_numbers
from edgenas.data.loading.fill import Filled, fill
from edgenas.data.loading.materialise import BuiltSplits, count_repeated, hash_splits, repeated_contents, to_array
from edgenas.data.loading.notes import (
    DECODED_WHILE_TRAINING,
    common_size,
    content_notes,
    preparation_notes,
    refuse_unreadable,
)
from edgenas.data.loading.plan import PARTS, Plan, lazy_digest, make_plans
from edgenas.data.registry import SOURCES
from edgenas.data.settings import DataSettings
from edgenas.data.sources.labels import require_every_class
from edgenas.data.sources.raw import RawData
from edgenas.data.values import ArraySplit, ImageData, Skipped
from edgenas.errors import DataError, explain
from edgenas.types import Progress


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
    plans, channels, resolution = make_plans(raw, readers, settings)
    try:
        built = _build(plans, settings, raw.classes, progress) or _lazy(plans, settings, raw.classes)
    finally:
        # What was learnt of the files is kept even if the command is interrupted.
        learnt = raw.keep() if raw.keep is not None else ()
    skipped = (*raw.skipped, *built.skipped)
    refuse_unreadable(skipped, sum(len(plan.indices) for plan in plans) + len(raw.skipped))
    for part, split in zip(PARTS, built.splits, strict=True):
        require_every_class(split.labels, raw.classes, what=f"the {part} part")
    train, validation, test = built.splits
    notes = (
        *raw.notes,
        *learnt,
        *preparation_notes(settings, readers, channels=channels, resolution=resolution),
        *content_notes(skipped, built.repeated),
        *built.notes,
    )
    return ImageData(
        train=train,
        validation=validation,
        test=test,
        classes=raw.classes,
        native_size=common_size(readers),
        skipped=skipped,
        notes=notes,
        digest=built.digest,
        contents=_split_contents(built, plans, settings),
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


def _split_contents(built: BuiltSplits, plans: Sequence[Plan], settings: DataSettings) -> SplitContents:
    train, validation, test = built.contents
    kind = plans[0].prepare.reader.kind
    return SplitContents(train=train, validation=validation, test=test, kind=kind, seed=settings.seed)


def _build(
    plans: Sequence[Plan], settings: DataSettings, classes: tuple[str, ...], progress: Progress | None
) -> BuiltSplits | None:
    """Return the splits from the cache or in memory; None if they fit neither."""
    small = sum(len(plan.indices) for plan in plans) * prod(plans[0].shape) <= settings.memory_limit_mib * 2**20
    if settings.cache_dir is not None and settings.store:
        filled = fill(plans, settings, progress)
        if filled is not None:
            return _from_cache(filled, plans, classes, small=small)
    return _in_memory(plans, classes, settings.workers, progress) if small else None


def _from_cache(filled: Filled, plans: Sequence[Plan], classes: tuple[str, ...], *, small: bool) -> BuiltSplits:
    """Add digests: as in memory if the set would fit there, otherwise as of images that are decoded while training."""
    splits = filled.splits
    if not small:
        digest, repeated = lazy_digest(plans, classes, filled.whole_contents), repeated_contents(filled.contents)
    else:
        name = lazy_digest(plans, classes, filled.whole_contents)
        known = filled.store.kept(name)
        if known is None:
            known = {"digest": hash_splits(splits, classes), "repeated": list(count_repeated(splits))}
            filled.store.keep(name, known)
        digest, repeated = str(known["digest"]), tuple(known["repeated"])
    return BuiltSplits(
        splits=splits, skipped=filled.skipped, digest=digest, repeated=repeated, contents=filled.contents,
        notes=filled.store.notes,
    )  # fmt: skip


def _in_memory(
    plans: Sequence[Plan], classes: tuple[str, ...], workers: int, progress: Progress | None
) -> BuiltSplits:
    """Decode every split into memory."""
    done = _Counter(progress, sum(len(plan.indices) for plan in plans)).add
    splits: list[ArraySplit] = []
    skipped: list[Skipped] = []
    contents: list[Contents] = []
    for plan in plans:
        out = np.empty((len(plan.indices), *plan.shape), np.uint8)
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


def _lazy(plans: Sequence[Plan], settings: DataSettings, classes: tuple[str, ...]) -> BuiltSplits:
    """Return splits that decode every image when it is asked for. Files are read once for their content."""
    contents = tuple(content_numbers(plan.prepare.reader, plan.indices, workers=settings.workers) for plan in plans)
    return BuiltSplits(
        splits=tuple(plan.lazy() for plan in plans),
        skipped=(),
        digest=lazy_digest(plans, classes, contents),
        repeated=repeated_contents(contents),
        contents=contents,
        notes=(DECODED_WHILE_TRAINING,),
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
