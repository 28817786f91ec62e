"""State dicts of other libraries, against reference networks written here by hand in their layout."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn as tnn

from edgenas import nn
from edgenas.arch.zoo import published
from edgenas.errors import WeightsError
from edgenas.nn.pretrained import load_pretrained, load_start


def unit(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1, act: type | None = tnn.ReLU6):
    conv = tnn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return tnn.Sequential(conv, tnn.BatchNorm2d(outputs), *([act()] if act else []))


class Inverted(tnn.Module):
    """A block in torchvision's layout."""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        layers = [unit(inputs, hidden, 1)] if expansion != 1 else []
        project = unit(hidden, outputs, 1, act=None)
        self.conv = tnn.Sequential(*layers, unit(hidden, hidden, 3, stride, hidden), *project)
        self.skip = stride == 1 and inputs == outputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.conv(x) if self.skip else self.conv(x)


class MobileNetV2(tnn.Module):
    """Sandler 2018, table 2, in torchvision's layout."""

    def __init__(self) -> None:
        super().__init__()
        rows = (
            (1, 16, 1, 1),
            (6, 24, 2, 2),
            (6, 32, 3, 2),
            (6, 64, 4, 2),
            (6, 96, 3, 1),
            (6, 160, 3, 2),
            (6, 320, 1, 1),
        )
        layers, channels = [unit(3, 32, 3, 2)], 32
        for expansion, outputs, count, stride in rows:
            for index in range(count):
                layers.append(Inverted(channels, outputs, stride if index == 0 else 1, expansion))
                channels = outputs
        self.features = tnn.Sequential(*layers, unit(channels, 1280, 1))
        self.classifier = tnn.Sequential(tnn.Dropout(0.2), tnn.Linear(1280, 1000))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.features(x).mean((2, 3)))


@pytest.fixture(scope="module")
def reference() -> MobileNetV2:
    torch.manual_seed(0)
    module = MobileNetV2()
    with torch.no_grad():
        module(torch.randn(4, 3, 96, 96))  # statistics that are not the initial ones
    return module.eval()


@pytest.mark.parametrize("ending", [".safetensors", ".pth"])
def test_logits_are_those_of_the_reference(reference: MobileNetV2, tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"weights{ending}"
    state = reference.state_dict()
    save_file(state, path) if ending == ".safetensors" else torch.save(state, path)
    module = nn.build(published("mobilenet_v2"))
    module.load_weights(load_pretrained(path, module.architecture))
    images = torch.randn(2, 3, 96, 96, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        expected, found = reference(images), module.eval()(images)
    assert float((found - expected).abs().max() / expected.abs().max()) < 1e-4


def test_weights_of_another_network_are_refused_by_layer(reference: MobileNetV2, tmp_path: Path) -> None:
    torch.save(reference.state_dict(), tmp_path / "weights.pth")
    with pytest.raises(WeightsError, match=r"stem\.conv"):
        load_pretrained(tmp_path / "weights.pth", published("mobilenet_v3_large"))


def test_another_epsilon_of_the_norms_goes_into_their_variances(reference: MobileNetV2, tmp_path: Path) -> None:
    torch.save(reference.state_dict(), tmp_path / "weights.pth")
    architecture = replace(published("mobilenet_v2"), norm_eps=1e-2)
    module = nn.build(architecture)
    module.load_weights(load_pretrained(tmp_path / "weights.pth", architecture))
    images = torch.randn(2, 3, 96, 96, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        expected, found = reference(images), module.eval()(images)
    assert float((found - expected).abs().max() / expected.abs().max()) < 1e-4


@pytest.mark.parametrize("ending", [".safetensors", ".pth"])
def test_a_training_starts_from_foreign_weights_whatever_their_classes_and_channels(
    reference: MobileNetV2, tmp_path: Path, ending: str
) -> None:
    path = tmp_path / f"weights{ending}"
    save_file(reference.state_dict(), path) if ending == ".safetensors" else torch.save(reference.state_dict(), path)
    wanted = replace(published("mobilenet_v2"), classes=5, in_channels=1)
    found = load_start(path, wanted)
    assert found.architecture == replace(wanted, classes=1000, in_channels=3)
    assert np.array_equal(found.weights["stem.conv.weight"], reference.features[0][0].weight.detach().numpy())


def test_a_checkpoint_of_ours_starts_a_training_as_it_is(tmp_path: Path) -> None:
    module = nn.build(replace(published("mobilenet_v2"), classes=3))
    nn.save_checkpoint(
        tmp_path / "ours.safetensors", nn.Checkpoint(architecture=module.architecture, weights=module.weights())
    )
    found = load_start(tmp_path / "ours.safetensors", replace(module.architecture, classes=7))
    assert found.architecture == module.architecture


class Bomb:
    """Creates a file when it is unpickled."""

    def __init__(self, target: str) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (self.target, "w")


def test_a_pickle_that_is_not_weights_is_refused_and_nothing_runs(tmp_path: Path) -> None:
    torch.save({"weights": Bomb(str(tmp_path / "exploded"))}, tmp_path / "bomb.pth")
    with pytest.raises(WeightsError, match=r"a pickle that calls io\.open.*nothing in them is run") as found:
        load_pretrained(tmp_path / "bomb.pth", published("mobilenet_v2"))
    # Torch would have the user load it unsafely.
    assert "weights_only" not in str(found.value)
    assert not (tmp_path / "exploded").exists()
    for content in (b"", b"not weights"):
        for name in ("weights.pth", "weights.safetensors"):
            (tmp_path / name).write_bytes(content)
            with pytest.raises(WeightsError):
                load_pretrained(tmp_path / name, published("mobilenet_v2"))
