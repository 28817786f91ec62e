"""The values of a study: what stands in them unless told, and what they refuse."""

from __future__ import annotations

import pytest

from edgenas.errors import SearchError
from edgenas.study import Budget, Evaluation, Failure, Limit, Objective

NAN = float("nan")


def test_an_evaluation_is_final_and_free_unless_told() -> None:
    found = Evaluation(digest="d", genes=(0,), metrics=())
    assert (found.fidelity, found.seconds, Failure(reason="no").seconds) == (1.0, 0.0, 0.0)


def test_one_evaluation_and_little_time_are_a_budget() -> None:
    assert Budget(evaluations=1, seconds=0.5).evaluations == 1


@pytest.mark.parametrize("limit", [{"at_most": NAN}, {"at_least": NAN}, {"at_most": float("inf")}])
def test_a_limit_that_is_not_finite_is_refused(limit: dict[str, float]) -> None:
    with pytest.raises(SearchError, match="must be finite"):
        Limit(metric="ms", **limit)


def test_a_limit_of_zero_is_a_limit() -> None:
    assert Limit(metric="ms", at_most=0.0).at_most == Objective(metric="ms", goal="minimise", limit=0.0).limit == 0.0
