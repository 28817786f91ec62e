"""The protocol: what is run, in which order, and which statistic comes out. No test looks at a real duration."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgenas.errors import DeviceError, InputError
from edgenas.measure import Business, Protocol, require_quiet
from edgenas.measure.device.agent import Network, burst, inner_runs, join
from edgenas.measure.protocol.timing import alternate, low_half_mean


class Counting:
    """A session that writes its name into a shared diary."""

    def __init__(self, name: str, diary: list[str]) -> None:
        self.name, self.diary = name, diary

    def run(self) -> None:
        self.diary.append(self.name)

    def outputs(self) -> tuple[np.ndarray, ...]:
        return ()


@given(st.lists(st.floats(1, 1e6), min_size=1, max_size=30))
def test_the_low_half_mean_lies_between_minimum_and_median(values: list[float]) -> None:
    found = low_half_mean(np.array(values))
    assert min(values) * (1 - 1e-12) <= found <= np.median(values) * (1 + 1e-12)


def test_the_low_half_mean_ignores_what_preemption_does_to_the_upper_half() -> None:
    assert low_half_mean(np.array([3.0, 1.0, 1e9, 2.0, 1e9, 1e9])) == 2.0


def test_a_burst_runs_as_often_as_asked() -> None:
    diary: list[str] = []
    raw = burst(Counting("a", diary).run, runs=5, inner=7)
    assert len(diary) == 35
    assert raw["wall_ns"].shape == raw["cpu_ns"].shape == (5,)
    assert raw["inner"] == 7 and raw["switches"] >= 0


def test_fast_networks_run_several_times_per_sample() -> None:
    assert inner_runs(20_000) == 20
    assert inner_runs(4_000_000) == 1


def test_sessions_take_turns_and_all_are_measured_equally() -> None:
    diary: list[str] = []
    networks = [Network(Counting(name, diary).run) for name in "abc"]
    found = alternate(networks, Protocol(bursts=4, runs=2, warmup=1), np.random.default_rng(0))
    assert [len(samples.wall_ns) for samples in found] == [8, 8, 8]
    turns = [name for place, name in enumerate(diary) if place == 0 or diary[place - 1] != name]
    assert len(turns) > 3 + 4 * 2


def test_a_network_is_warmed_once_and_not_again_by_the_next_measurement() -> None:
    diary: list[str] = []
    network = Network(Counting("a", diary).run)
    network.warm(5)
    assert len(diary) >= 5 and network.duration_ns > 0
    before = len(diary)
    network.warm(5)
    assert len(diary) == before


def test_a_slow_network_has_half_as_many_samples_and_each_settles_as_long_as_networks_like_it() -> None:
    diary: list[str] = []
    slow, fast = (Network(Counting(name, diary).run) for name in "sf")
    slow.duration_ns, fast.duration_ns = 20e6, 1e6
    how = Protocol(bursts=5, runs=4, burst_ms=10.0, settle=((1.0, 6), (20.0, 1)))
    found = alternate([slow, fast], how, np.random.default_rng(0))
    assert [len(samples.wall_ns) for samples in found] == [10, 20]
    assert (diary.count("s"), diary.count("f")) == (5 * (1 + 2), 5 * (6 + 4))


def test_a_fast_network_has_more_samples_up_to_a_limit() -> None:
    diary: list[str] = []
    fast, faster, slow = (Network(Counting(name, diary).run) for name in "abs")
    fast.duration_ns, faster.duration_ns, slow.duration_ns = 1e6, 0.1e6, 9e6
    how = Protocol(bursts=2, runs=4, turn_ms=10.0, burst_ms=20.0)
    found = alternate([fast, faster, slow], how, np.random.default_rng(0))
    assert [len(samples.wall_ns) for samples in found] == [20, 50, 8]
    faster.duration_ns = 0.41e6
    assert faster.samples_for(1000.0, least=4) == 40


def test_cold_runs_never_follow_themselves() -> None:
    diary: list[str] = []
    networks = [Network(Counting(name, diary).run) for name in "abc"]
    for network in networks:
        network.warm(1)
    diary.clear()
    found = alternate(networks, Protocol(mode="cold", bursts=3, runs=4, warmup=1), np.random.default_rng(0))
    assert all(first != second for first, second in zip(diary, diary[1:], strict=False))
    assert [len(samples.wall_ns) for samples in found] == [12, 12, 12]
    assert all(samples.inner == 1 for samples in found)


def test_cold_needs_another_network() -> None:
    with pytest.raises(InputError, match="at least two"):
        alternate([Network(Counting("a", []).run)], Protocol(mode="cold"), np.random.default_rng(0))


def test_joined_bursts_keep_every_sample() -> None:
    parts = [burst(Counting("a", []).run, runs=n, inner=2) for n in (2, 3)]
    assert join(parts)["wall_ns"].tolist() == [*parts[0]["wall_ns"], *parts[1]["wall_ns"]]


def test_one_thread_is_measured_in_cpu_time_and_more_in_wall_time() -> None:
    assert Protocol(threads=1).clock == "thread_cpu"
    assert Protocol(threads=2).clock == "wall"


@pytest.mark.parametrize(
    "change",
    [
        {"threads": 0}, {"bursts": 0}, {"runs": 0}, {"burst_ms": -1.0}, {"turn_ms": -1.0},
        {"turn_ms": float("nan")},
        {"mode": "warm"},
        {"min_sessions": 5, "max_sessions": 2},
    ],
)  # fmt: skip
def test_a_protocol_that_cannot_be_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(InputError):
        Protocol(**change)  # type: ignore[arg-type]


def test_a_busy_machine_is_refused_with_what_was_seen_unless_forced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgenas.measure.protocol.timing.business", lambda: Business(load_per_core=3.2, stolen=0.6))
    with pytest.raises(DeviceError, match=r"ran only 40 % of the time at a load of 3\.2 per core"):
        require_quiet()
    assert require_quiet(force=True).stolen == 0.6


@pytest.mark.parametrize(("load", "stolen"), [(3.0, 0.05), (0.2, 0.5), (0.0, 0.0)])
def test_a_machine_that_leaves_a_core_free_is_not_busy(load: float, stolen: float) -> None:
    assert not Business(load_per_core=load, stolen=stolen).too_busy
