"""The part of every batch that one of several processes takes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from edgenas.data.batches import Batch, Batches
from edgenas.data.network_input import Preprocessing
from edgenas.data.values import Indices, Split


class ShardedBatches(Batches):
    """Batches of a split of which each process takes a part, together all of them.

    A shuffled batch is divided as evenly as it can be, into what `Batch.split` makes of it. Batches in order are dealt
    out whole. `batch_size` and `steps` are those of the whole batches.
    """

    def __init__(
        self, split: Split, preprocessing: Preprocessing, *, rank: int, count: int, seed: int = 0, batch_size: int,
        device: torch.device, workers: int = 2,
    ) -> None:  # fmt: skip
        """Keep the arguments. Nothing is read yet.

        Args:
            split, preprocessing, batch_size, device, workers: See `Batches`.
            rank: Which part, from 0.
            count: Of parts.
            seed: Of the order, the same in all processes.
        """
        super().__init__(split, preprocessing, batch_size=batch_size, device=device, workers=workers)
        self.rank, self.count, self._seed = rank, count, seed

    def chunks(self) -> list[Indices]:
        """Return the indices of every batch in order that this process takes."""
        return super().chunks()[self.rank :: self.count]

    def shuffled_chunks(self, *, seed: int, epoch: int) -> list[Indices]:
        """Return the indices of this process's part of every batch of one shuffled epoch."""
        whole = super().shuffled_chunks(seed=self._seed, epoch=epoch)
        return [np.array_split(chunk, self.count)[self.rank] for chunk in whole]

    def shuffled(self, *, seed: int, **more: Any) -> Iterator[Batch]:
        """Yield this process's part of the batches of one epoch; every process draws changes of its own."""
        own = seed if self.rank == 0 else int(np.random.SeedSequence((seed, self.rank)).generate_state(1)[0])
        return super().shuffled(seed=own, **more)
