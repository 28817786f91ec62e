"""From an architecture to its trained network: built, given its first weights, and fitted by every setting."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from edgenas.arch import Architecture
from edgenas.data.network_input import Preprocessing
from edgenas.data.values import ImageData
from edgenas.nn import GraphModule, Weights, build
from edgenas.train.result import FitResult
from edgenas.train.settings import TrainSettings
from edgenas.train.trainer import fit
from edgenas.types import Progress


def untrained(
    architecture: Architecture, settings: TrainSettings, *, initial: Callable[[Weights], Weights] | None = None
) -> GraphModule:
    """Build a network to be trained, with the dropout and stochastic depth of its settings.

    Args:
        architecture: The network.
        settings: Dropout, stochastic depth, and the seed of fresh weights.
        initial: From the fresh weights to the weights to start from; None starts from the fresh ones.

    Raises:
        WeightsError: The weights are of another network.
    """
    module = build(
        architecture,
        generator=torch.Generator().manual_seed(settings.seed),
        dropout=settings.dropout,
        stochastic_depth=settings.stochastic_depth,
    )
    if initial is not None:
        module.load_weights(initial(module.weights()))
    return module


def train_architecture(
    architecture: Architecture,
    data: ImageData,
    settings: TrainSettings,
    *,
    preprocessing: Preprocessing,
    initial: Callable[[Weights], Weights] | None = None,
    teacher: nn.Module | None = None,
    folder: Path | None = None,
    progress: Progress | None = None,
    spacing_seconds: float = 0.0,
    device: torch.device | str = "cpu",
) -> tuple[GraphModule, FitResult]:
    """Build a network and train it; see `untrained` and `fit`.

    Args:
        architecture: Of the images' classes and channels.
        data: Train and validation splits; the test split is not touched.
        settings: The recipe.
        preprocessing: The network's input.
        initial: From the fresh weights to the weights to start from. teacher: Gives the soft targets of distillation.
        folder: Where to keep the state. A state that lies there is resumed.
        progress: Called after every step.
        spacing_seconds: Least seconds between two checkpoints that are written because an epoch has ended.
        device: Where to train.

    Returns:
        The network with the kept weights, on the CPU, and what the training found.

    Raises:
        TrainingError: The training cannot go on.
        WeightsError: Weights or checkpoint are of another network or training.
        StoreError: A checkpoint cannot be written.
    """
    module = untrained(architecture, settings, initial=initial)
    found = fit(
        module,
        data,
        settings,
        preprocessing=preprocessing,
        teacher=teacher,
        checkpoint_dir=folder,
        progress=progress,
        spacing_seconds=spacing_seconds,
        device=device,
    )
    module.to("cpu")
    return module, found
