"""The whole job on a handful of digits: small enough for every test run, complete enough to catch a broken seam."""

import json
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from edgenas.config import load
from edgenas.errors import BudgetError, DataError
from edgenas.pipeline.commands.run import run_pipeline

SMALL = [
    "latency.networks=8", "latency.validation_networks=4", "latency.force=true", "latency.use_shipped=false",
    "supernet.epochs=3", "search.evaluations=16", "front.measure=3", "train.epochs=2", "export.recipe=onnx-fp32",
    "target.budget_share=0.8", "data.train_limit=300", "data.test_limit=100",
]  # fmt: skip
CONFIGURATION = Path(__file__).parents[2] / "configs" / "quickstart.yaml"


@contextmanager
def quiet(title: str):
    yield lambda done, total, what: None


def run(folder: Path, *overrides: str, say=lambda text: None):
    settings = load(CONFIGURATION, [*SMALL, f"output={folder}", *overrides])
    return run_pipeline(settings, progress=quiet, say=say)


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    run(folder)
    return folder


@pytest.fixture
def copy(finished, tmp_path) -> Path:
    """A finished run of one's own, to change."""
    shutil.copytree(finished, tmp_path / "runs")
    return tmp_path / "runs"


def _document(folder: Path, name: str) -> dict:
    return json.loads((folder / "quickstart" / name).read_text())


def test_the_summary_has_the_documented_keys_and_the_file_meets_the_budget(finished) -> None:
    summary = _document(finished, "summary.json")
    wanted = {"seconds", "peak_memory_mib", "budget_ms", "architecture", "files", "front_size", "evaluations"}
    assert wanted <= set(summary)
    assert set(summary["files"]) == {"model.onnx"}
    assert set(summary["files"]["model.onnx"]) == {"accuracy", "latency_ms", "bytes", "top1_agreement"}
    assert summary["files"]["model.onnx"]["latency_ms"] <= summary["budget_ms"]
    assert summary["files"]["model.onnx"]["top1_agreement"] == 1.0
    assert summary["evaluations"] == 16
    assert (finished / "quickstart" / "report.html").stat().st_size > 20_000


def test_no_network_is_judged_that_the_table_puts_over_the_budget(finished) -> None:
    found = _document(finished, "search.json")
    slack = _document(finished, "latency/summary.json")["interval_percent"] / 100
    latencies = [entry["metrics"]["latency_ms"]["value"] for entry in found["evaluations"]]
    assert max(latencies) <= found["budget_table_ms"] * (1 + slack) * (1 + 1e-9)


def test_the_checkpoint_the_architecture_and_the_bundle_are_one_network(finished) -> None:
    from edgenas.arch.document import read_document
    from edgenas.nn import load_checkpoint

    folder = finished / "quickstart"
    digest = read_document(folder / "architecture.json").digest
    assert load_checkpoint(folder / "model.safetensors").architecture.digest == digest
    assert _document(finished, "export/card.json")["architecture"]["digest"] == digest
    assert _document(finished, "winner.json")["digest"] == digest


def test_a_second_run_has_nothing_to_do(copy) -> None:
    said: list[str] = []
    result = run(copy, say=said.append)
    assert result.skipped_everything
    assert all("unchanged" in line for line in said)


def test_the_same_seed_and_table_give_the_same_front_and_another_seed_another(copy) -> None:
    before = _document(copy, "search.json")
    for name in ("supernet", "search.json", "store.sqlite", "store.sqlite-wal", "store.sqlite-shm"):
        path = copy / "quickstart" / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    run(copy)
    again = _document(copy, "search.json")
    assert [entry["genes"] for entry in again["evaluations"]] == [entry["genes"] for entry in before["evaluations"]]
    assert again["front"] == before["front"]
    run(copy, "seed=1")
    other = _document(copy, "search.json")
    assert [entry["genes"] for entry in other["evaluations"]] != [entry["genes"] for entry in before["evaluations"]]


def test_a_change_of_the_training_keeps_what_came_before(copy) -> None:
    said: list[str] = []
    result = run(copy, "train.epochs=3", say=said.append)
    assert not result.skipped_everything
    assert "supernet: unchanged" in said
    assert "search: unchanged" in said
    assert not any(line == "winner: unchanged" for line in said)


def test_a_budget_below_the_fastest_network_says_how_fast_it_is(copy) -> None:
    with pytest.raises(BudgetError, match=r"got 1e-05 ms; allowed: 0\.0\d+ ms or more; that is the fastest of"):
        run(copy, "target.budget_share=null", "target.budget_ms=0.00001")


def test_a_recipe_without_the_targets_file_is_refused(copy) -> None:
    with pytest.raises(BudgetError, match="writes no file for the target"):
        run(copy, "export.recipe=tflite-fp32")


def _write_images(folder: Path, classes: int, *, size: int = 12, count: int = 30) -> Path:
    from PIL import Image

    rng = np.random.default_rng(0)
    for number in range(classes):
        (folder / f"class{number}").mkdir(parents=True)
        for index in range(count):
            pixels = rng.integers(0, 255, (size, size, 3), dtype=np.uint8) // 2
            pixels[..., number % 3] += 100
            Image.fromarray(pixels).save(folder / f"class{number}" / f"{index}.png")
    return folder


def test_a_folder_of_images_goes_the_whole_way(tmp_path) -> None:
    photos = _write_images(tmp_path / "photos", 3)
    result = run(
        tmp_path / "runs", "data.source=folder", f"data.path={photos}", "data.noise_std=0.0", "data.resolution=8"
    )
    assert result.summary["accuracy"] > 0.5
    assert _document(tmp_path / "runs", "data.json")["channels"] == 3


@pytest.mark.parametrize(("classes", "message"), [(0, "no image|empty|no class"), (1, "class")])
def test_a_folder_without_classes_to_tell_apart_is_refused(tmp_path, classes: int, message: str) -> None:
    photos = _write_images(tmp_path / "photos", classes) if classes else tmp_path / "photos"
    photos.mkdir(exist_ok=True)
    with pytest.raises(DataError, match=message):
        run(tmp_path / "runs", "data.source=folder", f"data.path={photos}", "data.resolution=8")


def test_an_output_folder_that_is_a_file_ends_with_one_line(tmp_path) -> None:
    (tmp_path / "taken").write_text("")
    command = [sys.executable, "-m", "edgenas", "run", str(CONFIGURATION), "--set", f"output={tmp_path / 'taken'}"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("error: cannot make the folder")
    assert "Traceback" not in done.stderr
