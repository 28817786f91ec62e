"""Policies against enumeration and finite differences: chances of networks, gradients, entropy."""

from __future__ import annotations

import numpy as np
import pytest

from edgenas.search.reinforce import Factorised, Policy, recurrent_policy
from edgenas.search.reinforce.synonyms import synonyms, synonyms_by_prefix
from edgenas.space import load
from tests.search.reinforce.spaces import DepthSpace

SPACE = DepthSpace()
NETWORKS = SPACE.networks()


def factorised(seed: int = 0) -> Factorised:
    policy = Factorised(SPACE)
    policy.logits = np.random.default_rng(seed).normal(size=policy.logits.shape)
    return policy


def recurrent() -> Policy:
    """A policy that is no longer uniform."""
    policy = recurrent_policy(SPACE, seed=0)
    credit = policy.credit(NETWORKS)
    for _ in range(20):
        weights = np.where(NETWORKS[:, 0] == 2, 1.0, -0.5)
        policy.step(NETWORKS, credit, weights, rate=0.01, entropy_weight=0.0)
    return policy


def chances_by_code(policy: Factorised) -> np.ndarray:
    """Chance of every network: the sum over its codes."""
    codes = SPACE.codes()
    code_chance = policy.chances[np.arange(4), codes].prod(axis=1)
    same = (SPACE.canonical(codes)[None] == NETWORKS[:, None]).all(axis=2)
    return same @ code_chance


def differences(function, at: np.ndarray, step: float = 1e-6) -> np.ndarray:
    found = np.zeros_like(at)
    for index in np.ndindex(*at.shape):
        moved = [at.copy(), at.copy()]
        moved[0][index] += step
        moved[1][index] -= step
        found[index] = (function(moved[0]) - function(moved[1])) / (2 * step)
    return found


def test_the_chance_of_a_network_is_the_sum_over_its_codes() -> None:
    policy = factorised()
    found = np.exp(policy.log_chance(NETWORKS, policy.credit(NETWORKS)))
    assert found == pytest.approx(chances_by_code(policy))
    assert found.sum() == pytest.approx(1.0)


def test_the_recurrent_chances_of_all_networks_sum_to_one_and_are_those_of_its_draws() -> None:
    policy = recurrent()
    chances = np.exp(policy.log_chance(NETWORKS, policy.credit(NETWORKS)))
    assert chances.sum() == pytest.approx(1.0, abs=1e-5)
    drawn = SPACE.canonical(policy.sample(20_000, np.random.default_rng(0)))
    often = np.array([(drawn == network).all(axis=1).mean() for network in NETWORKS])
    assert np.abs(often - chances).max() < 4 * np.sqrt(chances.max() / 20_000) and chances.max() > 2 / len(NETWORKS)


@pytest.mark.parametrize("entropy_weight", [0.0, 0.3])
def test_the_gradient_is_that_of_differences(entropy_weight: float) -> None:
    policy, rng = factorised(), np.random.default_rng(1)
    credit, weights = policy.credit(NETWORKS), rng.normal(size=len(NETWORKS))

    def value(logits: np.ndarray) -> float:
        at = Factorised(SPACE)
        at.logits = logits
        return float((weights * at.log_chance(NETWORKS, credit)).mean() + entropy_weight * at.entropy())

    found = policy.gradient(credit, weights, entropy_weight=entropy_weight)
    assert found == pytest.approx(differences(value, policy.logits), abs=1e-7)


def test_the_mean_gradient_over_draws_is_that_of_the_expected_reward() -> None:
    policy = factorised(2)
    reward = np.random.default_rng(3).normal(size=len(NETWORKS))

    def expected(logits: np.ndarray) -> float:
        at = Factorised(SPACE)
        at.logits = logits
        return float(chances_by_code(at) @ reward)

    weights = chances_by_code(policy) * reward * len(NETWORKS)
    found = policy.gradient(policy.credit(NETWORKS), weights, entropy_weight=0.0)
    assert found == pytest.approx(differences(expected, policy.logits), abs=1e-7)


def test_a_reward_of_depth_alone_moves_no_gene_but_the_depth() -> None:
    policy = Factorised(SPACE)
    reward = NETWORKS[:, 0] - 1.0
    weights = chances_by_code(policy) * reward * len(NETWORKS)
    found = policy.gradient(policy.credit(NETWORKS), weights, entropy_weight=0.0)
    assert found[0] == pytest.approx([-1 / 3, 0.0, 1 / 3])
    assert found[1:] == pytest.approx(np.zeros((3, 3)), abs=1e-12)


def test_a_gene_that_a_network_does_not_use_has_no_gradient() -> None:
    policy = factorised(4)
    shallow = np.array([[0, 2, 0, 0]])
    found = policy.gradient(policy.credit(shallow), np.array([1.0]), entropy_weight=0.0)
    assert np.abs(found[2:]).max() < 1e-12 and np.abs(found[:2]).min() > 1e-3


def test_synonyms_are_dead_genes_and_values_that_round_alike() -> None:
    found = synonyms(SPACE, np.array([[0, 2, 0, 0], [2, 1, 2, 1], [2, 0, 1, 0]]))
    assert found[0].tolist() == [[True, False, False], [False, False, True], [True] * 3, [True] * 3]
    assert found[1, 3].tolist() == [False, True, True] and found[2, 3].tolist() == [True, False, False]


