"""The study: translation of outcomes, the loop, resume by replay, what it says when nothing is feasible."""

from __future__ import annotations

import signal
import sqlite3
import time

import numpy as np
import pytest

from benchmarks.tables import TabularSpace
from edgenas.errors import BudgetError, SearchError
from edgenas.search import STRATEGIES
from edgenas.study import Budget, Context, Evaluation, Failure, Limit, Metric, Objective, Study, open_store

CODES = np.indices((4, 4, 4)).reshape(3, -1).T
CONTEXT = Context(evaluator="sum", settings="{}", data="none", device="cpu")
OBJECTIVES = (Objective(metric="accuracy", goal="maximise"), Objective(metric="latency_ms", goal="minimise", limit=6.0))


class Judge:
    """Counts what it is asked for; fails where the first two genes are 3; may be killed after some evaluations."""

    def __init__(self, *, dies_after=10**9):
        self.calls, self.dies_after = 0, dies_after

    def __call__(self, genes):
        for row in genes:
            if self.calls == self.dies_after:
                raise KeyboardInterrupt
            self.calls += 1
            yield self.outcome(row)

    def outcome(self, row):
        if row[0] == row[1] == 3:
            return Failure(reason="out of memory", digest=str(row))
        accuracy = Metric(value=1 - 1 / (1 + row.sum()), source="trained")
        latency = Metric(value=1.0 + row.sum(), standard_error=0.1, unit="ms")
        genes = tuple(int(v) for v in row)
        return Evaluation(digest=str(row), genes=genes, metrics=(("accuracy", accuracy), ("latency_ms", latency)))


def searcher(seed=0, strategy="nsga2"):
    return STRATEGIES[strategy](TabularSpace((4, 4, 4), CODES), objectives=2, limits=1, seed=seed, budget=40)


def study(**changes):
    return Study(**({"objectives": OBJECTIVES, "context": CONTEXT, "batch": 5} | changes))


def test_shares_become_errors_other_maximised_metrics_change_sign_and_limits_become_violations():
    metrics = (("accuracy", Metric(value=0.8)), ("fps", Metric(value=20.0, unit="1/s")), ("ms", Metric(value=12.0)))
    outcome = Evaluation(digest="d", genes=(0,), metrics=metrics)
    wanted = Study(
        objectives=(
            Objective(metric="accuracy", goal="maximise", limit=0.9),
            Objective(metric="fps", goal="maximise"),
            Objective(metric="ms", goal="minimise", limit=10.0),
        ),
        limits=(Limit(metric="fps", at_least=10.0),),
    )
    results = wanted.results(np.zeros((2, 1), dtype=int), [outcome, Failure(reason="no")])
    assert results.objectives[0] == pytest.approx([0.2, -20.0, 12.0])
    assert results.violations[0] == pytest.approx([1 / 9, 0.2, 0.0])
    assert results.margins[0] == pytest.approx([1 / 9, 0.2, -1.0])
    assert results.failed.tolist() == [False, True]
    assert np.isnan(results.objectives[1]).all()


def test_a_run_spends_its_budget_and_gives_the_front_of_the_feasible():
    history = study().run(searcher(), Judge(), Budget(evaluations=40))
    assert len(history) == 40
    assert history.results.failed.any()
    front = history.results.objectives[history.front()]
    assert (front[:, 1] <= 6.0).all()
    assert (np.diff(front[:, 0]) >= 0).all() and (np.diff(front[:, 1]) <= 0).all()
    assert all(isinstance(e, Evaluation) for e in history.front_evaluations())


def test_a_run_ends_where_the_space_is_exhausted():
    assert len(study().run(searcher(), Judge(), Budget(evaluations=1000))) == 64


def test_a_run_stops_when_its_time_is_over():
    assert len(study().run(searcher(), Judge(), Budget(evaluations=60, seconds=1e-9))) == 0


def test_a_killed_run_loses_nothing_and_goes_on_as_if_it_had_not_been_killed(tmp_path):
    whole = study().run(searcher(), Judge(), Budget(evaluations=40))
    store = open_store(tmp_path / "store.sqlite")
    with pytest.raises(KeyboardInterrupt):
        study().run(searcher(), Judge(dies_after=17), Budget(evaluations=40), store=store)
    store.close()
    store, judge = open_store(tmp_path / "store.sqlite"), Judge()
    resumed = study().run(searcher(), judge, Budget(evaluations=40), store=store)
    assert judge.calls == 40 - 17
    assert resumed.from_store == 17
    assert resumed.outcomes == whole.outcomes


