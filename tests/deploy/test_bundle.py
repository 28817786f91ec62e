"""A bundle: complete, true, self-contained, and never half written."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgenas.data import ArraySplit
from edgenas.deploy import FileSpec, GuardSpec, Recipe, check_bundle, load_card, load_recipe
from edgenas.errors import DataError, ExportError, WeightsError
from edgenas.measure import ModelFile

FILES = {"model.onnx", "model.int8.onnx", "model.tflite", "model.int8.tflite", "model.fp16.tflite"}
BESIDE = {"labels.txt", "card.json", "card.md", "predict_onnx.py", "predict_tflite.py", "probe.npz", "SHA256SUMS"}


def test_bundle_holds_every_file_and_checks_clean(trained, bundle: Path) -> None:
    assert {path.name for path in bundle.iterdir()} == FILES | BESIDE
    assert check_bundle(bundle, test=trained.data.test) == ()


def test_every_file_keeps_the_accuracy_within_a_point(trained, bundle: Path) -> None:
    card = load_card(bundle)
    assert card.torch_test.value > 0.9
    for entry in card.files:
        assert entry.test is not None
        assert abs(entry.test.accuracy.value - card.torch_test.value) <= 0.01, entry.name
        assert entry.test.accuracy.low < card.torch_test.value < entry.test.accuracy.high
        assert entry.test.images == len(trained.data.test)


def test_card_survives_json(bundle: Path) -> None:
    card = load_card(bundle)
    assert type(card).from_dict(json.loads(json.dumps(card.to_dict()))).to_dict() == card.to_dict()
    assert card.file("model.int8.onnx").kernels["quantised_convolutions"] == 12
    assert card.file("model.int8.tflite").kernels["delegates"] == 1
    with pytest.raises(ExportError, match="no such file"):
        card.file("model.int4.onnx")


def test_prediction_scripts_agree_with_the_card(trained, bundle: Path, tmp_path: Path) -> None:
    chosen = np.arange(0, len(trained.data.test), 9)
    images, labels = trained.data.test.read(chosen), trained.data.test.labels[chosen]
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        folder = tmp_path / trained.data.classes[label]
        folder.mkdir(exist_ok=True)
        Image.fromarray(image[..., 0]).save(folder / f"{number}.png")
    from edgenas.deploy.runners import open_file

    for script, model in (("predict_onnx.py", "model.onnx"), ("predict_tflite.py", "model.int8.tflite")):
        predict = open_file((bundle / model).read_bytes(), model.rpartition(".")[2])
        expected = float((predict(trained.preprocessing.apply(images)).argmax(1) == labels).mean())
        command = [sys.executable, str(bundle / script), "--model", str(bundle / model), str(tmp_path)]
        printed = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path).stdout
        assert float(printed.split()[-1]) == pytest.approx(expected, abs=1e-6)
    one = next(tmp_path.rglob("*.png"))
    command = [sys.executable, str(bundle / "predict_onnx.py"), str(one)]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert printed.split("\t")[1].split()[0] in trained.data.classes


def test_an_existing_folder_is_replaced_only_by_force(trained, tmp_path: Path) -> None:
    out = tmp_path / "mine"
    out.mkdir()
    (out / "thesis.txt").write_text("irreplaceable")
    recipe = load_recipe("onnx-fp32")
    with pytest.raises(ExportError, match="--force"):
        trained.export(out, recipe)
    assert (out / "thesis.txt").read_text() == "irreplaceable"
    trained.export(out, recipe, force=True)
    assert not (out / "thesis.txt").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_failing_export_leaves_nothing_behind(trained, tmp_path: Path) -> None:
    def interrupted(models: list[ModelFile]) -> list[object]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained.export(tmp_path / "out", load_recipe("onnx-fp32"), measure=interrupted)
    assert list(tmp_path.iterdir()) == []


_KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {benchmarks!r})
import reference_bundles
moment, out = sys.argv[1], Path(sys.argv[2])
write, replace = Path.write_bytes, os.replace

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

def write_half(path, data):
    write(path, data[: len(data) // 2])
    die()

def die_after(source, target):
    replace(source, target)
    die()

if moment == "writing":
    Path.write_bytes = lambda path, data: write_half(path, data) if path.name == "model.tflite" else write(path, data)
else:
    os.replace = die_after
from edgenas.deploy import export_bundle, load_recipe
from edgenas.nn import load_checkpoint
from edgenas.data import Preprocessing
import json
found = load_checkpoint(Path({checkpoint!r}))
data = reference_bundles.digits()
export_bundle(
    found.architecture, found.weights, load_recipe(sys.argv[3]), data=data, labels=data.classes, out=out, force=True,
    preprocessing=Preprocessing.from_dict(json.loads(found.metadata["preprocessing"])),
)
"""