def test_by_prefix_only_what_no_later_gene_changes_is_a_synonym() -> None:
    codes = np.array([[0, 2, 1, 2], [2, 1, 2, 2]])
    assert synonyms_by_prefix(SPACE, codes, 2).tolist() == [[True] * 3, [False, False, True]]
    # The depth decides over later genes, so none of its values is like another.
    assert synonyms_by_prefix(SPACE, codes, 0).tolist() == [[True, False, False], [False, False, True]]


@pytest.mark.parametrize("make", [Factorised, lambda space: recurrent_policy(space, seed=0)])
def test_the_entropy_of_a_fresh_policy_is_that_of_all_choices_together(make) -> None:
    space = load("tiny")
    assert make(space).entropy() == pytest.approx(np.log(space.cardinalities).sum())


@pytest.mark.parametrize("make", [Factorised, lambda space: recurrent_policy(space, seed=0)])
def test_a_step_makes_good_networks_likelier_and_bad_ones_less_likely(make) -> None:
    policy = make(SPACE)
    chosen = NETWORKS[[3, 20]]
    credit = policy.credit(chosen)
    before = policy.log_chance(chosen, credit)
    policy.step(chosen, credit, np.array([1.0, -1.0]), rate=0.05, entropy_weight=0.0)
    after = policy.log_chance(chosen, credit)
    assert after[0] > before[0] and after[1] < before[1]


@pytest.mark.parametrize("make", [lambda: factorised(5), recurrent])
def test_a_step_for_entropy_alone_raises_it(make) -> None:
    policy = make()
    credit = policy.credit(NETWORKS)
    policy.step(NETWORKS, credit, np.zeros(len(NETWORKS)), rate=0.01, entropy_weight=0.0)
    before = policy.entropy()
    for _ in range(5):
        policy.step(NETWORKS, credit, np.zeros(len(NETWORKS)), rate=0.01, entropy_weight=1.0)
    assert policy.entropy() > before


def test_the_recurrent_gradient_is_that_of_differences() -> None:
    import torch

    policy = recurrent()
    credit, weights = policy.credit(NETWORKS), np.random.default_rng(6).normal(size=len(NETWORKS))
    net = policy._net.double()
    head = net.head.bias
    value, _ = policy.objective(credit, weights, entropy_weight=0.2)
    (found,) = torch.autograd.grad(value, [head])

    def at(bias: np.ndarray) -> float:
        with torch.no_grad():
            head.copy_(torch.from_numpy(bias))
            chances = policy.log_chance(NETWORKS, credit)
            entropy = policy.objective(credit, weights, entropy_weight=0.0)[1]
            return float((weights * chances).mean()) + 0.2 * float(entropy)

    start = head.detach().numpy().copy()
    assert found.numpy() == pytest.approx(differences(at, start, 1e-5), abs=1e-6)


@pytest.mark.parametrize("scale", [1.0, 1e-8])
def test_steps_are_those_of_adam_without_a_first_moment(scale: float) -> None:
    policy, rng = factorised(7), np.random.default_rng(8)
    credit, square = policy.credit(NETWORKS), np.zeros_like(policy.logits)
    for step in (1, 2, 3):
        weights = scale * rng.normal(size=len(NETWORKS))
        gradient = policy.gradient(credit, weights, entropy_weight=0.0)
        square = 0.999 * square + 0.001 * gradient**2
        wanted = policy.logits + 0.1 * gradient / (np.sqrt(square / (1 - 0.999**step)) + 1e-8)
        policy.step(NETWORKS, credit, weights, rate=0.1, entropy_weight=0.0)
        assert policy.logits == pytest.approx(wanted, abs=1e-12)


def test_synonyms_of_genes_with_unequal_numbers_of_choices() -> None:
    space = load("tiny")
    cards = np.asarray(space.cardinalities)
    assert cards.min() < cards.max()
    genes = space.canonical(space.sample(20, np.random.default_rng(9)))
    found = synonyms(space, genes)
    assert found.shape == (20, len(cards), cards.max())
    beyond = np.arange(cards.max()) >= cards[:, None]
    assert not found[:, beyond].any()
    assert np.take_along_axis(found, genes[:, :, None], axis=2).all()
    for gene in range(len(cards)):
        one = synonyms_by_prefix(space, genes, gene)
        assert one.shape == (20, cards.max()) and not one[:, cards[gene] :].any()
        assert one[np.arange(20), genes[:, gene]].all()


class LastDecides:
    """Gene 0 is used where gene 1 has its last value; codes that are none are refused."""

    cardinalities = (2, 3)
    size = 4

    def canonical(self, genes: np.ndarray) -> np.ndarray:
        assert ((genes >= 0) & (genes < self.cardinalities)).all()
        return np.stack([np.where(genes[:, 1] == 2, genes[:, 0], 0), genes[:, 1]], axis=1)


def test_by_prefix_a_gene_that_only_the_last_choice_of_a_later_one_uses_has_no_synonyms() -> None:
    found = synonyms_by_prefix(LastDecides(), np.array([[0, 0], [1, 0]]), 0)  # type: ignore[arg-type]
    assert found.tolist() == [[True, False, False], [False, True, False]]
