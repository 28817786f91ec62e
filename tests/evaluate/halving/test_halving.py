"""Successive halving and ASHA on curves that are known."""

import threading
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgenas.errors import ConfigError, SearchError, TrainingError
from edgenas.evaluate.halving import (
    AsynchronousHalving,
    HalvingResult,
    HalvingSettings,
    Job,
    asynchronous_halving,
    successive_halving,
)

SETTINGS = HalvingSettings(min_epochs=1, max_epochs=9, reduction=3)
RUNNERS: dict[str, Callable[..., HalvingResult]] = {
    "synchronous": successive_halving,
    "asynchronous": lambda *args: asynchronous_halving(*args, workers=1),
}


class Known:
    """Candidate i converges to qualities[i]; checks that pieces join up."""

    def __init__(self, qualities: list[float]) -> None:
        self.qualities = qualities
        self.trained = dict.fromkeys(range(len(qualities)), 0)

    def __call__(self, candidate: int, from_epoch: int, to_epoch: int) -> float:
        assert self.trained[candidate] == from_epoch < to_epoch
        self.trained[candidate] = to_epoch
        return self.qualities[candidate] * (1 - 0.5**to_epoch)


def test_rungs_grow_by_the_reduction_and_end_at_a_full_training() -> None:
    assert SETTINGS.rungs == (1, 3, 9)
    assert HalvingSettings(min_epochs=2, max_epochs=10, reduction=2).rungs == (2, 4, 8, 10)
    assert HalvingSettings(min_epochs=5, max_epochs=5).rungs == (5,)


def test_the_synchronous_form_spends_what_the_paper_says() -> None:
    evaluator = Known([number / 100 for number in range(27)])
    result = successive_halving(evaluator, 27, SETTINGS)
    assert sorted(evaluator.trained.values()) == [1] * 18 + [3] * 6 + [9] * 3
    assert result.epochs == 27 * 1 + 9 * 2 + 3 * 6
    assert result.full_epochs == 27 * 9
    assert result.best == 26


@pytest.mark.parametrize("name", RUNNERS)
@settings(deadline=None)
@given(qualities=st.lists(st.integers(1, 999), min_size=1, max_size=30, unique=True))
def test_where_the_order_never_changes_the_best_is_found(name: str, qualities: list[int]) -> None:
    values = [quality / 1000 for quality in qualities]
    result = RUNNERS[name](Known(values), len(values), SETTINGS)
    assert values[result.best] == max(values)
    assert result.accuracy == max(values) * (1 - 0.5**9)
    assert result.epochs <= result.full_epochs


@pytest.mark.parametrize("name", RUNNERS)
def test_partial_accuracies_are_flagged_and_never_the_result(name: str) -> None:
    class Collapses(Known):
        def __call__(self, candidate: int, from_epoch: int, to_epoch: int) -> float:
            return super().__call__(candidate, from_epoch, to_epoch) * (0.1 if to_epoch == 9 else 1)

    result = RUNNERS[name](Collapses([0.5 + number / 100 for number in range(9)]), 9, SETTINGS)
    best = result.curves[result.best]
    assert not best.partial and best.epochs == (1, 3, 9)
    assert any(curve.partial and curve.accuracies[-1] > result.accuracy for curve in result.curves)
    assert all(curve.partial == (curve.epochs[-1] < 9) for curve in result.curves)


@pytest.mark.parametrize("name", RUNNERS)
def test_a_candidate_that_cannot_be_trained_is_left_out_with_its_reason(name: str) -> None:
    class Fails(Known):
        def __call__(self, candidate: int, from_epoch: int, to_epoch: int) -> float:
            if candidate == 8:
                raise TrainingError("the loss is not finite")
            return float("nan") if candidate == 7 else super().__call__(candidate, from_epoch, to_epoch)

    result = RUNNERS[name](Fails([number / 10 for number in range(9)]), 9, SETTINGS)
    assert result.best == 6
    assert result.curves[8].failure == "the loss is not finite" and result.curves[8].epochs == ()
    assert result.curves[7].failure == "the accuracy is not a number"


