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


@pytest.mark.parametrize("seed", range(4))
def test_a_network_that_was_proposed_at_random_is_never_chosen_again_and_no_other_gets_its_place(seed):
    def judge(genes):
        return error_and_cost(genes)[0], np.zeros((len(genes), 0))

    known = {tuple(code): float(judge(code[None])[0][0, 0]) for code in CODES}
    task = Task(space=TabularSpace((3,) * 6, CODES), objectives=1, limits=0, seed=seed, budget=60)
    searcher = Surrogate(task)
    for _ in range(12):
        genes = searcher.ask(5)
        chosen = searcher._proposed
        assert not chosen or np.array_equal(searcher._pool[chosen], genes)
        values, margins = judge(genes)
        # Failures stay promising: what is not known of them is not learned.
        failed = genes.sum(axis=1) % 2 == 1
        searcher.tell(Results(genes=genes, objectives=values, violations=margins, margins=margins, failed=failed))
    assert [known[tuple(code)] for code in searcher._genes] == searcher._outputs[:, 0].tolist()


def test_what_is_pending_is_believed_and_not_proposed_beside_itself():
    def judge(genes):
        return error_and_cost(genes)[0], np.zeros((len(genes), 0))

    searcher = drive(
        Surrogate(Task(space=TabularSpace((3,) * 6, CODES), objectives=1, limits=0, seed=0, budget=60)), 12, judge
    )
    before = searcher._posteriors[0].variance.copy()
    pending = searcher.ask(3)
    searcher.ask(2)
    assert np.array_equal(searcher._pool[searcher._proposed[:3]], pending)
    index = searcher._proposed[0]
    assert [place for place, _ in searcher._posteriors[0]._open] == searcher._proposed, "each believed once"
    assert searcher._posteriors[0].variance[index] < 0.5 * before[index] + 1e-9


def test_told_in_parts_it_predicts_as_if_told_at_once():
    def judge(genes):
        return error_and_cost(genes)[0], np.zeros((len(genes), 0))

    found = []
    for parts in ([[0, 1]], [[1], [0]], [[1, 0]]):
        task = Task(space=TabularSpace((3,) * 6, CODES), objectives=1, limits=0, seed=0, budget=60)
        searcher = drive(Surrogate(task), 14, judge)  # It is fitted at 13 results and at 17
        genes = searcher.ask(2)
        for part in parts:
            values, margins = judge(genes[part])
            failed = np.zeros(len(part), dtype=bool)
            searcher.tell(
                Results(genes=genes[part], objectives=values, violations=margins, margins=margins, failed=failed)
            )
        searcher.ask(1)
        found.append(searcher._posteriors[0].mean)
    assert all(np.allclose(found[0], other, atol=0.05 * np.ptp(found[0])) for other in found[1:])
