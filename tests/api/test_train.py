"""Training in a line: from the search's weights, from a checkpoint, or from nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import edgenas as en
from edgenas.errors import ArchitectureError, ConfigError, DataError, WeightsError
from tests.api.conftest import QUICK, SILENT


def test_the_checkpoint_is_the_network_that_was_asked_for(model: en.TrainedNetwork, found: en.SearchResult) -> None:
    assert model.architecture.digest == found.best.architecture.digest
    assert en.load_network(model.checkpoint).digest == model.architecture.digest
    assert 0 <= model.test_accuracy <= 1 and 0 <= model.validation_accuracy <= 1


def test_it_predicts_what_it_was_judged_by(model: en.TrainedNetwork, data: en.ImageData) -> None:
    images = data.test.read(np.arange(len(data.test)))
    right = model.predict(images) == np.array(data.classes)[data.test.labels]
    assert right.mean() == pytest.approx(model.test_accuracy, abs=1e-9)


@pytest.mark.parametrize(
    "images", [np.zeros((2, 8, 8), np.uint8), np.zeros((2, 8, 8, 1)), np.zeros((2, 8, 8, 2), np.uint8)]
)
def test_images_of_another_form_are_refused(model: en.TrainedNetwork, images: np.ndarray) -> None:
    with pytest.raises(DataError, match="the images cannot be used"):
        model.predict(images)


def test_it_starts_from_the_shared_weights_unless_told_otherwise(
    found: en.SearchResult, data: en.ImageData, tmp_path: Path
) -> None:
    from edgenas.nn import load_checkpoint

    def weights(name: str, **how: object) -> dict[str, np.ndarray]:
        # A rate of almost nothing keeps the weights where they start.
        config = QUICK | {"train.learning_rate": 1e-12, "train.weight_decay": 0.0}
        trained = en.train(found.best, data, epochs=1, folder=tmp_path / name, config=config, **how, **SILENT)  # type: ignore[arg-type]
        return load_checkpoint(trained.checkpoint).weights

    shared = load_checkpoint(en.extract(found.run, found.best, tmp_path / "shared.safetensors")).weights
    name = next(key for key in shared if key.endswith("weight") and shared[key].ndim == 4)
    np.testing.assert_allclose(weights("on")[name], shared[name], atol=1e-6)
    assert np.abs(weights("off", from_supernet=False)[name] - shared[name]).max() > 1e-3


def test_the_same_seed_trains_the_same_weights(data: en.ImageData, tmp_path: Path) -> None:
    def trained(name: str, seed: int) -> bytes:
        network = "r8 | stem_k3_s1_c8_re | mb_k3_e2_c8_re | head_c16_re | n10"
        model = en.train(network, data, epochs=1, seed=seed, folder=tmp_path / name, config=QUICK, **SILENT)
        return model.checkpoint.read_bytes()

    assert trained("a", 0) == trained("b", 0)
    assert trained("c", 1) != trained("a", 0)


def test_images_of_a_smaller_network_are_loaded_at_its_size_with_the_same_splits(
    tmp_path: Path, table: en.LatencyTable
) -> None:
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "images.npz", images=rng.integers(0, 255, (90, 16, 16, 1), np.uint8), labels=np.arange(90) % 3)
    data = en.load_images(tmp_path / "images.npz", seed=5, progress=en.no_progress)
    space = en.load_space("tiny", data=data, resolutions=[8, 16])
    small = en.measure_table(space, networks=12, force=True, progress=en.no_progress)
    found = en.search(space, data, small, evaluations=8, strategy="random", config=QUICK, **SILENT)
    network = next(entry for entry in found.evaluations if entry.architecture.resolution == 8)
    model = en.train(network, data, epochs=1, config=QUICK, **SILENT)
    assert model.architecture.resolution == 8
    assert len(model.predict(data.test.read(np.arange(3)))) == 3


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"network": "mobilenet_v3_lrge"}, ArchitectureError, "did you mean 'mobilenet_v3_large'"),
        ({"network": 3}, ArchitectureError, "this is no network; got int"),
        ({"epochs": 0}, ConfigError, "nothing is trained and there are no weights to start from; got 0"),
        ({"teacher": "none.safetensors"}, en.EdgenasError, "none.safetensors"),
        ({"start_package": "timm"}, en.EdgenasError, "start_package is of a start, and there is none"),
        ({"start": "none.safetensors"}, WeightsError, "none.safetensors"),
        ({"config": {"train.learning_rate": float("nan")}}, ConfigError, "not a value of a configuration"),
        ({"config": {"train.augmnet.flip": True}}, ConfigError, "did you mean 'augment'"),
        ({"data": object()}, DataError, "these are no images"),
    ],
)
def test_bad_input_is_one_clear_error(
    data: en.ImageData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, object],
    error: type[Exception], message: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    arguments = {"network": "r8 | stem_k3_s1_c8_re | mb_k3_e2_c8_re | head_c16_re | n10", "data": data, "epochs": 1}
    with pytest.raises(error) as caught:
        en.train(**(arguments | change), **SILENT)  # type: ignore[arg-type]
    assert message in str(caught.value)


def test_a_search_result_is_no_network_and_the_message_says_what_is(found: en.SearchResult, data: en.ImageData) -> None:
    with pytest.raises(ArchitectureError, match="Of a search take its `best`"):
        en.train(found, data, **SILENT)  # type: ignore[arg-type]
