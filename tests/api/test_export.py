"""Export in a line, and running a bundle again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import edgenas as en
from edgenas.errors import ConfigError, DataError, ExportError, InputError, WeightsError
from tests.api.conftest import SILENT


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> en.ImageData:
    """Images of other classes."""
    file = tmp_path_factory.mktemp("other") / "images.npz"
    np.savez(file, images=np.random.default_rng(0).integers(0, 255, (90, 8, 8, 1), np.uint8), labels=np.arange(90) % 3)
    return en.load_images(file, progress=en.no_progress)


def test_the_card_is_of_the_model_and_the_bundle_passes_its_check(
    model: en.TrainedNetwork, data: en.ImageData, tmp_path: Path
) -> None:
    card = en.export(model, data, tmp_path / "out", recipe="onnx-fp32", **SILENT)
    assert card.architecture["digest"] == model.architecture.digest
    assert card.torch_test.value == pytest.approx(model.test_accuracy)
    assert card.data["digest"] == data.digest
    assert not [entry for entry in en.check_export(tmp_path / "out", data, **SILENT) if entry.serious]
    (tmp_path / "out" / "model.onnx").write_bytes(b"")
    assert any(entry.serious for entry in en.check_export(tmp_path / "out", data, **SILENT))


def test_a_run_and_its_directory_export_with_the_runs_own_images(run: en.Run, tmp_path: Path) -> None:
    card = en.export(run, out=tmp_path / "a", recipe="onnx-fp32", **SILENT)
    again = en.export(str(run.path), out=tmp_path / "b", recipe="onnx-fp32", **SILENT)
    assert card.identity == again.identity == run.card.identity
    assert card.data["digest"] == run.data.digest


def test_files_with_random_weights_can_be_written_for_measuring(found: en.SearchResult, tmp_path: Path) -> None:
    files = en.export_untrained(found.best, tmp_path / "out", recipe="onnx-fp32")
    assert [file.name for file in files] == ["model.onnx"] and all(file.is_file() for file in files)
    with pytest.raises(ExportError, match="exists"):
        en.export_untrained(found.best, tmp_path / "out", recipe="onnx-fp32")


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"recipe": "mobil"}, ConfigError, "did you mean 'mobile'"),
        ({"model": "none.safetensors"}, WeightsError, "none.safetensors"),
        ({"model": "model.pt"}, InputError, "pickles are not read"),
        ({"model": "mobilenet_v2"}, InputError, "call export_untrained"),
        ({"model": 3}, InputError, "this is no trained network; got int"),
        ({"out": "taken"}, ExportError, "taken"),
        ({"data": "digits"}, DataError, "these are no images; got str"),
    ],
)
def test_bad_input_is_one_clear_error(
    model: en.TrainedNetwork, data: en.ImageData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    change: dict[str, object], error: type[Exception], message: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").mkdir()
    arguments = {"model": model, "data": data, "out": "out", "recipe": "onnx-fp32"}
    with pytest.raises(error) as caught:
        en.export(**(arguments | change), **SILENT)  # type: ignore[arg-type]
    assert message in str(caught.value)


def test_a_candidate_is_not_trained_yet(found: en.SearchResult, data: en.ImageData, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="got Candidate.*Train it first"):
        en.export(found.best, data, tmp_path / "out", **SILENT)  # type: ignore[arg-type]


def test_images_of_other_classes_are_refused(
    model: en.TrainedNetwork, other: en.ImageData, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="other classes"):
        en.export(model, other, tmp_path / "out", **SILENT)


def test_a_checkpoint_without_images_asks_for_them(model: en.TrainedNetwork, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no images to calibrate and judge"):
        en.export(model, out=tmp_path / "out", **SILENT)
