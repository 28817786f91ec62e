"""A device with caches and without a clock of its own: a network is slow for some runs after another one ran."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace

import numpy as np
import pytest

from edgenas.arch import Architecture
from edgenas.arch.notation import format_notation, parse_notation
from edgenas.latency import DeviceInfo
from edgenas.measure import Business, Protocol, Samples
from edgenas.measure.device import agent
from edgenas.measure.device.agent import Network
from edgenas.measure.device.alone import Loop
from edgenas.measure.protocol.timing import alternate
from edgenas.measure.protocol.visit import Target
from tests.measure.fakes import law

FLOOR_MS = 0.004
# The smallest network of `tiny` then takes a millisecond, so that a sample is one run.
_SCALE = 4.0


def settled_ms(network: Architecture) -> float:
    """What a run takes that follows many others of the same network."""
    return _SCALE * law(network)


class CachedDevice:
    """Networks take `settled_ms` once settled. The first run after another network takes `extra` more, and what
    is more falls by `decay` with every run. Large networks do not fit the caches and lose nothing by others.
    """

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, *, extra: float = 0.24, decay: float = 0.6, noise: float = 0.002
    ) -> None:
        self._extra, self._decay, self._noise = extra, decay, noise
        self._rng = np.random.default_rng(0)
        self._now_ns, self._last, self._streak = 0.0, "", 0
        self._slots: dict[str, Network] = {}
        self.settles: list[tuple[tuple[float, int], ...]] = []
        clock = SimpleNamespace(perf_counter_ns=lambda: self._now_ns, thread_time_ns=lambda: self._now_ns)
        monkeypatch.setattr(agent, "time", clock)
        monkeypatch.setattr(Target, "file", lambda self, network: format_notation(network).encode())
        monkeypatch.setattr(Target, "floor_file", lambda self: b"floor")

    def info(self) -> DeviceInfo:
        return DeviceInfo(machine="x86_64", cpu="Caches", isa=(), cores=1)

    def version(self, name: str) -> str:
        return "1"

    def busy(self) -> Business:
        return Business(load_per_core=0.0, stolen=0.0)

    def load(self, slots: Sequence[str], name: str, data: bytes, *, threads: int) -> None:
        settled_ms = self.settled_ms(data)
        for slot in slots:
            self._slots[slot] = Network(lambda slot=slot: self._run(slot, settled_ms))

    def alternate(self, slots: Sequence[str], protocol: Protocol, rng: np.random.Generator) -> list[Samples]:
        self.settles.append(protocol.settle)
        return alternate([self._slots[slot] for slot in slots], protocol, rng)

    def alone(self, name: str, data: bytes, *, threads: int, other: bytes = b"") -> Loop:
        found = self.settled_ms(data) * float(np.exp(self._noise * self._rng.standard_normal()))
        return Loop(cpu_ms=found, wall_ms=found, runs=60)

    def settled_ms(self, data: bytes) -> float:
        return FLOOR_MS if data == b"floor" else settled_ms(parse_notation(data.decode()))

    def open(self, data: bytes, *, threads: int = 1) -> SimpleNamespace:
        """Load a file as an engine does."""
        name, settled = f"file {len(self._slots)}", self.settled_ms(data)
        self._slots[name] = Network(lambda: self._run(name, settled))
        return SimpleNamespace(run=self._slots[name].run)

    def _run(self, slot: str, settled_ms: float) -> None:
        self._streak = self._streak + 1 if slot == self._last else 0
        self._last = slot
        cold = self._extra * min(1.0, 2.5 / settled_ms) * self._decay**self._streak
        self._now_ns += 1e6 * settled_ms * (1 + cold) * float(np.exp(self._noise * self._rng.standard_normal()))