@pytest.mark.parametrize("name", RUNNERS)
def test_when_the_best_fails_late_the_next_best_is_trained_fully(name: str) -> None:
    class Fails(Known):
        def __call__(self, candidate: int, from_epoch: int, to_epoch: int) -> float:
            if candidate == 8 and to_epoch == 9:
                raise TrainingError("the loss is not finite")
            return super().__call__(candidate, from_epoch, to_epoch)

    result = RUNNERS[name](Fails([number / 10 for number in range(9)]), 9, SETTINGS)
    assert result.best == 7
    assert result.curves[8].epochs == (1, 3) and result.curves[8].failure


@pytest.mark.parametrize("name", RUNNERS)
def test_when_nobody_can_be_trained_that_is_an_error(name: str) -> None:
    def fails(candidate: int, from_epoch: int, to_epoch: int) -> float:
        raise TrainingError("out of memory")

    with pytest.raises(TrainingError, match="no candidate could be trained to the end; got out of memory"):
        RUNNERS[name](fails, 4, SETTINGS)


def test_the_asynchronous_form_promotes_as_soon_as_a_third_is_beaten() -> None:
    scheduler = AsynchronousHalving(9, SETTINGS)
    for expected, accuracy in ((0, 0.5), (1, 0.9), (2, 0.1)):
        job = scheduler.next_job()
        assert job is not None and (job.candidate, job.rung) == (expected, 0)
        scheduler.report(job, accuracy)
    job = scheduler.next_job()
    assert job is not None
    assert (job.candidate, job.rung, job.from_epoch, job.to_epoch) == (1, 1, 1, 3)
    following = scheduler.next_job()
    assert following is not None and (following.candidate, following.rung) == (3, 0)


def test_the_asynchronous_form_prefers_the_highest_rung() -> None:
    scheduler = AsynchronousHalving(20, SETTINGS)

    def ask(count: int) -> list[Job]:
        jobs = [scheduler.next_job() for _ in range(count)]
        return [job for job in jobs if job is not None]

    def report(jobs: list[Job]) -> None:
        for job in jobs:
            scheduler.report(job, 0.9 - job.candidate / 100)

    first = ask(12)
    report(first[:9])
    second = ask(3)
    assert [(job.candidate, job.rung) for job in second] == [(0, 1), (1, 1), (2, 1)]
    report(first[9:])
    report(second)
    # Now candidate 3 may go to rung 1 and candidate 0 to rung 2.
    assert [(job.candidate, job.rung) for job in ask(2)] == [(0, 2), (3, 1)]


def test_asking_without_a_worker_to_spare_changes_nothing_when_all_is_done() -> None:
    scheduler = AsynchronousHalving(1, HalvingSettings(min_epochs=1, max_epochs=1))
    job = scheduler.next_job()
    assert job is not None and not scheduler.done
    assert scheduler.next_job() is None
    scheduler.report(job, 0.5)
    assert scheduler.done and scheduler.next_job() is None
    with pytest.raises(SearchError, match="not running"):
        scheduler.report(job, 0.5)


def test_several_workers_never_train_one_candidate_at_once() -> None:
    busy: set[int] = set()
    lock = threading.Lock()
    known = Known([number / 20 for number in range(20)])

    def evaluator(candidate: int, from_epoch: int, to_epoch: int) -> float:
        with lock:
            assert candidate not in busy
            busy.add(candidate)
        accuracy = known(candidate, from_epoch, to_epoch)
        with lock:
            busy.remove(candidate)
        return accuracy

    result = asynchronous_halving(evaluator, 20, SETTINGS, workers=4)
    assert len(result.curves) == 20
    assert result.epochs < result.full_epochs


def test_other_errors_are_not_swallowed() -> None:
    def broken(candidate: int, from_epoch: int, to_epoch: int) -> float:
        raise ZeroDivisionError

    for runner in RUNNERS.values():
        with pytest.raises(ZeroDivisionError):
            runner(broken, 3, SETTINGS)


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(ConfigError, match="reduction"):
        HalvingSettings(reduction=1)
    with pytest.raises(ConfigError, match="min_epochs"):
        HalvingSettings(min_epochs=5, max_epochs=3)
    with pytest.raises(ConfigError, match="nothing to train"):
        successive_halving(Known([]), 0, SETTINGS)
