"""Exporting a checkpoint from the command line: what it accepts, and what it refuses in one line, writing nothing."""

from __future__ import annotations

import json
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from edgenas.arch.document import to_document
from edgenas.cli.main import main
from edgenas.deploy import check_bundle, load_card
from edgenas.nn import load_checkpoint

REFERENCES = Path(__file__).parents[2] / "export/reference"
RELU = REFERENCES / "digits-relu/model.safetensors"
HARD_SWISH = REFERENCES / "digits-hard-swish/model.safetensors"


class Bomb:
    """Creates a file when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (str(self.target), "w")


def export(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Run `edgenas export` in this process; return status and errors."""
    monkeypatch.setattr(sys, "argv", ["edgenas", "export", *arguments])
    try:
        main()
    except SystemExit as ended:
        return int(ended.code or 0), capsys.readouterr().err
    return 0, capsys.readouterr().err


def test_a_checkpoint_with_its_images_becomes_a_bundle(monkeypatch, capsys, tmp_path: Path) -> None:
    out = tmp_path / "bundle"
    status, errors = export(
        monkeypatch, capsys, str(RELU), "--data", "quickstart", "--recipe", "onnx-fp32", "--out", str(out),
        "--set", "threads=1",
    )  # fmt: skip
    assert (status, errors) == (0, "")
    assert load_card(out).file("model.onnx").latency is not None
    assert not [found for found in check_bundle(out) if found.serious]
    # Checked again on all test images, and with a figure that they do not give.
    assert export(monkeypatch, capsys, str(out), "--check", "--data", "quickstart")[0] == 0
    card = json.loads((out / "card.json").read_text())
    card["files"][0]["test"]["accuracy"].update(value=0.5, low=0.45, high=0.55)
    (out / "card.json").write_text(json.dumps(card))
    assert export(monkeypatch, capsys, str(out), "--check", "--data", "quickstart")[0] == 1


def broken(kind: str, folder: Path) -> Path:
    """A file that is no checkpoint of one network."""
    path = folder / f"{kind}.safetensors"
    data = RELU.read_bytes()
    if kind == "truncated":
        path.write_bytes(data[: len(data) // 2])
    elif kind == "overwritten":
        path.write_bytes(data[:-64] + b"\xff" * 64)
    elif kind == "pickle":
        path.write_bytes(pickle.dumps(Bomb(folder / "exploded")))
    elif kind == "other":
        document = json.dumps(to_document(load_checkpoint(HARD_SWISH).architecture))
        save_file(dict(load_checkpoint(RELU).weights), path, metadata={"edgenas.architecture": document})
    elif kind == "nameless":
        save_file(dict(load_checkpoint(RELU).weights), path)
    return path


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("truncated", "cannot read"),
        ("overwritten", "its digest does not match"),
        ("pickle", "pickles are not read"),
        ("other", "layer stages.0.0.squeeze has no weights"),
        ("nameless", "does not say which architecture"),
        ("missing", "cannot read"),
    ],
)
def test_a_broken_checkpoint_is_refused_in_one_line(
    monkeypatch, capsys, tmp_path: Path, kind: str, message: str
) -> None:
    out = tmp_path / "bundle"
    status, errors = export(
        monkeypatch, capsys, str(broken(kind, tmp_path)), "--data", "quickstart", "--out", str(out)
    )
    assert status == 2
    assert errors.startswith("error: ") and errors.count("\n") == 1 and message in errors
    assert not out.exists() and not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("name", ["weights.pth", "weights.pkl"])
def test_a_pickle_is_refused_unread_and_says_where_it_can_go(monkeypatch, capsys, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(pickle.dumps(Bomb(tmp_path / "exploded")))
    status, errors = export(monkeypatch, capsys, str(tmp_path / name), "--out", str(tmp_path / "bundle"))
    assert status == 2 and "pickles are not read" in errors and "--start" in errors
    assert not (tmp_path / "exploded").exists()


def test_images_of_other_classes_are_refused(monkeypatch, capsys, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 255, (60, 8, 8, 1), dtype=np.uint8), np.arange(60) % 3
    np.savez(tmp_path / "three.npz", images=images, labels=labels)
    status, errors = export(
        monkeypatch, capsys, str(RELU), "--data", "arrays", "--set", f"data.path={tmp_path / 'three.npz'}",
        "--set", "data.resolution=8", "--out", str(tmp_path / "bundle"),
    )  # fmt: skip
    assert status == 2 and "the images are of other classes" in errors
    assert not (tmp_path / "bundle").exists()
