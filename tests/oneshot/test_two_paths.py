"""Two paths at once: the value is the first network's, the gradient tells what the second's choice would do."""

import numpy as np
import pytest
import torch

from edgenas.oneshot import GeneDistribution
from edgenas.oneshot.distribution import GenePair
from edgenas.oneshot.two_paths import TwoPaths
from edgenas.supernet import Supernet
from tests.supernet.samples import mixed_space, plain_space, tiny_space

GREY = torch.randn(6, 1, 8, 8, generator=torch.Generator().manual_seed(0))


def drawn_pair(distribution: GeneDistribution, seed: int) -> GenePair:
    noise = torch.from_numpy(np.random.default_rng(seed).gumbel(size=tuple(distribution.logits.shape))).float()
    return distribution.gumbel_pair(noise, 1.0)


def test_the_two_networks_of_a_pair_are_draws_that_differ_in_every_gene_with_a_choice() -> None:
    distribution = GeneDistribution(mixed_space())
    counts = np.asarray(mixed_space().cardinalities)
    with torch.no_grad():
        distribution.logits[:, 0] = 1.0
    pairs = [drawn_pair(distribution, seed) for seed in range(400)]
    firsts, seconds = np.stack([p.first for p in pairs]), np.stack([p.second for p in pairs])
    assert (seconds < counts).all() and (firsts < counts).all()
    assert ((firsts == seconds) == (counts == 1)[None]).all()
    expected = distribution.probabilities()[:, 0]
    assert np.abs((firsts == 0).mean(0) - expected).max() < 0.1
    assert all((pair.odds >= 0).all() for pair in pairs)


@pytest.mark.parametrize("space", [mixed_space(), tiny_space(), plain_space()], ids=lambda space: space.name)
def test_the_value_is_that_of_the_first_network_and_every_gene_with_a_place_is_reached(space) -> None:
    net, distribution = Supernet(space), GeneDistribution(space)
    both = TwoPaths(net)
    reached = torch.zeros(len(space.cardinalities))
    for seed in range(30):
        pair = drawn_pair(distribution, seed)
        logits = both.logits(GREY, pair)
        assert torch.equal(logits, net(GREY, pair.first))
        (gradient,) = torch.autograd.grad(logits.square().sum(), [distribution.logits])
        reached += gradient.abs().sum(1)
    without = [space.gene_names[gene] for gene in both.placeless]
    assert (reached[list(both.placeless)] == 0).all()
    assert {name for name, value in zip(space.gene_names, reached, strict=True) if value > 0} == set(
        space.gene_names
    ) - set(without)
    assert all(name.startswith("stages.1") or "." not in name for name in without) or space.name in ("few", "plain")


def test_the_gradient_is_the_change_of_the_loss_towards_the_other_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    space = tiny_space()
    net = Supernet(space).double()
    gene = space.gene_names.index("stages.0.0.kernel")
    first = space.largest()
    second = first.copy()
    second[gene] = 0
    plain, images = net.layer, GREY.double()
    outputs = []

    def record(x: torch.Tensor, step):
        y = plain(x, step)
        if step.op.name == "stages.0.0.project":
            outputs.append(y)
        return y

    with monkeypatch.context() as patch, torch.no_grad():
        patch.setattr(net, "layer", record)
        for genes in (first, second):
            net(images, genes)

    def loss_towards_first(step_size: float) -> float:
        def moved(x: torch.Tensor, step):
            y = plain(x, step)
            return y + step_size * (outputs[0] - outputs[1]) if step.op.name == "stages.0.0.project" else y

        with monkeypatch.context() as patch, torch.no_grad():
            patch.setattr(net, "layer", moved)
            return float(net(images, first).square().sum())

    slope = (loss_towards_first(1e-5) - loss_towards_first(-1e-5)) / 2e-5
    odds = torch.zeros(len(first), dtype=torch.double, requires_grad=True)
    loss = TwoPaths(net).logits(images, GenePair(first=first, second=second, odds=odds)).square().sum()
    (gradient,) = torch.autograd.grad(loss, [odds])
    # The logistic function has slope 1/4 at even odds.
    assert float(gradient[gene]) == pytest.approx(slope / 4, rel=1e-5)
    assert int((gradient != 0).sum()) == 1


def test_a_depth_is_held_against_the_other_depth() -> None:
    space = tiny_space()
    net = Supernet(space)
    depth = space.gene_names.index("stages.0.depth")
    for mine, theirs in ((0, 1), (1, 0)):
        first = space.largest()
        first[depth] = mine
        second = first.copy()
        second[depth] = theirs
        odds = torch.zeros(len(first), requires_grad=True)
        logits = TwoPaths(net).logits(GREY, GenePair(first=first, second=second, odds=odds))
        assert torch.equal(logits, net(GREY, first))
        (gradient,) = torch.autograd.grad(logits.square().sum(), [odds])
        assert gradient[depth] != 0 and int((gradient != 0).sum()) == 1
