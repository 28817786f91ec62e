"""Files that other packages write: judged where they can be run, as the recipe's own are."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from edgenas.arch import Architecture, lower
from edgenas.deploy import FileSpec, Recipe, check_bundle, load_card
from edgenas.deploy.runners import open_file
from edgenas.errors import ExportError
from edgenas.formats import FORMATS, FormatKind, encode, random_weights

FURTHER = ("coreml", "executorch", "openvino")
RUNNABLE = [name for name in FURTHER if FORMATS[name].open is not None]


def put(monkeypatch: pytest.MonkeyPatch, name: str, kind: FormatKind) -> None:
    monkeypatch.setitem(FORMATS._own, name, kind)
    monkeypatch.setitem(FORMATS._loaded, name, kind)



def recipe(name: str) -> Recipe:
    return Recipe(name="further", files=(FileSpec(name=f"model{FORMATS[name].ending}", format=name),))


@pytest.fixture
def pretended(monkeypatch: pytest.MonkeyPatch) -> str:
    """A target that is installed: it writes ONNX."""
    target = FormatKind(
        module="onnx",
        package="onnx",
        ending=".pretended",
        write=lambda contents: encode(contents.graph, contents.weights),
        open=lambda data, threads: open_file(data, "onnx"),
    )
    put(monkeypatch, "pretended", target)
    return "pretended"


@pytest.mark.parametrize("name", FURTHER)
def test_a_target_without_its_package_says_what_to_install(name: str, architecture: Architecture) -> None:
    if find_spec(FORMATS[name].module) is not None:
        pytest.skip(f"{name} is installed here")
    weights = random_weights(lower(architecture), np.random.default_rng(0))
    with pytest.raises(ExportError, match=f"pip install {FORMATS[name].package}"):
        encode(lower(architecture), weights, file_format=name, architecture=architecture)
    with pytest.raises(ExportError, match=f"pip install {FORMATS[name].package}"):
        open_file(b"", name)


@pytest.mark.parametrize("name", RUNNABLE)
def test_files_of_an_installed_target_compute_what_torch_computes(name: str, trained, tmp_path: Path) -> None:
    pytest.importorskip(FORMATS[name].module)
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
    wrong = FormatKind(module="onnx", package="onnx", ending=".pretended", write=FORMATS[pretended].write,
                   open=lambda data, threads: lambda images: 1.001 * open_file(data, "onnx")(images))  # fmt: skip
    put(monkeypatch, pretended, wrong)
    with pytest.raises(ExportError, match="does not compute what torch computes"):
        trained.export(tmp_path / "bundle", recipe(pretended))
    assert not (tmp_path / "bundle").exists()


@pytest.mark.parametrize(
    ("returned", "got"),
    [
        (lambda images: np.zeros(len(images), np.float32), r"shape \(\d+,\)"),
        (lambda images: np.zeros((len(images) - 1, 3), np.float32), r"shape \(\d+, 3\)"),
        (lambda images: np.zeros((len(images), 3, 1, 1), np.float32), r"shape \(\d+, 3, 1, 1\)"),
        (lambda images: np.zeros((len(images), 99), np.float32), r"\(\d+, 99\)"),
        (lambda images: [["a", "b"]] * len(images), "<U1"),
        (lambda images: None, "object"),
        (lambda images: images[0, 0, 0, 10**6], "out of bounds"),
    ],
    ids=["one number an image", "an image too few", "two axes more", "too many classes", "texts", "None", "a crash"],
)
def test_a_target_that_returns_no_logits_ends_the_export_with_one_error(
    returned, got: str, pretended: str, trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = FormatKind(module="onnx", package="some-package", ending=".pretended", write=FORMATS[pretended].write,
                       open=lambda data, threads: returned)  # fmt: skip
    put(monkeypatch, pretended, wrong)
    with pytest.raises(ExportError, match=got) as caught:
        trained.export(tmp_path / "bundle", recipe(pretended))
    assert got == r"\(\d+, 99\)" or "some-package" in str(caught.value)


def test_a_target_that_cannot_be_run_here_is_marked_on_the_card(
    pretended: str, trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blind = FormatKind(module="onnx", package="onnx", ending=".pretended", write=FORMATS[pretended].write)
    put(monkeypatch, pretended, blind)
    trained.export(tmp_path / "bundle", recipe(pretended))
    (entry,) = load_card(tmp_path / "bundle").files
    assert entry.test is None and "not judged" in entry.warnings[0]
