"""Supernets of once-for-all: every member computes what it computes there."""

from __future__ import annotations

import sys
import types
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from edgenas.arch import lower
from edgenas.cost import macs
from edgenas.errors import WeightsError
from edgenas.nn import build
from edgenas.space import SearchSpace, dump, load, read, with_task
from edgenas.supernet import Supernet, load_supernet, save_supernet
from edgenas.supernet.elastic.once_for_all import load_once_for_all
from edgenas.types import Genes
from tests.supernet.once_for_all_reference import KINDS, State, logits, published_state


def loaded(space: SearchSpace, state: State, said: list[str] | None = None) -> Supernet:
    net = Supernet(space, kernel_transforms=True)
    load_once_for_all(net, state, of="the supernet", say=(said if said is not None else []).append)
    return net


def choices(space: SearchSpace, genes: Genes, blocks: Sequence[int]) -> tuple[list[int], list[int], list[int]]:
    """Kernels and expansions by block, depths by stage, as once-for-all names a member."""
    first = np.cumsum([0, *blocks])
    kernels, expansions, depths = [3] * first[-1], [3] * first[-1], [0] * len(blocks)
    channels = 0
    for (stage, index), block in zip(space.slots(genes), space.decode(genes).blocks(), strict=True):
        if stage:
            place = first[stage - 1] + index
            kernels[place], expansions[place] = block.kernel, block.expanded // channels
            depths[stage - 1] = max(depths[stage - 1], index + 1)
        channels = block.out_channels
    return kernels, expansions, depths


def blocks_of(name: str) -> list[int]:
    return [stage[-1] for stage in KINDS[name].stages[1:]]


