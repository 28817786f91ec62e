"""Batches of one epoch after the other, for loops that do not go by epochs."""

from __future__ import annotations

from collections.abc import Iterator

from edgenas.data.augment.settings import AugmentSettings
from edgenas.data.batches import NO_AUGMENTATION, Batch, Batches


class EndlessBatches:
    """Shuffled batches without an end, from any position.

    Attributes:
        position: Batches taken so far.
    """

    def __init__(
        self, batches: Batches, *, seed: int, classes: int, augment: AugmentSettings = NO_AUGMENTATION
    ) -> None:
        """Keep the arguments. Nothing is read yet.

        Args:
            batches: Of a split.
            seed: Of the order.
            classes: Of the labels.
            augment: Random changes.
        """
        self.position = 0
        self._batches, self._seed, self._classes, self._augment = batches, seed, classes, augment
        self._stream: Iterator[Batch] | None = None

    def next(self) -> Batch:
        """Return the next batch."""
        if self._stream is None:
            self._stream = self._walk()
        self.position += 1
        return next(self._stream)

    def skip_to(self, position: int) -> None:
        """Go on at a position."""
        self.position, self._stream = position, None

    def _walk(self) -> Iterator[Batch]:
        epoch, first = divmod(self.position, self._batches.steps)
        while True:
            yield from self._batches.shuffled(
                seed=self._seed, epoch=epoch, classes=self._classes, augment=self._augment, first_step=first
            )
            epoch, first = epoch + 1, 0
