"""Held-out networks are measured until they are known."""

from __future__ import annotations

import numpy as np
import pytest

from edgenas.arch import Architecture
from edgenas.latency.predict import PopulationLatency
from edgenas.measure.protocol.held_out import Truth, measure_held_out, measure_passes
from edgenas.measure.protocol.visit import Target, Visit
from edgenas.measure.table.validate import inside_intervals
from edgenas.space import load
from tests.measure import fakes
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


@pytest.mark.parametrize("noise", [0.0001, 0.03])
def test_the_stated_coverage_is_that_of_the_true_latencies_however_noisy_the_validation(
    noise: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A device whose latencies are known, and predictions that are off them by 4 % with right intervals of 90 %.
    networks, level, relative = 50 * _networks(4), 0.9, 0.04
    known = {id(network): law(network) for network in networks[:4]}
    monkeypatch.setattr(fakes, "law", lambda network: known.get(id(network), 1.0))
    true = np.array([known[id(network)] for network in networks])
    off = np.random.default_rng(1).normal(0, relative / 1.645, len(true))
    latency = true * (1 + off)
    predicted = PopulationLatency(
        latency_ms=latency, low_ms=latency * (1 - relative), high_ms=latency * (1 + relative)
    )
    found = measure_passes(_bench(noise), networks, visits=3)
    right = np.mean((predicted.low_ms <= true) & (true <= predicted.high_ms))
    plain = inside_intervals(predicted, found.ratios, np.full(len(true), np.nan), level=level).mean()
    stated = inside_intervals(predicted, found.ratios, found.errors, level=level).mean()
    assert 0.87 < right < 0.93 and 0.87 < stated < 0.95
    assert plain == pytest.approx(right, abs=0.01) if noise < 0.001 else plain < right - 0.02


def test_a_measurement_that_contradicts_a_prediction_stays_outside() -> None:
    one = np.ones(1)
    predicted = PopulationLatency(latency_ms=one, low_ms=0.9 * one, high_ms=1.2 * one)
    for measured, error, inside in [(1.19, 0.0, True), (1.21, 0.0, False), (0.91, 0.0, True), (0.89, 0.0, False),
                                    (1.21, 0.05, True), (0.89, 0.05, True), (1.5, 0.05, False),
                                    (1.21, float("nan"), False)]:  # fmt: skip
        found = inside_intervals(predicted, measured * one, error * one, level=0.9)
        assert bool(found[0]) is inside, (measured, error)
