"""Errors of networks that a fit never saw."""

from __future__ import annotations

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
        error=values, unexplained=np.abs(values), by_macs=2 * values, drawn=np.full(len(values), drawn)
    )  # fmt: skip


def test_a_network_is_predicted_as_by_a_fit_without_it() -> None:
    units, counts, ratios = _measured(14, noise=0.01)
    found = cross_validate(units, counts, ratios, drawn=np.arange(14) > 8, noise=0.01)
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
        1 + cross_validate(units, counts, found, drawn=drawn, noise=0.01).error[5] for found in (ratios, wild)
    )
    assert 3 * after == pytest.approx(before, rel=1e-6)


def test_errors_of_few_networks_are_larger_than_the_fit_admits() -> None:
    units, counts, ratios = _measured(12, noise=0.01)
    fit = UnitFit(units, counts, ratios, noise=0.01)
    seen = counts @ fit.times(units)[0] + fit.constant + fit.per_unit * counts.sum(axis=1)
    found = cross_validate(units, counts, ratios, drawn=np.ones(12, dtype=bool), noise=0.01)
    assert np.abs(found.error).mean() > 2 * np.abs(seen / ratios - 1).mean()


def test_every_network_is_judged_in_its_place() -> None:
    units, counts, ratios = _measured(40, noise=0.01)
    drawn = np.arange(40) >= 24
    found = cross_validate(units, counts, ratios, drawn=drawn, noise=0.01)
    assert np.array_equal(found.drawn, drawn)
    assert found.median < 0.05
    wild = ratios.copy()
    wild[30] *= 2
    again = cross_validate(units, counts, wild, drawn=drawn, noise=0.01)
    assert int(np.argmax(np.abs(again.error))) == 30


def test_the_quantile_of_many_is_the_conformal_one_of_the_drawn() -> None:
    assert _left_out(*range(1, 40)).quantile() == 36  # ceil(40 * 0.9)
    mixed = LeftOut(
        error=np.arange(60.0), unexplained=np.arange(60.0), by_macs=np.zeros(60), drawn=np.arange(60) >= 40
    )  # fmt: skip
    assert mixed.quantile() == 40 + 18  # ceil(21 * 0.9)-th of 20


def test_fewer_drawn_networks_give_a_wider_interval() -> None:
    widths = [_left_out(*[1.0] * count).quantile() for count in (2, 4, 8, 16, 40)]
    assert widths == sorted(widths, reverse=True) and widths[0] > 2 * widths[-1]
    assert _left_out(1.0, 2.0, drawn=False).quantile() == pytest.approx(3.0)  # no such quantile: widened 3 / 2


def test_what_unmeasured_units_announce_is_not_counted_twice() -> None:
    units, counts, ratios = _measured(8, noise=0.01)
    found = cross_validate(units, counts, ratios, drawn=np.ones(8, dtype=bool), noise=0.01)
    assert (found.unexplained <= np.abs(found.error) + 1e-12).all()
    assert (found.unexplained < np.abs(found.error) - 1e-6).any()
