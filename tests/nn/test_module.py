"""The torch module against the graph it was built from, fvcore, and itself."""

import copy

import numpy as np
import pytest
import torch
from fvcore.nn import FlopCountAnalysis

from edgenas.arch import Architecture, Block, Head, SqueezeExcite, Stage, Stem, lower
from edgenas.arch.zoo import NAMES, published
from edgenas.cost import macs, params
from edgenas.errors import InputError
from edgenas.nn import build

SMALL = ("mobilenet_v3_small", "mobilenet_v4_conv_small", "mnasnet_small", "efficientnet_lite0", "efficientnet_b0")
BUILT = [name for name in NAMES if params(lower(published(name))) < 20_000_000]


def tiny(**changes: object) -> Architecture:
    se = SqueezeExcite(channels=8)
    values: dict[str, object] = {
        "resolution": 16,
        "stem": Stem(out_channels=8),
        "stages": (
            Stage(blocks=(Block(expanded=24, out_channels=8, skip=True, se=se, activation="hard_swish"),)),
            Stage(
                blocks=(Block(expanded=24, out_channels=16, stride=2), Block(expanded=48, out_channels=16, skip=True))
            ),
        ),
        "head": Head(conv_channels=32),
        "classes": 5,
    }
    return Architecture(**(values | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", BUILT)
def test_the_module_has_exactly_the_parameters_that_the_graph_counts(name: str) -> None:
    architecture = published(name)
    module = build(architecture)
    assert sum(parameter.numel() for parameter in module.parameters()) == params(module.graph)


@pytest.mark.parametrize("name", SMALL)
def test_every_result_has_the_shape_that_the_graph_says(name: str) -> None:
    module = build(published(name)).eval()
    with torch.no_grad():
        found = {op.name: tuple(result.shape) for op, result in module.activations(torch.zeros(1, 3, 224, 224))}
    expected = {
        op.name: (1, op.shape.channels) if len(found[op.name]) == 2 else (1, *op.shape) for op in module.graph.ops
    }
    assert found == expected


@pytest.mark.parametrize("name", SMALL)
def test_fvcore_counts_the_same_macs_in_convolutions_and_linear_layers(name: str) -> None:
    module = build(published(name)).eval()
    count = FlopCountAnalysis(module, torch.zeros(1, 3, 224, 224))
    count.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    by_operator = count.by_operator()
    assert by_operator["conv"] + by_operator["linear"] == macs(module.graph)


def test_running_step_by_step_gives_what_forward_gives() -> None:
    module = build(tiny()).eval()
    x = torch.randn(3, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    *_, (op, last) = module.activations(x)
    assert op is module.graph.output
    assert torch.equal(last, module(x))


def test_initial_weights_depend_on_the_generator_only() -> None:
    state = torch.get_rng_state()
    first, second = (build(tiny(), generator=torch.Generator().manual_seed(3)).weights() for _ in range(2))
    other = build(tiny(), generator=torch.Generator().manual_seed(4)).weights()
    assert all(np.array_equal(first[name], second[name]) for name in first)
    assert not np.array_equal(first["stem.conv.weight"], other["stem.conv.weight"])
    assert torch.equal(state, torch.get_rng_state())


def test_initial_depthwise_filters_see_their_own_fan() -> None:
    module = build(tiny(stages=(Stage(blocks=(Block(expanded=512, out_channels=8),)),)))
    depthwise = module.get_submodule("stages.0.0.depthwise").weight
    expand = module.get_submodule("stages.0.0.expand").weight
    assert depthwise.std().item() == pytest.approx((2 / 9) ** 0.5, rel=0.05)
    assert expand.std().item() == pytest.approx((2 / 512) ** 0.5, rel=0.05)


def test_a_deep_copy_computes_the_same_and_shares_nothing() -> None:
    module = build(tiny(), dropout=0.5, stochastic_depth=0.5).to(memory_format=torch.channels_last).train()
    twin = copy.deepcopy(module)
    x = torch.randn(4, 3, 16, 16)
    assert torch.equal(module(x), twin(x))
    with torch.no_grad():
        twin.get_parameter("head.classifier.bias").add_(1)
    assert not torch.equal(module.eval()(x), twin.eval()(x))


def test_dropout_and_stochastic_depth_act_in_training_only_and_keep_the_mean() -> None:
    module = build(tiny(), dropout=0.3, stochastic_depth=0.5)
    x = torch.randn(2, 3, 16, 16)
    module.eval()
    assert torch.equal(module(x), module(x))
    module.train()
    assert not torch.equal(module(x), module(x))
    dropped = module.noise.drop_branch(torch.ones(20_000, 1, 1, 1), 0.25)
    assert sorted(dropped.unique().tolist()) == pytest.approx([0, 1 / 0.75])
    assert dropped.mean().item() == pytest.approx(1, abs=0.02)


def test_later_residual_blocks_are_dropped_more_often() -> None:
    rates = build(tiny())._drop_rates
    assert rates == {"stages.0.0.add": pytest.approx(1 / 3), "stages.1.1.add": pytest.approx(1)}


def test_an_impossible_rate_is_refused() -> None:
    with pytest.raises(InputError, match="dropout"):
        build(tiny(), dropout=1.0)


def test_gradients_reach_every_parameter() -> None:
    module = build(tiny()).train()
    module(torch.randn(4, 3, 16, 16)).square().sum().backward()
    assert all(parameter.grad is not None for parameter in module.parameters())


def test_the_norm_momentum_reaches_every_norm() -> None:
    norms = [m for m in build(tiny(), norm_momentum=0.01).modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert norms and all(norm.momentum == 0.01 for norm in norms)
