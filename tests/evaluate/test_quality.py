"""What an estimator answers is checked, and the message names the estimator."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from edgenas.errors import PluginError, TrainingError
from edgenas.evaluate import registry
from edgenas.evaluate.quality import Quality
from edgenas.evaluate.registry import Estimator, EstimatorTask, Judgement
from edgenas.pipeline.search.candidate_judge import Judge
from edgenas.space import load
from edgenas.study import Evaluation, Failure, Limit

SPACE = load("tiny")


def quality(monkeypatch, row: Estimator) -> Quality:
    monkeypatch.setattr("edgenas.evaluate.quality.ESTIMATORS", Rows(row))
    task = EstimatorTask(name="toy", space=SPACE, data=None, preprocessing=None, training=None, device="cpu",
                         folder=Path())  # fmt: skip
    return Quality(task)


class Rows:
    def __init__(self, row: Estimator) -> None:
        self._row = row

    def __getitem__(self, name: str) -> Estimator:
        return self._row

    def origin(self, name: str) -> str:
        return "toyparts 1.0"


@pytest.mark.parametrize("answer", [1.2, -0.1, "good", None, True, (0.5,), (1.2, None), ("0.5", None), (0.5, -1.0),
                                    (0.5, math.nan), (0.5, "wide"), (np.array([0.5, 0.5]), None)])  # fmt: skip
def test_a_wrong_answer_is_one_error_that_names_the_estimator(monkeypatch, answer):
    with pytest.raises(PluginError, match=r"the estimator toy gives no judgement; got .*; allowed: .*toyparts 1\.0"):
        quality(monkeypatch, Estimator(make=lambda task: lambda genes: answer)).one(SPACE.smallest())


@pytest.mark.parametrize(
    "answer", [[], [Judgement(value=0.5)], [Judgement(value=0.5)] * 3, [0.5, 0.5], 0.5, None,
               [Judgement(value=0.5, fidelity=0.0)] * 2, [Judgement(value=2.0)] * 2],
)  # fmt: skip
def test_a_wrong_answer_about_several_is_one_error_too(monkeypatch, answer):
    with pytest.raises(PluginError, match="the estimator toy gives no judgement"):
        quality(monkeypatch, Estimator(compare=lambda task: lambda genes: answer)).several(SPACE.sample(2, rng()))


def rng():
    return np.random.default_rng(0)


def test_a_score_may_be_any_number_and_one_that_is_none_is_a_failure(monkeypatch):
    values = iter([-3.0e4, math.inf, math.nan])
    row = Estimator(make=lambda task: lambda genes: (next(values), None), source="score", unit="")
    score = quality(monkeypatch, row)
    assert score.one(SPACE.smallest()) == Judgement(value=-3.0e4)
    assert "the estimator toy gave a value that is not a number" in score.one(SPACE.smallest()).failure
    assert score.one(SPACE.smallest()).failure


def test_what_breaks_in_a_package_is_said_in_one_line_and_a_failed_training_stays_one(monkeypatch):
    def broken(genes):
        raise ValueError("shapes differ")

    def failed(genes):
        raise TrainingError("the loss is not finite")

    with pytest.raises(PluginError, match=r"toy gives no judgement; got ValueError: shapes differ"):
        quality(monkeypatch, Estimator(make=lambda task: broken)).one(SPACE.smallest())
    with pytest.raises(TrainingError):
        quality(monkeypatch, Estimator(make=lambda task: failed)).one(SPACE.smallest())
    with pytest.raises(PluginError, match="got KeyError"):
        quality(monkeypatch, Estimator(make=lambda task: {}["x"]))


def costs(genes):
    ones = np.ones(len(genes))
    return SimpleNamespace(latency_ms=np.arange(len(genes)), latency_error_ms=0 * ones, macs=ones, params=ones)


def test_candidates_beyond_a_limit_are_not_compared_with_those_within(monkeypatch):
    groups = []

    def compare(genes):
        groups.append(len(genes))
        return [Judgement(value=0.5, fidelity=1.0 if row == 0 else 0.1) for row in range(len(genes))]

    judge = Judge(SPACE, costs, quality(monkeypatch, Estimator(compare=lambda task: compare)),
                  limits=[Limit(metric="latency_ms", at_most=2.5)])  # fmt: skip
    outcomes = list(judge(SPACE.sample(7, rng())))
    assert groups == [3, 4] and all(isinstance(entry, Evaluation) for entry in outcomes)
    assert [entry.fidelity for entry in outcomes] == [1.0, 0.1, 0.1, 1.0, 0.1, 0.1, 0.1]


def test_a_batch_of_which_none_can_be_trained_is_so_many_failures(monkeypatch):
    def compare(genes):
        raise TrainingError("no candidate could be trained to the end")

    judge = Judge(SPACE, costs, quality(monkeypatch, Estimator(compare=lambda task: compare)))
    outcomes = list(judge(SPACE.sample(3, rng())))
    assert len(outcomes) == 3 and all(isinstance(entry, Failure) for entry in outcomes)
    assert {entry.reason for entry in outcomes} == {"no candidate could be trained to the end"}


def test_every_estimator_of_edgenas_says_what_it_gives():
    for name in registry.ESTIMATORS:
        row = registry.ESTIMATORS[name]
        assert row.needs_supernet == (row.source == "inherited") and (row.unit == "") == (row.source == "score")
        assert all(callable(registry.function_of(place)) for place in (row.make, row.compare) if place is not None)
