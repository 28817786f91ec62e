"""Boxes and expected improvement, held against sampling and against the hypervolume."""

from __future__ import annotations

import numpy as np
import pytest

from edgenas.pareto import hypervolume
from edgenas.search.bayes.improvement import boxes, expected_improvement, hopeful
from edgenas.search.gp.predicted import Predicted
from edgenas.search.gp.warp import IDENTITY, LOG


@pytest.mark.parametrize("m", [1, 2, 3, 4])
@pytest.mark.parametrize("seed", range(5))
def test_the_boxes_hold_exactly_what_the_front_does_not_dominate(m, seed):
    front, reference = np.random.default_rng(seed).random((8, m)), np.ones(m)
    lower, upper = boxes(front, reference)
    volume = np.prod(upper - np.maximum(lower, 0.0), axis=1).sum()
    assert volume == pytest.approx(1.0 - hypervolume(front, reference))


@pytest.mark.parametrize("warps", [(IDENTITY,), (LOG,), (LOG, IDENTITY), (LOG, IDENTITY, LOG)])
def test_the_expected_improvement_is_the_mean_over_many_draws(warps):
    rng = np.random.default_rng(0)
    m = len(warps)
    front, reference = rng.uniform(0.5, 1.5, (5, m)), np.full(m, 1.4)
    mean = np.array([0.0 if w is LOG else 0.9 for w in warps])
    predicted = [
        Predicted(mean=np.array([a]), deviation=np.array([0.3]), warp=w) for a, w in zip(mean, warps, strict=True)
    ]
    draws = [w.backward(rng.normal(a, 0.3, 4000)) for a, w in zip(mean, warps, strict=True)]
    base = hypervolume(front, reference)
    gains = [hypervolume(np.vstack([front, point]), reference) - base for point in np.stack(draws, axis=1)]
    standard_error = np.std(gains) / np.sqrt(len(gains))
    assert expected_improvement(predicted, front, reference)[0] == pytest.approx(np.mean(gains), abs=4 * standard_error)


def test_an_empty_front_leaves_one_box():
    lower, upper = boxes(np.zeros((0, 2)), np.array([1.0, 2.0]))
    assert lower.tolist() == [[-np.inf, -np.inf]]
    assert upper.tolist() == [[1.0, 2.0]]


def test_only_candidates_that_could_improve_are_hopeful():
    predicted = [
        Predicted(mean=np.array([0.1, 0.9, 0.9, 2.0]), deviation=np.full(4, 0.01), warp=IDENTITY),
        Predicted(mean=np.array([0.1, 0.9, 0.1, 0.0]), deviation=np.full(4, 0.01), warp=IDENTITY),
    ]
    front, reference = np.array([[0.5, 0.5]]), np.array([1.0, 1.0])
    assert hopeful(predicted, front, reference, deviations=2.0).tolist() == [True, False, True, False]
