"""Dominance, ranks, crowding and hypervolume, held against pymoo and against definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from edgenas import pareto
from edgenas.errors import SearchError

POINTS = st.integers(1, 4).flatmap(
    lambda m: arrays(np.int8, st.tuples(st.integers(1, 30), st.just(m)), elements=st.integers(0, 6))
)


def dominates(a, b):
    return bool((a <= b).all() and (a < b).any())


@given(POINTS)
def test_nondominated_is_what_its_definition_says(points):
    expected = [not any(dominates(q, p) for q in points) for p in points]
    assert pareto.nondominated(points).tolist() == expected


@given(POINTS)
def test_the_first_front_is_the_nondominated_and_each_rank_is_the_front_of_the_rest(points):
    ranks = pareto.pareto_ranks(points)
    for rank in range(ranks.max() + 1):
        rest = ranks >= rank
        assert ((ranks == rank)[rest] == pareto.nondominated(points[rest])).all()


@settings(deadline=None)  # The first example imports pymoo.
@given(POINTS)
def test_ranks_equal_those_of_pymoo(points):
    nds = pytest.importorskip("pymoo.util.nds.non_dominated_sorting")
    fronts = nds.NonDominatedSorting().do(points.astype(float))
    expected = np.zeros(len(points), dtype=int)
    for rank, front in enumerate(fronts):
        expected[front] = rank
    assert pareto.pareto_ranks(points).tolist() == expected.tolist()


@settings(deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 4), st.integers(1, 40))
def test_crowding_equals_that_of_pymoo_for_distinct_points(seed, m, n):
    metrics = pytest.importorskip("pymoo.operators.survival.rank_and_crowding.metrics")
    points = np.random.default_rng(seed).random((n, m))
    expected = metrics.get_crowding_function("cd").do(points) * m
    assert np.allclose(pareto.crowding_distance(points), expected)


@given(st.integers(0, 10_000))
def test_crowding_of_a_front_does_not_see_other_fronts(seed):
    points = np.random.default_rng(seed).integers(0, 9, (25, 2))
    ranks = pareto.pareto_ranks(points)
    together = pareto.crowding_distance(points, ranks)
    for rank in np.unique(ranks):
        assert np.allclose(together[ranks == rank], pareto.crowding_distance(points[ranks == rank]))


def test_a_constant_objective_adds_no_crowding():
    distance = pareto.crowding_distance([[1.0, 5.0], [2.0, 5.0], [4.0, 5.0]])
    assert np.isinf(distance[[0, 2]]).all()
    assert distance[1] == 1.0


def test_feasible_points_come_before_all_others_which_follow_by_violation():
    ranks = pareto.constrained_ranks([[0.0, 0.0], [5.0, 5.0], [1.0, 9.0], [0.0, 0.0]], [0.5, 0.0, 0.0, 0.1])
    assert ranks.tolist() == [2, 0, 0, 1]


def test_where_nothing_is_feasible_violation_alone_ranks():
    assert pareto.constrained_ranks([[0.0], [1.0]], [0.5, 0.1]).tolist() == [1, 0]


def test_hypervolume_of_two_steps():
    assert pareto.hypervolume([[1.0, 2.0], [2.0, 1.0], [9.0, 0.0]], [3.0, 3.0]) == 3.0
    assert pareto.hypervolume(np.zeros((0, 2)), [3.0, 3.0]) == 0.0


@settings(deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 4))
def test_hypervolume_equals_that_of_pymoo(seed, m):
    indicator = pytest.importorskip("pymoo.indicators.hv")
    points = np.random.default_rng(seed).random((12, m)) * 1.2
    reference = np.ones(m)
    assert pareto.hypervolume(points, reference) == pytest.approx(indicator.HV(ref_point=reference)(points))


@given(st.integers(0, 10_000))
def test_the_curve_ends_at_the_hypervolume_and_never_falls(seed):
    points = np.random.default_rng(seed).integers(0, 12, (20, 2)).astype(float)
    curve = pareto.hypervolume_curve(points, [10.0, 10.0])
    assert (np.diff(curve) >= 0).all()
    assert curve[-1] == pytest.approx(pareto.hypervolume(points, [10.0, 10.0]))


def test_failed_rows_add_nothing_to_the_curve():
    curve = pareto.hypervolume_curve([[np.nan, 1.0], [1.0, 1.0], [np.inf, 0.0]], [2.0, 2.0])
    assert curve.tolist() == [0.0, 1.0, 1.0]


@pytest.mark.parametrize("points", [[1.0, 2.0], [[np.nan, 1.0]]])
def test_what_is_not_a_set_of_points_is_refused(points):
    with pytest.raises(SearchError):
        pareto.nondominated(points)
