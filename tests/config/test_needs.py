"""A key that nothing obeys, because of the keys beside it, is refused; at its default it says nothing."""

from pathlib import Path

import pytest

from edgenas.config import load
from edgenas.config.sections.search import SearchSection
from edgenas.config.sections.training import AugmentSection, SupernetSection, TrainSection
from edgenas.errors import ConfigError

CONFIGURATION = Path(__file__).parents[2] / "configs" / "quickstart.yaml"
CASES = [
    ("train.momentum=0.5", "train.optimizer=sgd"),
    ("supernet.momentum=0.5", "supernet.optimizer=sgd"),
    ("train.recalibration_images=16", "train.averaging_decay=0.9"),
    ("train.distillation_weight=0.1", "train.teacher=teacher.safetensors"),
    ("train.distillation_temperature=3.0", "train.teacher=teacher.safetensors"),
    ("supernet.random_members=3", "supernet.scheme=sandwich"),
    ("supernet.distillation_weight=0.5", "supernet.scheme=sandwich"),
    ("supernet.distil_after=0.5", "supernet.scheme=sandwich"),
    ("train.augment.randaugment_magnitude=0.9", "train.augment.randaugment_ops=2"),
    ("train.augment.randaugment_form=timm", "train.augment.randaugment_ops=2"),
    ("train.augment.crop_ratio=2.0", "train.augment.crop_scale=0.2"),
    ("train.augment.crop_interpolation=bicubic", "train.augment.crop_scale=0.2"),
    ("train.augment.erase_fill=noise", "train.augment.erase_probability=0.5"),
    ("search.predictor_candidates=99", "search.estimator=predictor"),
]


@pytest.mark.parametrize(("key", "beside"), CASES)
def test_a_key_that_nothing_obeys_is_refused_and_taken_beside_what_it_needs(key: str, beside: str) -> None:
    name = key.split("=")[0].rsplit(".", 1)[-1]
    with pytest.raises(ConfigError, match=rf"no {name} \(nothing obeys it without ") as caught:
        load(CONFIGURATION, ["train.averaging_decay=null", key])
    assert len(str(caught.value)) < 300
    load(CONFIGURATION, [key, beside])


def test_teacher_weight_belongs_to_the_progressive_scheme() -> None:
    load(CONFIGURATION, ["supernet.teacher_weight=0.5"])
    with pytest.raises(ConfigError, match="no teacher_weight"):
        load(CONFIGURATION, ["supernet.teacher_weight=0.5", "supernet.scheme=sandwich"])


def test_every_need_is_of_a_key_that_there_is() -> None:
    for section in (AugmentSection, SearchSection, SupernetSection, TrainSection):
        assert set(section.needs) <= set(section.model_fields)


def test_what_a_run_wrote_with_all_its_defaults_is_read_again() -> None:
    settings = load(CONFIGURATION, [])
    assert type(settings).model_validate(settings.model_dump()) == settings
