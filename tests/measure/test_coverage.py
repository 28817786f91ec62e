"""Do intervals hold? Tables of synthetic devices, whose true latencies are known."""

from __future__ import annotations

import numpy as np
import pytest

from edgenas.arch import Architecture, lower
from edgenas.latency import graph_units
from edgenas.latency.model.crossval import cross_validate
from edgenas.latency.model.process import UnitFit
from edgenas.latency.model.work import group, position, work
from edgenas.measure import build_table
from edgenas.measure.table.design import covering_design, held_out, space_units
from edgenas.measure.table.fit import interval_of
from edgenas.space import load
from tests.measure.fakes import use

SPACE = load("tiny")
UNITS = space_units(SPACE)


def _device(seed: int) -> dict[str, float]:
    """Times of all units on a made-up device: rates of work, a smooth efficiency, whims of single units."""
    rng = np.random.default_rng(seed)
    units = UNITS
    amounts = np.array([work(unit) for unit in units.values()])
    typical = np.where(amounts.any(axis=0), amounts.mean(axis=0), 1.0)
    rates = {name: rng.lognormal(0, 0.7, 7) / typical for name in sorted({group(unit) for unit in units.values()})}
    waves, phases = 0.3 * rng.standard_normal((10, 4)), rng.uniform(0, 6, 4)
    return {
        key: 0.01 * float(work(unit) @ rates[group(unit)])
        * float(np.exp(0.3 * np.sin(position(unit) @ waves + phases).mean() + 0.08 * rng.standard_normal()))
        for key, unit in units.items()
    }  # fmt: skip


def _counts(codes: np.ndarray) -> np.ndarray:
    """How often each network (n,) contains each unit of the space (n, U)."""
    places = {key: place for place, key in enumerate(UNITS)}
    counts = np.zeros((len(codes), len(places)))
    for row, code in enumerate(codes):
        for unit, _ in graph_units(lower(SPACE.decode(code))):
            counts[row, places[unit.key]] += 1
    return counts


def _covered(device: int, networks: int, noise: float) -> float:
    """Share of held-out networks inside the interval of a table of a synthetic device."""
    units, times = list(UNITS.values()), np.array(list(_device(device).values()))
    design = covering_design(SPACE, networks, np.random.default_rng(device))
    known = _counts(design.genes)
    used = {SPACE.decode(code).digest for code in design.genes}
    asked = _counts(held_out(SPACE, 60, np.random.default_rng(device + 100), without=used))
    luck = np.exp(noise * np.random.default_rng(device).standard_normal(networks))
    ratios = (known @ times + 0.02) * luck
    seen = np.flatnonzero(known.sum(axis=0)).tolist()
    fit = UnitFit([units[place] for place in seen], known[:, seen], ratios, noise=noise)
    left_out = cross_validate(units, known, ratios, drawn=design.drawn, noise=noise)
    means, errors = (np.nan_to_num(found) for found in fit.times(units))
    predicted = asked @ means + fit.constant + fit.per_unit * asked.sum(axis=1)
    errors[seen] = 0.0
    half = np.hypot(interval_of(left_out, noise).relative * predicted, 1.645 * np.sqrt(asked @ errors**2))
    return float((np.abs(predicted - (asked @ times + 0.02)) <= half).mean())


@pytest.mark.parametrize(("networks", "devices"), [(10, 16), (16, 16), (24, 8), (60, 4)])
def test_the_interval_holds_what_it_promises_however_few_networks(networks: int, devices: int) -> None:
    covered = [_covered(device, networks, noise=0.01) for device in range(devices)]
    assert np.mean(covered) >= 0.85, covered


@pytest.mark.parametrize("device", [0, 1])
def test_a_table_of_eight_networks_says_that_it_is_none(monkeypatch: pytest.MonkeyPatch, device: int) -> None:
    times = _device(device)

    def law(architecture: Architecture) -> float:
        return 0.02 + sum(times[unit.key] for unit, _ in graph_units(lower(architecture)))

    use(monkeypatch, noise=0.02)
    monkeypatch.setattr("tests.measure.fakes.law", law)
    assert build_table(SPACE, networks=8, seed=device).build.warnings


def test_a_disturbed_machine_is_told_from_too_few_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, noise=0.4)
    (line, *_) = build_table(SPACE, networks=12, seconds=0.0, force=True).build.warnings
    assert "build again when the machine is quiet" in line
