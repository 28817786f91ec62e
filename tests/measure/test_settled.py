"""Hot is what a loop over one network sees, on devices whose caches another network empties."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from edgenas.arch.notation import format_notation
from edgenas.errors import InputError
from edgenas.latency import LatencyTable, SpaceLatency
from edgenas.latency.records import Settling
from edgenas.measure import ModelFile, Protocol, build_table, measure_files, validate_table
from edgenas.measure.device.agent import settle_runs
from edgenas.measure.protocol.settle import excess_of, settle_of, settled_after
from edgenas.measure.protocol.timing import rounds
from edgenas.space import load
from tests.measure.caches import FLOOR_MS, CachedDevice, settled_ms

SPACE = load("tiny")


def _bias(table: LatencyTable) -> float:
    """Mean of prediction over settled latency, less one, of 60 networks."""
    genes = SPACE.sample(60, np.random.default_rng(7))
    truth = np.array([settled_ms(SPACE.decode(code)) for code in genes])
    return float((SpaceLatency(table, SPACE).predict(genes).latency_ms / truth - 1).mean())


@pytest.mark.parametrize("decay", [0.3, 0.6, 0.75])
def test_a_table_holds_settled_latencies_whatever_ran_before(monkeypatch: pytest.MonkeyPatch, decay: float) -> None:
    table = build_table(SPACE, networks=40, device=CachedDevice(monkeypatch, decay=decay))
    assert abs(_bias(table)) < 0.01
    assert table.build.settling[0].first_percent == pytest.approx(24, abs=4)
    assert table.build.floor_ms == pytest.approx(FLOOR_MS, rel=0.02)


def test_the_slower_caches_fill_the_more_runs_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = []
    for decay in (0.0, 0.3, 0.75):
        table = build_table(SPACE, networks=12, device=CachedDevice(monkeypatch, decay=decay))
        counts.append(table.build.settling[0].samples)
    assert counts[0] <= 1 < counts[1] < counts[2]


def test_a_build_that_goes_on_uses_the_calibration_that_it_had(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kept = tmp_path / "samples.jsonl"
    table = build_table(SPACE, networks=10, device=CachedDevice(monkeypatch, decay=0.75), samples=kept)
    kept.write_text("".join(kept.read_text().splitlines(keepends=True)[:6]))
    device = CachedDevice(monkeypatch, decay=0.0)
    again = build_table(SPACE, networks=10, device=device, samples=kept)
    assert again.build.settling == table.build.settling and again.build.floor_ms == table.build.floor_ms
    # Neither a turn of the calibration nor one of another protocol.
    assert set(device.settles) == {settle_of(table.build.settling)}


def test_a_validation_of_a_settled_table_finds_no_bias(monkeypatch: pytest.MonkeyPatch) -> None:
    device = CachedDevice(monkeypatch)
    table = validate_table(build_table(SPACE, networks=40, device=device), SPACE, networks=30, device=device)
    assert table.validation is not None and table.validation.loops is not None
    loops = table.validation.loops
    assert abs(loops.bias_percent) < 1.0 and abs(loops.protocol_percent) < 1.0 and loops.networks == 5
    assert loops.coverage_percent >= 80
    # The loops' bias and its error add less than half a percent to the interval.
    assert table.interval.unbiased <= table.interval.relative < table.interval.unbiased + 0.005
    assert not table.faults


def test_a_validation_notices_a_protocol_that_measures_lukewarm_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    device = CachedDevice(monkeypatch, decay=0.9)
    monkeypatch.setattr(
        "edgenas.measure.protocol.visit.measured_settling",
        lambda names, take, how: tuple(
            Settling(network=name, latency_ms=1.0, samples=1, inner=1, first_percent=0.0) for name in names
        ),
    )
    table = validate_table(build_table(SPACE, networks=40, device=device), SPACE, networks=30, device=device)
    assert table.validation is not None and table.validation.loops is not None
    # Held-out networks that the same protocol measures show nothing.
    assert table.validation.mape_percent < 2.0
    assert table.validation.loops.bias_percent > 4 and table.validation.loops.protocol_percent > 4
    assert table.interval.relative > max(abs(table.interval.bias), 1.2 * table.interval.unbiased)


@pytest.mark.parametrize("count", [1, 2, 4])
def test_files_are_measured_settled_too_alone_and_beside_others(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    device = CachedDevice(monkeypatch, decay=0.75)
    engine = SimpleNamespace(name="ort", version=lambda: "1", open=device.open)
    monkeypatch.setattr("edgenas.measure.files.runtime_of", lambda file: engine)
    genes = SPACE.sample(count, np.random.default_rng(1))
    files = [
        ModelFile(name=str(place), data=format_notation(SPACE.decode(code)).encode(), file_format="onnx")
        for place, code in enumerate(genes)
    ]
    found = measure_files(files)
    truth = [settled_ms(SPACE.decode(code)) for code in genes]
    assert [each.latency_ms for each in found] == pytest.approx(truth, rel=0.01)


def test_a_network_is_settled_where_what_would_count_is_within_a_percent() -> None:
    curve = np.array([0.33, 0.14, 0.07, 0.03, 0.008, 0.002, 0.0, 0.001, *[0.0] * 8])
    assert settled_after(curve, counted=4) == 4
    assert settled_after(np.zeros(16), counted=4) == 0
    assert settled_after(np.full(16, 0.5), counted=4) == 8


def test_the_clock_s_drift_and_a_disturbed_turn_do_not_look_like_caches() -> None:
    turns = np.outer([1.0, 1.1, 1.2, 1.3, 1.4], np.ones(24))
    turns[2, 0:4] *= 5.0
    assert np.abs(excess_of(turns)).max() < 1e-9


def test_networks_between_two_known_ones_settle_in_between_and_faster_ones_never_sooner() -> None:
    known = ((1.0, 8), (10.0, 2))
    assert [settle_runs(1e6 * ms, known) for ms in (0.1, 1.0, 10**0.5, 10.0, 90.0)] == [8, 8, 5, 2, 2]
    records = [
        Settling(network=name, latency_ms=ms, samples=samples, inner=1, first_percent=1.0)
        for name, ms, samples in (("large", 9.0, 3), ("small", 1.0, 5), ("middle", 4.0, 1))
    ]
    assert settle_of(records) == ((1.0, 5), (4.0, 3), (9.0, 3))


@pytest.mark.parametrize("settle", [(), ((0.0, 3),), ((1.0, -1),), ((1.0, 1000),), ((float("nan"), 3),)])
def test_a_protocol_that_cannot_settle_is_refused(settle: tuple[tuple[float, int], ...]) -> None:
    with pytest.raises(InputError, match="settle cannot be"):
        Protocol(settle=settle)


def test_no_turn_follows_a_turn_of_the_same_network() -> None:
    for mode in ("hot", "cold"):
        orders = rounds(3, Protocol(mode=mode, bursts=40, runs=2), np.random.default_rng(0))  # type: ignore[arg-type]
        turns = [place for order in orders for place in order]
        assert all(first != second for first, second in zip(turns, turns[1:], strict=False))
        assert {tuple(sorted(order)) for order in orders} == {(0, 1, 2)}
