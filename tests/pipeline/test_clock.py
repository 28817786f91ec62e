"""A machine that changes its pace (by more than the 35 % of a tiny table's interval): the budget is that of now."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from edgenas.errors import BudgetError
from edgenas.latency import read_table
from edgenas.pipeline.search.clock import Clock, _clock
from edgenas.pipeline.stages import search as stage
from tests.measure.fakes import REFERENCE_MS, FakeBench, use
from tests.pipeline.conftest import steady_files
from tests.pipeline.test_run_safety import run

ABSOLUTE = ["target.budget_share=null"]


def files_at(fake: type[FakeBench]):
    """Stand for `measure_files` on a machine of the fake's pace: a larger file takes longer, the reference its own."""

    def measure(files, **_: object):
        found, pace = steady_files(files), fake.drift
        return tuple(
            replace(each, latency_ms=each.latency_ms * pace, standard_error_ms=each.standard_error_ms * pace)
            for each in found
        )

    return measure


def _document(folder: Path, name: str) -> dict:
    return json.loads((folder / "quickstart" / name).read_text())


@pytest.fixture(scope="module")
def budget_ms(tmp_path_factory) -> float:
    folder = tmp_path_factory.mktemp("first")
    run(folder)
    return _document(folder, "search.json")["budget_table_ms"]


def test_a_step_of_the_clock_in_the_middle_of_a_search_lets_it_search_again(tmp_path, budget_ms, monkeypatch) -> None:
    fake, said, searched = use(monkeypatch, noise=0.002), [], stage._searched

    def step(context, clock):
        found = searched(context, clock)
        fake.drift = 0.5
        return found

    monkeypatch.setattr(stage, "_searched", step)
    monkeypatch.setattr("edgenas.measure.measure_files", files_at(fake))
    run(tmp_path, *ABSOLUTE, f"target.budget_ms={budget_ms}", say=said.append)
    found = _document(tmp_path, "search.json")
    assert any("searching again for the budget as it is now" in line for line in said)
    assert found["budget_ms"] == budget_ms
    assert found["clock"] == pytest.approx(0.5, rel=0.02)
    assert found["budget_table_ms"] == pytest.approx(budget_ms / 0.5, rel=0.02)
    row = _document(tmp_path, "front.json")["networks"][0]
    own = next(entry for entry in found["evaluations"] if entry["digest"] == row["digest"])
    assert row["predicted_ms"] == pytest.approx(0.5 * own["metrics"]["latency_ms"]["value"], rel=0.02)
    assert not (tmp_path / "quickstart" / "search-clock.json").exists()


def test_a_step_of_30_percent_lets_a_table_with_a_small_interval_search_again(tmp_path, monkeypatch) -> None:
    precise = ["latency.networks=60"]
    fake, said, searched = use(monkeypatch, noise=0.002), [], stage._searched
    run(tmp_path / "first", *precise)
    budget_ms = _document(tmp_path / "first", "search.json")["budget_table_ms"]
    table = read_table(tmp_path / "first" / "quickstart" / "latency" / "table.json")
    assert table.interval.relative < 0.2

    def step(context, clock):
        found = searched(context, clock)
        fake.drift = 1.3
        return found

    monkeypatch.setattr(stage, "_searched", step)
    run(tmp_path / "second", *precise, *ABSOLUTE, f"target.budget_ms={budget_ms}", say=said.append)
    found = _document(tmp_path / "second", "search.json")
    assert any("takes 130 % of the time that it took before the search: searching again" in line for line in said)
    assert found["budget_table_ms"] == pytest.approx(budget_ms / 1.3, rel=0.02)


def test_what_speaks_against_the_table_is_said_when_the_clock_is_measured(tmp_path, budget_ms, monkeypatch) -> None:
    fake, said, searched = use(monkeypatch, noise=0.002), [], stage._searched

    def step(context, clock):
        found = searched(context, clock)
        fake.shift = 1.4
        return found

    monkeypatch.setattr(stage, "_searched", step)
    run(tmp_path, *ABSOLUTE, f"target.budget_ms={budget_ms}", say=said.append)
    assert any("the latency table may not hold any more: the probes together changed by +40" in line for line in said)