class Interrupted(Judge):
    """Ctrl-C is pressed in the middle of an evaluation."""

    def __init__(self, *, at: int, times: int = 1):
        super().__init__()
        self.at, self.times = at, times

    def outcome(self, row):
        if self.calls == self.at:
            for _ in range(self.times):
                signal.raise_signal(signal.SIGINT)
        return super().outcome(row)


@pytest.mark.parametrize(("times", "stored"), [(1, 17), (2, 16)])
def test_ctrl_c_finishes_the_evaluation_and_a_second_time_does_not(tmp_path, times, stored):
    store, judge = open_store(tmp_path / "store.sqlite"), Interrupted(at=17, times=times)
    with pytest.raises(KeyboardInterrupt):
        study().run(searcher(), judge, Budget(evaluations=40), store=store)
    assert (judge.calls, len(store)) == (17, stored)
    resumed = study().run(searcher(), Judge(), Budget(evaluations=40), store=store)
    assert resumed.outcomes == study().run(searcher(), Judge(), Budget(evaluations=40)).outcomes


def test_a_killed_process_loses_no_evaluation_that_it_had_finished(tmp_path):
    place, seen = tmp_path / "store.sqlite", []

    class Slow(Judge):
        def outcome(self, row):
            with sqlite3.connect(place) as connection:
                seen.append(connection.execute("SELECT count(*) FROM outcomes").fetchone()[0])
            time.sleep(0.002)
            return super().outcome(row)

    study().run(searcher(), Slow(), Budget(evaluations=12), store=open_store(place))
    assert seen == list(range(12))


def test_a_second_run_evaluates_nothing(tmp_path):
    store = open_store(tmp_path / "store.sqlite")
    study().run(searcher(), Judge(), Budget(evaluations=30), store=store)
    again = Judge()
    study().run(searcher(), again, Budget(evaluations=30), store=store)
    assert again.calls == 0


def test_another_context_shares_nothing(tmp_path):
    store = open_store(tmp_path / "store.sqlite")
    study().run(searcher(), Judge(), Budget(evaluations=10), store=store)
    other, judge = Context(evaluator="sum", settings='{"epochs": 2}', data="none", device="cpu"), Judge()
    study(context=other).run(searcher(), judge, Budget(evaluations=10), store=store)
    assert judge.calls == 10


def test_progress_is_told_after_every_batch():
    seen = []
    study().run(searcher(), Judge(), Budget(evaluations=12), progress=seen.append)
    assert [p.evaluated for p in seen] == [5, 10, 12]
    assert seen[-1].planned == 12


def test_a_limit_that_nothing_meets_is_named_with_the_best_found():
    hard = study(objectives=(OBJECTIVES[0], Objective(metric="latency_ms", goal="minimise", limit=0.5)))
    history = hard.run(searcher(), Judge(), Budget(evaluations=64))
    assert len(history.front()) == 0
    with pytest.raises(BudgetError, match=r"latency_ms <= 0.5 ms, best found 1 ms"):
        history.require_feasible()


def test_limits_that_exclude_each_other_are_both_named():
    limits = (Limit(metric="accuracy", at_least=0.85), Limit(metric="latency_ms", at_most=2.0))
    wanted = Study(objectives=(OBJECTIVES[0],), limits=limits)
    random = STRATEGIES["random"](TabularSpace((4, 4, 4), CODES), objectives=1, limits=2, seed=0, budget=64)
    with pytest.raises(BudgetError, match=r"together.*accuracy >= 0.85.*latency_ms <= 2 ms"):
        wanted.run(random, Judge(), Budget(evaluations=64)).require_feasible()


def test_a_search_in_which_everything_fails_says_why():
    def failing(genes):
        return [Failure(reason="no camera") for _ in genes]

    history = study().run(searcher(), failing, Budget(evaluations=20))
    with pytest.raises(BudgetError, match="none of 20 evaluations worked.*no camera"):
        history.require_feasible()


