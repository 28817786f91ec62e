"""Training settings refuse what cannot work and survive JSON."""

import json

import pytest

from edgenas.data import AugmentSettings
from edgenas.errors import ConfigError
from edgenas.train import TrainSettings


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"optimizer": "adam"}, "did you mean 'adamw'"),
        ({"epochs": None}, "needs an end"),
        ({"epochs": 0}, "epochs"),
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"learning_rate": float("nan")}, "learning_rate"),
        ({"label_smoothing": 1.0}, "label_smoothing"),
        ({"averaging_decay": 1.0}, "averaging_decay"),
        ({"batch_size": 3, "accumulation": 2}, "two images or more per part"),
        ({"precision": "int8"}, "precision"),
        ({"schedule": "cosinus"}, "did you mean 'cosine'"),
        ({"schedule": "exponential"}, "never reaches nothing"),
        ({"seed": -1}, "seed"),
        ({"distillation_temperature": 0.0}, "distillation_temperature"),
    ],
)
def test_an_impossible_setting_is_refused_by_name(values: dict[str, object], word: str) -> None:
    with pytest.raises(ConfigError, match=word):
        TrainSettings(**values)  # type: ignore[arg-type]


def test_settings_become_plain_values() -> None:
    plain = json.loads(json.dumps(TrainSettings(augment=AugmentSettings(flip=True)).to_dict()))
    assert plain["augment"]["flip"] is True
    assert plain["epochs"] == 30
