"""Weights to start from: by file and by name, with the network that they are of."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import edgenas as en
from edgenas import nn
from edgenas.arch.zoo import published
from edgenas.errors import WeightsError
from edgenas.nn import Checkpoint, save_checkpoint
from edgenas.weights import load, locate, sources
from edgenas.weights.load import find_start
from tests.nn.test_foreign import torchvision_v3


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A published file in torch's cache: MobileNetV3 small under torchvision's names."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    folder = locate.cache_folder()
    folder.mkdir(parents=True)
    named = sources.SOURCES["torchvision:mobilenet_v3_small.v1"]
    torch.save(torchvision_v3(), folder / named.file)
    digest = hashlib.sha256((folder / named.file).read_bytes()).hexdigest()
    found = replace(named, sha256=digest)
    monkeypatch.setitem(sources.SOURCES, named.name, found)
    monkeypatch.setattr(load, "source_named", lambda name: found if name == "mobilenet_v3_small" else named)
    return found


def test_published_weights_load_by_name_with_their_network(source) -> None:
    found = en.load_weights("mobilenet_v3_small")
    assert found.source == source and found.architecture == published("mobilenet_v3_small")
    logits = found.module()(torch.zeros(1, 3, 224, 224))
    assert logits.shape == (1, 1000) and found.sha256 == source.sha256


def test_a_file_that_is_a_published_one_is_known_wherever_it_lies(source, tmp_path: Path) -> None:
    copy = tmp_path / source.file
    copy.write_bytes((locate.cache_folder() / source.file).read_bytes())
    assert find_start(copy).source == source
    other = tmp_path / "mine.pth"
    copy.rename(other)
    assert find_start(other).source is None
    with pytest.raises(WeightsError, match="does not say which network.*--network"):
        en.load_weights(other)
    assert en.load_weights(other, "mobilenet_v3_small").architecture == published("mobilenet_v3_small")
    with pytest.raises(WeightsError, match="does not fit"):
        en.load_weights(other, "mobilenet_v2")


def test_a_published_file_that_was_changed_is_refused_by_name(source) -> None:
    path = locate.cache_folder() / source.file
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(WeightsError, match="is not the file of torchvision:mobilenet_v3_small.v1"):
        en.load_weights("mobilenet_v3_small")


def test_weights_that_are_not_here_name_the_command_that_fetches_them(source) -> None:
    (locate.cache_folder() / source.file).unlink()
    with pytest.raises(WeightsError, match="edgenas weights fetch torchvision:mobilenet_v3_small.v1"):
        find_start("mobilenet_v3_small")


@pytest.mark.parametrize("name", ["absent.pth", "folder/absent", "absent.safetensors"])
def test_a_path_that_is_not_there_is_called_a_path(name: str) -> None:
    with pytest.raises(WeightsError, match="there is no such file of weights"):
        find_start(name)


def test_a_supernet_is_no_start_of_a_network() -> None:
    with pytest.raises(WeightsError, match="is a supernet"):
        find_start("ofa:ofa_mbv3_d234_e346_k357_w1.0")


def test_a_checkpoint_of_ours_names_its_network_itself(tmp_path: Path) -> None:
    network = replace(published("mobilenet_v3_small"), classes=7, padding="same")
    module = nn.build(network)
    save_checkpoint(tmp_path / "own.safetensors", Checkpoint(architecture=network, weights=module.weights()))
    found = en.load_weights(tmp_path / "own.safetensors")
    assert found.architecture == network and found.source is None
    assert all(np.array_equal(value, found.weights[name]) for name, value in module.weights().items())


def test_the_package_that_the_user_names_is_obeyed(tmp_path: Path) -> None:
    path, network = tmp_path / "mine.pth", published("mobilenet_v3_small")
    torch.save(torchvision_v3(), path)
    name = "stages.0.0.depthwise.norm.running_var"
    told, torchvision, timm = (
        find_start(path, package=package).load(network).weights[name] for package in (None, "torchvision", "timm")
    )
    np.testing.assert_array_equal(told, torchvision)
    # torchvision's epsilon here is 1e-3 and timm's 1e-5; the difference is added to the variance.
    np.testing.assert_allclose(told - timm, 1e-3 - 1e-5, atol=1e-6)


def test_a_package_that_is_unknown_or_contradicts_the_weights_is_refused_by_both_doors(source, tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from edgenas.cli.main import app

    file, ours = tmp_path / source.file, tmp_path / "ours.safetensors"
    file.write_bytes((locate.cache_folder() / source.file).read_bytes())
    network = en.load_network("r8_i1 | stem_k3_s1_c8_re | mb_k3_x16_c8_re | head_c32_re | n10")
    save_checkpoint(ours, Checkpoint(architecture=network, weights=nn.build(network).weights()))
    for start, package, message in (
        (file, "timn", "unknown package .did you mean 'timm'"), (file, "timm", "are of torchvision"),
        ("mobilenet_v3_small", "timm", "are of torchvision"), (ours, "timm", "are of edgenas"),
    ):  # fmt: skip
        with pytest.raises(WeightsError, match=message):
            en.train("mobilenet_v3_small", start=start, start_package=package, config="quickstart", folder=tmp_path)
        given = ["--out", str(tmp_path / "out"), "--start", str(start), "--start-package", package]
        said = CliRunner().invoke(app, ["train", "mobilenet_v3_small", "quickstart", *given])
        assert isinstance(said.exception, WeightsError)
    assert find_start(file, package="torchvision").package == "torchvision"
