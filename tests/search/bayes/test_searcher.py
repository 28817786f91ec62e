"""The surrogate searcher: scales, limits, the region of interest."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.tables import TabularSpace
from edgenas.search import Results, Task
from edgenas.search.bayes import Surrogate

CODES = np.indices((3,) * 6).reshape(6, -1).T


def drive(searcher, steps, judge):
    for _ in range(steps):
        genes = searcher.ask(1)
        values, margins = judge(genes)
        searcher.tell(
            Results(
                genes=genes,
                objectives=values,
                violations=np.maximum(margins, 0.0),
                margins=margins,
                failed=np.zeros(len(genes), dtype=bool),
            )
        )
    return searcher


def error_and_cost(genes):
    return 1.0 + (2 - genes).sum(axis=1, keepdims=True) ** 1.5, genes.sum(axis=1, keepdims=True)


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_an_objective_that_falls_below_zero_after_the_first_fit_is_still_modelled():
    def judge(genes):
        value = (2 - genes).sum(axis=1, keepdims=True) * 1.0 - 0.5
        return value, np.zeros((1, 0))

    searcher = Surrogate(Task(space=TabularSpace((3,) * 6, CODES), objectives=1, limits=0, seed=0, budget=40))
    drive(searcher, 40, judge)
    assert searcher._objectives.min() == -0.5


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_a_limit_that_all_first_ones_broke_is_found_and_the_best_within_it():
    def judge(genes):
        error, cost = error_and_cost(genes)
        return error, cost / 2.0 - 1.0

    task = Task(space=TabularSpace((3,) * 6, CODES), objectives=1, limits=1, seed=1, budget=40)
    searcher = drive(Surrogate(task), 40, judge)
    outputs = searcher._outputs
    assert (outputs[:8, 1] > 0).all()
    assert outputs[outputs[:, 1] <= 0, 0].min() == 1.0 + 10**1.5


def test_a_margin_that_is_known_is_never_broken():
    def judge(genes):
        error, cost = error_and_cost(genes)
        return error, cost / 6.0 - 1.0

    known = {0: lambda genes: judge(genes)[1][:, 0]}
    space = TabularSpace((3,) * 6, CODES)
    searcher = Surrogate(Task(space=space, objectives=1, limits=1, seed=0, budget=30, known_margins=known))
    assert (drive(searcher, 30, judge)._outputs[:, 1] <= 0).all()


def test_it_finds_the_front_among_the_better_three_quarters_in_few_evaluations():
    def judge(genes):
        return np.concatenate(error_and_cost(genes), axis=1), np.zeros((1, 0))

    searcher = Surrogate(Task(space=TabularSpace((3,) * 6, CODES), objectives=2, limits=0, seed=0, budget=30))
    costs = drive(searcher, 30, judge)._objectives[:, 1]
    assert set(range(5, 13)) <= set(costs.astype(int))


def test_networks_that_surely_break_a_limit_leave_room_for_those_that_may_meet_it():
    """The better a network, the more it costs, and hundreds over the limit promise more than any within it."""

    def judge(genes):
        error, cost = error_and_cost(genes)
        return error + 0.3 * np.sin(genes @ np.arange(1, 7))[:, None], cost / 4.0 - 1.0

    task = Task(space=TabularSpace((3,) * 6, CODES), objectives=1, limits=1, seed=0, budget=60)
    outputs = drive(Surrogate(task), 60, judge)._outputs
    assert (outputs[30:, 1] <= 0).mean() > 0.5
