"""Reference points of the hypervolume, worked out by hand, and what they make a search find."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.tables import TabularSpace
from edgenas.pareto import nondominated
from edgenas.search import STRATEGIES, Results
from edgenas.search.bayes import region_of_interest, whole_front
from edgenas.search.gp.predicted import Predicted
from edgenas.search.gp.warp import IDENTITY

CODES = np.indices((4,) * 6).reshape(6, -1).T


def predicted(values: list[float]) -> Predicted:
    return Predicted(mean=np.array(values), deviation=np.full(len(values), 1e-9), warp=IDENTITY)


def test_the_whole_front_ends_behind_its_members_where_nothing_beyond_is_predicted() -> None:
    feasible = np.array([[1.0, 10.0], [3.0, 4.0], [9.0, 9.0]])
    # The front is the first two: extents 2 and 6. The third is dominated and does not count.
    found = whole_front(feasible, [predicted([1.0, 3.0]), predicted([10.0, 4.0])])
    assert found == pytest.approx([3.0 + 0.05 * 2.0, 10.0 + 0.05 * 6.0])


def test_the_whole_front_reaches_to_ends_that_are_only_predicted() -> None:
    feasible = np.array([[1.0, 10.0], [3.0, 4.0]])
    # The cheapest of the pool is thought to have 8 in the first objective and 2 in the second.
    found = whole_front(feasible, [predicted([1.5, 8.0]), predicted([9.0, 2.0])])
    assert found == pytest.approx([8.0 + 0.05 * 7.0, 10.0 + 0.05 * 8.0])


def test_the_region_of_interest_is_the_better_quarter_around_the_best_network() -> None:
    feasible = np.array([[1.0, 10.0], [3.0, 4.0]])
    found = region_of_interest(feasible, [predicted([2.0]), predicted([12.0])], quartile=5.0)
    assert found == pytest.approx([5.0, 11.0])


@pytest.mark.parametrize("strategy", ["surrogate", "pareto_local_search"])
def test_a_search_finds_both_ends_of_a_front(strategy: str) -> None:
    def judge(genes: np.ndarray) -> np.ndarray:
        cost = genes @ np.arange(1, 7)
        error = 100 * np.exp(-cost / 20) + ((genes * np.arange(6, 0, -1)) % 3).sum(axis=1)
        return np.stack([error, cost], axis=1).astype(float)

    every = judge(CODES)
    front = every[nondominated(every)]
    searcher = STRATEGIES[strategy](TabularSpace((4,) * 6, CODES), objectives=2, limits=0, seed=0, budget=150)
    seen = []
    while len(genes := searcher.ask(1)):
        values = judge(genes)
        seen.append(values)
        none = np.zeros((len(genes), 0))
        searcher.tell(Results(genes=genes, objectives=values, violations=none, failed=np.zeros(len(genes), bool)))
        if len(seen) == 150:
            break
    found = np.concatenate(seen)
    assert found[:, 1].min() == front[:, 1].min()
    assert found[:, 0].min() <= front[:, 0].min() * 1.1
