"""Data settings refuse what cannot work."""

import pytest

from edgenas.data import AugmentSettings, DataSettings, parse_source
from edgenas.errors import ConfigError


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"source": "digit"}, "did you mean 'digits'"),
        ({"source": "npz"}, "path"),
        ({"resize": "stretch"}, "resize"),
        ({"channels": 4}, "channels"),
        ({"validation_fraction": 0.0}, "validation_fraction"),
        ({"validation_fraction": 0.5, "test_fraction": 0.5}, "nothing is left"),
        ({"noise_std": -0.1}, "noise_std"),
        ({"train_limit": 0}, "train_limit"),
        ({"resolution": 0}, "resolution"),
        ({"seed": -1}, "seed"),
    ],
)
def test_an_impossible_setting_is_refused_by_name(values: dict[str, object], word: str) -> None:
    with pytest.raises(ConfigError, match=word):
        DataSettings(**values)  # type: ignore[arg-type]


def test_a_source_is_parsed_with_and_without_path() -> None:
    assert parse_source("digits") == ("digits", None)
    assert parse_source("npz:C:/some:where") == ("npz", "C:/some:where")
    with pytest.raises(ConfigError, match="did you mean 'folder'"):
        parse_source("folders:x")


def test_an_impossible_augmentation_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="erase_probability"):
        AugmentSettings(erase_probability=1.5)
