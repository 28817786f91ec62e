"""Sorted channels and learned kernels: the largest member stays what it was, smaller ones take what matters."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from edgenas.arch.zoo import published
from edgenas.data import fit_preprocessing
from edgenas.nn import build
from edgenas.space import SearchSpace, around
from edgenas.supernet import Supernet, SupernetSettings, load_supernet, save_supernet, train_supernet
from edgenas.supernet.elastic.channels import channel_groups, importance_of, sort_channels
from edgenas.supernet.elastic.importance import IMPORTANCES
from edgenas.train import TrainSettings
from tests.supernet.samples import blobs, mixed_space, tiny_space

NETWORKS = ["efficientnet_lite0", "mobilenet_v3_small", "mobilenet_v4_conv_small"]


def _small(name: str) -> SearchSpace:
    import dataclasses

    return around(dataclasses.replace(published(name), resolution=32, classes=5))


def _stirred(space: SearchSpace, *, kernel_transforms: bool = False) -> Supernet:
    """A supernet whose norms and biases are not all alike."""
    net = Supernet(space, kernel_transforms=kernel_transforms)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, value in net.shared_weights().items():
            if value.ndim == 1:
                value.copy_(torch.rand(value.shape, generator=generator) + (0.5 if "weight" in name else 0))
    return net


def _images(space: SearchSpace) -> torch.Tensor:
    member = space.decode(space.largest())
    return torch.randn(6, member.in_channels, member.resolution, member.resolution, generator=_seeded())


def _seeded() -> torch.Generator:
    return torch.Generator().manual_seed(2)


@pytest.mark.parametrize("measure", [name for name in IMPORTANCES if name != "none"])
@pytest.mark.parametrize("name", NETWORKS)
def test_sorting_keeps_the_logits_of_the_largest_member(name: str, measure) -> None:  # type: ignore[no-untyped-def]
    space = _small(name)
    net, images = _stirred(space), _images(space)
    before = net(images, space.largest()).detach()
    weights = {key: value.detach().clone() for key, value in net.shared_weights().items()}
    sort_channels(net, measure)
    assert any(not torch.equal(weights[key], value) for key, value in net.shared_weights().items())
    torch.testing.assert_close(net(images, space.largest()).detach(), before, rtol=1e-4, atol=1e-5)
    for group in channel_groups(space):
        if group.read:
            found = importance_of(group, net.shared_weights(), measure)
            assert (found[:-1] >= found[1:] - 1e-5).all()


def test_sorting_keeps_the_largest_member_of_a_space_with_every_kind_of_choice() -> None:
    for space in (mixed_space(), tiny_space()):
        net, images = _stirred(space), _images(space)
        before = net(images, space.largest()).detach()
        sort_channels(net, "l1")
        torch.testing.assert_close(net(images, space.largest()).detach(), before, rtol=1e-4, atol=1e-5)


def test_a_narrow_member_takes_the_important_channels() -> None:
    space = _small("efficientnet_lite0")
    net = _stirred(space)
    name = "stages.1.0.mbconv.project.weight"
    weight = net.shared_weights()[name]
    with torch.no_grad():
        weight[:, 90:] *= 100
    sort_channels(net, "l1")
    kept = weight.abs().sum((0, 2, 3))
    assert (kept[:6] > 10 * kept[6:].max()).all()


def test_kernel_transformations_begin_as_the_plain_centre_and_are_learned(tmp_path: Path) -> None:
    space = mixed_space()
    plain, net = Supernet(space), Supernet(space, kernel_transforms=True)
    images, rng = _images(space), np.random.default_rng(0)
    for genes in space.sample(8, rng):
        torch.testing.assert_close(net(images, genes), plain(images, genes))
    smallest = space.smallest()
    net(images, smallest).square().sum().backward()
    changes = {name: value for name, value in net.shared_weights().items() if ".change" in name}
    assert {name.rpartition(".")[2] for name in changes} == {"change3", "change5"}
    assert any(value.grad is not None and value.grad.abs().sum() > 0 for value in changes.values())
    with torch.no_grad():
        for value in changes.values():
            value.add_(torch.randn(value.shape, generator=_seeded()))
    assert not torch.allclose(net(images, smallest), plain(images, smallest), rtol=1e-2, atol=0)
    torch.testing.assert_close(net(images, space.largest()), plain(images, space.largest()))
    module = net.extract(smallest).train()
    size = space.decode(smallest).resolution
    small = torch.randn(4, 1, size, size, generator=_seeded())
    torch.testing.assert_close(module(small), net(small, smallest), rtol=1e-4, atol=1e-5)
    save_supernet(tmp_path / "net.safetensors", net, fit_preprocessing(blobs().train))
    again, _ = load_supernet(tmp_path / "net.safetensors", space=space)
    torch.testing.assert_close(again(images, smallest), net(images, smallest))


def test_a_seven_becomes_a_three_through_the_five() -> None:
    from edgenas.supernet.elastic.kernels import shrink

    weight = torch.randn(4, 1, 7, 7, generator=_seeded())
    five, three = torch.randn(25, 25, generator=_seeded()), torch.randn(9, 9, generator=_seeded())
    middle = (weight[:, 0, 1:6, 1:6].reshape(4, 25) @ (torch.eye(25) + five).T).reshape(4, 5, 5)
    wanted = (middle[:, 1:4, 1:4].reshape(4, 9) @ (torch.eye(9) + three).T).reshape(4, 1, 3, 3)
    torch.testing.assert_close(shrink(weight, 3, {5: five, 3: three}), wanted, rtol=1e-4, atol=1e-4)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    found: list[str] = []
    real = sort_channels

    def count(net, measure, **more):  # type: ignore[no-untyped-def]
        found.append(measure)
        real(net, measure, **more)

    monkeypatch.setattr("edgenas.supernet.training.trainer.sort_channels", count)
    yield found


def test_a_progressive_training_sorts_at_every_phase_and_moves_what_lies_beside(counted: list[str]) -> None:
    net = Supernet(tiny_space())
    recipe = TrainSettings(steps=40, epochs=None, batch_size=16, averaging_decay=0.9)
    train_supernet(net, blobs(), SupernetSettings(importance="l1_gamma", train=recipe))
    assert counted == ["l1_gamma"] * 4


def test_another_network_teaches_from_the_first_step() -> None:
    seen: list[int] = []

    def teacher(images: torch.Tensor) -> torch.Tensor:
        seen.append(len(images))
        return torch.zeros(len(images), 4)

    settings = SupernetSettings(teacher_weight=0.5, train=TrainSettings(steps=3, epochs=None, batch_size=16))
    train_supernet(Supernet(tiny_space()), blobs(), settings, teacher=teacher)
    assert seen == [16, 16, 16]


def test_the_largest_member_starts_as_the_network() -> None:
    space = _small("efficientnet_lite0")
    network = build(space.decode(space.largest())).train()
    net = Supernet(space, kernel_transforms=True)
    net.load_member(space.largest(), network.weights())
    images = _images(space)
    torch.testing.assert_close(net(images, space.largest()), network(images), rtol=1e-5, atol=1e-5)
