"""What estimators are judged on: images, a space of networks for them, and the recipe of all trainings."""

from __future__ import annotations

import sys
from pathlib import Path

from edgenas.data import AugmentSettings, DataSettings, ImageData, load
from edgenas.space import SearchSpace, read, with_task
from edgenas.space import load as load_space
from edgenas.train import TrainSettings

SMALL_COLOUR = (Path(__file__).parent / "spaces" / "small_colour.yaml").read_text(encoding="utf-8")

DIGITS_STEPS = 300
JUDGED_IMAGES = 2000
"""That an estimator sees; the truth has twice as many."""


def load_digits() -> tuple[ImageData, SearchSpace, TrainSettings]:
    """Handwritten digits with noise, 8 x 8; nothing here needs test images, so that validation has most."""
    data = load(DataSettings(source="digits", noise_std=0.1, validation_fraction=0.48, test_fraction=0.02))
    return data, load_space("tiny"), TrainSettings(epochs=None, steps=DIGITS_STEPS, learning_rate=1e-2)


def load_arrays(path: str, train_limit: int) -> tuple[ImageData, SearchSpace, TrainSettings]:
    """Array files in the form of CIFAR-10, 32 x 32."""
    limits = {"train_limit": train_limit, "validation_limit": 3 * JUDGED_IMAGES, "test_limit": 100}
    data = load(DataSettings(source="npz", path=path, **limits))
    space = for_images(read(SMALL_COLOUR), data)
    augment = AugmentSettings(crop_padding=2, flip=True)
    return data, space, TrainSettings(epochs=None, steps=1, learning_rate=5e-3, weight_decay=0.05, augment=augment)


def for_images(space: SearchSpace, data: ImageData) -> SearchSpace:
    """Return a space with the classes, channels and size of images."""
    return with_task(space, classes=len(data.classes), in_channels=data.channels, resolutions=[data.resolution])


def say(text: str) -> None:
    """Print a line over the progress line."""
    print(f"\r{text:<70}" if sys.stderr.isatty() else text, flush=True)


def show(done: int, total: int, what: str) -> None:
    """Show progress on one line, where someone looks."""
    if sys.stderr.isatty():
        print(f"\r{what}: {done} of {total}          ", end="", file=sys.stderr, flush=True)
