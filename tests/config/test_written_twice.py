"""What a configuration takes, the settings behind it take too: the same keys, defaults and limits."""

import dataclasses
from types import SimpleNamespace
from typing import Any

import pytest
from annotated_types import Ge, Gt, Le, Lt

from edgenas.config.sections.section import Section
from edgenas.config.sections.training import AugmentSection, FitSection, SupernetSection, TrainSection
from edgenas.data.augment.settings import AugmentSettings
from edgenas.errors import ConfigError
from edgenas.pipeline.training.settings import augment_settings, supernet_settings, train_settings
from edgenas.supernet.settings import SupernetSettings
from edgenas.train.settings import TrainSettings

# What only a run knows: where weights come from, and what a schedule is told beside its section.
ONLY_SECTION = {"recipe", "teacher", "from_supernet", "start", "start_package", "finalists", "kernel_transforms"}
ONLY_SETTINGS = {"steps", "workers", "seed", "train", "checkpoint_minutes"}
BESIDE = {"momentum": {"optimizer": "sgd"}, "recalibration_images": {"averaging_decay": 0.9},
          "distillation_weight": {"teacher": "x.safetensors"},
          "distillation_temperature": {"teacher": "x.safetensors"}}  # fmt: skip
CONTEXT: Any = SimpleNamespace(threads=1, settings=SimpleNamespace(checkpoint_minutes=10.0))
SANDWICH = {"random_members", "distillation_weight", "distil_after"}


def names(settings: type) -> dict[str, Any]:
    return {field.name: field.default for field in dataclasses.fields(settings)}


def test_sections_and_settings_have_the_same_keys() -> None:
    assert set(AugmentSection.model_fields) == set(names(AugmentSettings))
    assert set(TrainSection.model_fields) - ONLY_SECTION == set(names(TrainSettings)) - ONLY_SETTINGS
    own = set(SupernetSection.model_fields) - set(FitSection.model_fields) - ONLY_SECTION
    assert own | {"distillation_weight"} == set(names(SupernetSettings)) - ONLY_SETTINGS


@pytest.mark.parametrize(
    ("section", "settings", "others"),
    [(AugmentSection, AugmentSettings, set()), (TrainSection, TrainSettings, {"epochs", "augment"}),
     # Without a key the order of channels depends on whether there is a start, which only a run knows.
     (SupernetSection, SupernetSettings, {"importance"})],
)  # fmt: skip
def test_sections_and_settings_have_the_same_defaults(section: type[Section], settings: type, others: set[str]) -> None:
    defaults = names(settings)
    for name, field in section.model_fields.items():
        if name in defaults and name not in others:
            assert field.default == defaults[name], name


def ends(section: type[Section]) -> list[tuple[str, float]]:
    """The least and the most of every number, just inside where the limit itself is excluded."""
    found = []
    for name, field in section.model_fields.items():
        parts = list(field.metadata)
        for argument in getattr(field.annotation, "__args__", ()):
            parts += getattr(argument, "__metadata__", ())
        for limit in (part for whole in parts for part in getattr(whole, "metadata", [whole])):
            if isinstance(limit, Ge):
                found.append((name, limit.ge))
            elif isinstance(limit, Le):
                found.append((name, limit.le))
            elif isinstance(limit, Gt):
                found.append((name, limit.gt + 1e-9))
            elif isinstance(limit, Lt):
                found.append((name, limit.lt - 1e-9))
    return found


TRAIN_ENDS, SUPERNET_ENDS, AUGMENT_ENDS = ends(TrainSection), ends(SupernetSection), ends(AugmentSection)


def test_the_ends_are_found() -> None:
    assert ("label_smoothing", 0) in TRAIN_ENDS and ("epochs", 100_000) in TRAIN_ENDS
    assert len(TRAIN_ENDS) > 30 and len(SUPERNET_ENDS) > 30 and len(AUGMENT_ENDS) > 10


@pytest.mark.parametrize(("name", "value"), TRAIN_ENDS)
def test_what_the_train_section_takes_a_training_takes(name: str, value: float) -> None:
    beside = {"batch_size": 1_000_000} if name == "accumulation" else {}
    _same(train_settings, TrainSection, {**beside, **BESIDE.get(name, {}), name: value})


@pytest.mark.parametrize(("name", "value"), SUPERNET_ENDS)
def test_what_the_supernet_section_takes_a_supernet_takes(name: str, value: float) -> None:
    beside: dict[str, Any] = {"batch_size": 1_000_000} if name == "accumulation" else {}
    beside |= {"scheme": "sandwich"} if name in SANDWICH else {}
    beside |= BESIDE["momentum"] if name == "momentum" else {}
    _same(supernet_settings, SupernetSection, {**beside, name: value})


@pytest.mark.parametrize(("name", "value"), AUGMENT_ENDS)
def test_what_the_augment_section_takes_a_batch_takes(name: str, value: float) -> None:
    beside = {} if name == "randaugment_ops" and not value else {"randaugment_ops": 1, "crop_scale": 0.5}
    augment_settings(AugmentSection(**{**beside, name: value}))  # type: ignore[arg-type]


def _same(make: Any, section: type[Section], values: dict[str, Any]) -> None:
    try:
        taken = section(**values)
    except ValueError as error:  # the section refuses a combination itself, which is as good
        assert "Value error" in str(error)
        return
    if values.get("epochs") == 0:  # nothing is trained
        return
    try:
        make(taken, CONTEXT, seed=0)
    except ConfigError as error:
        if "two images or more per part" not in str(error):
            raise
