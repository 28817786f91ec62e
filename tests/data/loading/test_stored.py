"""Channels, sizes and noise of single images."""

import numpy as np
import pytest

from edgenas.data.loading.stored import Preparation, resize_image, to_channels
from edgenas.data.sources.raw import ArrayReader


def test_transparency_shows_white_and_opaque_pixels_stay(rng: np.random.Generator) -> None:
    image = rng.integers(0, 256, (4, 4, 4), dtype=np.uint8)
    image[:2, :, 3], image[2:, :, 3] = 0, 255
    flat = to_channels(image, 3)
    assert (flat[:2] == 255).all()
    assert np.array_equal(flat[2:], image[2:, :, :3])


def test_grey_is_repeated_and_colour_becomes_luma() -> None:
    grey = np.full((2, 2, 1), 77, np.uint8)
    assert np.array_equal(to_channels(grey, 3), np.full((2, 2, 3), 77))
    # 0.299 * 255 = 76.2
    red = np.zeros((1, 1, 3), np.uint8)
    red[..., 0] = 255
    assert to_channels(red, 1).tolist() == [[[76]]]
    assert np.array_equal(to_channels(to_channels(grey, 3), 1), grey)


def test_a_crop_takes_the_centre_and_a_squash_takes_all() -> None:
    wide = np.zeros((4, 8, 1), np.uint8)
    wide[:, 2:6] = 200
    assert (resize_image(wide, 4, mode="crop") == 200).all()
    assert resize_image(wide, 4, mode="squash").mean() == pytest.approx(100, abs=5)


@pytest.mark.parametrize("channels", [1, 3])
def test_resizing_keeps_a_constant_image_constant(channels: int) -> None:
    image = np.full((7, 5, channels), 123, np.uint8)
    resized = resize_image(image, 11, mode="squash")
    assert resized.shape == (11, 11, channels)
    assert (resized == 123).all()


def test_noise_depends_on_seed_and_index_only_and_has_the_wanted_size() -> None:
    reader = ArrayReader(images=np.full((3, 40, 40, 1), 128, np.uint8), labels=np.zeros(3, np.int64))

    def prepare(seed: int) -> Preparation:
        return Preparation(reader=reader, resolution=40, resize="crop", channels=1, noise_std=0.1, noise_seed=(seed,))

    first = prepare(0)(1)
    assert np.array_equal(first, prepare(0)(1))
    assert not np.array_equal(first, prepare(0)(2))
    assert not np.array_equal(first, prepare(1)(1))
    assert first.astype(float).std() == pytest.approx(25.5, rel=0.1)
