"""Candidates trained in pieces from their checkpoints."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from torch import nn

from edgenas.data import ImageData
from edgenas.errors import ConfigError, WeightsError
from edgenas.evaluate.halving import HalvingSettings, TrainedCandidates, successive_halving
from edgenas.train import TrainSettings, fit

SETTINGS = TrainSettings(epochs=4, batch_size=32, learning_rate=1e-2, averaging_decay=0.9)


def test_pieces_end_where_a_whole_training_ends(
    data: ImageData, make_model: Callable[..., nn.Module], tmp_path: Path
) -> None:
    evaluator = TrainedCandidates(make_model, data, SETTINGS, folder=tmp_path)
    pieces = [evaluator(1, 0, 2), evaluator(1, 2, 4)]
    assert pieces[-1] == fit(make_model(1), data, SETTINGS).validation_accuracy


def test_known_points_are_not_trained_again(
    data: ImageData, make_model: Callable[..., nn.Module], tmp_path: Path
) -> None:
    built: list[int] = []

    def build(candidate: int) -> nn.Module:
        built.append(candidate)
        return make_model(candidate)

    settings = HalvingSettings(min_epochs=1, max_epochs=4, reduction=2)
    first = successive_halving(TrainedCandidates(build, data, SETTINGS, folder=tmp_path), 4, settings)
    assert built
    built.clear()
    second = successive_halving(TrainedCandidates(build, data, SETTINGS, folder=tmp_path), 4, settings)
    assert second == first
    assert not built


def test_a_folder_of_another_training_is_refused(
    data: ImageData, make_model: Callable[..., nn.Module], tmp_path: Path
) -> None:
    TrainedCandidates(make_model, data, SETTINGS, folder=tmp_path)(0, 0, 1)
    with pytest.raises(WeightsError, match="belongs to another training"):
        TrainedCandidates(make_model, data, replace(SETTINGS, seed=1), folder=tmp_path)(0, 0, 1)


def test_settings_without_epochs_are_refused(data: ImageData, make_model: Callable[..., nn.Module]) -> None:
    with pytest.raises(ConfigError, match="train.epochs alone"):
        TrainedCandidates(make_model, data, replace(SETTINGS, steps=5), folder=Path("nowhere"))
