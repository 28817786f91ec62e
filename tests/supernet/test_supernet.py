"""Shared weights: what a member computes, takes and gives back."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from edgenas.arch import lower
from edgenas.arch.block_names import block_names
from edgenas.cost import params
from edgenas.errors import SpaceError, WeightsError
from edgenas.nn import build, check_weights
from edgenas.nn.plan import plan
from edgenas.space import SearchSpace, load
from edgenas.supernet.judging.member import Member
from edgenas.supernet.paths import Paths
from edgenas.supernet.shapes import block_form, place_of, sharings
from edgenas.supernet.supernet import Supernet
from tests.supernet.samples import mixed_space, plain_space, tiny_space

MIXED = mixed_space()
NET = Supernet(MIXED, generator=torch.Generator().manual_seed(1)).to(memory_format=torch.channels_last)


def images(resolution: int, *, seed: int = 0, count: int = 4) -> torch.Tensor:
    x = torch.randn(count, 1, resolution, resolution, generator=torch.Generator().manual_seed(seed))
    return x.contiguous(memory_format=torch.channels_last)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_a_member_computes_exactly_what_its_extracted_network_computes_in_training(seed: int) -> None:
    genes = MIXED.sample(1, np.random.default_rng(seed))[0]
    extracted = NET.extract(genes).to(memory_format=torch.channels_last).train()
    assert extracted.architecture.digest == MIXED.decode(genes).digest
    x = images(extracted.architecture.resolution, seed=seed % 1000)
    with torch.no_grad():
        assert torch.equal(NET(x, genes), extracted(x))


def test_members_find_their_place_where_operations_are_numbered_otherwise_than_the_space() -> None:
    space = plain_space()
    net = Supernet(space, generator=torch.Generator().manual_seed(1))
    assert set(net.shared) >= {"stages.0.1.mbconv.project", "stages.1.1.mbconv.project"}
    for genes in space.sample(8, np.random.default_rng(0)):
        extracted, x = net.extract(genes).train(), images(8)
        with torch.no_grad():
            assert torch.equal(net(x, genes), extracted(x))
    deep = [name for name in net.member_weights(space.largest()) if name.endswith("project.weight")]
    assert deep == [f"stages.{number}.0.project.weight" for number in range(4)]


@pytest.mark.parametrize("space", [MIXED, plain_space(), load("mobilenet_v4"), load("ofa_mobilenet_v3")], ids=repr)
def test_a_member_of_known_parts_has_the_operations_of_its_whole_network(space: SearchSpace) -> None:
    paths = Paths(space, lambda need: None)
    for genes in (space.largest(), space.smallest(), *space.sample(40, np.random.default_rng(0))):
        architecture, path = space.decode(genes), paths.of(genes)
        graph = lower(architecture)
        assert [step.op for step in path.steps] == list(graph.ops[1:])
        assert path.resolution == architecture.resolution
        assert path.depths == tuple(len(stage.blocks) for stage in architecture.stages)
        slots, blocks = space.slots(genes), architecture.blocks()
        places = {
            name: place_of(*slot, block)
            for name, slot, block in zip(block_names(architecture), slots, blocks, strict=True)
        }
        assert [step.sharing for step in path.steps] == list(sharings(graph, places))[1:]
        whole = plan(graph)
        assert [step.function for step in path.steps] == [step.function for step in whole]
        assert {step.eps for step in path.steps} == {graph.norm_eps}
        # Every operation reads the results that it names, and they are let go after their last use.
        held = {path.steps[0].inputs[0]: "image"}
        for step, plain in zip(path.steps, whole, strict=True):
            assert tuple(held[slot] for slot in step.inputs) == step.op.inputs
            assert {held[slot] for slot in step.free} == {graph.ops[slot].name for slot in plain.free}
            for slot in step.free:
                del held[slot]
            held[step.output] = step.op.name
        assert list(held.values()) == [graph.output.name]


@pytest.mark.parametrize("seed", range(4))
def test_a_member_after_many_others_computes_what_it_computes_as_the_first(seed: int) -> None:
    genes, others = MIXED.sample(1, np.random.default_rng(seed))[0], MIXED.sample(30, np.random.default_rng(9))
    late, x = Supernet(MIXED), images(12)
    for row in others:
        late.path(row)
    first = Supernet(MIXED)
    outputs = []
    for net in (late, first):
        loss = net(x, genes)
        loss.square().sum().backward()
        outputs.append([loss.detach(), *(p.grad for p in net.parameters() if p.grad is not None)])
    assert all(torch.equal(a, b) for a, b in zip(*outputs, strict=True))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_gradients_of_a_member_are_those_of_its_extracted_network_and_elsewhere_zero(seed: int) -> None:
    genes = MIXED.sample(1, np.random.default_rng(seed))[0]
    extracted = NET.extract(genes).train()
    x = images(extracted.architecture.resolution)
    extracted(x).square().sum().backward()
    NET.zero_grad(set_to_none=True)
    NET(x, genes).square().sum().backward()
    taken = {name: tensor for step in NET.path(genes).steps for name, tensor in _gradient_slices(NET, step)}
    total = sum(float(p.grad.abs().double().sum()) for p in NET.parameters() if p.grad is not None)
    inside = 0.0
    for name, parameter in extracted.named_parameters():
        assert torch.allclose(taken[name], parameter.grad, atol=1e-4, rtol=1e-3), name
        inside += float(taken[name].abs().double().sum())
    assert inside == pytest.approx(total, rel=1e-6)


def _gradient_slices(net: Supernet, step: object) -> list[tuple[str, torch.Tensor]]:
    twin = Supernet(net.space)
    for ours, theirs in zip(twin.parameters(), net.parameters(), strict=True):
        ours.data = torch.zeros_like(theirs) if theirs.grad is None else theirs.grad.clone()
    return [(name, tensor.detach()) for name, tensor in twin.slices(step)]  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["tiny", "ofa_mobilenet_v3"])
def test_every_member_of_a_preset_finds_its_weights(name: str) -> None:
    space = load(name)
    net = Supernet(space)
    for genes in (space.largest(), space.smallest(), *space.sample(30, np.random.default_rng(0))):
        architecture = space.decode(genes)
        check_weights(lower(architecture), net.member_weights(genes))


def test_the_largest_member_takes_every_weight_of_a_space_without_forms() -> None:
    space = load("tiny")
    net = Supernet(space)
    assert sum(p.numel() for p in net.parameters()) == params(lower(space.decode(space.largest())))


def test_blocks_of_another_form_have_weights_of_their_own() -> None:
    forms = {block_form(block) for stage, index in MIXED.grid for _, block in MIXED.blocks_at(stage, index)}
    assert forms == {"mbconv", "mbconv-flat", "mbconv-start", "fused"}
    assert {"stages.0.0.mbconv.depthwise", "stages.0.0.mbconv-flat.depthwise"} <= set(NET.shared)


def test_a_small_kernel_is_the_centre_of_the_large_one_and_few_channels_are_the_first() -> None:
    space = tiny_space()
    net = Supernet(space)
    largest, smallest = space.largest(), space.smallest().copy()
    smallest[space.gene_names.index("stages.0.0.expansion")] = 1
    big = net.member_weights(largest)["stages.0.0.depthwise.weight"]
    small = net.member_weights(smallest)["stages.0.0.depthwise.weight"]
    assert big.shape == (8, 1, 5, 5)
    assert np.array_equal(small, big[:, :, 1:4, 1:4])
    few, many = (net.member_weights(genes)["stages.0.0.project.weight"] for genes in (smallest, largest))
    assert np.array_equal(few, many[: few.shape[0], : few.shape[1]])


def test_images_of_another_size_are_resized() -> None:
    genes = MIXED.largest()
    assert MIXED.decode(genes).resolution == 12
    assert NET(images(16), genes).shape == (4, 4)


def test_a_calibrated_member_agrees_with_its_plain_network_in_evaluation() -> None:
    for seed in range(5):
        genes = MIXED.sample(1, np.random.default_rng(seed))[0]
        member = Member(NET, genes)
        member.calibrate([images(member.resolution, seed=1, count=16), images(member.resolution, seed=2, count=16)])
        x = images(member.resolution, seed=3, count=8)
        plain = member.module().eval()
        with torch.no_grad():
            assert torch.allclose(member.logits(x), plain(x), atol=1e-5)


def test_calibration_gives_the_statistics_that_torch_estimates_on_the_same_batches() -> None:
    genes = MIXED.largest()
    batches = [images(12, seed=seed, count=16) for seed in (1, 2, 3)]
    member = Member(NET, genes)
    member.calibrate(batches)
    module = NET.extract(genes).train()
    norms = [m for m in module.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    for number, batch in enumerate(batches, 1):
        for norm in norms:
            norm.momentum = 1 / number
        with torch.no_grad():
            module(batch)
    expected, found = module.weights(), member.weights()
    assert all(np.allclose(expected[name], found[name], atol=1e-5, rtol=1e-4) for name in expected)


def test_a_member_does_not_change_when_the_supernet_is_trained_on() -> None:
    net = Supernet(tiny_space())
    member = Member(net, net.space.largest())
    member.calibrate([images(8, count=8)])
    before = member.logits(images(8, seed=5))
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(1)
    assert torch.equal(before, member.logits(images(8, seed=5)))


def test_pretrained_weights_of_a_member_come_out_again() -> None:
    net = Supernet(tiny_space())
    genes = net.space.largest()
    weights = build(net.space.decode(genes), generator=torch.Generator().manual_seed(9)).weights()
    net.load_member(genes, weights)
    assert all(np.array_equal(weights[name], array) for name, array in net.member_weights(genes).items())
    with pytest.raises(WeightsError, match="head.classifier"):
        net.load_member(genes, weights | {"head.classifier.weight": np.zeros((3, 8), np.float32)})


def test_genes_outside_the_space_are_refused() -> None:
    with pytest.raises(SpaceError):
        NET(images(8), np.full(len(MIXED.cardinalities), 99))


def test_initial_weights_depend_on_the_generator_only() -> None:
    first, second = (Supernet(tiny_space(), generator=torch.Generator().manual_seed(4)) for _ in range(2))
    other = Supernet(tiny_space(), generator=torch.Generator().manual_seed(5))
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    assert not torch.equal(next(first.parameters()), next(other.parameters()))
