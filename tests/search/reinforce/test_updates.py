"""What a searcher asks of its policy: when it is updated, with which weights, and what becomes of its draws."""

from __future__ import annotations

import numpy as np
import pytest

from edgenas.search import Results, Task
from edgenas.search.reinforce import Reinforce
from tests.search.reinforce.spaces import DepthSpace

SPACE = DepthSpace()
NETWORKS = SPACE.networks()


class Noted:
    """A policy with chances that are given, which notes the steps that it is asked for and draws always the same."""

    def __init__(self, drawn: np.ndarray | None = None, drift: float = 0.0) -> None:
        self.drawn, self.drift = drawn, drift
        self.weights: list[np.ndarray] = []
        self.options: list[tuple[float, float]] = []
        self.samples: list[int] = []

    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        self.samples.append(n)
        return SPACE.sample(n, rng) if self.drawn is None else np.tile(self.drawn, (n, 1))

    def credit(self, genes: np.ndarray) -> np.ndarray:
        return np.zeros((len(genes), 4, 3), dtype=bool)

    def log_chance(self, genes: np.ndarray, credit: np.ndarray) -> np.ndarray:
        assert len(genes) == len(credit)
        return -2000.0 - 0.25 * np.arange(len(genes)) + self.drift * len(self.weights) * np.sign(genes[:, 0] - 0.5)

    def entropy(self) -> float:
        return 0.0

    def step(self, genes, credit, weights, *, rate: float, entropy_weight: float) -> None:
        self.weights.append(weights)
        self.options.append((rate, entropy_weight))


def searcher(policy: Noted, **options: object) -> Reinforce:
    return Reinforce(Task(space=SPACE, objectives=1, limits=1, seed=0, budget=30), policy, **options)


def results(genes: np.ndarray, costs: np.ndarray, failed: np.ndarray | None = None) -> Results:
    none = np.zeros(len(genes), dtype=bool) if failed is None else failed
    return Results(genes=genes, objectives=costs[:, None], violations=np.zeros((len(genes), 1)), failed=none)


def tell(found: Reinforce, costs: np.ndarray) -> np.ndarray:
    genes = found.ask(len(costs))
    found.tell(results(genes, costs))
    return genes


