"""The part of every batch that one of several processes takes."""

from __future__ import annotations

import numpy as np
import torch

from edgenas.data.augment.draws import Draws, step_generator
from edgenas.data.batches import Batches
from edgenas.data.network_input import Preprocessing
from edgenas.data.values import Indices, Split


class ShardedBatches(Batches):
    """Batches of a split of which each process takes a part, together all of them.

    A shuffled batch is divided as evenly as it can be, into what `Batch.split` makes of it. Batches in order are dealt
    out whole. `batch_size` and `steps` are those of the whole batches.
    """

    def __init__(
        self, split: Split, preprocessing: Preprocessing, *, rank: int, count: int, batch_size: int,
        device: torch.device, workers: int = 2,
    ) -> None:  # fmt: skip
        """Keep the arguments. Nothing is read yet.

        Args:
            split, preprocessing, batch_size, device, workers: See `Batches`.
            rank: Which part, from 0.
            count: Of parts.
        """
        super().__init__(split, preprocessing, batch_size=batch_size, device=device, workers=workers)
        self.rank, self.count = rank, count

    def chunks(self) -> list[Indices]:
        """Return the indices of every batch in order that this process takes."""
        return super().chunks()[self.rank :: self.count]

    def shuffled_chunks(self, *, seed: int, epoch: int) -> list[Indices]:
        """Return the indices of this process's part of every batch of one shuffled epoch."""
        return [chunk[self._part] for chunk in super().shuffled_chunks(seed=seed, epoch=epoch)]

    @property
    def _part(self) -> slice:
        parts = np.array_split(np.arange(self.batch_size), self.count)
        start = sum(len(part) for part in parts[: self.rank])
        return slice(start, start + len(parts[self.rank]))

    def _draws(self, images: int, *, seed: int, epoch: int, step: int) -> Draws:
        """Draw what one process alone would draw for these images of the whole batch.

        Repeated images are other ones than those of one process; their changes are drawn by each process for itself.
        """
        part = self._part
        if images == part.stop - part.start:
            return Draws(step_generator(self.device, seed=seed, epoch=epoch, step=step), self.batch_size, part=part)
        own = int(np.random.SeedSequence((seed, self.rank)).generate_state(1)[0])
        return super()._draws(images, seed=own, epoch=epoch, step=step)