def test_a_share_is_searched_once_and_its_milliseconds_are_those_of_now(tmp_path, monkeypatch) -> None:
    fake, rounds, searched = use(monkeypatch, noise=0.002), [], stage._searched

    def step(context, clock):
        rounds.append(clock)
        fake.drift = 0.5
        return searched(context, clock)

    monkeypatch.setattr(stage, "_searched", step)
    run(tmp_path)
    found = _document(tmp_path, "search.json")
    assert len(rounds) == 1
    assert found["budget_ms"] == pytest.approx(0.5 * found["budget_table_ms"], rel=0.02)


def test_a_killed_search_is_replayed_with_the_clock_that_it_had(tmp_path, budget_ms, monkeypatch) -> None:
    fake, clocks, searched = use(monkeypatch, noise=0.002), [], stage._searched
    chosen = [*ABSOLUTE, f"target.budget_ms={budget_ms}"]

    def killed(context, clock):
        clocks.append(clock)
        if len(clocks) == 1:
            raise KeyboardInterrupt
        return searched(context, clock)

    monkeypatch.setattr(stage, "_searched", killed)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, *chosen)
    fake.drift = 0.5
    run(tmp_path, *chosen)
    assert clocks[1] == clocks[0]
    assert clocks[2].factor == pytest.approx(0.5, rel=0.02)
    assert clocks[1].at and clocks[1].error > 0


def test_the_clock_s_own_error_is_in_every_prediction_that_meets_a_budget(tmp_path, budget_ms, monkeypatch) -> None:
    known, errors = [], {}
    kept = stage._searched

    def keep(context, clock):
        known.append(clock)
        return kept(context, clock)

    monkeypatch.setattr(stage, "_searched", keep)
    for noise in (0.002, 0.1):
        fake = use(monkeypatch, noise=0.002)
        folder = tmp_path / str(noise)
        monkeypatch.setattr(
            "edgenas.pipeline.search.clock.measured_clock",
            lambda context, noise=noise: Clock(factor=1.0, error=noise, at="2026-01-01T00:00:00+00:00"),
        )
        run(folder, *ABSOLUTE, f"target.budget_ms={budget_ms}")
        metrics = _document(folder, "search.json")["evaluations"][0]["metrics"]["latency_ms"]
        errors[noise] = metrics["standard_error"] / metrics["value"]
        row = _document(folder, "front.json")["networks"][0]
        assert row["predicted_error_ms"] >= 0.99 * noise * row["predicted_ms"]
        assert fake.visits
    assert errors[0.1] ** 2 - errors[0.002] ** 2 == pytest.approx(0.1**2 - 0.002**2, rel=0.02)
    assert [clock.error for clock in known] == [0.002, 0.1]


def test_clocks_of_an_older_version_and_damaged_ones_are_no_obstacle() -> None:
    assert _clock(1.5) == Clock(factor=1.5)
    assert _clock({"factor": 0.5, "error": 0.01, "at": ""}) == Clock(factor=0.5, error=0.01)
    for wrong in (0.0, float("nan"), {"factor": 1.0, "error": -1.0, "at": ""}):
        with pytest.raises(ValueError):
            _clock(wrong)
    with pytest.raises(KeyError):
        _clock({"factor": 1.0})


def test_a_budget_that_only_the_table_of_a_faster_day_meets_is_refused(tmp_path, budget_ms, monkeypatch) -> None:
    fake = use(monkeypatch, noise=0.002)
    run(tmp_path, *ABSOLUTE, f"target.budget_ms={budget_ms}")
    fake.drift = 100.0
    with pytest.raises(BudgetError, match="no network of the space"):
        run(tmp_path, *ABSOLUTE, f"target.budget_ms={budget_ms * 1.001}")


