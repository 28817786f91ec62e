"""A training from given weights prepares images, and pads, as these weights were trained."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgenas import nn
from edgenas.arch import Architecture
from edgenas.arch.notation import parse_notation
from edgenas.config.sections.images import DataSection
from edgenas.config.settings import RunSettings
from edgenas.data import Preprocessing
from edgenas.deploy.scripts.compose import predict_script
from edgenas.errors import ConfigError, WeightsError
from edgenas.nn import Checkpoint, load_checkpoint, save_checkpoint
from edgenas.pipeline.commands.train import train_alone
from edgenas.pipeline.core.images import following
from edgenas.reading.json_text import plain_text, plain_value
from edgenas.weights.load import find_start
from edgenas.weights.source import ImageInput

NETWORK = parse_notation("r12_same | stem_k3_s2_c8_re | mb_k3_s2_e2_c8_re | head_c16_re | n5")
STATED = Preprocessing(
    resolution=12, mean=(0.1, 0.2, 0.3), std=(0.5, 0.25, 0.125), interpolation="bicubic", crop=0.875
)


@contextmanager
def quiet(title: str) -> Iterator[Any]:
    yield None


@pytest.fixture
def images(tmp_path: Path) -> str:
    pixels = np.random.default_rng(0).integers(0, 255, (120, 20, 30, 3), dtype=np.uint8)
    np.savez(tmp_path / "images.npz", images=pixels, labels=np.arange(120) % 3)
    return str(tmp_path / "images.npz")


def start(path: Path, network: Architecture = NETWORK, *, stated: Preprocessing | None = STATED) -> Path:
    metadata = {} if stated is None else {"preprocessing": plain_text(stated.to_dict())}
    weights = nn.build(network).weights()
    save_checkpoint(path, Checkpoint(architecture=network, weights=weights, metadata=metadata))
    return path


def settings(images: str, **data: Any) -> RunSettings:
    section = {"source": "npz", "path": images, "resolution": 12, **data}
    return RunSettings(name="x", threads=1, data=section, train={"epochs": 1, "batch_size": 16})  # type: ignore[arg-type]


def trained(network: Architecture, config: RunSettings, folder: Path, begin: Path) -> tuple[Checkpoint, Any, list[str]]:
    said: list[str] = []
    found = train_alone(network, config, folder, start=str(begin), progress=quiet, say=said.append)
    checkpoint = load_checkpoint(found.checkpoint)
    return checkpoint, Preprocessing.from_dict(plain_value(checkpoint.metadata["preprocessing"])), said


def test_mean_deviation_filter_and_crop_are_those_of_the_start(images: str, tmp_path: Path) -> None:
    _, own, said = trained(NETWORK, settings(images), tmp_path / "out", start(tmp_path / "w.safetensors"))
    assert own == STATED
    assert any("bicubic" in line and "0.875" in line for line in said)


def test_what_the_configuration_states_stays(images: str, tmp_path: Path) -> None:
    config = settings(images, mean=[0.4], std=[0.3], crop=1.0)
    _, own, _ = trained(NETWORK, config, tmp_path / "out", start(tmp_path / "w.safetensors"))
    assert own == replace(STATED, mean=(0.4,) * 3, std=(0.3,) * 3, crop=1.0)


def test_weights_that_say_nothing_leave_the_statistics_of_the_images(images: str, tmp_path: Path) -> None:
    begin = start(tmp_path / "w.safetensors", stated=None)
    _, own, _ = trained(NETWORK, settings(images), tmp_path / "out", begin)
    assert (own.interpolation, own.crop) == ("bilinear", 1.0) and abs(own.mean[0] - 0.5) < 0.05


def test_the_network_takes_the_padding_of_its_start_and_says_so(images: str, tmp_path: Path) -> None:
    begin, symmetric = start(tmp_path / "w.safetensors"), replace(NETWORK, padding="symmetric")
    found, _, said = trained(symmetric, settings(images), tmp_path / "out", begin)
    assert found.architecture == replace(NETWORK, classes=3)
    assert "  padding: symmetric in the network, same for these weights" in said


def test_an_unknown_start_is_refused_before_images_are_read(tmp_path: Path) -> None:
    config = settings("/absent.npz")
    with pytest.raises(WeightsError, match="did you mean"):
        train_alone(NETWORK, config, tmp_path / "out", start="efficientnet_lit0", progress=quiet, say=str)


def test_grey_images_take_the_average_of_the_channels() -> None:
    section = following(DataSection(), ImageInput(mean=(0.1, 0.2, 0.3), std=(0.5, 0.5, 0.5), interpolation="bicubic",
                                                  crop=0.9))  # fmt: skip
    assert section.mean == [0.1, 0.2, 0.3] and section.interpolation == "bicubic" and section.crop == 0.9


@pytest.mark.parametrize("wrong", [{"mean": [0.5]}, {"std": [0.5]}, {"mean": [0.5], "std": [0.1, 0.1]}, {"crop": 0}])
def test_half_a_normalisation_is_refused(wrong: dict[str, Any]) -> None:
    from pydantic import ValidationError

    with pytest.raises((ConfigError, ValidationError)):
        DataSection(**wrong)


def test_the_start_states_how_images_were_prepared(tmp_path: Path) -> None:
    found = find_start(start(tmp_path / "w.safetensors")).images()
    assert found == ImageInput(mean=STATED.mean, std=STATED.std, interpolation="bicubic", crop=0.875)
    assert find_start(start(tmp_path / "v.safetensors", stated=None)).images() is None


def test_the_generated_script_prepares_as_the_weights_were_trained(tmp_path: Path) -> None:
    from PIL import Image

    text = predict_script("onnx", model="model.onnx", preprocessing=STATED.to_dict(), labels=["a", "b"])
    names: dict[str, Any] = {"__name__": "script", "__file__": str(tmp_path / "predict.py")}
    exec(compile(text, "predict.py", "exec"), names)
    pixels = np.random.default_rng(1).integers(0, 255, (30, 47, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "image.png")
    assert np.array_equal(names["load_image"](tmp_path / "image.png"), STATED.apply(pixels[None]))
