"""Do intervals hold? Tables of synthetic devices, whose true latencies are known."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.latency_coverage import Bench, cell
from edgenas.arch import Architecture, lower
from edgenas.latency import graph_units
from edgenas.latency.model.work import group, position, work
from edgenas.measure import build_table
from edgenas.measure.table.design import space_units
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
    waves, phases = 0.3 * rng.standard_normal((len(position(next(iter(units.values())))), 4)), rng.uniform(0, 6, 4)
    return {
        key: 0.01 * float(work(unit) @ rates[group(unit)])
        * float(np.exp(0.3 * np.sin(position(unit) @ waves + phases).mean() + 0.08 * rng.standard_normal()))
        for key, unit in units.items()
    }  # fmt: skip


@pytest.mark.parametrize(("name", "networks", "tables"), [("tiny", 4, 16), ("tiny", 16, 8), ("ofa_mobilenet_v3", 6, 8)])
def test_the_interval_holds_what_it_promises_on_devices_of_an_independent_law(
    name: str, networks: int, tables: int
) -> None:
    bench = Bench(name, tested=60)
    designs = bench.designs(networks, 4)
    (found,) = cell(bench, designs, 0.015, steps=(1.0,), most=tables, least_error=0.0)
    assert np.mean([said.coverage for said in found]) >= 0.85


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
