"""A measurement of one thread keeps to one processor, in this process and in the loops' own."""

import os

import numpy as np
import pytest

from edgenas.measure.device.agent import Network
from edgenas.measure.device.local import LocalDevice, current_cpu, kept_on, measuring_cpus_here
from edgenas.measure.protocol.timing import Protocol

HERE = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
pytestmark = pytest.mark.skipif(not HERE, reason="the system does not keep processes on processors")


@pytest.mark.parametrize("cpu", HERE)
def test_a_thread_knows_on_which_processor_it_is(cpu: int) -> None:
    with kept_on((cpu,)):
        assert current_cpu() == cpu
        assert list(measuring_cpus_here(1)) == [cpu]
    assert sorted(os.sched_getaffinity(0)) == HERE


def test_one_thread_is_kept_on_one_processor_and_several_are_not() -> None:
    for threads, wanted in ((1, 1), (2, len(HERE))):
        seen: list[int] = []
        device = LocalDevice()
        device._slots["a"] = Network(lambda seen=seen: seen.append(len(os.sched_getaffinity(0))))
        device.alternate(["a"], Protocol(threads=threads, settle=((1.0, 0),)), np.random.default_rng(0))
        assert set(seen) == {wanted}
    assert sorted(os.sched_getaffinity(0)) == HERE


def test_a_system_that_does_not_say_restricts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgenas.measure.device.local.current_cpu", lambda: None)
    assert list(measuring_cpus_here(1)) == []
