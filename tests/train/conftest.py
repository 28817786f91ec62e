"""A tiny learnable task and network that tests of this room share."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from edgenas.data import ArraySplit, ImageData


def stripes(count: int, seed: int) -> ArraySplit:
    """Class 0 has horizontal stripes, class 1 vertical ones, class 2 none; with noise and a random phase."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    images = rng.normal(128, 40, (count, 8, 8, 1))
    wave = 60 * np.where((np.arange(8) + rng.integers(0, 2, (count, 1))) % 2, 1, -1)
    images[labels == 0] += wave[labels == 0][:, :, None, None]
    images[labels == 1] += wave[labels == 1][:, None, :, None]
    return ArraySplit(images=np.clip(images, 0, 255).astype(np.uint8), labels=labels.astype(np.int64))


@pytest.fixture(scope="session")
def data() -> ImageData:
    return ImageData(
        train=stripes(192, 0),
        validation=stripes(90, 1),
        test=stripes(90, 2),
        classes=("rows", "columns", "none"),
        native_size=(8, 8),
        skipped=(),
        notes=(),
        digest="stripes",
    )


@pytest.fixture
def make_model() -> Callable[..., nn.Module]:
    def make(seed: int = 0, *, dropout: float = 0.1, classes: int = 3) -> nn.Module:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return nn.Sequential(
                nn.Conv2d(1, 8, 3, padding=1, bias=False),
                nn.BatchNorm2d(8),
                nn.ReLU(),
                nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False),
                nn.BatchNorm2d(8),
                nn.ReLU(),
                nn.AdaptiveAvgPool2d(1),
                nn.Flatten(),
                nn.Dropout(dropout),
                nn.Linear(8, classes),
            )

    return make
