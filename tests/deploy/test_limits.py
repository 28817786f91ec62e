"""No NaN passes a limit; what cannot be made is left out and named; `required` holds for every kind of file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgenas.deploy import FileSpec, GuardSpec, Recipe, check_bundle, load_card
from edgenas.deploy.accuracy import compare
from edgenas.deploy.bundle import export
from edgenas.deploy.quantise.guard import Guard
from edgenas.errors import EdgenasError, ExportError, StoreError
from edgenas.reading.json_text import json_text, parse_json

FULL = FileSpec(name="model.onnx", format="onnx")
HALVES = (FileSpec(name="half.onnx", format="onnx", precision="fp16"),
          FileSpec(name="half.tflite", format="tflite", precision="fp16"))  # fmt: skip
CODED = FileSpec(name="coded.tflite", format="tflite", precision="int8")


def overflowing(trained, factor: float = 1e6):
    """The same float network, whose first hidden values are a million times larger."""
    weights = {name: array.copy() for name, array in trained.weights.items()}
    for part in ("weight", "bias"):
        weights[f"stages.0.1.project.norm.{part}"] *= np.float32(factor)
    weights["head.conv.weight"] /= np.float32(factor)
    return replace(trained, weights=weights)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_logits_that_are_not_finite_are_compared_with_nothing(value: float) -> None:
    logits = np.eye(3, dtype=np.float32)
    broken = logits.copy()
    broken[2, 1] = value
    for pair in ((broken, logits), (logits, broken)):
        with pytest.raises(ExportError, match="not finite; got NaN or infinity for 1 of 3 images"):
            compare(*pair, np.arange(3))


def test_full_precision_with_a_nan_ends_the_export(trained, tmp_path: Path, monkeypatch) -> None:
    opened = export.open_file

    def broken(data: bytes, file_format: str):
        predict = opened(data, file_format)
        return lambda images: np.where(np.arange(10) == 3, np.nan, predict(images)).astype(np.float32)

    monkeypatch.setattr(export, "open_file", broken)
    with pytest.raises(ExportError, match="not finite"):
        trained.export(tmp_path / "out", Recipe(name="n", files=(FULL,)))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("share", "passes"), [(0.5e-4, True), (2e-4, False)])
def test_parity_holds_at_its_limit(trained, tmp_path: Path, monkeypatch, share: float, passes: bool) -> None:
    opened = export.open_file
    monkeypatch.setattr(export, "open_file", lambda *given: lambda images: (1 + share) * opened(*given)(images))
    if passes:
        trained.export(tmp_path / "out", Recipe(name="n", files=(FULL,)))
        return
    with pytest.raises(ExportError, match="does not compute what torch computes"):
        trained.export(tmp_path / "out", Recipe(name="n", files=(FULL,)))


def test_half_precision_that_overflows_is_left_out_and_named(trained, tmp_path: Path) -> None:
    network = overflowing(trained)
    card = network.export(tmp_path / "out", Recipe(name="n", files=(FULL, *HALVES)))
    assert [entry.name for entry in card.files] == ["model.onnx"]
    assert [name for name, _ in card.left_out] == ["half.onnx", "half.tflite"]
    assert all("does not fit half precision" in reason for _, reason in card.left_out)
    assert load_card(tmp_path / "out").left_out == card.left_out
    assert any(text.startswith("half.onnx was left out") for text in card.warnings)
    assert "half.onnx was left out" in (tmp_path / "out" / "card.md").read_text().replace("\\", "")
    assert not (tmp_path / "out" / "half.onnx").exists() and not (tmp_path / "out" / "predict_tflite.py").exists()
    assert check_bundle(tmp_path / "out") == ()
    for files in ((FULL, HALVES[0]), (HALVES[1],)):
        required = Recipe(name="n", files=files, guard=GuardSpec(required=True))
        with pytest.raises(ExportError, match="does not fit half precision"):
            network.export(tmp_path / "none", required)
    with pytest.raises(ExportError, match="does not fit half precision"):
        network.export(tmp_path / "none", Recipe(name="n", files=HALVES))
    assert not (tmp_path / "none").exists()


def test_half_precision_that_fits_is_delivered(trained, tmp_path: Path) -> None:
    card = trained.export(tmp_path / "out", Recipe(name="n", files=HALVES))
    assert [entry.name for entry in card.files] == ["half.onnx", "half.tflite"] and card.left_out == ()


def test_one_int8_file_that_cannot_be_made_leaves_the_others(trained, tmp_path: Path, monkeypatch) -> None:
    def refuse(data: bytes):
        raise ExportError("XNNPACK refuses the file.")

    monkeypatch.setattr("edgenas.deploy.counts.require_one_partition", refuse)
    card = trained.export(tmp_path / "out", Recipe(name="n", files=(FULL, CODED)))
    assert card.left_out == (("coded.tflite", "XNNPACK refuses the file."),)
    assert check_bundle(tmp_path / "out") == ()
    with pytest.raises(ExportError, match="XNNPACK refuses"):
        trained.export(tmp_path / "none", Recipe(name="n", files=(FULL, CODED), guard=GuardSpec(required=True)))


def too_large_for_a_gate(trained):
    """A network whose last activation has inputs that no int8 hard-swish takes."""
    weights = {name: array.copy() for name, array in trained.weights.items()}
    for part in ("weight", "bias"):
        weights[f"head.conv.norm.{part}"] *= np.float32(1e6)
    weights["head.classifier.weight"] /= np.float32(1e6)
    return replace(trained, weights=weights)


def test_an_int8_file_that_fails_is_made_with_what_fails_in_floating_point(trained, tmp_path: Path) -> None:
    network = too_large_for_a_gate(trained)
    card = network.export(tmp_path / "out", Recipe(name="n", files=(FULL, CODED)))
    coded = card.files[1]
    assert (card.left_out, coded.float_ops, coded.kernels["covered"]) == ((), ("head.conv.act",), True)
    assert any("head.conv.act in floating point, since no int8 file" in text for text in coded.warnings)
    assert any("too large for an int8 hard-swish" in text for text in coded.warnings)
    assert "head.conv.act in floating point" in (tmp_path / "out" / "card.md").read_text().replace("\\", "")
    assert coded.validation is not None and coded.validation.drop.value < 0.02
    assert load_card(tmp_path / "out").files == card.files and check_bundle(tmp_path / "out") == ()


@pytest.mark.parametrize("guard", [GuardSpec(remedies=("calibration",)), GuardSpec(exclude_layers=0)])
def test_a_recipe_that_leaves_nothing_in_floating_point_leaves_the_file_out(trained, tmp_path: Path, guard) -> None:
    card = too_large_for_a_gate(trained).export(tmp_path / "out", Recipe(name="n", files=(FULL, CODED), guard=guard))
    assert [name for name, _ in card.left_out] == ["coded.tflite"] and "too large" in card.left_out[0][1]


def test_a_remedy_that_gives_no_file_is_named_and_costs_no_other(trained, tmp_path: Path, monkeypatch) -> None:
    made, judge = Guard._made, Guard._judge

    def refuse_corrected(guard, file, quantisation):
        if "bias correction" in quantisation.steps:
            raise ExportError("LiteRT refuses the file.")
        return made(guard, file, quantisation)

    monkeypatch.setattr(Guard, "_made", refuse_corrected)
    monkeypatch.setattr(Guard, "_judge", lambda *given: replace(judge(*given), within_limit=False))
    spec = GuardSpec(remedies=("bias_correction", "calibration"))
    card = trained.export(tmp_path / "out", Recipe(name="n", files=(FULL, CODED), guard=spec))
    assert card.left_out == () and len(card.files[1].trials) == 3
    text = "no file could be made with calibration percentile, bias correction: LiteRT refuses the file."
    assert text in card.files[1].warnings


@pytest.mark.parametrize("file", [FULL, *HALVES])
def test_a_required_limit_holds_for_every_kind_of_file(trained, tmp_path: Path, monkeypatch, file: FileSpec) -> None:
    compared = export._Job._compare

    def worse(job, *given):
        found = compared(job, *given)
        return replace(found, drop=replace(found.drop, value=0.02))

    monkeypatch.setattr(export._Job, "_compare", worse)
    for points, passes in ((2.0, True), (1.9, False)):
        recipe = Recipe(name="n", files=(file,), guard=GuardSpec(max_drop_points=points, required=True))
        if passes:
            trained.export(tmp_path / "out", recipe)
            continue
        with pytest.raises(ExportError, match="loses too much accuracy; got 2.00 points"):
            trained.export(tmp_path / "none", recipe)
    loose = Recipe(name="n", files=(file,), guard=GuardSpec(max_drop_points=1.9))
    assert any("loses 2.00 points" in text for text in trained.export(tmp_path / "warned", loose).warnings)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_no_document_holds_a_number_that_is_none(value: float) -> None:
    for document, place in (({"a": [1.0, {"b": value}]}, r"a\[1\]\.b"), (value, "the top"), ([value], r"\[0\]")):
        with pytest.raises(StoreError, match=f"the card holds a number that is not finite; got .* at {place}"):
            json_text(document, what="the card")
    assert parse_json(json_text({"a": [1.5, "NaN"]}, what="x"), source="x") == {"a": [1.5, "NaN"]}


def test_a_card_with_nan_is_never_written(trained, tmp_path: Path) -> None:
    with pytest.raises(EdgenasError, match=r"not finite; got nan at training\.loss"):
        trained.export(tmp_path / "out", Recipe(name="n", files=(FULL,)), training_facts={"loss": float("nan")})
    assert not (tmp_path / "out").exists()
