"""Reinforcement learning: rewards worked out by hand, the clip of PPO, and bandits that every policy must solve."""

from __future__ import annotations

import numpy as np
import pytest

from edgenas.errors import SearchError
from edgenas.search import STRATEGIES, Results, Task, rewarded
from edgenas.search.reinforce import Factorised, Reinforce
from edgenas.search.reinforce.searcher import clipped_pull
from tests.search.reinforce.spaces import DepthSpace

SPACE = DepthSpace()


def told(objectives: list[list[float]], margins: list[list[float]], **options: object) -> Reinforce:
    """A searcher that was told some results."""
    task = Task(space=SPACE, objectives=len(objectives[0]), limits=len(margins[0]), seed=0, budget=30)
    searcher = Reinforce(task, Factorised(SPACE), **options)
    genes = searcher.ask(len(objectives))
    values, sides = np.array(objectives, dtype=float), np.array(margins, dtype=float).reshape(len(objectives), -1)
    none = np.zeros(len(objectives), bool)
    searcher.tell(
        Results(genes=genes, objectives=values, violations=np.maximum(sides, 0), margins=sides, failed=none)
    )
    return searcher


def test_one_objective_is_rewarded_in_units_of_its_first_spread() -> None:
    # The quartiles of 1, 2, 3, 4, 5 are 2 and 4.
    found = told([[1.0], [2.0], [3.0], [4.0], [5.0]], [[]] * 5).rewards()
    assert found == pytest.approx([-0.5, -1.0, -1.5, -2.0, -2.5])


def test_spare_room_under_a_limit_is_no_fault_and_a_floor_is_no_target() -> None:
    objectives = [[1.0], [2.0], [3.0], [4.0], [5.0]]
    margins = [[-0.9, -0.1], [-0.1, -0.9], [0.0, 0.0], [0.2, -0.5], [0.1, 0.3]]
    found = told(objectives, margins, penalty=2.0).rewards()
    assert found == pytest.approx([-0.5, -1.0, -1.5, -2.0 - 0.4, -2.5 - 0.8])


def test_the_absolute_reward_is_of_the_one_limit_that_was_asked_for() -> None:
    objectives = [[1.0], [2.0], [3.0], [4.0], [5.0]]
    margins = [[-0.9, -0.1], [-0.1, -0.9], [0.0, 0.0], [0.2, -0.5], [0.1, 0.3]]
    found = told(objectives, margins, penalty=2.0, absolute=0).rewards()
    assert found == pytest.approx([-0.5 - 1.8, -1.0 - 0.2, -1.5, -2.0 - 0.4, -2.5 - 0.8])


@pytest.mark.parametrize(("objectives", "limits", "absolute"), [(1, 1, 1), (1, 0, 0), (2, 1, 0), (1, 1, -1)])
def test_an_absolute_reward_of_nothing_is_refused(objectives: int, limits: int, absolute: int) -> None:
    task = Task(space=SPACE, objectives=objectives, limits=limits, seed=0, budget=30)
    with pytest.raises(SearchError, match="one objective and a limit"):
        Reinforce(task, Factorised(SPACE), absolute=absolute)


def test_several_objectives_are_rewarded_by_the_root_of_their_rank() -> None:
    found = told([[1.0, 4.0], [2.0, 2.0], [3.0, 3.0], [4.0, 4.0], [4.0, 1.0]], [[]] * 5).rewards()
    assert found == pytest.approx([0.0, 0.0, -1.0, -np.sqrt(2.0), 0.0])


@pytest.mark.parametrize(
    ("ratio", "advantage", "pull"),
    [
        (1.0, 2.0, 2.0),
        (1.15, 2.0, 2.3),
        (1.25, 2.0, 0.0),
        (0.5, 2.0, 1.0),
        (1.0, -2.0, -2.0),
        (0.85, -2.0, -1.7),
        (0.75, -2.0, 0.0),
        (1.5, -2.0, -3.0),
    ],
)
def test_the_pull_of_ppo_ends_where_the_ratio_left_the_clip_in_its_own_direction(
    ratio: float, advantage: float, pull: float
) -> None:
    assert clipped_pull(np.array([ratio]), np.array([advantage]), 0.2) == pytest.approx([pull])
    # It is the derivative in log p of min(r A, clip(r) A).
    step = 1e-6

    def surrogate(log: float) -> float:
        r = ratio * np.exp(log)
        return min(r * advantage, float(np.clip(r, 0.8, 1.2)) * advantage)

    assert (surrogate(step) - surrogate(-step)) / (2 * step) == pytest.approx(pull, abs=1e-5)


class Arms:
    """A space of 4 genes with 5 choices and no two codes alike."""

    cardinalities = (5, 5, 5, 5)
    size = 625

    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        return rng.integers(0, 5, size=(n, 4))

    def canonical(self, genes: np.ndarray) -> np.ndarray:
        return genes

    def features(self, genes: np.ndarray) -> np.ndarray:
        return genes.astype(float)


def pulled(strategy: str, seed: int, best: np.ndarray) -> Reinforce:
    """A searcher that has pulled 160 of 625 arms; the cost of an arm is its distance from the best."""
    searcher = STRATEGIES[strategy](Arms(), objectives=1, limits=0, seed=seed, budget=160)
    assert isinstance(searcher, Reinforce)
    for _ in range(20):
        genes = searcher.ask(8)
        values = np.abs(genes - best).sum(axis=1, keepdims=True).astype(float)
        none = np.zeros((len(genes), 0))
        searcher.tell(Results(genes=genes, objectives=values, violations=none, failed=np.zeros(len(genes), bool)))
    return searcher


@pytest.mark.parametrize("strategy", sorted(rewarded()))
def test_every_policy_solves_a_bandit(strategy: str) -> None:
    best = np.array([3, 0, 4, 2])
    searchers = [pulled(strategy, seed, best) for seed in range(3)]
    drawn = [searcher.policy.sample(2_000, np.random.default_rng(0)) for searcher in searchers]
    # A random network is 6.4 away from the best on average, and is the best in one of 625 draws.
    assert max(np.abs(codes - best).sum(axis=1).mean() for codes in drawn) < 1.5
    assert np.median([np.exp(_chance(searcher, best)) for searcher in searchers]) > 0.5


def _chance(searcher: Reinforce, code: np.ndarray) -> float:
    return float(searcher.policy.log_chance(code[None], searcher.policy.credit(code[None]))[0])
