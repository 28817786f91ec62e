"""A learned distribution by hand: pairs of networks, entropy, chances of some genes, the best near a target."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from edgenas.oneshot import GeneDistribution
from tests.supernet.samples import mixed_space, tiny_space


def decided(seed: int = 0) -> GeneDistribution:
    """A distribution that is not uniform, of genes with unequal numbers of choices."""
    distribution = GeneDistribution(mixed_space())
    with torch.no_grad():
        distribution.logits.normal_(generator=torch.Generator().manual_seed(seed))
    return distribution


def cards() -> np.ndarray:
    return np.asarray(mixed_space().cardinalities)


def test_a_pair_is_the_two_choices_that_are_likeliest_with_the_noise() -> None:
    distribution = decided()
    noise = torch.from_numpy(np.random.default_rng(1).gumbel(size=tuple(distribution.logits.shape))).float()
    pair = distribution.gumbel_pair(noise, 0.5)
    logs = distribution.log_probabilities().detach().numpy()
    for gene, count in enumerate(cards()):
        values = (logs[gene] + noise[gene].numpy())[:count]
        order = np.argsort(-values)
        second = order[min(1, count - 1)]
        assert (pair.first[gene], pair.second[gene]) == (order[0], second)
        assert float(pair.odds[gene].detach()) == pytest.approx((values[order[0]] - values[second]) / 0.5, abs=1e-5)


def test_the_gradient_of_the_odds_is_that_of_the_two_choices_over_the_temperature() -> None:
    distribution = decided()
    pair = distribution.gumbel_pair(torch.zeros_like(distribution.logits), 0.25)
    (found,) = torch.autograd.grad(pair.odds.sum(), [distribution.logits])
    wanted = np.zeros(found.shape)
    for gene, count in enumerate(cards()):
        if count > 1:
            wanted[gene, pair.first[gene]], wanted[gene, pair.second[gene]] = 4.0, -4.0
    assert found.numpy() == pytest.approx(wanted, abs=1e-5)


def test_the_chance_of_a_network_is_the_product_of_its_choices_and_of_some_genes_theirs() -> None:
    distribution = decided()
    genes = distribution.sample(5, np.random.default_rng(2))
    chances = distribution.probabilities()
    assert chances.sum(axis=1) == pytest.approx(np.ones(len(chances)))
    each = np.log(chances[np.arange(len(chances))[None], genes])
    assert distribution.log_prob(genes).detach().numpy() == pytest.approx(each.sum(axis=1), abs=1e-4)
    found = distribution.log_prob(genes, genes=[0, 3]).detach().numpy()
    assert found == pytest.approx(each[:, [0, 3]].sum(axis=1), abs=1e-5)
    assert distribution.log_prob(genes, genes=[]).detach().numpy() == pytest.approx(np.zeros(5))


def test_the_entropy_is_a_share_of_what_each_gene_could_have() -> None:
    distribution = decided()
    chances = distribution.probabilities()
    shares = []
    for row, count in zip(chances, cards(), strict=True):
        some = row[row > 0]
        shares.append(-(some * np.log(some)).sum() / np.log(max(count, 2)))
    assert distribution.entropy() == pytest.approx(np.mean(shares), abs=1e-6)


def test_an_expectation_has_the_mean_of_its_draws_and_their_score_function_gradient() -> None:
    distribution = decided()
    found = distribution.expectation(lambda genes: genes.sum(axis=1) * 1.0, 64, np.random.default_rng(3))
    genes = distribution.sample(64, np.random.default_rng(3))
    values = torch.from_numpy(genes.sum(axis=1) * 1.0).float()
    assert float(found.detach()) == pytest.approx(float(values.mean()))
    wanted = ((values - values.mean()) * distribution.log_prob(genes)).mean()
    (expected,) = torch.autograd.grad(wanted, [distribution.logits])
    (gradient,) = torch.autograd.grad(found, [distribution.logits])
    assert torch.allclose(gradient, expected, atol=1e-5)


def total(genes: np.ndarray) -> np.ndarray:
    """A cost that counts the choices: 100, and 10 for each step."""
    return 100.0 + 10.0 * genes.sum(axis=1)


def test_the_best_is_the_likeliest_of_all_or_of_those_closest_to_the_target() -> None:
    distribution = GeneDistribution(tiny_space())
    with torch.no_grad():
        distribution.logits.normal_(generator=torch.Generator().manual_seed(4))
    rng = np.random.default_rng(5)
    mode = distribution.probabilities().argmax(axis=1)
    assert distribution.best(rng).tolist() == mode.tolist()
    assert distribution.best(rng, cost=total).tolist() == mode.tolist()
    target = float(total(mode[None])[0]) + 10.0
    best = distribution.best(rng, cost=total, target=target)
    assert total(best[None])[0] == target
    drawn = np.concatenate([mode[None], distribution.sample(20_000, rng)])
    near = drawn[total(drawn) == target]
    with torch.no_grad():
        assert float(distribution.log_prob(best[None])[0]) >= float(distribution.log_prob(near).max()) - 1e-5


def test_within_a_hundredth_of_the_target_the_likeliest_is_taken() -> None:
    distribution = GeneDistribution(tiny_space())
    with torch.no_grad():
        distribution.logits[:, 0] = 1.0
    mode = np.zeros(len(tiny_space().cardinalities), dtype=np.int64)

    def fine(genes: np.ndarray) -> np.ndarray:
        return 100.0 + 0.9 * (genes.sum(axis=1) > 0)

    def coarse(genes: np.ndarray) -> np.ndarray:
        return 100.0 + 3.0 * (genes.sum(axis=1) > 0)

    assert distribution.best(np.random.default_rng(6), cost=fine, target=100.9).tolist() == mode.tolist()
    assert distribution.best(np.random.default_rng(6), cost=coarse, target=103.0).tolist() != mode.tolist()
