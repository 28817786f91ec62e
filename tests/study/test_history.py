"""What a run found: which are feasible, their front, and what is said where there is none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgenas.errors import BudgetError
from edgenas.study import Evaluation, Limit, Metric, Objective
from edgenas.study.history import History
from edgenas.study.results import Results

NAN = float("nan")
OBJECTIVES = (Objective(metric="accuracy", goal="maximise"), Objective(metric="ms", goal="minimise"))
LIMITS = (Limit(metric="ms", at_most=4.0), Limit(metric="accuracy", at_least=0.5))


def results(rows: list[tuple[float, float, float, float, bool]]) -> Results:
    """Results of (error, ms, violation of the first limit, of the second, failed)."""
    values = np.array([row[:4] for row in rows], dtype=np.float64).reshape(len(rows), 4)
    return Results(
        genes=np.arange(len(rows))[:, None],
        objectives=values[:, :2],
        violations=values[:, 2:],
        failed=np.array([row[4] for row in rows], dtype=bool),
    )


def evaluation(accuracy: float, ms: float) -> Evaluation:
    metrics = (("accuracy", Metric(value=accuracy)), ("ms", Metric(value=ms, unit="ms")))
    return Evaluation(digest=f"{ms}", genes=(0,), metrics=metrics)


def history(rows: list[tuple[float, float, float, float, bool]]) -> History:
    outcomes = [evaluation(1 - row[0], row[1]) for row in rows]
    return History.of(OBJECTIVES, LIMITS, [results(rows)], outcomes, from_store=0)


def test_feasible_is_what_worked_and_is_known_to_meet_every_limit() -> None:
    found = history(
        [
            (0.2, 3.0, 0.0, 0.0, False),
            (0.2, 3.0, 0.5, 0.0, False),
            (0.2, 3.0, 0.0, 0.5, False),
            (0.2, 3.0, 0.0, 0.0, True),
            (0.2, 3.0, NAN, 0.0, False),
        ]
    )
    assert found.feasible.tolist() == [True, False, False, False, False]


def test_the_front_is_sorted_by_the_first_objective_and_holds_no_other() -> None:
    found = history(
        [
            (0.5, 1.0, 0.0, 0.0, False),
            (0.1, 9.0, 1.0, 0.0, False),  # better, and over a limit
            (0.2, 3.0, 0.0, 0.0, False),
            (0.3, 3.5, 0.0, 0.0, False),  # dominated
            (0.3, 2.0, 0.0, 0.0, False),
        ]
    )
    assert found.front().tolist() == [2, 4, 0]
    assert [entry.digest for entry in found.front_evaluations()] == ["3.0", "2.0", "1.0"]


def test_only_the_limit_that_nothing_meets_is_named() -> None:
    found = history([(0.2, 5.0, 0.25, 0.0, False), (0.6, 4.5, 0.125, 0.2, False)])
    with pytest.raises(BudgetError) as error:
        found.require_feasible()
    assert "no network met a limit, among 2 evaluated" in str(error.value)
    assert "ms <= 4 ms, best found 4.5 ms" in str(error.value) and "accuracy" not in str(error.value)


def test_a_single_network_over_a_limit_is_named_too() -> None:
    with pytest.raises(BudgetError, match="accuracy >= 0.5, best found 0.4"):
        history([(0.6, 3.0, 0.0, 0.2, False)]).require_feasible()


def test_one_feasible_network_is_enough() -> None:
    history([(0.2, 5.0, 0.25, 0.0, False), (0.2, 3.0, 0.0, 0.0, False)]).require_feasible()


def test_a_run_without_a_batch_has_columns_without_rows() -> None:
    found = History.of(OBJECTIVES, LIMITS, [], [], from_store=0)
    columns = found.results
    assert columns.genes.shape == (0, 0) and columns.failed.shape == (0,)
    assert columns.objectives.shape == columns.violations.shape == columns.margins.shape == (0, 2)
    with pytest.raises(BudgetError, match="none of 0 evaluations worked.*nothing was evaluated"):
        found.require_feasible()


def test_batches_are_put_together_in_order_and_violations_stand_for_margins_that_are_not_known() -> None:
    first = results([(0.2, 3.0, 0.0, 0.5, False)])
    second = replace(results([(0.3, 2.0, 0.0, 0.0, True)]), margins=np.array([[-0.5, -0.1]]))
    found = History.of(OBJECTIVES, LIMITS, [first, second], [evaluation(0.8, 3.0)] * 2, from_store=1)
    assert found.results.objectives.tolist() == [[0.2, 3.0], [0.3, 2.0]]
    assert found.results.margins.tolist() == [[0.0, 0.5], [-0.5, -0.1]]
    assert found.results.failed.tolist() == [False, True]
    assert (len(found), found.from_store) == (2, 1)


def test_nothing_came_from_a_store_unless_told() -> None:
    found = History(objectives_of=OBJECTIVES, limits=LIMITS, outcomes=(), results=results([]))
    assert found.from_store == 0
