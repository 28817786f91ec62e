"""Held-out networks are measured until they are known."""

from __future__ import annotations

import numpy as np
import pytest

from edgenas.arch import Architecture
from edgenas.measure.protocol.held_out import Truth, measure_held_out, measure_passes
from edgenas.measure.protocol.visit import Target, Visit
from edgenas.space import load
from tests.measure.fakes import FakeBench, law


def _networks(count: int) -> list[Architecture]:
    space = load("tiny")
    return [space.decode(code) for code in space.sample(count, np.random.default_rng(0))]


def _bench(noise: float) -> FakeBench:
    kind = type("Fake", (FakeBench,), {"noise": noise})
    return kind(Target(), _networks(1)[0])  # type: ignore[no-any-return]


class _Unsteady(FakeBench):
    """One network repeats worse than the others."""

    noise = 0.001

    def __init__(self, wild: Architecture) -> None:
        super().__init__(Target(), wild)
        self._wild, self.asked = wild, 0

    def visit(self, architecture: Architecture) -> Visit:
        type(self).noise = 0.2 if architecture == self._wild else 0.001
        self.asked += architecture == self._wild
        return super().visit(architecture)


def test_quiet_networks_are_visited_as_often_as_asked() -> None:
    found = measure_held_out(_bench(0.001), _networks(10), visits=2, target_error=0.0075)
    assert {len(visits) for visits in found.visits} == {2}
    assert found.errors.max() < 0.0075
    assert found.ratios == pytest.approx([law(network) for network in _networks(10)], rel=0.01)


def test_noisy_networks_are_visited_again_but_not_for_ever() -> None:
    found = measure_held_out(_bench(0.03), _networks(10), visits=2, target_error=0.0075)
    assert max(len(visits) for visits in found.visits) == 6
    once = measure_passes(_bench(0.03), _networks(10), visits=2)
    assert np.mean(found.errors) < np.mean(once.errors)


def test_only_the_network_that_repeats_badly_is_visited_again() -> None:
    networks = _networks(8)
    bench = _Unsteady(networks[3])
    found = measure_held_out(bench, networks, visits=3, target_error=0.02)  # type: ignore[arg-type]
    others = [len(visits) for index, visits in enumerate(found.visits) if index != 3]
    assert bench.asked == len(found.visits[3]) > max(others)


def test_visits_of_a_network_lie_apart() -> None:
    steps: list[tuple[int, int]] = []
    measure_passes(_bench(0.0), _networks(3), visits=2, progress=lambda done, total, what: steps.append((done, total)))
    assert steps == [(step, 6) for step in range(1, 7)]


def test_the_error_of_the_truth_falls_with_visits() -> None:
    few, many = (measure_passes(_bench(0.02), _networks(12), visits=visits) for visits in (2, 8))
    assert isinstance(few, Truth)
    assert many.errors.mean() < 0.7 * few.errors.mean()
