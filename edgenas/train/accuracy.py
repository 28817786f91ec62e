"""Logits and accuracy of a model on a split."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edgenas.data.batches import Batch, Batches
from edgenas.data.network_input import Preprocessing
from edgenas.data.shards import ShardedBatches
from edgenas.data.transfer import to_device
from edgenas.data.values import Split
from edgenas.train.loop.memory import Room
from edgenas.train.processes import current
from edgenas.train.result import Accuracy, standard_error

BATCH_SIZE = 256


def evaluate(
    model: nn.Module,
    split: Split,
    preprocessing: Preprocessing,
    *,
    batch_size: int = BATCH_SIZE,
    device: torch.device | str = "cpu",
) -> Accuracy:
    """Judge a model in evaluation mode.

    Args:
        model: From images (B, C, H, W) to logits (B, K), on `device`; its training mode is restored afterwards.
        split: Images and labels.
        preprocessing: Of the training.
        batch_size: B.
        device: Where the model is.
    """
    return evaluate_batches(model, Batches(split, preprocessing, batch_size=batch_size, device=device))


def predict_logits(
    model: nn.Module,
    split: Split,
    preprocessing: Preprocessing,
    *,
    batch_size: int = BATCH_SIZE,
    device: torch.device | str = "cpu",
) -> NDArray[np.float32]:
    """Return the logits of every image of a split in its order, (N, K) float32; arguments as for `evaluate`."""
    batches = Batches(split, preprocessing, batch_size=batch_size, device=device)
    logits = [logits.float().cpu() for _, logits in _forward(model, batches)]
    return torch.cat(logits).numpy()


def evaluate_batches(model: nn.Module, batches: Batches) -> Accuracy:
    """Judge a model on batches that are kept between judgements; see `evaluate`.

    Where several processes train together, each judges its batches, and all return the whole.
    """
    count, processes = len(batches.split), current()
    # Everything stays on the device until the end: reading a number would make the host wait.
    predictions = torch.zeros(count, dtype=torch.int64, device=batches.device)
    hits = torch.zeros((), dtype=torch.int64, device=batches.device)
    for chunk, (batch, logits) in zip(batches.chunks(), _forward(model, batches), strict=True):
        predicted = logits.argmax(1)
        predictions[to_device(chunk, batches.device)] = predicted
        hits += (predicted == batch.labels).sum()
    if isinstance(batches, ShardedBatches):
        processes.sum_(predictions)
        processes.sum_(hits)
    right = int(hits)
    return Accuracy(
        value=right / count,
        standard_error=standard_error(right, count),
        count=count,
        predictions=predictions.cpu().numpy(),
    )


def _forward(model: nn.Module, batches: Batches) -> Iterator[tuple[Batch, Tensor]]:
    room = Room(batches.device, images=batches.batch_size)

    def logits(batch: Batch) -> Tensor:
        return torch.cat([model(part.images) for part in room.split(batch)])

    with torch.no_grad(), in_evaluation(model):
        for batch in batches.in_order():
            yield batch, room.do(partial(logits, batch))


@contextmanager
def in_evaluation(model: nn.Module) -> Iterator[None]:
    """Put a model into evaluation mode and back to what it was, module by module."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode
