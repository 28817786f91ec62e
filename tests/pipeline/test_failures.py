"""Candidates that cannot be judged: failures with a reason, the search goes on, and they are tried again on request."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from edgenas.errors import BudgetError, ConfigError, DeviceError, StoreError, TrainingError
from edgenas.pipeline.search.candidate_judge import Judge, identify, objectives_of
from edgenas.pipeline.search.retrying import RetryingStore
from edgenas.search import STRATEGIES
from edgenas.space import load
from edgenas.study import Budget, Evaluation, Failure, Study, open_store

SPACE = load("tiny")
NOBODY = "DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"


def costs(genes):
    ones = np.ones(len(genes))
    return SimpleNamespace(latency_ms=ones, latency_error_ms=0 * ones, macs=genes.sum(1), params=genes.sum(1))


class Accuracy:
    """Says 0.5 of a network, or does what it is told to for networks with an even first sum of genes."""

    def __init__(self, broken=None) -> None:
        self.broken, self.seen = broken, 0

    def evaluate(self, genes):
        self.seen += 1
        if self.broken is not None and int(genes.sum()) % 2 == 0:
            if isinstance(self.broken, BaseException):
                raise self.broken
            return SimpleNamespace(accuracy=np.array([self.broken]), standard_error=np.array([0.1]))
        return SimpleNamespace(accuracy=np.array([0.5]), standard_error=np.array([0.1]))


def walk(accuracy, *, store=None, measure=None):
    study = Study(objectives=objectives_of(["accuracy", "macs"]), identify=identify(SPACE))
    searcher = STRATEGIES["random"](SPACE, objectives=2, limits=0, seed=3, budget=24)
    return study.run(searcher, Judge(SPACE, costs, accuracy, measure=measure), Budget(evaluations=24), store=store)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (TrainingError("the loss is not finite"), "the loss is not finite"),
        (DeviceError("the phone is gone"), "the phone is gone"),
        (RuntimeError(NOBODY), "DefaultCPUAllocator"),
        (MemoryError(), "MemoryError"),
        (float("nan"), "accuracy of the network is not a number"),
        (float("inf"), "accuracy of the network is not a number"),
    ],
)
def test_what_goes_wrong_with_one_network_is_its_failure_and_the_search_goes_on(error, reason):
    found = walk(Accuracy(error))
    failures = [outcome for outcome in found.outcomes if isinstance(outcome, Failure)]
    assert len(found) == 24 and 0 < len(failures) < 24
    assert all(reason in failure.reason and failure.digest for failure in failures)
    assert all(isinstance(found.outcomes[index], Evaluation) for index in found.front())


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), RuntimeError("size mismatch"), TypeError("x"), ConfigError("x"), StoreError("x")]
)
def test_an_interrupt_a_mistake_of_the_program_and_bad_input_end_the_search(error):
    with pytest.raises(type(error)):
        walk(Accuracy(error))


def test_a_device_that_refuses_a_network_makes_its_measurement_a_failure():
    def measure(network):
        raise DeviceError("the file is refused")

    with pytest.raises(BudgetError, match="none of 24 evaluations worked; got the file is refused.*retry_failures"):
        walk(Accuracy(), measure=measure).require_feasible()


def test_failures_are_replayed_and_tried_again_once_when_asked(tmp_path):
    store = open_store(tmp_path / "store.sqlite")
    first = walk(Accuracy(TrainingError("broke")), store=store)
    failed = int(first.results.failed.sum())
    replayed = Accuracy()
    assert int(walk(replayed, store=store).results.failed.sum()) == failed and replayed.seen == 0

    tried: set[str] = set()
    still = Accuracy(TrainingError("broke"))
    walk(still, store=RetryingStore(store, tried))
    assert still.seen == failed
    walk(still, store=RetryingStore(store, tried))
    assert still.seen == failed

    mended = Accuracy()
    assert not walk(mended, store=RetryingStore(store, set())).results.failed.any() and mended.seen == failed
    assert not walk(Accuracy(), store=store).results.failed.any()
    store.close()