def killed(moment: str, out: Path, recipe: str) -> None:
    """Export the reference in a process that is killed at some moment."""
    root = Path(__file__).parents[2]
    checkpoint = root / "export/reference/digits-relu/model.safetensors"
    code = _KILLED.format(benchmarks=str(root / "benchmarks"), checkpoint=str(checkpoint))
    done = subprocess.run([sys.executable, "-c", code, moment, out, recipe], capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr


@pytest.mark.parametrize("moment", ["writing", "moving"])
def test_a_killed_export_leaves_no_half_bundle(trained, tmp_path: Path, moment: str) -> None:
    out = tmp_path / "mine"
    killed(moment, out, "tflite-fp32")
    assert not out.exists() if moment == "writing" else check_bundle(out) == ()
    trained.export(out, load_recipe("onnx-fp32"), force=True)
    assert check_bundle(out) == ()
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


@pytest.mark.parametrize("moment", ["writing", "moving"])
def test_a_killed_replacement_costs_no_bundle(trained, tmp_path: Path, moment: str) -> None:
    out = tmp_path / "mine"
    trained.export(out, load_recipe("onnx-fp32"))
    killed(moment, out, "tflite-fp32")
    # The old one is in its place, or put back before anything else is looked at.
    with pytest.raises(ExportError, match="--force"):
        trained.export(out, load_recipe("onnx-fp32"))
    assert check_bundle(out) == () and (out / "model.onnx").exists()


def test_impossible_inputs_are_refused_before_any_work(trained, tmp_path: Path) -> None:
    recipe, out = load_recipe("onnx-fp32"), tmp_path / "out"
    nothing = ArraySplit(images=np.zeros((0, 8, 8, 1), np.uint8), labels=np.zeros(0, np.int64))
    from edgenas.deploy import Images

    data = trained.data
    with pytest.raises(DataError, match="no train images"):
        trained.export(out, recipe, data=Images(train=nothing, validation=data.validation, test=data.test))
    with pytest.raises(DataError, match="labels and classes"):
        trained.export(out, recipe, labels=("only", "two"))
    weights = dict(trained.weights)
    weights["head.classifier.weight"] = weights["head.classifier.weight"][:5]
    from edgenas.deploy import export_bundle

    with pytest.raises(WeightsError, match=r"head\.classifier"):
        export_bundle(
            trained.architecture, weights, recipe, data=data, preprocessing=trained.preprocessing,
            labels=data.classes, out=out,
        )  # fmt: skip
    assert not out.exists()


def test_check_names_what_was_changed(trained, bundle: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(bundle, copy)
    data = bytearray((copy / "model.onnx").read_bytes())
    data[len(data) // 2] ^= 0xFF
    (copy / "model.onnx").write_bytes(data)
    (copy / "model.tflite").write_bytes((copy / "model.tflite").read_bytes()[:1000])
    (copy / "labels.txt").unlink()
    (copy / "note.txt").write_text("hello")
    found = check_bundle(copy, test=trained.data.test)
    assert {entry.name for entry in found if entry.serious} >= {"model.onnx", "model.tflite", "labels.txt"}
    # The changed byte may be of a weight, and then changes the accuracy too.
    assert {entry.name for entry in found if not entry.serious} - {"model.onnx"} == {"note.txt"}
    with pytest.raises(ExportError, match="cannot read the card"):
        check_bundle(tmp_path)
    (copy / "card.json").write_text('{"format": "other"}')
    with pytest.raises(ExportError, match="not a card"):
        check_bundle(copy)


def test_a_required_limit_that_cannot_be_met_ends_the_export(trained, tmp_path: Path) -> None:
    file = FileSpec(name="model.int8.onnx", format="onnx", precision="int8")
    guard = GuardSpec(max_drop_points=0.0, remedies=(), required=True)
    weights = {name: array.copy() for name, array in trained.weights.items()}
    # One dead channel ten thousand times the others: eight bits cannot hold both.
    weights["stem.conv.norm.weight"][0] = 0
    weights["stem.conv.norm.bias"][0] = 10_000
    for reader in ("stages.0.0.expand",):
        weights[f"{reader}.weight"][:, 0] = 0
    broken = type(trained)(
        architecture=trained.architecture, weights=weights, data=trained.data, preprocessing=trained.preprocessing
    )
    with pytest.raises(ExportError, match="loses too much accuracy"):
        broken.export(tmp_path / "out", Recipe(name="strict", files=(file,), guard=guard))
    assert not (tmp_path / "out").exists()


def test_latency_of_int8_above_fp32_is_a_warning_on_the_card(trained, tmp_path: Path) -> None:
    def slow_int8(models):
        from edgenas.measure import FileLatency

        return tuple(
            FileLatency(
                name=model.name, runtime="ort", runtime_version="0", latency_ms=latency, standard_error_ms=0.01,
                low_ms=latency, high_ms=latency, wall_ms=latency, sessions=3, runs=9, switches=0,
                load_per_core=0.0, threads=1, mode="hot", samples=(),
            )
            for model, latency in zip(models, (1.0, 1.5), strict=True)
        )  # fmt: skip

    card = trained.export(tmp_path / "out", load_recipe("onnx-int8"), measure=slow_int8)
    assert any("1.50 times" in text for text in card.warnings)
    assert "**model.int8.onnx: is slower" in (tmp_path / "out" / "card.md").read_text()
