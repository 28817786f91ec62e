"""Prepared images as values: three splits that never share an image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edgenas.data.identity import SplitContents
from edgenas.data.settings import DataSettings
from edgenas.markup import html_table

Images = NDArray[np.uint8]
Labels = NDArray[np.int64]
Indices = NDArray[np.int64]


class Split(Protocol):
    """N prepared images of one size with their labels. Letters: N images, H x W pixels, C channels."""

    @property
    def labels(self) -> Labels:
        """Class numbers, (N,)."""
        ...

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of every image."""
        ...

    def __len__(self) -> int: ...

    def read(self, indices: Indices) -> Images:
        """Return the images at `indices`, (len(indices), H, W, C)."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ArraySplit:
    """A split whose images lie in one array, in memory or memory-mapped.

    Attributes:
        images: (N, H, W, C) uint8.
        labels: (N,) int64.
    """

    images: Images
    labels: Labels

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of every image."""
        _, height, width, channels = self.images.shape
        return height, width, channels

    def read(self, indices: Indices) -> Images:
        """Return the images at `indices`, (len(indices), H, W, C)."""
        return self.images[indices]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LazySplit:
    """A split too large for memory: every image is read and prepared when it is asked for.

    Attributes:
        prepare: From an index into the source to one prepared image (H, W, C); called from several threads.
        indices: Where the images of this split lie in the source, (N,).
        labels: (N,) int64.
        shape: Height, width and channels of every prepared image.
    """

    prepare: Callable[[int], Images]
    indices: Indices
    labels: Labels
    shape: tuple[int, int, int]

    def __len__(self) -> int:
        return len(self.labels)

    def read(self, indices: Indices) -> Images:
        """Return the images at `indices`, (len(indices), H, W, C).

        Raises:
            DataError: An image cannot be decoded.
        """
        out = np.empty((len(indices), *self.shape), np.uint8)
        for position, index in enumerate(indices):
            out[position] = self.prepare(int(self.indices[index]))
        return out


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """An image that was left out, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImageData:
    """Images of K classes in three splits without a common image.

    Attributes:
        train: For weights and normalisation statistics.
        validation: For every decision of a search.
        test: For the final figure only.
        classes: Names of the classes, (K,).
        native_size: Height and width before preparation; None where the images differ.
        skipped: Images that could not be read.
        notes: Unexpected changes of the images, one sentence each.
        digest: Of the prepared images, labels and classes of all splits (of the files themselves for lazy splits).
        contents: Every image by the content of its source; None where that was not looked at.
        settings: Settings that loaded them, to load them again at another size; None if they came from elsewhere.
    """

    train: Split
    validation: Split
    test: Split
    classes: tuple[str, ...]
    native_size: tuple[int, int] | None
    skipped: tuple[Skipped, ...]
    notes: tuple[str, ...]
    digest: str
    contents: SplitContents | None = None
    settings: DataSettings | None = None

    @property
    def resolution(self) -> int:
        """Height and width of the prepared images in pixels."""
        return self.train.shape[0]

    @property
    def channels(self) -> int:
        """Number of channels of the prepared images, 1 or 3."""
        return self.train.shape[2]

    def __repr__(self) -> str:
        sizes = f"train={len(self.train)}, validation={len(self.validation)}, test={len(self.test)}"
        shape = f"{self.resolution}x{self.resolution}x{self.channels}"
        return f"ImageData({sizes}, {shape}, {len(self.classes)} classes)"

    def _repr_html_(self) -> str:
        rows = [
            ("images", f"{len(self.train):,} train, {len(self.validation):,} validation, {len(self.test):,} test"),
            ("size", f"{self.resolution} x {self.resolution}, {self.channels} channel(s)"),
            ("classes", f"{len(self.classes)}: {', '.join(self.classes[:12])}{' ...' * (len(self.classes) > 12)}"),
            *(("note", note) for note in self.notes),
        ]
        return html_table((), rows)
