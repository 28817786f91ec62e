"""What a source hands over: images that can be read one by one, before any preparation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from edgenas.data.loading.signature import content_number
from edgenas.data.values import Images, Labels, Skipped
from edgenas.errors import DataError, explain

ContentKind = Literal["files", "pixels"]


class Reader(Protocol):
    """N images of one part of a source; `read` is called from several threads."""

    @property
    def labels(self) -> Labels:
        """Class numbers, (N,)."""
        ...

    @property
    def size(self) -> tuple[int, int] | None:
        """Height and width where all images share them, otherwise None."""
        ...

    @property
    def channels(self) -> int:
        """1 where every image is grey, otherwise the largest number of channels (3 or 4)."""
        ...

    @property
    def key(self) -> str:
        """A text that changes when the images change; names the entry in the cache."""
        ...

    @property
    def kind(self) -> ContentKind:
        """What `content` is computed of; numbers of two kinds cannot be compared."""
        ...

    def read(self, index: int) -> Images:
        """Return one image, (H, W, C) with 1, 3 or 4 channels.

        Raises:
            UnreadableImageError: It cannot be decoded.
        """
        ...

    def content(self, index: int) -> int:
        """Return a 64-bit number that tells an image from others by its content; called from several threads.

        Raises:
            UnreadableImageError: It cannot be read.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RawData:
    """The parts of a source as they were found; a missing part is split off later.

    Attributes:
        classes: Names of the classes.
        train, validation, test: The parts that the source has.
        skipped: Images that could not even be opened.
        notes: What was decided while reading.
        keep: Called once the images are loaded, to keep what was learnt of them; returns further notes.
    """

    classes: tuple[str, ...]
    train: Reader
    validation: Reader | None = None
    test: Reader | None = None
    skipped: tuple[Skipped, ...] = ()
    notes: tuple[str, ...] = ()
    keep: Callable[[], tuple[str, ...]] | None = None


def describe(reader: Reader, index: int) -> str:
    """Return how messages call an image: the path of its file, where its reader says one."""
    name = getattr(reader, "path_of", None)
    return f"image {index}" if name is None else str(name(index))


class UnreadableImageError(DataError):
    """One image that cannot be decoded; the caller skips and counts it."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(explain(f"cannot read image {name}: {reason}", remedy="Replace or delete the file."))
        self.name = name
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ArrayReader:
    """Images in one array (N, H, W, C) uint8."""

    images: Images
    labels: Labels

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of every image."""
        return self.images.shape[1], self.images.shape[2]

    @property
    def channels(self) -> int:
        """Channels of every image."""
        return int(self.images.shape[3])

    @property
    def key(self) -> str:
        """Arrays are hashed as they are; see `edgenas.data.loading.cache`."""
        return sha256(np.ascontiguousarray(self.images).data).hexdigest() + sha256(self.labels.tobytes()).hexdigest()

    def read(self, index: int) -> Images:
        """Return one image (H, W, C)."""
        return self.images[index]

    @property
    def kind(self) -> ContentKind:
        """Arrays have no files."""
        return "pixels"

    def content(self, index: int) -> int:
        """Return a number that tells the pixels of an image from others."""
        return content_number(repr(self.images.shape[1:]).encode() + self.images[index].tobytes())


def array_reader(images: NDArray[np.generic], labels: NDArray[np.generic], *, where: str) -> ArrayReader:
    """Check arrays that a user gave and wrap them.

    Args:
        images: (N, H, W) or (N, H, W, C) uint8 with C of 1, 3 or 4.
        labels: (N,) integers.
        where: Name of the file, for messages.

    Returns:
        A reader with images (N, H, W, C) uint8 and labels (N,) int64.

    Raises:
        DataError: A shape or type is another.
    """
    if images.dtype != np.uint8:
        raise DataError(
            explain(
                f"images in {where} have the wrong type",
                got=images.dtype,
                allowed="uint8",
                remedy="Scale them to 0..255 and convert with .astype(numpy.uint8).",
            )
        )
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4 or images.shape[3] not in (1, 3, 4) or 0 in images.shape[1:3]:
        raise DataError(
            explain(
                f"images in {where} have the wrong shape",
                got=images.shape,
                allowed="(N, H, W) or (N, H, W, C) with C = 1, 3 or 4",
                remedy="Channels come last.",
            )
        )
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise DataError(
            explain(
                f"labels in {where} are not class numbers",
                got=f"shape {labels.shape}, type {labels.dtype}",
                allowed="(N,) integers",
            )
        )
    if len(labels) != len(images):
        raise DataError(explain(f"{where} has {len(images)} images but {len(labels)} labels"))
    return ArrayReader(images=images.astype(np.uint8, copy=False), labels=labels.astype(np.int64))
