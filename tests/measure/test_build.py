"""Building, resuming and validating, with networks that obey a law instead of a clock."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgenas.errors import DeviceError, InputError, TableError
from edgenas.latency import SpaceLatency, predict, table_digest
from edgenas.measure import Business, build_table, check_table, validate_table
from edgenas.measure.table.build import reference_of
from edgenas.measure.table.design import space_units
from edgenas.measure.table.validate import held_out_networks
from edgenas.space import load
from tests.measure.fakes import law, use


def test_a_built_table_predicts_held_out_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch)
    space = load("tiny")
    table = validate_table(build_table(space, networks=40), space, networks=30)
    assert table.validation is not None
    assert table.validation.mape_percent < 1.5
    assert table.validation.kendall_tau > 0.95
    assert table.validation.interval_coverage_percent >= 80
    assert set(table.entries) == set(space_units(space))
    assert table.build.visits >= 44 and table.build.switches > 0
    architecture = space.decode(space.smallest())
    assert predict(table, architecture).latency_ms == pytest.approx(0.03 * law(architecture), rel=0.05)


def test_more_noise_gives_a_wider_interval_and_more_visits(monkeypatch: pytest.MonkeyPatch) -> None:
    tables = []
    for noise in (0.002, 0.1):
        use(monkeypatch, noise=noise)
        tables.append(build_table(load("tiny"), networks=20))
    # The interval is of true latencies: noise enters it through the fit alone, so a little of it may not show.
    assert tables[0].interval.relative < tables[1].interval.relative
    assert tables[0].interval.visit_noise < 0.006 < 0.02 < tables[1].interval.visit_noise
    assert tables[0].build.visits < tables[1].build.visits


def test_no_further_visit_begins_that_would_exceed_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, noise=0.05)
    assert build_table(load("tiny"), networks=20, seconds=0.0).build.visits == 29
    assert build_table(load("tiny"), networks=20, seconds=3.05).build.visits == 30


def test_a_device_that_goes_away_keeps_what_was_measured_and_the_build_goes_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kept = tmp_path / "samples.jsonl"
    use(monkeypatch, gone_after=9, noise=0.0)
    with pytest.raises(DeviceError, match=r"stopped after 9 of 29 visits; they are kept in .*samples\.jsonl"):
        build_table(load("tiny"), networks=20, samples=kept)
    fake = use(monkeypatch, noise=0.0)
    table = build_table(load("tiny"), networks=20, samples=kept)
    assert fake.visits == table.build.visits - 9
    again = use(monkeypatch, noise=0.0)
    assert table_digest(replace(build_table(load("tiny"), networks=20, samples=kept), build=table.build)) == (
        table_digest(table)
    )
    assert again.visits == 0


def test_a_line_that_a_killed_build_did_not_finish_is_measured_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kept = tmp_path / "samples.jsonl"
    use(monkeypatch, noise=0.0)
    build_table(load("tiny"), networks=10, samples=kept)
    kept.write_text(kept.read_text()[:-30])
    fake = use(monkeypatch, noise=0.0)
    build_table(load("tiny"), networks=10, samples=kept)
    assert fake.visits == 1


def test_samples_of_another_build_are_refused_by_what_differs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    kept = tmp_path / "samples.jsonl"
    use(monkeypatch)
    build_table(load("tiny"), networks=10, samples=kept)
    with pytest.raises(TableError, match="another networks"):
        build_table(load("tiny"), networks=12, samples=kept)


def test_damaged_samples_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    kept = tmp_path / "samples.jsonl"
    use(monkeypatch)
    build_table(load("tiny"), networks=10, samples=kept)
    lines = kept.read_text().splitlines(keepends=True)
    kept.write_text("".join([lines[0], "{broken\n", *lines[2:]]))
    with pytest.raises(TableError, match="damaged"):
        build_table(load("tiny"), networks=10, samples=kept)


@pytest.mark.parametrize("networks", [0, 3, -1])
def test_too_few_networks_are_refused(networks: int) -> None:
    with pytest.raises(InputError, match="too few networks"):
        build_table(load("tiny"), networks=networks)


def test_a_busy_machine_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch)
    monkeypatch.setattr("edgenas.measure.device.local.business", lambda: Business(load_per_core=4.0, stolen=0.7))
    with pytest.raises(DeviceError, match="too busy"):
        build_table(load("tiny"), networks=10)
    assert build_table(load("tiny"), networks=10, force=True).build.load_per_core == 4.0


def test_a_drift_of_the_clock_is_reported_and_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, noise=0.0)
    space = load("tiny")
    table = build_table(space, networks=40)
    use(monkeypatch, noise=0.0, drift=1.5)
    found = validate_table(table, space, networks=20).validation
    assert found is not None
    assert found.reference_drift_percent == pytest.approx(50, abs=0.1)
    assert found.mape_percent < 1.0


def test_a_check_tells_the_clock_from_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, noise=0.0)
    table = build_table(load("tiny"), networks=20)
    use(monkeypatch, noise=0.0, drift=0.8)
    found = check_table(table)
    assert found.passed and found.reference_drift == pytest.approx(-0.2)
    assert table.at_clock(found.reference_ms).reference.latency_ms == pytest.approx(0.024)
    several = [replace(table.probes[0], ratio=table.probes[0].ratio * 1.2), *table.probes[1:]]
    assert not check_table(replace(table, probes=tuple(several))).passed
    wrong = replace(table, probes=tuple(replace(probe, ratio=probe.ratio * 1.2) for probe in table.probes))
    assert not check_table(wrong).passed


def test_a_check_of_a_table_without_probes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, noise=0.0)
    table = build_table(load("tiny"), networks=20)
    with pytest.raises(TableError, match="no networks to check it by"):
        check_table(replace(table, probes=()))


@pytest.mark.parametrize("drift", [0.45, 2.2])
def test_a_check_fails_at_a_clock_that_is_another_machine_s(monkeypatch: pytest.MonkeyPatch, drift: float) -> None:
    use(monkeypatch, noise=0.0)
    table = build_table(load("tiny"), networks=20)
    use(monkeypatch, noise=0.0, drift=drift)
    found = check_table(table)
    assert not found.passed and f"takes {drift:.2f} times" in found.doubts[0]


def test_a_noisy_build_is_not_true_of_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, noise=0.0)
    table = build_table(load("tiny"), networks=20)
    noisy = replace(table, interval=replace(table.interval, visit_noise=0.2))
    wrong = [replace(noisy.probes[0], ratio=noisy.probes[0].ratio * 1.25), *noisy.probes[1:]]
    assert not check_table(replace(noisy, probes=tuple(wrong))).passed


def test_a_table_says_what_it_was_fitted_to_and_no_such_network_is_held_out(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch)
    space = load("tiny")
    table = build_table(space, networks=20)
    assert len(set(table.build.measured)) == 20
    drawn = held_out_networks(table, space, 10, 0)
    # Networks that would have been drawn are left out once the table says that they were measured.
    known = replace(table.build, measured=tuple(space.decode(code).digest for code in drawn))
    again = held_out_networks(replace(table, build=known), space, 10, 0)
    assert not {space.decode(code).digest for code in again} & set(known.measured)


@pytest.mark.parametrize("set_aside", [{1}, {1, 2}])
def test_a_build_goes_on_where_second_visits_are_set_aside(
    monkeypatch: pytest.MonkeyPatch, set_aside: set[int]
) -> None:
    use(monkeypatch, noise=0.02, set_aside=frozenset(set_aside))
    table = build_table(load("tiny"), networks=20, seconds=0.0)
    assert 0 < table.interval.visit_noise < 0.05 and 0 < table.interval.relative < 1


def test_a_build_of_which_nothing_repeats_ends_with_one_clear_error_and_keeps_its_visits(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fake = use(monkeypatch, set_aside=frozenset(range(1, 20)))
    with pytest.raises(DeviceError, match="too unsteady to measure.*goes on from what was measured"):
        build_table(load("tiny"), networks=12, samples=tmp_path / "samples.jsonl")
    assert fake.visits >= 3 * 12
    use(monkeypatch, set_aside=frozenset())
    assert build_table(load("tiny"), networks=12, samples=tmp_path / "samples.jsonl").build.networks == 12


def test_a_validation_with_one_visit_goes_on_until_the_truth_has_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, noise=0.03)
    space = load("tiny")
    found = validate_table(build_table(space, networks=30), space, networks=8, visits=1).validation
    assert found is not None and found.visits > 1
    assert found.measured_error_percent is not None and 0.5 < found.measured_error_percent < 5


def test_what_changes_all_networks_but_the_reference_is_drift_and_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, noise=0.0)
    space = load("tiny")
    table = build_table(space, networks=40)
    assert len(table.probes) == 9
    fake = use(monkeypatch, noise=0.0, shift=1.02)
    found = validate_table(table, space, networks=20).validation
    assert found is not None and fake.visits == 2 * (20 + 9) + 2 * 5
    assert found.reference_drift_percent == pytest.approx(2.0, abs=0.1)
    assert found.mape_percent < 1.0 and found.visits == 2.0


def test_a_check_of_a_foreign_table_measures_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = use(monkeypatch)
    table = build_table(load("tiny"), networks=10)
    before = fake.visits
    found = check_table(replace(table, runtime=replace(table.runtime, version="0.0.1")))
    assert not found.passed and "version: '0.0.1' in the table" in found.differences[0]
    assert fake.visits == before


def test_a_validation_of_a_foreign_table_or_space_or_of_nothing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch)
    space = load("tiny")
    table = build_table(space, networks=10)
    with pytest.raises(TableError, match="another space"):
        validate_table(table, load("ofa_mobilenet_v3"), networks=3)
    with pytest.raises(TableError, match="another target"):
        validate_table(replace(table, device=replace(table.device, cpu="Other")), space, networks=3)
    with pytest.raises(InputError, match="at least one network"):
        validate_table(table, space, networks=0)


def test_progress_is_reported_to_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, noise=0.0)
    seen: list[tuple[int, int]] = []
    build_table(load("tiny"), networks=10, progress=lambda done, total, what: seen.append((done, total)))
    assert seen[-1][0] == seen[-1][1] == len(seen)


def test_a_table_predicts_every_member_of_its_space_though_no_network_held_some_groups(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    space = load("edge_lite")
    reference = law(reference_of(space))
    use(monkeypatch, reference_law=reference)
    # None of these four networks holds a dense convolution of stride 1.
    table = build_table(space, networks=4, seed=1)
    assert set(table.entries) == set(space_units(space))
    (warning,) = [line for line in table.build.warnings if "no measured network contains any conv3s1 (" in line]
    assert "error of 100 %" in warning
    strange = [entry for key, entry in table.entries.items() if key.startswith("conv k3 s1")]
    assert strange and all(entry.networks == 0 and entry.error >= entry.ratio > 0 for entry in strange)
    genes = space.sample(300, np.random.default_rng(0))
    found = SpaceLatency(table, space).predict(genes)
    truth = np.array([0.03 * law(space.decode(code)) / reference for code in genes])
    assert ((found.low_ms <= truth) & (truth <= found.high_ms)).mean() >= 0.87
