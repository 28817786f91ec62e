"""A teacher sees what it was trained on, and its training is told from one with another."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from edgenas.data import ImageData, Preprocessing
from edgenas.errors import WeightsError
from edgenas.train import Teacher, TrainSettings, fit
from edgenas.train.teacher import weights_digest

OURS = Preprocessing(resolution=8, mean=(0.2,), std=(0.5,), channel_order="grey")
THEIRS = Preprocessing(resolution=8, mean=(0.4,), std=(0.25,), channel_order="grey")


class Identity(nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images


def test_a_teacher_sees_images_in_its_own_normalisation() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 1), dtype=np.uint8)
    teacher = Teacher(Identity(), images=OURS, own=THEIRS)
    seen = teacher(torch.from_numpy(OURS.apply(pixels)))
    assert torch.allclose(seen, torch.from_numpy(THEIRS.apply(pixels)), atol=1e-6)


def test_a_teacher_of_the_same_normalisation_sees_the_very_images() -> None:
    images = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    assert Teacher(Identity(), images=OURS, own=OURS)(images) is images


def test_a_teacher_of_another_size_sees_resized_images() -> None:
    teacher = Teacher(Identity(), images=OURS, own=replace(OURS, resolution=12))
    assert teacher(torch.zeros(2, 1, 8, 8)).shape == (2, 1, 12, 12)


def test_a_teacher_of_other_channels_is_refused() -> None:
    colour = Preprocessing(resolution=8, mean=(0.5,) * 3, std=(0.5,) * 3)
    with pytest.raises(WeightsError, match="3 channels .RGB.; allowed: 1 channels"):
        Teacher(Identity(), images=OURS, own=colour)


def test_a_training_is_not_taken_up_with_another_teacher_or_none(
    data: ImageData, make_model: Callable[..., nn.Module], tmp_path: Path
) -> None:
    settings = TrainSettings(epochs=2, batch_size=32)
    teachers = [make_model(seed) for seed in (1, 2)]
    assert weights_digest(teachers[0]) != weights_digest(teachers[1])
    fit(make_model(), data, settings, teacher=teachers[0], checkpoint_dir=tmp_path, stop_after_epochs=1)
    for other in (teachers[1], None):
        with pytest.raises(WeightsError, match="another training.*teacher"):
            fit(make_model(), data, settings, teacher=other, checkpoint_dir=tmp_path)
    assert fit(make_model(), data, settings, teacher=teachers[0], checkpoint_dir=tmp_path).complete