def test_a_front_that_is_measured_on_another_day_goes_by_the_clock_of_that_day(tmp_path, monkeypatch) -> None:
    fake = use(monkeypatch, noise=0.002)
    monkeypatch.setattr("edgenas.measure.measure_files", files_at(fake))
    run(tmp_path)
    before, searched = _document(tmp_path, "front.json"), _document(tmp_path, "search.json")
    fake.drift = 2.0
    run(tmp_path, "front.measure=2")
    after = _document(tmp_path, "front.json")
    assert _document(tmp_path, "search.json") == searched
    assert before["clock"] == pytest.approx(1.0, rel=0.02)
    assert after["clock"] == pytest.approx(2.0, rel=0.02)
    assert after["budget_ms"] == pytest.approx(2.0 * before["budget_ms"], rel=0.03)
    same = {row["digest"]: row for row in before["networks"]}
    both = [(same[row["digest"]], row) for row in after["networks"] if row["digest"] in same]
    assert both
    assert all(now["predicted_ms"] == pytest.approx(2 * then["predicted_ms"], rel=0.03) for then, now in both)


def test_a_table_that_is_not_of_this_machine_is_told_with_its_clock(tmp_path, budget_ms, monkeypatch) -> None:
    from edgenas.latency import local_device

    fake, said, searched = use(monkeypatch, noise=0.002), [], stage._searched

    def moved(context, clock):
        found = searched(context, clock)
        other = replace(local_device(), cpu="another processor")
        monkeypatch.setattr("edgenas.latency.local_device", lambda: other)
        return found

    monkeypatch.setattr(stage, "_searched", moved)
    run(tmp_path, *ABSOLUTE, f"target.budget_ms={budget_ms}", say=said.append)
    assert fake.drift == 1.0
    assert any("the latency table is not of this machine" in line and "another processor" in line for line in said)


def test_a_share_is_met_at_the_pace_at_which_the_files_were_measured(tmp_path, monkeypatch) -> None:
    """The machine changes its pace between the search and the front, and again before the exported file is measured."""
    measured: list[str] = []
    paces = {"front": 2.0, "export": 0.3, "again": 5.0}

    def measure(files, **_: object):
        names = [file.name for file in files]
        kind = "export" if "reference" not in names else "front" if len(names) > 2 else "again"
        measured.append(kind)
        return tuple(
            replace(each, latency_ms=paces[kind] * (REFERENCE_MS if name == "reference" else 0.2 * REFERENCE_MS),
                    standard_error_ms=1e-9)
            for name, each in zip(names, steady_files(files), strict=True)
        )  # fmt: skip

    monkeypatch.setattr("edgenas.measure.measure_files", measure)
    run(tmp_path)
    front, winner, summary = (_document(tmp_path, name) for name in ("front.json", "winner.json", "summary.json"))
    table_ms = _document(tmp_path, "search.json")["budget_table_ms"]
    assert set(measured) == {"front", "export", "again"}
    assert front["clock"] == pytest.approx(2.0, rel=0.02)
    assert front["budget_ms"] == pytest.approx(2.0 * table_ms, rel=0.02)
    assert all(row["within_budget"] for row in front["networks"])
    assert winner["file_latency"]["budget_ms"] == pytest.approx(5.0 * table_ms, rel=0.02)
    assert winner["file_latency"]["judged"] == ["again"]
    assert summary["latency_ms"] / summary["budget_ms"] == pytest.approx(0.2 * REFERENCE_MS / table_ms, rel=0.02)
    assert not winner["notes"]


def test_the_error_of_the_clock_counts_where_a_budget_is_a_share(tmp_path, monkeypatch) -> None:
    """Files take all but 1 % of the budget, and are known exactly; the reference network is known to 5 %."""
    run(tmp_path)
    table_ms = _document(tmp_path, "search.json")["budget_table_ms"]

    def measure(files, **_: object):
        return tuple(
            replace(each, latency_ms=REFERENCE_MS, standard_error_ms=REFERENCE_MS * error)
            if file.name == "reference" else replace(each, latency_ms=0.99 * table_ms, standard_error_ms=0.0)
            for file, each in zip(files, steady_files(files), strict=True)
        )  # fmt: skip

    monkeypatch.setattr("edgenas.measure.measure_files", measure)
    error = 0.002
    run(tmp_path, "front.measure=3")
    assert all(row["within_budget"] for row in _document(tmp_path, "front.json")["networks"])
    error = 0.05
    with pytest.raises(BudgetError, match="none of the"):
        run(tmp_path, "front.measure=4")
    error = float("nan")
    with pytest.raises(BudgetError, match="none of the"):
        run(tmp_path, "front.measure=5")
