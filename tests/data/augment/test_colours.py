"""Brightness, contrast, saturation, sharpness and hue, held against Pillow and the standard library."""

import colorsys

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance

from edgenas.data import AugmentSettings
from edgenas.data.augment.colours import (
    adjust_brightness,
    adjust_contrast,
    adjust_saturation,
    adjust_sharpness,
    change_colours,
    turn_hue,
)
from edgenas.data.augment.draws import Draws
from tests.data.augment.test_crops import draws, photographs


def levels(count: int = 4) -> torch.Tensor:
    return photographs(count, 20, 24).permute(0, 3, 1, 2).float()


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(adjust_brightness, ImageEnhance.Brightness), (adjust_contrast, ImageEnhance.Contrast),
     (adjust_saturation, ImageEnhance.Color), (adjust_sharpness, ImageEnhance.Sharpness)],
)  # fmt: skip
def test_enhancements_are_pillows(ours, theirs) -> None:  # type: ignore[no-untyped-def]
    images = levels()
    factors = torch.tensor([0.0, 0.4, 1.0, 1.9])
    found = ours(images.clone(), factors)
    for image, factor, out in zip(images, factors, found, strict=True):
        pillow = Image.fromarray(image.permute(1, 2, 0).byte().numpy())
        expected = np.asarray(theirs(pillow).enhance(float(factor))).astype(int)
        assert np.abs(out.permute(1, 2, 0).numpy() - expected).max() <= 1
        assert (out.permute(1, 2, 0).numpy() != expected).mean() < 0.02


def test_the_hue_turns_as_in_the_standard_library() -> None:
    images = levels(3)
    turns = torch.tensor([-0.4, 0.0, 0.15])
    found = turn_hue(images, turns).permute(0, 2, 3, 1).numpy()
    for image, turn, out in zip(images.permute(0, 2, 3, 1).numpy() / 255, turns.tolist(), found, strict=True):
        for pixel, after in zip(image.reshape(-1, 3)[::7], out.reshape(-1, 3)[::7], strict=True):
            hue, saturation, value = colorsys.rgb_to_hsv(*pixel.tolist())
            expected = np.array(colorsys.hsv_to_rgb((hue + turn) % 1, saturation, value)) * 255
            assert np.abs(after - expected).max() <= 0.51


def test_grey_images_have_no_saturation_and_no_hue() -> None:
    images = levels()[:, :1]
    half = torch.full((4,), 0.5)
    assert torch.equal(adjust_saturation(images, half), images) and torch.equal(turn_hue(images, half), images)


def test_an_own_strength_replaces_that_of_jitter() -> None:
    images = torch.full((300, 3, 4, 4), 100.0)
    # A flat grey image shows brightness alone.
    spread = change_colours(images, AugmentSettings(jitter=0.5, brightness=0.1), draws(300))
    assert 88 <= spread.min() < 93 and 107 < spread.max() <= 110
    assert torch.equal(change_colours(images, AugmentSettings(jitter=0.5, brightness=0.0), draws(300)), images)


def test_jitter_changes_brightness_contrast_and_saturation_and_each_alone_can_be_had() -> None:
    images = levels()
    for key in ("jitter", "brightness", "contrast", "saturation", "hue"):
        out = change_colours(images, AugmentSettings(**{key: 0.5}), draws(4))
        assert not torch.equal(out, images), key
        assert out.min() >= 0 and out.max() <= 255 and torch.equal(out, out.round()), key
    assert change_colours(images, AugmentSettings(), draws(4)) is images


def test_factors_differ_between_images_and_fill_their_range() -> None:
    images = torch.full((2000, 1, 2, 2), 100.0)
    out = change_colours(images, AugmentSettings(brightness=0.3), Draws(torch.Generator().manual_seed(0), 2000))
    values = out[:, 0, 0, 0]
    assert values.min() == 70 and values.max() == 129 and abs(values.mean() - 99.5) < 1
