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
from edgenas.data.values import Split
from edgenas.train.loop.memory import Room
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
    """Judge a model on batches that are kept between judgements; see `evaluate`."""
    predictions, right = [], []
    for batch, logits in _forward(model, batches):
        predicted = logits.argmax(1)
        predictions.append(predicted)
        right.append(predicted == batch.labels)
    hits = int(torch.cat(right).sum())
    count = len(batches.split)
    return Accuracy(
        value=hits / count,
        standard_error=standard_error(hits, count),
        count=count,
        predictions=torch.cat(predictions).cpu().numpy(),
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
