"""Do intervals hold? Tables of synthetic devices, whose true latencies are known."""

from __future__ import annotations

import numpy as np
import pytest

from edgenas.arch import Architecture, lower
from edgenas.latency import SpaceLatency, graph_units
from edgenas.latency.features import group, position, work
from edgenas.measure import build_table
from edgenas.measure.design import covering_design, held_out, space_units
from edgenas.space import load
from tests.measure.fakes import REFERENCE_MS, use

SPACE = load("tiny")
DEVICES = range(4)


def _device(seed: int) -> dict[str, float]:
    """Times of all units on a made-up device: rates of work, a smooth efficiency, whims of single units."""
    rng = np.random.default_rng(seed)
    units = space_units(SPACE)
    amounts = np.array([work(unit) for unit in units.values()])
    typical = np.where(amounts.any(axis=0), amounts.mean(axis=0), 1.0)
    rates = {name: rng.lognormal(0, 0.7, 7) / typical for name in sorted({group(unit) for unit in units.values()})}
    waves, phases = 0.3 * rng.standard_normal((10, 4)), rng.uniform(0, 6, 4)
    return {
        key: 0.01 * float(work(unit) @ rates[group(unit)])
        * float(np.exp(0.3 * np.sin(position(unit) @ waves + phases).mean() + 0.08 * rng.standard_normal()))
        for key, unit in units.items()
    }  # fmt: skip


def _covered(monkeypatch: pytest.MonkeyPatch, device: int, networks: int) -> tuple[float, bool]:
    """Share of held-out networks inside their interval, and whether the build warned."""
    times = _device(device)

    def law(architecture: Architecture) -> float:
        return 0.02 + sum(times[unit.key] for unit, _ in graph_units(lower(architecture)))

    use(monkeypatch, noise=0.02)
    monkeypatch.setattr("tests.measure.fakes.law", law)
    table = build_table(SPACE, networks=networks, seed=device)
    used = covering_design(SPACE, networks, np.random.default_rng(device)).genes
    codes = held_out(SPACE, 60, np.random.default_rng(device + 100), without=used)
    truth = REFERENCE_MS * np.array([law(SPACE.decode(code)) for code in codes])
    found = SpaceLatency(table, SPACE).predict(codes)
    return float(((found.low_ms <= truth) & (truth <= found.high_ms)).mean()), bool(table.build.warnings)


@pytest.mark.parametrize("networks", [10, 16, 24, 60])
def test_the_interval_holds_what_it_promises_however_few_networks(
    monkeypatch: pytest.MonkeyPatch, networks: int
) -> None:
    covered = [_covered(monkeypatch, device, networks)[0] for device in DEVICES]
    assert np.mean(covered) >= 0.85, covered
    assert min(covered) >= 0.6, covered


def test_a_table_of_eight_networks_says_that_it_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    assert all(_covered(monkeypatch, device, 8)[1] for device in DEVICES)


def test_a_disturbed_machine_is_told_from_too_few_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, noise=0.4)
    (line, *_) = build_table(SPACE, networks=12, seconds=0.0, force=True).build.warnings
    assert "build again when the machine is quiet" in line
