"""The images that judge members, at every resolution that members take, within a limit of memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator

from torch import Tensor

from edgenas.data.batches import Batch, Batches
from edgenas.data.values import Indices

MEMORY_MIB = 1024
"""Grey levels that are kept at all resolutions together, MiB."""


class HeldBatches:
    """Batches that are read once and kept as grey levels of one byte, or read at every pass where they are too large.

    Iterating yields the same `Batch`es at every pass, to the bit. A kept batch is a quarter of what the network takes;
    only one of them at a time is made into floats.
    """

    def __init__(self, batches: Batches, chunks: list[Indices], *, limit_bytes: int) -> None:
        """Keep the arguments. Nothing is read yet.

        Args:
            batches: Of a split at a resolution.
            chunks: Indices of each batch.
            limit_bytes: Largest size of what is kept.
        """
        self._batches, self._chunks = batches, chunks
        size = batches.preprocessing.resolution
        self.nbytes = sum(len(chunk) for chunk in chunks) * size * size * batches.split.shape[2]
        self._kept: list[tuple[Tensor, Tensor]] | None = None
        self._keeps = self.nbytes <= limit_bytes
        if not self._keeps:
            self.nbytes = 0

    def __iter__(self) -> Iterator[Batch]:
        if self._kept is None and self._keeps:
            self._kept = list(self._batches.pixels(self._chunks))
        for levels, labels in self._kept if self._kept is not None else self._batches.pixels(self._chunks):
            yield Batch(images=self._batches.normalise(levels), labels=labels)


class JudgingImages:
    """Calibration and validation batches by resolution.

    The resolution that was not used for longest makes room for a new one.
    """

    def __init__(
        self,
        make: Callable[[int], tuple[HeldBatches, HeldBatches]],
        *,
        limit_bytes: int = MEMORY_MIB * 2**20,
    ) -> None:
        """Keep the arguments.

        Args:
            make: From a resolution to its calibration and its validation batches.
            limit_bytes: Of what is kept at all resolutions together.
        """
        self._make, self._limit = make, limit_bytes
        self._held: OrderedDict[int, tuple[HeldBatches, HeldBatches]] = OrderedDict()

    def at(self, resolution: int) -> tuple[HeldBatches, HeldBatches]:
        """Return calibration and validation batches at a resolution."""
        if resolution not in self._held:
            self._held[resolution] = self._make(resolution)
        self._held.move_to_end(resolution)
        while self.nbytes > self._limit and len(self._held) > 1:
            self._held.popitem(last=False)
        return self._held[resolution]

    @property
    def nbytes(self) -> int:
        """Bytes that are kept once every batch has been read."""
        return sum(held.nbytes for pair in self._held.values() for held in pair)
