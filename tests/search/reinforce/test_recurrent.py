"""The recurrent policy against an LSTM that is written out in numpy: chances, draws, entropy and steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from edgenas.search.reinforce import recurrent_policy
from edgenas.search.reinforce.synonyms import synonyms_by_prefix
from tests.search.reinforce.spaces import DepthSpace


class Unequal:
    """Every code is a network of its own; the genes have two, four and three choices."""

    cardinalities = (2, 4, 3)
    size = 24

    def canonical(self, genes: np.ndarray) -> np.ndarray:
        return genes.copy()

    def networks(self) -> np.ndarray:
        return np.indices(self.cardinalities).reshape(3, -1).T


SPACES = [DepthSpace(), Unequal()]


def arrays(policy: Any) -> dict[str, np.ndarray]:
    return {name: weight.detach().numpy().astype(float) for name, weight in policy._net.named_parameters()}


def lively(space: Any) -> Any:
    """A policy whose choices are far from uniform and depend on those before."""
    policy, rng = recurrent_policy(space, seed=0, width=5), np.random.default_rng(1)
    with torch.no_grad():
        for weight in policy._net.parameters():
            weight.copy_(torch.from_numpy(rng.normal(0, 0.8, tuple(weight.shape))))
    return policy


class ByHand:
    """The LSTM of Hochreiter 1997 with a forget gate: one gene after the other, each fed the choice before it."""

    def __init__(self, policy: Any, space: Any, n: int) -> None:
        self.given, self.space = arrays(policy), space
        self.hidden = self.cell = np.zeros((n, self.given["cell.weight_hh_l0"].shape[1]))
        self.previous = np.zeros(n, dtype=int)

    def chances(self, gene: int) -> np.ndarray:
        """Chances (N, choices) of a gene, after those of the genes before it."""
        most = max(self.space.cardinalities)
        told = self.given["embed.weight"][gene * (most + 1) + self.previous]
        gates = told @ self.given["cell.weight_ih_l0"].T + self.given["cell.bias_ih_l0"]
        gates += self.hidden @ self.given["cell.weight_hh_l0"].T + self.given["cell.bias_hh_l0"]
        enter, keep, new, out = np.split(gates, 4, axis=1)
        self.cell = self.cell / (1 + np.exp(-keep)) + np.tanh(new) / (1 + np.exp(-enter))
        self.hidden = np.tanh(self.cell) / (1 + np.exp(-out))
        scores = self.hidden @ self.given["head.weight"].T + self.given["head.bias"]
        found = np.exp(scores[:, : self.space.cardinalities[gene]])
        return found / found.sum(axis=1, keepdims=True)

    def choose(self, same: np.ndarray) -> None:
        self.previous = same.argmax(axis=1) + 1


def logs_and_entropy(policy: Any, space: Any, genes: np.ndarray) -> tuple[np.ndarray, float]:
    hand, logs, entropy = ByHand(policy, space, len(genes)), np.zeros(len(genes)), np.zeros(len(genes))
    for gene, count in enumerate(space.cardinalities):
        found, same = hand.chances(gene), synonyms_by_prefix(space, genes, gene)
        logs += np.log((found * same[:, :count]).sum(axis=1))
        entropy -= (found * np.log(found)).sum(axis=1)
        hand.choose(same)
    return logs, float(entropy.mean())


@pytest.mark.parametrize("space", SPACES)
def test_chances_are_those_of_the_lstm_by_hand_and_sum_to_one(space: Any) -> None:
    policy, networks = lively(space), space.networks()
    found = policy.log_chance(networks, policy.credit(networks))
    assert found == pytest.approx(logs_and_entropy(policy, space, networks)[0], abs=1e-4)
    assert np.exp(found).sum() == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize("space", SPACES)
def test_draws_are_those_of_the_lstm_by_hand_with_the_same_random_numbers(space: Any) -> None:
    policy, rng = lively(space), np.random.default_rng(2)
    found, hand = policy.sample(300, np.random.default_rng(2)), ByHand(policy, space, 300)
    codes = np.zeros_like(found)
    for gene in range(codes.shape[1]):
        edges = hand.chances(gene).cumsum(axis=1)[:, :-1]
        codes[:, gene] = (rng.random((300, 1)) > edges).sum(axis=1)
        hand.choose(synonyms_by_prefix(space, codes, gene))
    assert found.shape == (300, len(space.cardinalities)) and found.dtype == np.int64
    assert (found == codes).all(axis=1).mean() > 0.99
    assert [len(set(column)) for column in found.T] == list(space.cardinalities)


@pytest.mark.parametrize("space", SPACES)
def test_the_objective_is_the_weighted_mean_with_so_much_of_the_entropy(space: Any) -> None:
    policy, networks = lively(space), space.networks()
    weights, credit = np.random.default_rng(3).normal(size=len(networks)), policy.credit(networks)
    logs, entropy = logs_and_entropy(policy, space, networks)
    value, told = policy.objective(credit, weights, entropy_weight=0.3)
    assert float(value.detach()) == pytest.approx((weights * logs).mean() + 0.3 * entropy, abs=1e-4)
    assert float(told.detach()) == pytest.approx(entropy, abs=1e-4)
    policy.step(networks, credit, weights, rate=0.01, entropy_weight=0.3)
    assert policy.entropy() == pytest.approx(entropy, abs=1e-4)


def test_credit_is_what_the_prefix_says_gene_by_gene() -> None:
    space = DepthSpace()
    found = recurrent_policy(space, seed=0).credit(space.networks())
    assert found.shape == (len(space.networks()), 4, 3)
    for gene in range(4):
        assert np.array_equal(found[:, gene], synonyms_by_prefix(space, space.networks(), gene))


def test_a_gradient_is_shortened_to_five_and_the_first_step_is_as_long_as_the_rate() -> None:
    policy, networks = lively(Unequal()), Unequal().networks()
    credit, before = policy.credit(networks), arrays(policy)
    weights = 1e4 * np.random.default_rng(4).normal(size=len(networks))
    policy.step(networks, credit, weights, rate=0.01, entropy_weight=0.0)
    gradients = [weight.grad.numpy() for weight in policy._net.parameters()]
    assert np.sqrt(sum((gradient**2).sum() for gradient in gradients)) == pytest.approx(5.0, rel=1e-3)
    for name, gradient in zip(before, gradients, strict=True):
        large = np.abs(gradient) > 1e-4
        moved = (arrays(policy)[name] - before[name])[large]
        assert moved == pytest.approx(-0.01 * np.sign(gradient[large]), rel=1e-2)


def test_a_step_goes_up_the_objective() -> None:
    policy, networks = lively(Unequal()), Unequal().networks()
    credit, weights = policy.credit(networks), np.random.default_rng(5).normal(size=len(networks))
    values = []
    for _ in range(2):
        values.append(float(policy.objective(credit, weights, entropy_weight=0.1)[0].detach()))
        policy.step(networks, credit, weights, rate=1e-3, entropy_weight=0.1)
    assert values[1] > values[0] + 1e-4


def test_a_fresh_policy_has_thirty_two_units_small_weights_of_both_signs_and_even_chances() -> None:
    state, space = torch.get_rng_state(), Unequal()
    policy = recurrent_policy(space, seed=3)
    assert torch.equal(torch.get_rng_state(), state)
    given = arrays(policy)
    assert given["embed.weight"].shape == (3 * 5, 32) and given["cell.weight_hh_l0"].shape == (4 * 32, 32)
    assert given["head.weight"].shape == (4, 32)
    for name, weight in given.items():
        if name.startswith("head"):
            assert not weight.any()
        else:
            assert -0.1 <= weight.min() < -0.08 and 0.08 < weight.max() <= 0.1, name
    chances = np.exp(policy.log_chance(space.networks(), policy.credit(space.networks())))
    assert chances == pytest.approx(np.full(24, 1 / 24))
    again, other = arrays(recurrent_policy(space, seed=3)), arrays(recurrent_policy(space, seed=4))
    assert np.array_equal(again["embed.weight"], given["embed.weight"])
    assert not np.array_equal(other["embed.weight"], given["embed.weight"])
