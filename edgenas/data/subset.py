"""Some images of a split instead of all. Every class keeps its share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgenas.data.splits import stratified_subset
from edgenas.data.values import ArraySplit, Images, Indices, Labels, Split


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SplitPart:
    """Some images of a split.

    Attributes:
        whole: The split.
        indices: Which of its images, (N,).
    """

    whole: Split
    indices: Indices

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def labels(self) -> Labels:
        """Class numbers, (N,)."""
        return self.whole.labels[self.indices]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of every image."""
        return self.whole.shape

    def read(self, indices: Indices) -> Images:
        """Return the images at `indices`, (len(indices), H, W, C)."""
        return self.whole.read(self.indices[indices])


def part_of(split: Split, indices: Indices) -> Split:
    """Return some images of a split: copied where they lie in memory, otherwise read when they are asked for.

    Args:
        split: N images.
        indices: Which of them, (M,).
    """
    if isinstance(split, ArraySplit) and not isinstance(split.images, np.memmap):
        return ArraySplit(images=split.images[indices], labels=split.labels[indices])
    return SplitPart(whole=split, indices=indices)


def chosen_images(split: Split, limit: int | None, *, seed: int = 0) -> Indices:
    """Choose at most `limit` images of a split, every class in proportion.

    Folders list one class after the other. So the first images, or evenly spaced ones, may be of a few classes only.

    Args:
        split: N images.
        limit: Largest number of images; None takes all. Below the number of classes, that many classes are drawn.
        seed: Of the choice.

    Returns:
        Sorted indices, (min(N, limit),).
    """
    return stratified_subset(split.labels, limit, rng=np.random.default_rng((seed, 3)), every_class=False)


def some_of(split: Split, limit: int | None, *, seed: int = 0) -> Split:
    """Return at most `limit` images of a split, every class in proportion; see `chosen_images`."""
    if limit is None or limit >= len(split):
        return split
    return part_of(split, chosen_images(split, limit, seed=seed))
