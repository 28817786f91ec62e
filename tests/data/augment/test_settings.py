"""Augmentation settings: what is refused, and which keys finished work of earlier versions did not know."""

from dataclasses import asdict

import pytest

from edgenas.data import AugmentSettings
from edgenas.data.augment.settings import without_newer_defaults
from edgenas.errors import ConfigError


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"crop_scale": 0.0}, "crop_scale"),
        ({"crop_ratio": 0.5}, "crop_ratio"),
        ({"crop_interpolation": "bicubi"}, "did you mean 'bicubic'"),
        ({"randaugment_form": "tim"}, "did you mean 'timm'"),
        ({"randaugment_magnitude": float("nan")}, "randaugment_magnitude"),
        ({"erase_fill": "black"}, "erase_fill"),
        ({"hue": 0.6}, "hue"),
        ({"repeats": 0}, "repeats"),
    ],
)
def test_an_impossible_setting_is_refused_by_name(values: dict[str, object], word: str) -> None:
    with pytest.raises(ConfigError, match=word):
        AugmentSettings(**values)  # type: ignore[arg-type]


def test_newer_keys_at_their_defaults_leave_the_identity_of_earlier_work_as_it_was() -> None:
    earlier = {"crop_padding": 8, "flip": True, "jitter": 0.2, "randaugment_ops": 0, "randaugment_magnitude": 0.5,
               "erase_probability": 0.0, "mixup_alpha": 0.0, "cutmix_alpha": 0.0}  # fmt: skip
    assert without_newer_defaults(asdict(AugmentSettings(crop_padding=8, flip=True, jitter=0.2))) == earlier
    assert without_newer_defaults(asdict(AugmentSettings(crop_scale=0.1)))["crop_scale"] == 0.1


def test_work_with_the_earlier_randaugment_is_other_work() -> None:
    assert without_newer_defaults(asdict(AugmentSettings(randaugment_ops=2)))["randaugment_form"] == "paper"
