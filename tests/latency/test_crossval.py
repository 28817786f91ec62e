"""Errors of networks that a fit never saw."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgenas.arch import lower
from edgenas.latency import Unit, graph_units
from edgenas.latency.model.crossval import LeftOut, cross_validate
from edgenas.latency.model.process import UnitFit
from edgenas.measure.table.design import covering_design
from tests.latency.examples import tiny, true_ratio


def _measured(networks: int, noise: float) -> tuple[list[Unit], np.ndarray, np.ndarray]:
    """Units, counts and ratios of a design of `tiny`; every third width is 30 % slower than the law."""
    design = covering_design(tiny(), networks, np.random.default_rng(0))
    lists = [[unit for unit, _ in graph_units(lower(tiny().decode(code)))] for code in design.genes]
    units = list({unit.key: unit for row in lists for unit in row}.values())
    counts = np.array([[sum(other == unit for other in row) for unit in units] for row in lists], dtype=float)
    times = np.array([true_ratio(unit) * (1.3 if unit.result.channels % 3 == 0 else 1.0) for unit in units])
    ratios = counts @ times + 0.02
    return units, counts, ratios * np.exp(noise * np.random.default_rng(1).standard_normal(len(ratios)))


def _left_out(*scores: float, drawn: bool = True) -> LeftOut:
    values = np.array(scores, dtype=float)
    return LeftOut(
        error=values, measured_error=0 * values, by_macs=2 * values, drawn=np.full(len(values), drawn)
    )  # fmt: skip


def test_a_network_is_predicted_as_by_a_fit_without_it() -> None:
    units, counts, ratios = _measured(14, noise=0.01)
    found = cross_validate(units, counts, ratios, drawn=np.arange(14) > 8, others=counts[:0], noise=0.01)
    others = np.arange(14) != 5
    seen = counts[others].any(axis=0)
    fit = UnitFit([unit for unit, there in zip(units, seen, strict=True) if there], counts[others][:, seen],
                  ratios[others], noise=0.01, visits=np.ones(13))  # fmt: skip
    predicted = counts[5] @ fit.times(units)[0] + fit.constant + fit.per_unit * counts[5].sum()
    assert found.error[5] == pytest.approx(predicted / ratios[5] - 1)


def test_a_wild_measurement_of_a_network_does_not_touch_its_own_prediction() -> None:
    units, counts, ratios = _measured(14, noise=0.0)
    wild = ratios.copy()
    wild[5] *= 3
    drawn = np.arange(14) > 8
    before, after = (
        1 + cross_validate(units, counts, found, drawn=drawn, others=counts[:0], noise=0.01).error[5]
        for found in (ratios, wild)
    )
    assert 3 * after == pytest.approx(before, rel=1e-6)


def test_errors_of_few_networks_are_larger_than_the_fit_admits() -> None:
    units, counts, ratios = _measured(12, noise=0.01)
    fit = UnitFit(units, counts, ratios, noise=0.01)
    seen = counts @ fit.times(units)[0] + fit.constant + fit.per_unit * counts.sum(axis=1)
    found = cross_validate(units, counts, ratios, drawn=np.ones(12, dtype=bool), others=counts[:0], noise=0.01)
    assert np.abs(found.error).mean() > 2 * np.abs(seen / ratios - 1).mean()


def test_every_network_is_judged_in_its_place() -> None:
    units, counts, ratios = _measured(40, noise=0.01)
    drawn = np.arange(40) >= 24
    found = cross_validate(units, counts, ratios, drawn=drawn, others=counts[:0], noise=0.01)
    assert np.array_equal(found.drawn, drawn)
    assert found.median < 0.05
    wild = ratios.copy()
    wild[30] *= 2
    again = cross_validate(units, counts, wild, drawn=drawn, others=counts[:0], noise=0.01)
    assert int(np.argmax(np.abs(again.error))) == 30


def test_the_half_width_is_students_interval_of_the_drawn_errors() -> None:
    # t(0.95; 4) = 2.132, squared errors 4 on average, one network more to predict.
    assert _left_out(2.0, -2.0, 2.0, -2.0).quantile() == pytest.approx(2.1318 * 2 * np.sqrt(1.25), rel=1e-4)
    mixed = LeftOut(
        error=np.r_[np.zeros(40), np.ones(20)], measured_error=np.zeros(60), by_macs=np.zeros(60),
        drawn=np.arange(60) >= 40,
    )  # fmt: skip
    assert mixed.quantile() == pytest.approx(1.7247 * np.sqrt(1.05), rel=1e-4)


def test_what_the_measurements_are_off_is_no_error_of_the_prediction() -> None:
    exact = _left_out(*[2.0] * 40)
    noisy = replace(exact, measured_error=np.full(40, 1.0))
    assert exact.quantile() ** 2 - noisy.quantile() ** 2 == pytest.approx(1.6448536**2)
    assert replace(exact, measured_error=np.full(40, 9.0)).quantile() == 0.0
    assert replace(exact, measured_error=np.full(40, 9.0), unsteadiness=0.5).quantile() > 0.6


def test_fewer_drawn_networks_give_a_wider_interval() -> None:
    widths = [_left_out(*[1.0] * count).quantile() for count in (2, 4, 8, 16, 40)]
    assert widths == sorted(widths, reverse=True) and widths[0] > 2 * widths[-1]


def test_errors_count_as_they_are_whatever_the_fit_believes_of_itself() -> None:
    # The old guard subtracted what unmeasured units announced, so these four networks said +-0.7 %.
    assert _left_out(0.029, 0.022, 0.004, 0.018).quantile() > 0.029
