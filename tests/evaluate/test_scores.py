"""Zero-cost scores against what they are defined to be."""

import math

import numpy as np
import pytest
import torch

from edgenas.arch import Architecture, Block, Head, SqueezeExcite, Stage, Stem, lower
from edgenas.cost import macs, params
from edgenas.data import fit_preprocessing
from edgenas.errors import ConfigError
from edgenas.evaluate import SCORES, CountEvaluator, ZeroCostEvaluator
from edgenas.nn import GraphModule, build
from tests.supernet.samples import blobs, mixed_space

IMAGES = torch.randn(16, 1, 8, 8, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(16) % 4


def plain(*, channels: int = 8, blocks: int = 1, se: bool = False) -> Architecture:
    squeeze = SqueezeExcite(channels=4) if se else None
    block = Block(expanded=2 * channels, out_channels=channels, skip=True, se=squeeze)
    return Architecture(
        resolution=8,
        in_channels=1,
        stem=Stem(out_channels=channels),
        stages=(Stage(blocks=(block,) * blocks),),
        head=Head(conv_channels=16),
        classes=4,
    )


def fresh(architecture: Architecture) -> GraphModule:
    return build(architecture, generator=torch.Generator().manual_seed(3)).train()


@pytest.mark.parametrize("name", SCORES)
def test_every_score_is_finite_for_members_of_a_space_with_every_kind_of_choice(name: str) -> None:
    space = mixed_space()
    for genes in (space.largest(), space.smallest(), *space.sample(8, np.random.default_rng(0))):
        module = fresh(space.decode(genes))
        resolution = module.architecture.resolution
        x = torch.randn(16, 1, resolution, resolution, generator=torch.Generator().manual_seed(1))
        assert math.isfinite(SCORES[name](module, x, LABELS)), space.describe(genes)


@pytest.mark.parametrize("name", SCORES)
def test_every_score_is_the_same_for_the_same_weights_and_images(name: str) -> None:
    first, second = (SCORES[name](fresh(plain()), IMAGES, LABELS) for _ in range(2))
    assert first == second


def test_naswot_is_the_log_determinant_of_the_agreement_of_codes() -> None:
    module = fresh(plain(blocks=2))
    results = {op.name: result.detach() for op, result in module.activations(IMAGES)}
    inputs = [op.inputs[0] for op in module.graph.ops if op.kind == "act"]
    codes = np.concatenate([(results[name].flatten(1) > 0).numpy() for name in inputs], axis=1)
    kernel = np.array([[(a == b).sum() for b in codes] for a in codes], dtype=np.float64)
    assert SCORES["naswot"](module, IMAGES, LABELS) == pytest.approx(np.linalg.slogdet(kernel)[1], rel=1e-6)


def test_naswot_does_not_count_the_gates_of_squeeze_and_excitation() -> None:
    with_gates = fresh(plain(se=True))
    counted = [op for op in with_gates.graph.ops if op.kind == "act" and op.activation == "hard_sigmoid"]
    assert counted
    results = {op.name: result.detach() for op, result in with_gates.activations(IMAGES)}
    inputs = [
        op.inputs[0] for op in with_gates.graph.ops if op.kind == "act" and op.activation in ("relu", "hard_swish")
    ]
    codes = np.concatenate([(results[name].flatten(1) > 0).numpy() for name in inputs], axis=1)
    kernel = np.array([[(a == b).sum() for b in codes] for a in codes], dtype=np.float64)
    assert SCORES["naswot"](with_gates, IMAGES, LABELS) == pytest.approx(np.linalg.slogdet(kernel)[1], rel=1e-6)


def test_snip_is_the_change_of_the_loss_when_all_weights_shrink_where_signs_agree() -> None:
    module = fresh(plain())
    score = SCORES["snip"](module, IMAGES, LABELS)
    weights = [p for name, p in module.named_parameters() if name.endswith("weight") and p.ndim > 1]
    by_hand = sum(float((p.detach() * p.grad).abs().sum()) for p in weights if p.grad is not None)
    assert score == pytest.approx(by_hand)
    norms = sum(float(p.grad.norm()) for p in weights if p.grad is not None)
    assert SCORES["grad_norm"](module, IMAGES, LABELS) == pytest.approx(norms, rel=1e-5)


def test_synflow_sees_no_images_and_counts_every_path() -> None:
    module = fresh(plain())
    first = SCORES["synflow"](module, IMAGES, LABELS)
    assert first == SCORES["synflow"](module, IMAGES * 3 + 1, LABELS)
    with torch.no_grad():
        module.get_parameter("head.classifier.weight").mul_(2)
    # R is linear in every layer's weights, so each layer adds R and doubling one doubles the sum.
    assert SCORES["synflow"](module, IMAGES, LABELS) == pytest.approx(first + math.log(2))


def test_jacob_cov_falls_when_images_look_alike() -> None:
    module = fresh(plain())
    alike = IMAGES[:1] + 0.01 * IMAGES
    assert SCORES["jacob_cov"](module, alike, LABELS) < SCORES["jacob_cov"](module, IMAGES, LABELS)


def test_zico_rises_when_batches_agree_about_the_gradient() -> None:
    same = IMAGES[:4].repeat(4, 1, 1, 1) + 0.05 * IMAGES
    labels = LABELS[:4].repeat(4)
    assert SCORES["zico"](fresh(plain()), same, labels) > SCORES["zico"](fresh(plain()), IMAGES, LABELS)


def test_wider_networks_score_higher_by_synflow_and_snip() -> None:
    for name in ("synflow", "naswot"):
        narrow, wide = (SCORES[name](fresh(plain(channels=c)), IMAGES, LABELS) for c in (8, 32))
        assert wide > narrow


def test_the_evaluator_averages_over_initial_weights_and_names_unknown_scores() -> None:
    space, data = mixed_space(), blobs(size=12)
    preprocessing = fit_preprocessing(data.train)
    genes = space.sample(3, np.random.default_rng(0))
    found = ZeroCostEvaluator("snip", space, data, preprocessing, images=16, initialisations=3).evaluate(genes)
    assert found.values.shape == (3,) and found.standard_error is not None and (found.standard_error > 0).all()
    one = ZeroCostEvaluator("snip", space, data, preprocessing, images=16, initialisations=1).evaluate(genes)
    assert one.standard_error is None
    with pytest.raises(ConfigError, match="did you mean 'synflow'"):
        ZeroCostEvaluator("sinflow", space, data, preprocessing)


def test_counts_are_those_of_the_graphs() -> None:
    space = mixed_space()
    genes = space.sample(5, np.random.default_rng(0))
    graphs = [lower(space.decode(row)) for row in genes]
    assert CountEvaluator(space, "macs").evaluate(genes).values.tolist() == [macs(graph) for graph in graphs]
    assert CountEvaluator(space, "params").evaluate(genes).values.tolist() == [params(graph) for graph in graphs]
