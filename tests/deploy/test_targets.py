"""Files that other packages write: judged where they can be run, as the recipe's own are."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from edgenas.arch import Architecture, lower
from edgenas.deploy import FileSpec, Recipe, check_bundle, load_card
from edgenas.deploy.runners import open_file
from edgenas.deploy.targets import TARGETS, Target, write_target
from edgenas.errors import ExportError
from edgenas.formats import encode, random_weights

RUNNABLE = sorted(name for name, target in TARGETS.items() if target.open is not None)


def recipe(name: str) -> Recipe:
    return Recipe(name="further", files=(FileSpec(name=f"model{TARGETS[name].ending}", format=name),))


@pytest.fixture
def pretended(monkeypatch: pytest.MonkeyPatch) -> str:
    """A target that is installed: it writes ONNX."""
    target = Target(
        module="onnx",
        package="onnx",
        ending=".pretended",
        write=lambda architecture, weights: encode(lower(architecture), weights),
        open=lambda data: open_file(data, "onnx"),
    )
    monkeypatch.setitem(TARGETS, "pretended", target)
    return "pretended"


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_a_target_without_its_package_says_what_to_install(name: str, architecture: Architecture) -> None:
    if find_spec(TARGETS[name].module) is not None:
        pytest.skip(f"{name} is installed here")
    weights = random_weights(lower(architecture), np.random.default_rng(0))
    with pytest.raises(ExportError, match=f"pip install {TARGETS[name].package}"):
        write_target(name, architecture, weights)
    with pytest.raises(ExportError, match=f"pip install {TARGETS[name].package}"):
        open_file(b"", name)


@pytest.mark.parametrize("name", RUNNABLE)
def test_files_of_an_installed_target_compute_what_torch_computes(name: str, trained, tmp_path: Path) -> None:
    pytest.importorskip(TARGETS[name].module)
    card = trained.export(tmp_path / "bundle", recipe(name))
    test = card.files[0].test
    assert test is not None and test.max_error < 1e-4 and test.top1_agreement == 1
    assert card.files[0].warnings == ()
    with pytest.raises(ExportError, match="does not load"):
        open_file(b"not a model", name)


def test_a_runnable_target_is_judged_and_checked_like_every_file(pretended: str, trained, tmp_path: Path) -> None:
    card = trained.export(tmp_path / "bundle", recipe(pretended))
    (entry,) = card.files
    assert entry.test is not None and entry.test.top1_agreement == 1 and entry.probe
    assert not [found for found in check_bundle(tmp_path / "bundle", test=trained.data.test) if found.serious]


def test_a_target_that_computes_something_else_ends_the_export(
    pretended: str, trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = Target(module="onnx", package="onnx", ending=".pretended", write=TARGETS[pretended].write,
                   open=lambda data: lambda images: 1.001 * open_file(data, "onnx")(images))  # fmt: skip
    monkeypatch.setitem(TARGETS, pretended, wrong)
    with pytest.raises(ExportError, match="does not compute what torch computes"):
        trained.export(tmp_path / "bundle", recipe(pretended))
    assert not (tmp_path / "bundle").exists()


def test_a_target_that_cannot_be_run_here_is_marked_on_the_card(
    pretended: str, trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blind = Target(module="onnx", package="onnx", ending=".pretended", write=TARGETS[pretended].write)
    monkeypatch.setitem(TARGETS, pretended, blind)
    trained.export(tmp_path / "bundle", recipe(pretended))
    (entry,) = load_card(tmp_path / "bundle").files
    assert entry.test is None and "not judged" in entry.warnings[0]
