"""The reference bundles in export/reference, exported again from their weights, are what their cards say."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.reference_bundles import KEPT, NETWORKS, digits, rebuild
from edgenas.arch.document import read_document
from edgenas.arch.notation import parse_notation
from edgenas.data import ImageData
from edgenas.deploy import Card, check_bundle, load_card
from edgenas.deploy.bundle.card import installed_versions
from edgenas.nn import load_checkpoint, save_checkpoint

ROOT = Path(__file__).parents[2] / "export" / "reference"
# int8 of another processor may round the other way now and then; the logits of these networks reach about 10.
TOLERANCE = {"fp32": 1e-4, "fp16": 1e-2, "int8": 5e-2}


@pytest.fixture(scope="module")
def images() -> ImageData:
    return digits()


@pytest.fixture(scope="module", params=sorted(NETWORKS))
def pair(request: pytest.FixtureRequest, images: ImageData, tmp_path_factory: pytest.TempPathFactory):
    """The reference folder and its bundle as it is exported today."""
    out = tmp_path_factory.mktemp("rebuilt") / request.param
    rebuild(ROOT / request.param / "model.safetensors", images, out)
    return ROOT / request.param, out


def sums(folder: Path) -> dict[str, str]:
    rows = (line.split("  ") for line in (folder / "SHA256SUMS").read_text().splitlines())
    return {name: digest for digest, name in rows}


def test_every_reference_is_kept_and_small_enough_for_a_repository() -> None:
    assert {path.name for path in ROOT.iterdir() if path.is_dir()} == set(NETWORKS)
    for name in NETWORKS:
        kept = {"architecture.json", "model.safetensors", *KEPT}
        assert {path.name for path in (ROOT / name).iterdir()} == kept
    assert sum(path.stat().st_size for path in ROOT.rglob("*") if path.is_file()) < 200 * 1024


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_architecture_weights_and_card_are_of_one_network(name: str) -> None:
    architecture = read_document(ROOT / name / "architecture.json")
    assert architecture == parse_notation(NETWORKS[name])
    assert architecture == load_checkpoint(ROOT / name / "model.safetensors").architecture
    assert load_card(ROOT / name).architecture["digest"] == architecture.digest


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_kept_texts_are_those_that_the_checksums_name(name: str) -> None:
    for kept in ("card.json", "card.md"):
        assert hashlib.sha256((ROOT / name / kept).read_bytes()).hexdigest() == sums(ROOT / name)[kept]


def test_the_rebuilt_bundle_checks_clean_and_is_of_the_same_identity(pair, images: ImageData) -> None:
    reference, rebuilt = pair
    assert check_bundle(rebuilt, test=images.test) == ()
    assert load_card(rebuilt).identity == load_card(reference).identity
    assert load_card(rebuilt).weights_sha256 == load_card(reference).weights_sha256


def test_float_files_and_labels_are_the_same_byte_for_byte(pair) -> None:
    reference, rebuilt = pair
    card = load_card(reference)
    expected, found = sums(reference), sums(rebuilt)
    assert set(expected) == set(found)
    others = [name for name in ("edgenas", "numpy", "onnx") if installed_versions()[name] != card.versions[name]]
    if others:
        pytest.skip(f"another version than on the card: {', '.join(others)}")
    for entry in card.files:
        if entry.precision != "int8":
            assert found[entry.name] == expected[entry.name] == entry.sha256, entry.name
    assert found["labels.txt"] == expected["labels.txt"]


def test_every_file_gives_the_logits_and_the_accuracy_of_the_reference(pair) -> None:
    reference, rebuilt = load_card(pair[0]), load_card(pair[1])
    assert rebuilt.torch_test.value == pytest.approx(reference.torch_test.value, abs=0.003)
    for entry in reference.files:
        again = rebuilt.file(entry.name)
        expected, found = np.array(entry.probe), np.array(again.probe)
        assert np.abs(found - expected).max() <= TOLERANCE[entry.precision] * np.abs(expected).max(), entry.name
        assert entry.test is not None and again.test is not None
        # Two of 359 images may change sides where another processor rounds differently.
        assert again.test.accuracy.value == pytest.approx(entry.test.accuracy.value, abs=0.006), entry.name
        assert again.kernels == entry.kernels


def test_a_changed_weight_changes_the_identity_and_the_files(images: ImageData, tmp_path: Path) -> None:
    name = sorted(NETWORKS)[0]
    checkpoint = load_checkpoint(ROOT / name / "model.safetensors")
    weights = {key: array.copy() for key, array in checkpoint.weights.items()}
    weights["head.classifier.weight"][0, 0] += 0.5
    save_checkpoint(tmp_path / "changed.safetensors", replace(checkpoint, weights=weights))
    card: Card = rebuild(tmp_path / "changed.safetensors", images, tmp_path / "out")
    stored = load_card(ROOT / name)
    assert card.identity != stored.identity
    assert {entry.sha256 for entry in card.files}.isdisjoint({entry.sha256 for entry in stored.files})
    assert json.loads((tmp_path / "out" / "card.json").read_text())["identity"] == card.identity
