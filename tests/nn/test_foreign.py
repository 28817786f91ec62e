"""State dicts as trainings leave them: unwrapped where that is known, refused where they would compute wrongly."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from edgenas import nn
from edgenas.arch.lower import lower
from edgenas.arch.weights import weight_shapes
from edgenas.arch.zoo import published
from edgenas.errors import WeightsError
from edgenas.nn.foreign import unwrapped
from edgenas.nn.origins import package_of
from edgenas.nn.pretrained import load_pretrained, load_start
from tests.nn.test_pretrained import MobileNetV2

IMAGES = torch.randn(4, 3, 64, 64, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def reference() -> MobileNetV2:
    torch.manual_seed(0)
    module = MobileNetV2()
    with torch.no_grad():
        for _ in range(3):
            module(torch.randn(8, 3, 64, 64))
    return module.eval()


def prefixed(state: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {prefix + name: value for name, value in state.items()}


def other(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: torch.zeros_like(value) for name, value in state.items()}


WRAPPED: dict[str, Any] = {
    "module.": lambda state: prefixed(state, "module."),
    "_orig_mod.": lambda state: prefixed(state, "_orig_mod."),
    "module._orig_mod.": lambda state: prefixed(state, "module._orig_mod."),
    "model": lambda state: {"model": state, "epoch": 3, "optimizer": {"state": {}}},
    "state_dict": lambda state: {"state_dict": prefixed(state, "module."), "best": 0.7},
    "lightning": lambda state: {"state_dict": prefixed(state, "model."), "hyper_parameters": {}},
    "an average of torch": lambda state: {"n_averaged": torch.tensor(5), **prefixed(state, "module.")},
    "weights and their average": lambda state: {"model": other(state), "model_ema": prefixed(state, "module.")},
    "timm": lambda state: {"arch": "x", "state_dict": other(state), "state_dict_ema": state},
}


@pytest.mark.parametrize("wrap", WRAPPED.values(), ids=WRAPPED)
def test_a_wrapped_state_dict_computes_what_the_bare_one_does(
    reference: MobileNetV2, tmp_path: Path, wrap: Any
) -> None:
    torch.save(wrap(dict(reference.state_dict())), tmp_path / "weights.pth")
    module = nn.build(published("mobilenet_v2"))
    module.load_weights(load_pretrained(tmp_path / "weights.pth", module.architecture))
    with torch.inference_mode():
        expected, found = reference(IMAGES), module.eval()(IMAGES)
    assert float((found - expected).abs().max() / expected.abs().max()) < 1e-4


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod."])
def test_a_prefix_changes_neither_the_epsilon_nor_the_order_of_a_safetensors_file(tmp_path: Path, prefix: str) -> None:
    """MobileNetV3 of torchvision has an epsilon of its own, which is told from names."""
    network = published("mobilenet_v3_small")
    state = torchvision_v3()
    save_file(state, tmp_path / "bare.safetensors")
    save_file(prefixed(state, prefix), tmp_path / "wrapped.safetensors")
    torch.save(prefixed(state, prefix), tmp_path / "wrapped.pth")
    bare = load_pretrained(tmp_path / "bare.safetensors", network)
    variance = "stem.conv.norm.running_var"
    assert float(bare[variance][0]) == pytest.approx(
        float(state["features.0.1.running_var"][0]) + 1e-3 - network.norm_eps
    )
    for name in ("wrapped.safetensors", "wrapped.pth"):
        found = load_pretrained(tmp_path / name, network)
        assert all((found[key] == value).all() for key, value in bare.items())


def torchvision_v3(form: str = "block.{layer}") -> dict[str, torch.Tensor]:
    """MobileNetV3 small under torchvision's names, `features.1.block.0.0.weight`, in the order of our own arrays."""
    generator = torch.Generator().manual_seed(3)
    state: dict[str, torch.Tensor] = {}
    blocks: list[str] = []
    layers: list[str] = []
    for name, shape in weight_shapes(lower(published("mobilenet_v3_small"))).items():
        owner, _, array = name.rpartition(".")
        inside = "1" if owner.endswith(".norm") else "0"
        owner = owner.removesuffix(".norm")
        if owner in ("head.hidden", "head.classifier"):
            place = f"classifier.{0 if owner == 'head.hidden' else 3}"
        elif not owner.startswith("stages."):
            place = f"features.{0 if owner == 'stem.conv' else len(blocks) + 1}.{inside}"
        else:
            block, _, layer = owner.rpartition(".")
            if block not in blocks:
                blocks.append(block)
                layers.clear()
            unit = "squeeze" if layer == "excite" else layer
            if unit not in layers:
                layers.append(unit)
            inside = {"squeeze": "fc1", "excite": "fc2"}.get(layer, inside)
            place = f"features.{len(blocks)}.{form.format(layer=layers.index(unit))}.{inside}"
        state[f"{place}.{array}"] = torch.rand(shape, generator=generator) + 0.5
    return state


