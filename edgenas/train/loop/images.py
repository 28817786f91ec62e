"""The images of a training, divided among the processes that train together."""

from __future__ import annotations

import torch

from edgenas.data.batches import Batches
from edgenas.data.network_input import Preprocessing
from edgenas.data.shards import ShardedBatches
from edgenas.data.values import Split
from edgenas.errors import ConfigError, explain
from edgenas.train.processes import current
from edgenas.train.settings import TrainSettings


def training_batches(
    split: Split, preprocessing: Preprocessing, settings: TrainSettings, *, device: torch.device, section: str
) -> Batches:
    """Return the batches of a training; where several processes train together, the part of this one.

    Args:
        split: Training images.
        preprocessing: Brings them to the network's input.
        settings: Size of a batch, over all processes; threads that read; seed.
        device: Where they are wanted.
        section: Of a configuration that the settings come from; errors name its keys.

    Raises:
        ConfigError: A process would get less than two images for each part of a batch, or a clock ends the training,
            which every process would read otherwise.
    """
    processes = current()
    if processes.count == 1:
        return Batches(
            split, preprocessing, batch_size=settings.batch_size, device=device, workers=settings.workers
        )
    if settings.seconds is not None:
        what = f"{section}.seconds ends the training of one process only"
        raise ConfigError(explain(what, got=f"{processes.count} processes", remedy=f"Set {section}.epochs instead."))
    batches = ShardedBatches(
        split, preprocessing, rank=processes.rank, count=processes.count,
        batch_size=settings.batch_size, device=device, workers=settings.workers,
    )  # fmt: skip
    if batches.batch_size // processes.count < 2 * settings.accumulation:
        raise ConfigError(
            explain(
                "too few images for each process",
                got=f"batches of {batches.batch_size} for {processes.count} processes",
                allowed=f"{2 * settings.accumulation} images or more for each",
                remedy=f"Raise {section}.batch_size, which counts the images of all processes, or start fewer.",
            )
        )
    return batches


def judging_batches(split: Split, preprocessing: Preprocessing, *, batch_size: int, device: torch.device) -> Batches:
    """Return the batches of a split in order; where several processes train together, those that this one judges."""
    processes = current()
    if processes.count == 1:
        return Batches(split, preprocessing, batch_size=batch_size, device=device)
    return ShardedBatches(
        split, preprocessing, rank=processes.rank, count=processes.count, batch_size=batch_size, device=device
    )