@pytest.mark.parametrize("name", KINDS)
def test_members_compute_what_the_paper_says(name: str) -> None:
    space = with_task(load(name), classes=5, resolutions=[64])
    state = published_state(name, classes=5)
    images = torch.randn(4, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    said: list[str] = []
    net = loaded(space, state, said)
    assert said == []
    with torch.no_grad():
        for genes in (space.largest(), space.smallest(), *space.sample(2, np.random.default_rng(0))):
            wanted = logits(name, state, images, *choices(space, genes, blocks_of(name)))
            torch.testing.assert_close(net(images, genes), wanted, rtol=0, atol=1e-4 * wanted.abs().max().item())


def test_the_smallest_kernel_of_a_part_of_the_space_is_the_transformed_one(tmp_path: Path) -> None:
    name, images = "ofa_mbv3_w1.0", torch.randn(4, 3, 64, 64)
    text = dump(with_task(load(name), classes=5, resolutions=[64]))
    part = read(text.replace("- 3\n  - 5\n  - 7\n", "- 3\n  - 5\n").replace("- 2\n  - 3\n  - 4\n", "- 2\n  - 3\n"))
    assert part.decode(part.largest()).digest != load(name).decode(load(name).largest()).digest
    state = published_state(name, classes=5)
    net = loaded(part, state)
    save_supernet(tmp_path / "net.safetensors", net, _preprocessing())
    again, _ = load_supernet(tmp_path / "net.safetensors")
    with torch.no_grad():
        for genes in (part.largest(), part.smallest()):
            wanted = logits(name, state, images, *choices(part, genes, blocks_of(name)))
            torch.testing.assert_close(again(images, genes), wanted, rtol=0, atol=1e-4 * wanted.abs().max().item())


def _preprocessing() -> Any:
    from edgenas.data import Preprocessing

    return Preprocessing(resolution=64, mean=(0.5,) * 3, std=(0.2,) * 3)


def test_the_spelling_of_the_package_is_the_same_weights() -> None:
    space = with_task(load("ofa_mbv3_w1.0"), classes=5)
    state = published_state("ofa_mbv3_w1.0", classes=5)
    spelled = {key.replace(".mobile_inverted_conv.", ".conv."): value for key, value in state.items()}
    spelled["classifier.linear.linear.weight"] = spelled.pop("classifier.linear.weight")
    spelled["first_conv.bn.bn.weight"] = spelled.pop("first_conv.bn.weight")
    one, other = loaded(space, state).shared_weights(), loaded(space, spelled).shared_weights()
    assert all(torch.equal(value, other[key]) for key, value in one.items())


def test_other_classes_and_channels_leave_head_and_stem_as_drawn_and_that_is_said() -> None:
    space = with_task(load("ofa_mbv3_w1.0"), classes=7, in_channels=1)
    said: list[str] = []
    net, fresh = loaded(space, published_state("ofa_mbv3_w1.0", classes=5), said), Supernet(space)
    assert "drawn anew" in said[0] and "head.classifier.weight" in said[0] and "stem.conv.weight" in said[0]
    ours, drawn = net.shared_weights(), fresh.shared_weights()
    assert torch.equal(ours["stem.conv.weight"], drawn["stem.conv.weight"])
    assert not torch.equal(ours["head.conv.weight"], drawn["head.conv.weight"])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("norm_eps: 1.0e-05", "norm_eps: 0.001", r"norm_eps; got 0\.001; allowed: 1e-05"),
        ("- 3\n  - 5\n  - 7\n", "- 3\n  - 9\n", r"stages\[1\], block 0: kernel; got 9; allowed: 3, 5, 7"),
        ("- 2\n  - 3\n  - 4\n", "- 2\n  - 5\n", r"stages\[1\], block 4: depth; got 5; allowed: at most 4"),
        ("- 3.0\n  - 4.0\n  - 6.0\n", "- 3.0\n  - 5.0\n",
         r"stages\[1\], block 0: expanded channels; got 80; allowed: 48, 64, 96"),
        ("padding: symmetric", "padding: same", "padding; got same; allowed: symmetric"),
    ],
)  # fmt: skip
def test_a_space_with_other_members_is_refused_with_the_choice(old: str, new: str, message: str) -> None:
    text = dump(load("ofa_mbv3_w1.0"))
    text = text.replace("- 3\n  - 4\n  - 6\n", "- 3.0\n  - 4.0\n  - 6.0\n")
    assert old in text
    with pytest.raises(WeightsError, match=f"not a part of the supernet: {message}.*edgenas space show ofa_mbv3_w1.0"):
        loaded(read(text.replace(old, new)), published_state("ofa_mbv3_w1.0"))


def test_the_space_of_another_width_and_an_incomplete_file_are_refused() -> None:
    state = published_state("ofa_mbv3_w1.0")
    with pytest.raises(WeightsError, match="stem; got Stem.*24"):
        loaded(load("ofa_mbv3_w1.2"), state)
    del state["blocks.7.mobile_inverted_conv.point_linear.bn.bn.bias"]
    with pytest.raises(WeightsError, match=r"incomplete; got no blocks\.7\.conv\.point_linear\.bn\.bias"):
        loaded(load("ofa_mbv3_w1.0"), state)
    with pytest.raises(WeightsError, match="none of once-for-all's supernets"):
        loaded(load("ofa_mbv3_w1.0"), {"first_conv.conv.weight": state["first_conv.conv.weight"]})


def test_a_file_of_the_supernet_is_a_start_for_a_supernet_alone_and_brings_its_preparation(tmp_path: Path) -> None:
    from edgenas.pipeline.training.initial_weights import start_from
    from edgenas.weights.load import find_start

    path = tmp_path / "mine"
    torch.save({"state_dict": published_state("ofa_mbv3_w1.0", classes=5)}, path)
    start = find_start(path, supernets=True)
    images = start.images()
    assert start.supernet is not None and start.supernet.name == "ofa:ofa_mbv3_d234_e346_k357_w1.0"
    assert images is not None and images.mean == (0.485, 0.456, 0.406) and images.crop == 0.875
    with pytest.raises(WeightsError, match="is a supernet and no network.*supernet.start: ofa:ofa_mbv3"):
        find_start(path)
    with pytest.raises(WeightsError, match="of once-for-all; got the package timm"):
        find_start(path, supernets=True, package="timm")
    space = with_task(load("ofa_mbv3_w1.0"), classes=7)
    net = Supernet(space, kernel_transforms=True)
    assert start_from(net, path, say=str) == ("head.classifier.weight", "head.classifier.bias")