@pytest.mark.parametrize("name", ["tf_efficientnet_b0_aa-827b6e33.pth", "tf_mobilenetv3_large_100.safetensors"])
def test_a_tf_network_of_timm_is_known_by_its_name_and_nobody_can_call_it_another(name: str) -> None:
    for package in (None, "timm_tf"):
        assert package_of(TIMM, squeezed=False, package=package, path=Path(name)) == "timm_tf"
    with pytest.raises(WeightsError, match="pads as TensorFlow does"):
        package_of(TIMM, squeezed=False, package="timm", path=Path(name))


def test_an_unknown_package_is_refused() -> None:
    with pytest.raises(WeightsError, match="unknown package; got 'timn'"):
        package_of(TIMM, squeezed=False, package="timn", path=None)  # type: ignore[arg-type]


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_weights_of_a_network_that_pads_otherwise_are_refused_and_tell_the_start_its_padding(
    tmp_path: Path, suffix: str
) -> None:
    network = published("mobilenet_v3_small")
    state, path = torchvision_v3(), tmp_path / f"mobilenet_v3_small{suffix}"
    save_file(state, path) if suffix == ".safetensors" else torch.save(state, path)
    same = replace(network, padding="same")
    with pytest.raises(WeightsError, match=r'pads otherwise; got same .*symmetric.*padding="symmetric"'):
        load_pretrained(path, same)
    found = load_start(path, same)
    assert found.architecture == network and found.architecture.padding == "symmetric"


TIMM = ["conv_stem.weight", "bn1.running_var", "blocks.0.0.conv_dw.weight", "blocks.1.0.se.conv_reduce.bias",
        "blocks.3.0.dw_start.bn.weight", "conv_head.weight", "classifier.bias"]  # fmt: skip


def test_names_of_timm_need_a_file_name_that_tells_them_from_tf_networks() -> None:
    for name in ("pytorch_model.bin", "model.safetensors", "weights.pth", "best.pth"):
        with pytest.raises(WeightsError, match="tf_ networks have too"):
            package_of(TIMM, squeezed=True, package=None, path=Path("runs") / name)
    for path in ("efficientnet_b0_ra-3dd342df.pth", "mobilenetv3_large_100.pth",
                 "models--timm--mobilenetv3_large_100.ra_in1k/snapshots/1/model.safetensors"):  # fmt: skip
        assert package_of(TIMM, squeezed=True, package=None, path=Path(path)) == "timm"
    path = Path("models--timm--tf_efficientnet_b0/model.safetensors")
    assert package_of(TIMM, squeezed=True, package=None, path=path) == "timm_tf"


def test_the_users_word_is_taken_where_names_do_not_tell() -> None:
    assert package_of(TIMM, squeezed=True, package="timm", path=Path("weights.pth")) == "timm"
    assert package_of(["conv1.weight"], squeezed=True, package="torchvision", path=Path("x.pth")) == "torchvision"


@pytest.mark.parametrize(
    "names",
    [
        # Blocks as one flat list, squeeze-excite before the activation.
        ["features.0.0.weight", "features.1.conv.0.weight", "features.1.conv.3.fc.0.weight", "classifier.0.weight"],
        ["conv1.weight", "bn1.weight", "bneck.0.conv1.weight", "bneck.0.se.se.1.weight", "linear4.weight"],
        ["features.0.0.weight", "features.1.conv.0.0.weight", "features.1.conv.1.weight", "classifier.1.weight"],
    ],
)
def test_a_network_of_unknown_squeeze_excite_is_refused(names: list[str]) -> None:
    with pytest.raises(WeightsError, match="cannot be told which network's weights"):
        package_of(names, squeezed=True, package=None, path=Path("mobilenetv3.pth"))


def test_a_whole_network_of_unknown_names_is_refused_whatever_its_shapes(tmp_path: Path) -> None:
    state = torchvision_v3("conv.{layer}")
    torch.save(state, tmp_path / "mobilenetv3.pth")
    with pytest.raises(WeightsError, match="cannot be told which network's weights"):
        load_pretrained(tmp_path / "mobilenetv3.pth", published("mobilenet_v3_small"))
    torch.save(torchvision_v3(), tmp_path / "mobilenetv3.pth")
    load_pretrained(tmp_path / "mobilenetv3.pth", published("mobilenet_v3_small"))


@pytest.mark.parametrize(
    "content", [{}, {"epoch": 1}, {"model": {}}, [], {"model": {"a": 1}}, {"optimizer": {"x": {}}}]
)
def test_what_holds_no_weights_is_refused(content: object) -> None:
    with pytest.raises(WeightsError, match="is not a state dict"):
        unwrapped(content, where="x.pth")
