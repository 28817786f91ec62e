"""Survival of NSGA-II, held against pymoo on equal input."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgenas.pareto import constrained_ranks, crowding_distance
from edgenas.search import NSGA2, Results, Task
from edgenas.search.evolution.survival import _crowding_of_two, survivors

from .spaces import WideSpace


@settings(deadline=None)  # The first example imports pymoo.
@given(seed=st.integers(0, 10_000), m=st.integers(1, 3), n=st.integers(2, 40), share=st.floats(0.05, 1.0))
def test_the_same_points_survive_as_in_pymoo(seed, m, n, share):
    module = pytest.importorskip("pymoo.operators.survival.rank_and_crowding")
    from pymoo.core.population import Population
    from pymoo.core.problem import Problem

    points = np.random.default_rng(seed).random((n, m))
    size = max(1, round(share * n))
    problem = Problem(n_var=1, n_obj=m, xl=0.0, xu=1.0)
    population = Population.new(F=points, X=np.arange(n, dtype=float)[:, None])
    theirs = module.RankAndCrowding().do(problem, population, n_survive=size, random_state=np.random.default_rng(0))
    ranks = constrained_ranks(points, np.zeros(n))
    kept = survivors(points, np.zeros(n), size)
    assert len(set(kept)) == size
    # Where crowding ties at the cut, either point may stay: compare what decides, rank and crowding.
    crowding = np.nan_to_num(crowding_distance(points, ranks), posinf=9.0)
    ours, others = (
        [(int(ranks[i]), -float(crowding[i])) for i in chosen] for chosen in (kept, theirs.get("X")[:, 0].astype(int))
    )
    assert ours == sorted(ours), "the best first"
    assert np.allclose(ours, sorted(others))


def test_feasible_points_survive_before_better_ones_that_break_a_limit():
    searcher = NSGA2(Task(space=WideSpace(), objectives=1, limits=1, seed=0, budget=60), population=4)
    genes = searcher.ask(4)
    objectives = np.array([[4.0], [1.0], [3.0], [0.0]])
    violations = np.array([[0.0], [0.5], [0.0], [0.2]])
    failed = np.zeros(4, dtype=bool)
    searcher.tell(Results(genes=genes, objectives=objectives, violations=violations, failed=failed))
    more = searcher.ask(2)
    searcher.tell(
        Results(genes=more, objectives=np.full((2, 1), 9.0), violations=np.array([[0.0], [0.9]]), failed=failed[:2])
    )
    kept = set(map(tuple, searcher.population))
    assert kept == {tuple(g) for g in (*genes[[0, 2, 3]], more[0])}


@settings(deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(2, 60))
def test_one_order_gives_the_crowding_of_two_objectives(seed, n):
    points = np.random.default_rng(seed).random((n, 2))
    ranks = constrained_ranks(points, np.zeros(n))
    assert np.allclose(_crowding_of_two(points, ranks), crowding_distance(points, ranks))
