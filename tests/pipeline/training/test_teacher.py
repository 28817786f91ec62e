"""A teacher is found, or refused early and clearly."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgenas.arch import lower
from edgenas.arch.zoo import published
from edgenas.data import Preprocessing
from edgenas.errors import ConfigError, WeightsError
from edgenas.formats import random_weights
from edgenas.nn import Checkpoint, save_checkpoint
from edgenas.pipeline.training.teacher import load_teacher, require_teacher, teacher_digest

IMAGES = Preprocessing(resolution=32, mean=(0.5,) * 3, std=(0.25,) * 3)
CLASSES = ("daisy", "rose", "tulip")


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    network = replace(published("mnasnet_small"), classes=3, resolution=32)
    own = replace(IMAGES, mean=(0.4,) * 3)
    metadata = {"labels": json.dumps(list(CLASSES)), "preprocessing": json.dumps(own.to_dict())}
    weights = random_weights(lower(network), np.random.default_rng(0))
    path = tmp_path / "teacher.safetensors"
    save_checkpoint(path, Checkpoint(architecture=network, weights=weights, metadata=metadata))
    return path


def test_a_teacher_of_the_same_classes_is_loaded(checkpoint: Path) -> None:
    teacher = load_teacher(str(checkpoint), classes=CLASSES, preprocessing=IMAGES)
    assert teacher is not None and not any(parameter.requires_grad for parameter in teacher.parameters())
    assert load_teacher(None, classes=CLASSES, preprocessing=IMAGES) is None


@pytest.mark.parametrize("classes", [("daisy", "rose"), ("daisy", "rose", "weed"), ("rose", "daisy", "tulip")])
def test_a_teacher_of_other_classes_or_another_order_is_refused(checkpoint: Path, classes: tuple[str, ...]) -> None:
    with pytest.raises(WeightsError, match=r"knows other classes; got 3 \(daisy, rose, tulip\); allowed: \d \("):
        load_teacher(str(checkpoint), classes=classes, preprocessing=IMAGES)


def test_a_missing_teacher_is_noticed_before_anything_is_done(checkpoint: Path, tmp_path: Path) -> None:
    require_teacher(str(checkpoint))
    require_teacher(None)
    with pytest.raises(ConfigError, match="train.teacher is not there"):
        require_teacher(str(tmp_path / "none.safetensors"))


def test_another_file_is_another_teacher(checkpoint: Path, tmp_path: Path) -> None:
    before = teacher_digest(str(checkpoint))
    checkpoint.write_bytes(checkpoint.read_bytes() + b" ")
    assert teacher_digest(str(checkpoint)) != before
    assert teacher_digest(None) is None
