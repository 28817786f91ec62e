"""Small spaces and images for the tests of this room."""

import numpy as np

from edgenas.data import ArraySplit, ImageData
from edgenas.space import SearchSpace, read

MIXED = """
name: mixed
resolution: [8, 12]
in_channels: 1
classes: 4
divisor: 4
width: [0.5, 1.0]
stem: {channels: 8, stride: 1, activation: relu}
head: {conv: 16, hidden: 12, activation: hard_swish}
stages:
  - {out: 8, depth: [1, 2], kernel: [3, 5, 7], expansion: [1, 2, 3], squeeze_excite: [0, 0.25],
     activation: [relu, hard_swish]}
  - {out: [8, 16], depth: [1, 2, 3], stride: 2, kind: [mbconv, uib, fused, skip], start_kernel: [0, 3],
     kernel: [3, 5], expansion: [2, 4], activation: relu6}
"""


def mixed_space() -> SearchSpace:
    """A space with every kind of choice."""
    return read(MIXED)


def tiny_space() -> SearchSpace:
    """A space of some dozen networks of a few hundred parameters."""
    return read(
        """
name: few
resolution: 8
in_channels: 1
classes: 4
divisor: 4
stem: {channels: 4, stride: 2, activation: relu}
head: {conv: 8, activation: relu}
stages:
  - {out: [4, 8], depth: [1, 2], kernel: [3, 5], expansion: [1, 2]}
"""
    )


def plain_space() -> SearchSpace:
    """A space whose blocks have no skips, so that the names of operations number other stages than its own."""
    return read(
        """
name: plain
resolution: 8
in_channels: 1
classes: 4
divisor: 4
stem: {channels: 4, stride: 2, activation: relu}
head: {conv: 8, activation: relu}
stages:
  - {out: 8, depth: [1, 2], kernel: [3, 5], expansion: 2, residual: false}
  - {out: 12, depth: [1, 2], kernel: [3, 5], expansion: 2, residual: false}
"""
    )


def blobs(*, per_class: int = 40, classes: int = 4, size: int = 8, seed: int = 0) -> ImageData:
    """Noisy images whose class is the quadrant (or row of quadrants) that is bright."""
    rng = np.random.default_rng(seed)

    def split(count: int) -> ArraySplit:
        labels = np.tile(np.arange(classes), count)
        images = rng.integers(0, 90, (len(labels), size, size, 1))
        half = size // 2
        for image, label in zip(images, labels, strict=True):
            top, left = (label // 2) * half, (label % 2) * half
            image[top : top + half, left : left + half] += 60
        return ArraySplit(images=images.astype(np.uint8), labels=labels.astype(np.int64))

    return ImageData(
        train=split(per_class),
        validation=split(per_class // 2),
        test=split(per_class // 2),
        classes=tuple("abcdefgh"[:classes]),
        native_size=(size, size),
        skipped=(),
        notes=(),
        digest=f"blobs-{per_class}-{classes}-{size}-{seed}",
    )
