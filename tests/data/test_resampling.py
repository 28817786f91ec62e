"""Filter and crop of the resize: what they do, and that deployed code does the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from edgenas.data import DataSettings, Preprocessing
from edgenas.data.loading.stored import resize_image
from edgenas.errors import ConfigError, DataError

IMAGE = np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8)
USUAL = Preprocessing(resolution=20, mean=(0.5,) * 3, std=(0.25,) * 3)


def test_a_crop_keeps_its_share_of_the_shorter_side_and_the_filter_is_the_one_asked_for() -> None:
    found = resize_image(IMAGE, 20, mode="crop", interpolation="bicubic", crop=0.8)
    cut = Image.fromarray(IMAGE).resize((20, 20), Image.Resampling.BICUBIC, box=(14, 4, 46, 36))
    assert (found == np.asarray(cut)).all()
    squashed = resize_image(IMAGE, 20, mode="squash", crop=0.5)
    cut = Image.fromarray(IMAGE).resize((20, 20), Image.Resampling.BILINEAR, box=(15, 10, 45, 30))
    assert (squashed == np.asarray(cut)).all()


def test_without_them_images_are_resized_as_ever() -> None:
    cut = Image.fromarray(IMAGE).resize((20, 20), Image.Resampling.BILINEAR, box=(10, 0, 50, 40))
    assert (resize_image(IMAGE, 20, mode="crop") == np.asarray(cut)).all()
    assert set(USUAL.to_dict()) == {"resolution", "resize", "scale", "mean", "std", "channel_order"}


def test_preprocessing_applies_stores_and_checks_them() -> None:
    own = replace(USUAL, interpolation="bicubic", crop=0.8)
    assert Preprocessing.from_dict(own.to_dict()) == own
    pixels = resize_image(IMAGE, 20, mode="crop", interpolation="bicubic", crop=0.8)
    assert np.allclose(own.apply(IMAGE[None])[0], ((pixels / 255 - 0.5) / 0.25).transpose(2, 0, 1), atol=1e-5)
    for wrong in ({"crop": 0.0}, {"crop": 1.5}, {"interpolation": "nearest"}):
        with pytest.raises(DataError, match="impossible preprocessing"):
            replace(USUAL, **wrong)
        with pytest.raises(ConfigError, match=f"data.{next(iter(wrong))}"):
            DataSettings(**wrong)
