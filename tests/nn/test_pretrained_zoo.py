"""State dicts of the real torchvision and timm, with random weights: logits equal for each network they share with us.

Both packages must be installed in an environment whose torch they fit; they are no dependency, so this is marked.
"""

from __future__ import annotations

import contextlib
import importlib.util
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from edgenas import nn
from edgenas.arch.zoo import published
from edgenas.nn.pretrained import load_pretrained

TORCHVISION = {
    "mobilenet_v2": "mobilenet_v2",
    "mobilenet_v3_large": "mobilenet_v3_large",
    "mobilenet_v3_small": "mobilenet_v3_small",
    "mnasnet_b1": "mnasnet1_0",
    **{f"efficientnet_b{variant}": f"efficientnet_b{variant}" for variant in range(8)},
}
TIMM = {
    "mobilenet_v2": "mobilenetv2_100",
    "mobilenet_v3_large": "mobilenetv3_large_100",
    "mobilenet_v3_small": "mobilenetv3_small_100",
    "mnasnet_a1": "semnasnet_100",
    "mnasnet_b1": "mnasnet_100",
    "mnasnet_small": "mnasnet_small",
    **{f"efficientnet_b{variant}": f"efficientnet_b{variant}" for variant in range(8)},
    "efficientnet_lite0": "efficientnet_lite0",
    "fbnet_c": "fbnetc_100",
    "single_path_nas": "spnasnet_100",
    "mobilenet_v4_conv_small": "mobilenetv4_conv_small",
    "mobilenet_v4_conv_medium": "mobilenetv4_conv_medium",
}
# Trained in TensorFlow: SAME padding, another epsilon.
TIMM_TF = {
    **{f"efficientnet_b{variant}": f"tf_efficientnet_b{variant}" for variant in range(8)},
    **{f"efficientnet_lite{variant}": f"tf_efficientnet_lite{variant}" for variant in range(5)},
    "mobilenet_v3_large": "tf_mobilenetv3_large_100",
    "mobilenet_v3_small": "tf_mobilenetv3_small_100",
}


def importable_torchvision() -> None:
    """Say what its compiled part would, where that is built for another torch: its networks need nothing of it."""
    if importlib.util.find_spec("torchvision") is None:
        pytest.skip("torchvision is not installed")
    try:
        importlib.import_module("torchvision")
        return
    except RuntimeError:
        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        with contextlib.suppress(RuntimeError):  # it is there already
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    LIBRARIES.append(library)


LIBRARIES: list[torch.library.Library] = []


def torchvision_model(name: str) -> Any:
    importable_torchvision()
    models = pytest.importorskip("torchvision.models")
    return getattr(models, name)(weights=None)


def timm_model(name: str) -> Any:
    importable_torchvision()
    timm = pytest.importorskip("timm")
    return timm.create_model(name, pretrained=False)


CASES = [
    *(pytest.param(torchvision_model, *pair, id=f"torchvision-{pair[0]}") for pair in TORCHVISION.items()),
    *(pytest.param(timm_model, *pair, id=f"timm-{pair[0]}") for pair in TIMM.items()),
    *(pytest.param(timm_model, *pair, id=f"timm-{pair[1]}") for pair in TIMM_TF.items()),
]


def draw_statistics(module: torch.nn.Module) -> None:
    """Give every norm statistics of its own, so that a swapped pair is seen."""
    for part in module.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(part.weight, 0.7, 1.3)
            torch.nn.init.uniform_(part.bias, -0.1, 0.1)
            part.running_mean.uniform_(-0.1, 0.1)
            part.running_var.uniform_(0.7, 1.3)


@pytest.mark.oracle
@pytest.mark.parametrize(("make", "ours", "theirs"), CASES)
def test_logits_are_those_of_the_package(make: Callable[[str], Any], ours: str, theirs: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    # The weights do not depend on the resolution, and the largest networks take a minute at theirs.
    padding = "same" if theirs.startswith("tf_") else "symmetric"
    architecture = replace(published(ours), resolution=96, padding=padding)
    reference = make(theirs).eval()
    draw_statistics(reference)
    images = torch.randn(2, 3, 96, 96)
    with torch.inference_mode():
        expected = reference(images)
    # Names of timm are those of its tf_ networks too, so the file says which it is.
    torch.save(reference.state_dict(), tmp_path / f"{theirs}.pth")
    state = {name: value.contiguous() for name, value in reference.state_dict().items()}
    save_file(state, tmp_path / f"{theirs}.safetensors")
    for file in (f"{theirs}.pth", f"{theirs}.safetensors"):
        module = nn.build(architecture)
        module.load_weights(load_pretrained(tmp_path / file, architecture))
        module.eval()
        with torch.inference_mode():
            found = module(images)
        assert float((found - expected).abs().max() / expected.abs().max()) < 1e-4, file
