"""Where images come from, told from what lies there."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

import edgenas as en
from edgenas.api.images import data_section
from edgenas.errors import ConfigError, DataError
from edgenas.pipeline.core.context import RunContext
from edgenas.pipeline.core.directory import RunDirectory
from edgenas.pipeline.core.images import load_images

IMAGES = np.random.default_rng(0).integers(0, 255, (60, 8, 8, 1), np.uint8)
LABELS = (np.arange(60) % 3).astype(np.uint8)


def load(path: object, **more: object) -> en.ImageData:
    return en.load_images(path, progress=en.no_progress, **more)  # type: ignore[arg-type]


def write_idx(file: Path, array: np.ndarray) -> None:
    file.write_bytes(struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes())


def write_folders(folder: Path) -> None:
    from PIL import Image

    for label in range(3):
        (folder / f"class {label}").mkdir(parents=True)
    for number, (image, label) in enumerate(zip(IMAGES, LABELS, strict=True)):
        Image.fromarray(image[..., 0]).save(folder / f"class {label}" / f"{number}.png")


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    np.savez(folder / "one.npz", images=IMAGES, labels=LABELS)
    for name in ("parts", "idx", "empty"):
        (folder / name).mkdir()
    np.savez(folder / "parts" / "train.npz", images=IMAGES, labels=LABELS)
    write_idx(folder / "idx" / "train-images-idx3-ubyte", IMAGES[..., 0])
    write_idx(folder / "idx" / "train-labels-idx1-ubyte", LABELS)
    write_folders(folder / "photos")
    return folder


@pytest.mark.parametrize(
    ("name", "source"), [("one.npz", "npz"), ("parts", "npz"), ("idx", "idx"), ("photos", "folder")]
)
def test_the_source_is_told_from_what_lies_there(places: Path, name: str, source: str) -> None:
    data = load(places / name)
    assert data.settings is not None and data.settings.source == source
    assert len(data.train) + len(data.validation) + len(data.test) == 60
    assert load(f"{source}:{places / name}").digest == data.digest


def test_a_relative_path_is_found_from_elsewhere_too(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(places)
    section = data_section(load("one.npz"))
    assert section.path == str((places / "one.npz").resolve())


@pytest.mark.parametrize(
    "how", [{}, {"seed": 7}, {"noise_std": 0.2, "train_limit": 20}, {"test_fraction": 0.4, "channels": 3}]
)
def test_a_run_loads_the_very_same_images_again(places: Path, tmp_path: Path, how: dict[str, object]) -> None:
    data = load(places / "one.npz", **how)
    settings = en.load_config({"data": data_section(data).model_dump(), "seed": 99})
    context = RunContext(settings, RunDirectory(path=tmp_path), progress=en.no_progress, say=lambda line: None)
    assert load_images(context).digest == data.digest
    assert load(places / "one.npz", **(how | {"seed": 8})).digest != data.digest


def test_without_a_seed_of_their_own_the_splits_follow_the_runs_seed(places: Path, tmp_path: Path) -> None:
    def digest(seed: int) -> str:
        keys = {"data.source": "npz", "data.path": str(places / "one.npz"), "data.cache": False, "seed": seed}
        directory = RunDirectory(path=tmp_path)
        context = RunContext(en.load_config(keys), directory, progress=en.no_progress, say=lambda line: None)
        return load_images(context).digest

    assert digest(0) == digest(0) != digest(1)


@pytest.mark.parametrize(
    ("path", "error", "message"),
    [
        ("nowhere", DataError, "no such images; got 'nowhere'"),
        ("empty", DataError, "no class folders"),
        ("folder:nowhere", DataError, "nowhere"),
        ("", DataError, "no c"),
        (IMAGES, DataError, "numpy.savez('images.npz'"),
        (None, DataError, "got NoneType"),
    ],
)
def test_what_is_no_place_of_images_is_refused(
    places: Path, monkeypatch: pytest.MonkeyPatch, path: object, error: type[Exception], message: str
) -> None:
    monkeypatch.chdir(places / "empty" if str(path) == "" else places)
    with pytest.raises(error) as caught:
        load(path)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "how", [{"resolution": 0}, {"noise_std": 2.0}, {"test_fraction": 0.9}, {"resize": "pad"}, {"seed": -1}]
)
def test_impossible_values_are_refused(places: Path, how: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        load(places / "one.npz", **how)
