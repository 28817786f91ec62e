"""Errors of networks that a fit never saw."""

from __future__ import annotations

import numpy as np
import pytest

from edgenas.arch import lower
from edgenas.latency import Unit, graph_units
from edgenas.latency.crossval import LeftOut, cross_validate
from edgenas.latency.fit import UnitFit
from edgenas.measure.design import covering_design
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


def _left_out(*scores: float) -> LeftOut:
    values = np.array(scores)
    return LeftOut(error=values, unexplained=np.abs(values), by_macs=2 * values)


def test_a_network_is_predicted_as_by_a_fit_without_it() -> None:
    units, counts, ratios = _measured(14, noise=0.01)
    found = cross_validate(units, counts, ratios, tested=np.arange(14) == 5, noise=0.01)
    others = np.arange(14) != 5
    seen = counts[others].any(axis=0)
    fit = UnitFit([unit for unit, there in zip(units, seen, strict=True) if there], counts[others][:, seen],
                  ratios[others], noise=0.01, visits=np.ones(13))  # fmt: skip
    predicted = counts[5] @ fit.times(units)[0] + fit.constant + fit.per_unit * counts[5].sum()
    assert found.error == pytest.approx([predicted / ratios[5] - 1])


def test_a_wild_measurement_of_a_network_does_not_touch_its_own_prediction() -> None:
    units, counts, ratios = _measured(14, noise=0.0)
    wild = ratios.copy()
    wild[5] *= 3
    tested = np.arange(14) == 5
    before, after = (
        1 + cross_validate(units, counts, found, tested=tested, noise=0.01).error[0] for found in (ratios, wild)
    )
    assert 3 * after == pytest.approx(before, rel=1e-6)


def test_errors_of_few_networks_are_larger_than_the_fit_admits() -> None:
    units, counts, ratios = _measured(12, noise=0.01)
    fit = UnitFit(units, counts, ratios, noise=0.01)
    seen = counts @ fit.times(units)[0] + fit.constant + fit.per_unit * counts.sum(axis=1)
    found = cross_validate(units, counts, ratios, tested=np.ones(12, dtype=bool), noise=0.01)
    assert np.abs(found.error).mean() > 2 * np.abs(seen / ratios - 1).mean()


def test_only_tested_networks_are_judged_and_all_of_them() -> None:
    units, counts, ratios = _measured(40, noise=0.01)
    tested = np.arange(40) >= 24
    found = cross_validate(units, counts, ratios, tested=tested, noise=0.01)
    assert len(found.error) == len(found.by_macs) == 16
    assert found.median < 0.05


def test_the_quantile_is_the_conformal_one() -> None:
    assert _left_out(*range(1, 20)).quantile() == 18  # ceil(20 * 0.9)
    assert _left_out(*range(1, 11)).quantile() == 10  # ceil(11 * 0.9)
    assert _left_out(1.0, -2.0).quantile() == pytest.approx(3.0)  # no such quantile: widened 3 / 2


def test_what_unmeasured_units_announce_is_not_counted_twice() -> None:
    units, counts, ratios = _measured(8, noise=0.01)
    found = cross_validate(units, counts, ratios, tested=np.ones(8, dtype=bool), noise=0.01)
    assert (found.unexplained <= np.abs(found.error) + 1e-12).all()
    assert (found.unexplained < np.abs(found.error) - 1e-6).any()