def weights_by_hand(costs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(weight, advantage) of networks with chances exp(-0.25 i): a quarter more on the eight best, or best tenth."""
    chances = np.exp(-0.25 * np.arange(len(costs)))
    best = np.argsort(costs, kind="stable")[: max(8, len(costs) // 10)]
    weight = chances / chances.sum()
    weight[best] += 0.25 / len(best)
    weight = weight / 1.25
    quartiles = np.percentile(costs, [75, 25])
    reward = -costs / (quartiles[0] - quartiles[1])
    mean = (weight * reward).sum()
    return weight, (reward - mean) / np.sqrt((weight * (reward - mean) ** 2).sum())


def test_reinforce_weighs_known_networks_by_their_chance_and_the_best_by_more() -> None:
    policy, costs = Noted(), np.random.default_rng(1).uniform(1, 2, size=12)
    tell(searcher(policy, initial=12, steps=3, rate=0.2, entropy_weight=0.01), costs)
    weight, advantage = weights_by_hand(costs)
    assert len(policy.weights) == 3 and set(policy.options) == {(0.2, 0.01)}
    for found in policy.weights:
        assert found == pytest.approx(12 * weight * advantage, abs=1e-6)


def test_ppo_pulls_by_ratios_to_the_chances_before_its_steps() -> None:
    policy, costs = Noted(drift=0.05), np.random.default_rng(2).uniform(1, 2, size=12)
    found = searcher(policy, initial=12, steps=3, clip=0.12, rate=0.2, entropy_weight=0.01)
    genes = tell(found, costs)
    weight, advantage = weights_by_hand(costs)
    assert len(policy.weights) == 6 and set(policy.options) == {(0.2, 0.01)}
    for step, pull in enumerate(policy.weights):
        ratio = np.exp(0.05 * step * np.sign(genes[:, 0] - 0.5))
        kept = np.where(advantage > 0, ratio < 1.12, ratio > 0.88)
        assert pull == pytest.approx(12 * weight * advantage * ratio * kept, abs=1e-6)


def test_ppo_ends_where_every_ratio_left_its_clip() -> None:
    costs = np.where(NETWORKS[:, 0] > 0, 1.0, 2.0)
    policy = Noted(drift=0.2)
    found = searcher(policy, initial=2, clip=0.1, steps=4)
    found.warm_start(results(NETWORKS[:2], costs[:2]))
    genes = found.ask(20)
    found.tell(results(genes, np.where(genes[:, 0] > 0, 1.0, 2.0)))
    assert len(policy.weights) == 1


def test_the_best_tenth_is_counted_from_eighty_networks_on() -> None:
    from edgenas.search.reinforce.searcher import _best_weights

    rewards = np.random.default_rng(3).normal(size=100)
    found = _best_weights(rewards)
    assert found[rewards >= np.sort(rewards)[-10]] == pytest.approx(0.1) and found.sum() == pytest.approx(1.0)
    assert _best_weights(rewards[:3]) == pytest.approx([1 / 3] * 3)
    assert np.count_nonzero(_best_weights(rewards[:50])) == 8


def test_the_policy_is_updated_after_every_so_many_results_once_the_first_are_there() -> None:
    policy = Noted()
    found = searcher(policy, initial=6, every=4, steps=1)
    steps = []
    for _ in range(8):
        tell(found, np.arange(2.0))
        steps.append(len(policy.weights))
    assert steps == [0, 0, 1, 1, 2, 2, 3, 3]


def test_the_first_proposals_are_random_and_the_policy_is_asked_afterwards() -> None:
    policy = Noted()
    found = searcher(policy, initial=6)
    tell(found, np.arange(4.0))
    assert len(found.ask(2)) == 2 and policy.samples == []
    found = searcher(policy, initial=6)
    tell(found, np.arange(6.0))
    assert len(found.ask(2)) == 2 and policy.samples == [32]


@pytest.mark.parametrize(("known", "steps"), [(5, 0), (6, 1), (11, 2), (24, 6), (30, 7)])
def test_known_results_make_as_many_updates_as_a_search_that_finds_them(known: int, steps: int) -> None:
    policy = Noted()
    found = searcher(policy, initial=6, every=4, steps=1)
    found.warm_start(results(NETWORKS[:known], np.arange(float(known))))
    assert len(policy.weights) == steps


def test_known_results_make_eight_updates_at_most() -> None:
    policy = Noted()
    searcher(policy, initial=2, every=2, steps=1).warm_start(results(NETWORKS, np.arange(float(len(NETWORKS)))))
    assert len(policy.weights) == 8


def test_known_results_that_failed_are_not_counted_and_not_learned_from() -> None:
    policy, failed = Noted(), np.arange(12) % 2 == 0
    searcher(policy, initial=6, every=4, steps=1).warm_start(results(NETWORKS[:12], np.arange(12.0), failed))
    assert len(policy.weights) == 1 and len(policy.weights[0]) == 6


def test_where_the_policy_draws_only_what_is_known_its_neighbours_are_proposed() -> None:
    best = np.array([2, 1, 1, 0])
    policy = Noted(drawn=best)
    found = searcher(policy, initial=2)
    found.warm_start(results(np.array([best, [0, 0, 0, 0]]), np.arange(2.0)))
    asked = found.ask(3)
    assert len(asked) == 3
    changed = (asked[:, None] != SPACE.canonical(np.vstack([_neighbours(best)]))[None]).any(axis=2).all(axis=1)
    assert not changed.any()


def _neighbours(code: np.ndarray) -> np.ndarray:
    found = []
    for gene in range(4):
        for value in range(3):
            other = code.copy()
            other[gene] = value
            found.append(other)
    return np.array(found)


@pytest.mark.parametrize(("costs", "spread"), [([1.0, 1.0, 1.0, 1.0, 6.0], 2.0), ([3.0] * 5, 1.0)])
def test_without_a_spread_of_quartiles_the_deviation_is_the_unit_and_one_without_any(costs, spread: float) -> None:
    found = searcher(Noted(), initial=5)
    tell(found, np.array(costs))
    assert found.rewards() == pytest.approx(-np.array(costs) / spread)


def test_the_unit_of_rewards_stays_that_of_the_first_results() -> None:
    found = searcher(Noted(), initial=5)
    tell(found, np.array([1.0, 2.0, 3.0, 4.0, 5.0]))
    tell(found, np.array([100.0, 900.0]))
    assert found.rewards()[-2:] == pytest.approx([-50.0, -450.0])


def test_equal_rewards_pull_nowhere() -> None:
    policy = Noted()
    tell(searcher(policy, initial=8, steps=1), np.full(8, 2.0))
    assert policy.weights[0] == pytest.approx(np.zeros(8), abs=1e-6)


def test_unless_told_sixteen_are_random_and_four_steps_follow_every_eight_results() -> None:
    policy = Noted()
    found = searcher(policy)
    counts = []
    for _ in range(25):
        tell(found, np.array([1.0]))
        counts.append((len(policy.weights), len(policy.samples)))
    assert [steps for steps, _ in counts] == [0] * 15 + [4] * 8 + [8] * 2
    assert [asked for _, asked in counts[:17]] == [0] * 16 + [1]
    assert set(policy.options) == {(0.1, 0.05)}


def test_unless_told_a_violation_counts_two_and_a_half() -> None:
    found = searcher(Noted(), initial=5)
    genes, costs = found.ask(5), np.arange(1.0, 6.0)
    over = np.array([[0.0], [0.0], [0.0], [0.0], [0.4]])
    found.tell(Results(genes=genes, objectives=costs[:, None], violations=over, failed=np.zeros(5, dtype=bool)))
    assert found.rewards()[-1] == pytest.approx(-2.5 - 1.0)


def test_where_nothing_worked_the_policy_is_not_asked() -> None:
    policy = Noted()
    found = searcher(policy, initial=4)
    genes = found.ask(4)
    found.tell(results(genes, np.arange(4.0), np.ones(4, dtype=bool)))
    assert len(found.ask(2)) == 2 and policy.samples == []
