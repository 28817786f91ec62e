"""A network trained on digits for a few seconds: int8 accuracy means something only on trained ones."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from edgenas import nn
from edgenas.arch import Architecture, Block, Head, SqueezeExcite, Stage, Stem
from edgenas.data import DataSettings, ImageData, Preprocessing, fit_preprocessing, load
from edgenas.deploy import Recipe, export_bundle, load_recipe
from edgenas.train import TrainSettings, fit


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trained:
    """A network with its images."""

    architecture: Architecture
    weights: dict[str, np.ndarray]
    data: ImageData
    preprocessing: Preprocessing

    def export(self, out: Path, recipe: Recipe | None = None, **overrides: object):
        arguments = {"data": self.data, "preprocessing": self.preprocessing, "labels": self.data.classes, **overrides}
        return export_bundle(self.architecture, self.weights, recipe or load_recipe("mobile"), out=out, **arguments)


@pytest.fixture(scope="session")
def architecture() -> Architecture:
    """Twelve convolutions with squeeze-excite and hard-swish, and one fully connected layer."""
    se = SqueezeExcite(channels=8)
    blocks = (
        Block(kernel=3, expanded=24, out_channels=16, stride=2, activation="hard_swish", se=se),
        Block(kernel=3, expanded=48, out_channels=16, activation="hard_swish", se=se, skip=True),
    )
    return Architecture(
        resolution=8,
        in_channels=1,
        stem=Stem(out_channels=16, stride=1, activation="hard_swish"),
        stages=(Stage(blocks=blocks),),
        head=Head(conv_channels=48, activation="hard_swish"),
        classes=10,
    )


@pytest.fixture(scope="session")
def trained(architecture: Architecture) -> Trained:
    torch.set_num_threads(1)
    data = load(DataSettings(source="digits"))
    preprocessing = fit_preprocessing(data.train)
    module = nn.build(architecture)
    fit(module, data, TrainSettings(epochs=5, learning_rate=1e-2), preprocessing=preprocessing)
    return Trained(architecture=module.architecture, weights=module.weights(), data=data, preprocessing=preprocessing)


@pytest.fixture(scope="session")
def bundle(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("bundles") / "digits"
    trained.export(out)
    return out