def test_a_truncated_file_of_a_supernet_by_name_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from edgenas.weights.load import find_start
    from edgenas.weights.locate import cache_folder

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    name = "ofa_mbv3_d234_e346_k357_w1.0"
    with pytest.raises(WeightsError, match=f"not on this machine.*edgenas weights fetch ofa:{name}"):
        find_start(name, supernets=True)
    cache_folder().mkdir(parents=True)
    torch.save({"state_dict": published_state("ofa_mbv3_w1.2", classes=5)}, cache_folder() / name)
    other = f"not the file of ofa:{name}.* of ofa:ofa_mbv3_d234_e346_k357_w1.2.*fetch it again"
    with pytest.raises(WeightsError, match=other):
        find_start(name, supernets=True)
    whole = (cache_folder() / name).read_bytes()
    (cache_folder() / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(WeightsError, match=f"not the file of ofa:{name}, or is incomplete"):
        find_start(name, supernets=True)


@pytest.fixture
def networks(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The network classes of the PyPI package `ofa`. It imports torchvision for its readers of images alone."""
    if "torchvision" not in sys.modules:
        for name in ("torchvision", "torchvision.transforms", "torchvision.transforms.functional"):
            monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
        transforms = sys.modules["torchvision.transforms"]
        for attribute in ("RandomResizedCrop", "Resize", "RandomCrop"):
            setattr(transforms, attribute, object)
        setattr(transforms, "functional", sys.modules["torchvision.transforms.functional"])  # noqa: B010
        setattr(sys.modules["torchvision"], "transforms", transforms)  # noqa: B010
    return pytest.importorskip("ofa.imagenet_classification.elastic_nn.networks")


@pytest.mark.oracle
@pytest.mark.parametrize("name", KINDS)
def test_fifty_members_give_the_logits_and_macs_of_the_package(name: str, networks: Any) -> None:
    from ofa.utils.pytorch_utils import count_net_flops

    torch.manual_seed(0)
    made = networks.OFAProxylessNASNets if "proxyless" in name else networks.OFAMobileNetV3
    lists = {"ks_list": [3, 5, 7], "expand_ratio_list": [3, 4, 6], "depth_list": [2, 3, 4]}
    theirs = made(dropout_rate=0, width_mult=float(name[-3:]), **lists)
    theirs.load_state_dict(published_state(name))
    space = with_task(load(name), resolutions=[64])
    net, images = loaded(space, theirs.state_dict()), torch.randn(4, 3, 64, 64)
    for genes in space.sample(50, np.random.default_rng(0)):
        theirs.set_active_subnet(*choices(space, genes, blocks_of(name)))
        subnet = theirs.get_active_subnet()
        for module in subnet.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.momentum = 1.0
        with torch.no_grad():
            subnet.train()(images)
            wanted = subnet.eval()(images)
        assert count_net_flops(subnet, (1, 3, 64, 64)) == macs(lower(space.decode(genes)))
        weights, statistics = net.member_weights(genes), ("running_mean", "running_var")
        measured = [value.numpy() for key, value in subnet.state_dict().items() if key.endswith(statistics)]
        weights.update(zip((key for key in weights if key.endswith(statistics)), measured, strict=True))
        module = build(space.decode(genes))
        module.load_weights(weights)
        with torch.no_grad():
            found = module.eval()(images)
        torch.testing.assert_close(found, wanted, rtol=0, atol=1e-4 * wanted.abs().max().item())
