"""Devices: the interface between the measuring protocol and the machine that runs the files.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol as Shape

import numpy as np

from edgenas.errors import DeviceError, explain
from edgenas.latency.device import DeviceInfo, local_device
from edgenas.latency.runtimes import RuntimeName
from edgenas.measure.device.agent import Network
from edgenas.measure.device.alone import BOOTSTRAP, Loop, run_loop
from edgenas.measure.engines.registry import runtime
from edgenas.measure.protocol.timing import Business, Protocol, Samples, alternate, business

# Chosen, not measured: far above the 5 s of a loop and the start of its process.
_LOOP_TIMEOUT_S = 120.0


class Device(Shape):
    """A machine that runs model files and times them. Loading a file into a named slot replaces what was there.

    Every method raises DeviceError if the device went away, lacks the runtime, or refuses the file.
    """

    def info(self) -> DeviceInfo:
        """Describe the processor."""

    def version(self, name: RuntimeName) -> str:
        """Version of a runtime that is installed there."""

    def busy(self) -> Business:
        """Say how busy the device is, by computing for a moment."""

    def load(self, slots: Sequence[str], name: RuntimeName, data: bytes, *, threads: int) -> None:
        """Load a model file into some slots, a fresh session in each."""

    def alternate(self, slots: Sequence[str], protocol: Protocol, rng: np.random.Generator) -> list[Samples]:
        """Measure the networks in some slots alternately; see `protocol.alternate`."""

    def alone(self, name: RuntimeName, data: bytes, *, threads: int, other: bytes = b"") -> Loop:
        """Run a model file back to back in a process of its own, by no code of the protocol; see `run_loop`."""


class LocalDevice:
    """This machine, in this process."""

    def __init__(self) -> None:
        self._slots: dict[str, Network] = {}

    def info(self) -> DeviceInfo:
        """Describe this machine."""
        return local_device()

    def version(self, name: RuntimeName) -> str:
        """Version of the installed runtime."""
        return runtime(name).version()

    def busy(self) -> Business:
        """See `protocol.business`."""
        return business()

    def load(self, slots: Sequence[str], name: RuntimeName, data: bytes, *, threads: int) -> None:
        """Load a model file; see `Device.load`."""
        cpus = local_device().affinity
        require_cpus_for(threads, cpus, remedy="Let this process use fewer kinds of cores, with `taskset`.")
        with kept_on(cpus):
            for slot in slots:
                self._slots[slot] = Network(runtime(name).open(data, threads=threads).run)

    def alternate(self, slots: Sequence[str], protocol: Protocol, rng: np.random.Generator) -> list[Samples]:
        """Measure; see `Device.alternate`."""
        with kept_on(measuring_cpus_here(protocol.threads)):
            return alternate([self._slots[slot] for slot in slots], protocol, rng)

    def alone(self, name: RuntimeName, data: bytes, *, threads: int, other: bytes = b"") -> Loop:
        """Run a loop; see `Device.alone`."""
        cpus = measuring_cpus_here(threads)
        argv = (sys.executable, "-c", BOOTSTRAP)
        return run_loop(argv, name, data, threads=threads, other=other, cpus=cpus, timeout_s=_LOOP_TIMEOUT_S)


def measuring_cpus_here(threads: int) -> Sequence[int]:
    """Return the processors to which a measurement on this machine keeps; none for no restriction.

    One thread stays on the processor that it is on. Two processors of one machine may differ: those of a virtual
    machine share cores with others' work, and one was seen to compute 24 % faster than its neighbour.
    """
    cpus = local_device().affinity
    if threads > 1:
        return cpus
    here = current_cpu()
    return cpus if here is None or (cpus and here not in cpus) else (here,)


def current_cpu() -> int | None:
    """Return the number of the processor that this thread runs on; None where the system does not say."""
    try:
        text = Path("/proc/thread-self/stat").read_text(encoding="utf-8")
        return int(text.rsplit(")", 1)[1].split()[36])
    except (OSError, ValueError, IndexError):
        return None


@contextmanager
def kept_on(cpus: Sequence[int]) -> Iterator[None]:
    """Keep this thread, and threads that it starts, on some processors for a while.

    Args:
        cpus: Their numbers; none for no restriction.
    """
    if not cpus or not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cpus)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def require_cpus_for(threads: int, cpus: Sequence[int], *, remedy: str) -> None:
    """Refuse more threads than processors that measurements are kept on.

    Raises:
        DeviceError: There are too few.
    """
    if cpus and threads > len(cpus):
        listed = ", ".join(map(str, cpus))
        what = f"{threads} threads cannot be measured on the processors {listed}, to which the measurement keeps"
        raise DeviceError(explain(what, remedy=remedy))