def test_an_evaluator_that_gives_too_few_outcomes_is_refused(tmp_path):
    with pytest.raises(SearchError, match="one outcome a candidate"):
        study().run(searcher(), lambda genes: [], Budget(evaluations=5))
    with pytest.raises(SearchError, match="one outcome a candidate"):
        study().run(searcher(), lambda genes: [], Budget(evaluations=5), store=open_store(tmp_path / "s"))


def test_a_metric_that_is_missing_is_named():
    outcome = Evaluation(digest="d", genes=(0,), metrics=(("macs", Metric(value=1.0)),))
    with pytest.raises(SearchError, match="accuracy.*macs"):
        study().results(np.zeros((1, 1), dtype=int), [outcome])


@pytest.mark.parametrize(
    "make",
    [
        lambda: Study(objectives=()),
        lambda: Study(objectives=OBJECTIVES + OBJECTIVES[:1]),
        lambda: Objective(metric="accuracy", goal="best"),
        lambda: Objective(metric="accuracy", goal="maximise", limit=float("nan")),
        lambda: Limit(metric="macs"),
        lambda: Limit(metric="macs", at_most=1.0, at_least=0.0),
        lambda: Budget(evaluations=0),
        lambda: Budget(evaluations=5, seconds=0.0),
        lambda: Metric(value=float("nan")),
        lambda: Metric(value=1.0, source="guessed"),
    ],
)
def test_impossible_values_are_refused_when_they_are_made(make):
    with pytest.raises(SearchError):
        make()


@pytest.mark.parametrize("limit", [{"at_most": 0.0}, {"at_least": 0.0}])
def test_a_margin_against_a_limit_of_zero_is_in_the_units_of_the_metric(limit):
    wanted = Study(objectives=(Objective(metric="ms", goal="minimise"),), limits=(Limit(metric="gap", **limit),))
    metrics = (("ms", Metric(value=1.0)), ("gap", Metric(value=0.5)))
    results = wanted.results(np.zeros((1, 1), dtype=int), [Evaluation(digest="d", genes=(0,), metrics=metrics)])
    assert results.margins[0] == pytest.approx([0.5 if "at_most" in limit else -0.5])


class Clock:
    """A clock that goes on by 0.4 seconds an evaluation, from an hour that is not 0."""

    def __init__(self, monkeypatch):
        self.now, self.seconds = 1000.0, 0.4
        monkeypatch.setattr("edgenas.study.study.time.monotonic", lambda: self.now)

    def judge(self, genes):
        for row in genes:
            self.now += self.seconds
            yield Judge().outcome(row)


class Kept:
    """A store that notes how many outcomes each transaction held."""

    def __init__(self):
        self.held, self.known = [], {}

    def get_many(self, keys):
        return {key: self.known[key] for key in keys if key in self.known}

    def put_many(self, outcomes, *, context=None):
        self.held.append(len(outcomes))
        self.known |= outcomes


def test_outcomes_are_kept_one_by_one_where_each_took_a_millisecond_and_at_the_end(monkeypatch):
    clock, store = Clock(monkeypatch), Kept()
    history = study(batch=8).run(searcher(), clock.judge, Budget(evaluations=8), store=store)
    assert store.held == [1] * 8
    clock.seconds = 0.0004
    store = Kept()
    history = study(batch=8).run(searcher(), clock.judge, Budget(evaluations=8), store=store)
    assert store.held == [3, 3, 2]
    assert list(store.known.values()) == list(history.outcomes)


def test_a_quick_batch_is_kept_at_once(monkeypatch):
    clock, store = Clock(monkeypatch), Kept()
    clock.seconds = 0.0
    study(batch=8).run(searcher(), clock.judge, Budget(evaluations=8), store=store)
    assert store.held == [8]


def test_the_time_of_a_budget_counts_from_the_start_of_the_run(monkeypatch):
    clock, seen = Clock(monkeypatch), []
    history = study().run(searcher(), clock.judge, Budget(evaluations=60, seconds=5.0), progress=seen.append)
    # A batch of five takes 2 seconds: a third begins before the fifth.
    assert len(history) == 15
    assert [p.seconds for p in seen] == pytest.approx([2.0, 4.0, 6.0])


def test_without_a_store_nothing_came_from_one_and_failures_are_counted():
    seen = []
    history = study().run(searcher(), Judge(), Budget(evaluations=40), progress=seen.append)
    assert history.from_store == 0 and {p.from_store for p in seen} == {0}
    assert seen[-1].failed == int(history.results.failed.sum()) > 0
