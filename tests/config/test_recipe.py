"""A section follows a published recipe where it says nothing itself."""

from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from edgenas.api.config import load_config
from edgenas.config import RunSettings, load
from edgenas.config.sections.training import SupernetSection, TrainSection
from edgenas.errors import ConfigError
from edgenas.pipeline.training.settings import augment_settings
from edgenas.train.recipes import RECIPES
from edgenas.train.registry import without_newer_defaults

CONFIGURATION = Path(__file__).parents[2] / "configs" / "quickstart.yaml"


@pytest.mark.parametrize("name", RECIPES.names())
def test_every_recipe_fills_in_every_key_that_it_publishes(name: str) -> None:
    batch = RECIPES[name].batch_size
    section = TrainSection(recipe=name, batch_size=batch)
    for key, published in RECIPES[name].keys.items():
        place = section.augment if key.startswith("augment.") else section
        assert getattr(place, key.rpartition(".")[2]) == published.value, key
        assert published.source
    augment_settings(section.augment)
    supernet = SupernetSection(recipe=name)
    assert supernet.optimizer == section.optimizer and supernet.augment == section.augment


@pytest.mark.parametrize("name", RECIPES.names())
def test_a_recipe_leaves_the_length_and_the_batch_to_the_user(name: str) -> None:
    section = TrainSection(recipe=name)
    assert (section.epochs, section.batch_size) == (40, 64)
    assert not {"epochs", "seconds", "batch_size", "accumulation"} & set(RECIPES[name].keys)


def test_the_learning_rate_follows_the_batch() -> None:
    assert TrainSection(recipe="efficientnet", batch_size=256).learning_rate == 0.016
    assert TrainSection(recipe="mobilenet_v4", batch_size=1024).learning_rate == 0.001
    assert TrainSection(recipe="once_for_all").learning_rate == pytest.approx(2.6 * 64 / 2048, rel=1e-3)


def test_own_keys_come_first_even_where_they_are_the_usual_ones() -> None:
    section = TrainSection(
        recipe="mobilenet_v4", dropout=0.0, learning_rate=0.003, augment={"crop_scale": None, "jitter": 0.3}
    )  # type: ignore[arg-type]
    assert (section.dropout, section.learning_rate, section.augment.crop_scale) == (0.0, 0.003, None)
    assert (section.augment.jitter, section.augment.randaugment_magnitude) == (0.3, 0.9)


def test_what_a_user_turns_off_takes_its_strength_with_it() -> None:
    section = TrainSection(recipe="efficientnet", optimizer="adamw", averaging_decay=None,
                           augment={"randaugment_ops": 0, "crop_scale": None})  # type: ignore[arg-type]  # fmt: skip
    assert section.optimizer == "adamw" and section.momentum == 0.9
    assert (section.augment.randaugment_form, section.augment.crop_interpolation) == ("paper", "bilinear")


def test_another_recipe_or_batch_fills_in_anew() -> None:
    first = load_config({"train.recipe": "efficientnet", "train.augment.jitter": 0.1})
    assert first.train.optimizer == "rmsprop"
    later = load_config(first, {"train.recipe": "once_for_all", "train.batch_size": 128})
    assert (later.train.optimizer, later.train.augment.jitter) == ("sgd", 0.1)
    assert later.train.learning_rate == pytest.approx(2.6 * 128 / 2048, rel=1e-3)
    assert later.train.augment.randaugment_ops == 0


def test_what_a_run_wrote_with_a_recipe_is_read_again() -> None:
    settings = load(CONFIGURATION, ["train.recipe=mobilenet_v3", "supernet.recipe=once_for_all"])
    assert RunSettings.model_validate(settings.model_dump()) == settings


def test_the_name_of_a_recipe_is_no_part_of_a_trainings_identity() -> None:
    section = TrainSection(recipe="mobilenet_v4")
    spelled = TrainSection(**{**section.model_dump(), "recipe": None})
    assert without_newer_defaults(section.model_dump()) == without_newer_defaults(spelled.model_dump())
    assert "schedule" not in without_newer_defaults(TrainSection().model_dump())


@pytest.mark.parametrize(
    ("override", "told"),
    [("train.recipe=mobilenet_v5", "did you mean 'mobilenet_v"), ("train.recipe=3", "recipe"),
     ("train.schedule=exponential", "final_learning_rate_share above 0")],
)  # fmt: skip
def test_a_wrong_recipe_is_refused_by_name(override: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        load(CONFIGURATION, [override])


def test_a_wrong_value_beside_a_recipe_is_named() -> None:
    with pytest.raises(ConfigError, match="batch_size"):
        load(CONFIGURATION, ["train.recipe=mobilenet_v4", "train.batch_size=many"])
    with pytest.raises(ConfigError, match="randaugment_ops"):
        load(CONFIGURATION, ["train.recipe=mobilenet_v4", "train.augment.randaugment_ops=two"])


def test_config_check_prints_what_a_recipe_filled_in() -> None:
    from edgenas.cli.main import app

    told = CliRunner().invoke(app, ["config", "check", str(CONFIGURATION), "--set", "train.recipe=mobilenet_v4"])
    assert told.exit_code == 0
    train = yaml.safe_load(told.output)["train"]
    assert train["recipe"] == "mobilenet_v4" and train["augment"]["crop_scale"] == 0.08
