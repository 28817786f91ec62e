"""The fit: it finds the times that made the sums, knows what it does not know, and repeats itself."""

from __future__ import annotations

import numpy as np
import pytest

from edgenas.arch import lower
from edgenas.latency import Unit, graph_units
from edgenas.latency.model.process import UnitFit
from edgenas.latency.model.work import Trend, group
from edgenas.measure.table.design import covering_design, space_units
from tests.latency.examples import tiny, true_ratio


def _measured(networks: int, noise: float) -> tuple[list[Unit], np.ndarray, np.ndarray]:
    """Units, counts and ratios of networks whose units obey `true_ratio`, every third of them 30 % slower."""
    design = covering_design(tiny(), networks, np.random.default_rng(0))
    lists = [[unit for unit, _ in graph_units(lower(tiny().decode(code)))] for code in design.genes]
    units = list({unit.key: unit for row in lists for unit in row}.values())
    counts = np.array([[sum(other == unit for other in row) for unit in units] for row in lists], dtype=float)
    times = np.array([_time(unit) for unit in units])
    ratios = counts @ times + 0.02
    return units, counts, ratios * np.exp(noise * np.random.default_rng(1).standard_normal(len(ratios)))


def _time(unit: Unit) -> float:
    return true_ratio(unit) * (1.3 if unit.result.channels % 3 == 0 else 1.0)


def test_held_out_networks_are_predicted_close_to_the_noise_and_better_than_by_a_trend() -> None:
    units, counts, ratios = _measured(80, noise=0.01)
    fit = UnitFit(units, counts[:60], ratios[:60], noise=0.01)
    times, _ = fit.times(units)
    predicted = counts[60:] @ times + fit.constant + fit.per_unit * counts[60:].sum(axis=1)
    trend = counts[60:] @ Trend.fit(units, ratios[:60], counts=counts[:60]).times(units)
    error, by_trend = (float(np.abs(found / ratios[60:] - 1).mean()) for found in (predicted, trend))
    assert error < 0.03
    assert error < 0.7 * by_trend, (error, by_trend)


def test_a_network_that_was_measured_often_counts_for_more() -> None:
    units, counts, ratios = _measured(30, noise=0.0)
    wild = ratios.copy()
    wild[3] *= 1.1
    once, often = np.ones(30), np.ones(30)
    once[3], often[3] = 0.05, 20.0

    def predicted(visits: np.ndarray) -> float:
        fit = UnitFit(units, counts, wild, noise=0.02, visits=visits)
        return float(counts[3] @ fit.times(units)[0] + fit.constant + fit.per_unit * counts[3].sum())

    assert abs(predicted(once) / ratios[3] - 1) < abs(predicted(often) / ratios[3] - 1)


def test_a_fit_repeats_to_the_last_bit() -> None:
    first, second = (UnitFit(*_measured(20, noise=0.01)) for _ in range(2))
    units = list(space_units(tiny()).values())
    assert np.array_equal(first.times(units)[0], second.times(units)[0])


def test_times_are_not_negative_and_unmeasured_units_are_less_certain() -> None:
    units, counts, ratios = _measured(40, noise=0.005)
    keep = [place for place, unit in enumerate(units) if group(unit) != "depthwise5s1" or place % 2]
    rows = counts[:, [place for place in range(len(units)) if place not in keep]].sum(axis=1) == 0
    fit = UnitFit([units[place] for place in keep], counts[rows][:, keep], ratios[rows], noise=0.005)
    times, errors = fit.times(units)
    left = [place for place in range(len(units)) if place not in keep and np.isfinite(times[place])]
    assert np.nanmin(times) >= 0
    if left:
        same = [place for place in keep if group(units[place]) == "depthwise5s1"]
        assert (errors[left] / times[left]).mean() > (errors[same] / times[same]).mean()


def test_a_group_that_was_never_measured_is_estimated_with_an_error_that_says_so() -> None:
    units, counts, ratios = _measured(40, noise=0.0)
    for name in sorted({group(unit) for unit in units}):
        strange = np.array([group(unit) == name for unit in units])
        rows = counts[:, strange].sum(axis=1) == 0
        # Every network has a stem and a head; they are taken out of the ratios.
        without = ratios - counts[:, strange] @ np.array([true_ratio(unit) for unit in units])[strange]
        others = [unit for unit, out in zip(units, strange, strict=True) if not out]
        fit = UnitFit(others, counts[:, ~strange], np.where(rows, ratios, without), noise=0.01)
        asked = [unit for unit, out in zip(units, strange, strict=True) if out]
        times, errors = fit.times(asked)
        truth = np.array([true_ratio(unit) for unit in asked])
        assert (times > 0).all() and (errors >= times).all()
        assert (np.abs(times - truth) <= 1.645 * errors).mean() >= 0.9, name


def test_a_trend_recovers_rates_from_unit_times() -> None:
    units = list(space_units(tiny()).values())
    times = np.array([true_ratio(unit) for unit in units])
    found = Trend.fit(units, times).times(units)
    assert np.abs(found / times - 1).mean() == pytest.approx(0, abs=0.05)
