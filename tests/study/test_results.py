"""Results in columns: their shapes, their values, and parts of them."""

from __future__ import annotations

import numpy as np
import pytest

from edgenas.errors import SearchError
from edgenas.study.results import Result, Results, as_results

NAN = float("nan")


def columns(**changes: np.ndarray) -> Results:
    plain = {
        "genes": np.array([[0, 1], [2, 3]]),
        "objectives": np.array([[0.5, 2.0], [NAN, NAN]]),
        "violations": np.array([[0.25], [NAN]]),
        "failed": np.array([False, True]),
        "margins": np.array([[0.25], [NAN]]),
    }
    return Results(**(plain | changes))


def test_results_one_by_one_become_columns_and_failures_hold_nothing() -> None:
    good = Result(genes=(0, 1), objectives=(0.5, 2.0), violations=(0.25,))
    found = as_results([good, Result(genes=(2, 3), objectives=(), failed=True)], objectives=2, limits=1)
    wanted = columns()
    np.testing.assert_array_equal(found.genes, wanted.genes)
    np.testing.assert_array_equal(found.objectives, wanted.objectives)
    np.testing.assert_array_equal(found.violations, wanted.violations)
    assert found.failed.tolist() == [False, True] and found.margins is None


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("objectives", [[NAN, 2.0], [0.0, 0.0]], "not finite"),
        ("objectives", [[0.5, np.inf], [0.0, 0.0]], "not finite"),
        ("violations", [[NAN], [0.0]], "not finite"),
        ("violations", [[-0.5], [0.0]], "negative"),
        ("objectives", [[0.5], [0.5]], "shape of objectives"),
        ("violations", [[0.5, 0.0], [0.5, 0.0]], "shape of violations"),
        ("failed", [False], "shape of failures or margins"),
        ("margins", [[0.5, 0.0], [0.5, 0.0]], "shape of failures or margins"),
    ],
)
def test_a_column_that_cannot_be_is_refused(name: str, value: list, said: str) -> None:
    with pytest.raises(SearchError, match=said):
        as_results(columns(**{name: np.array(value)}), objectives=2, limits=1)


def test_what_failed_may_hold_anything() -> None:
    assert len(as_results(columns(violations=np.array([[0.0], [-1.0]])), objectives=2, limits=1)) == 2


def test_some_rows_keep_their_margins_or_that_there_are_none() -> None:
    some = columns().pick(np.array([True, False]))
    assert some.genes.tolist() == [[0, 1]] and some.margins.tolist() == [[0.25]]
    assert columns(margins=None).pick(np.array([0])).margins is None
