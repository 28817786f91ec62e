"""A bench without a clock: networks obey a law, with seeded noise, and the device can go away."""

from __future__ import annotations

import numpy as np
import pytest

from edgenas.arch import Architecture, lower
from edgenas.errors import DeviceError
from edgenas.latency import graph_units
from edgenas.latency.records import Settling
from edgenas.measure import Samples
from edgenas.measure.device.alone import Loop
from edgenas.measure.protocol.visit import Target, Visit

REFERENCE_MS = 0.03


def law(architecture: Architecture) -> float:
    """Ratio of a network, before noise."""
    units = [unit for unit, _ in graph_units(lower(architecture))]
    return 0.05 + sum(0.01 + unit.macs * 2e-6 + unit.result.elements * 4e-6 for unit in units)


class FakeBench:
    """Stands for `Bench`; class attributes set what happens."""

    noise = 0.01
    drift = 1.0
    shift = 1.0
    # What the protocol measures over what a loop sees.
    lukewarm = 1.0
    # Ratio of the reference by `law`; spaces of large networks need it, since no ratio may be in the hundreds.
    reference_law = 1.0
    gone_after: int | None = None
    # Numbers of the visits of a network whose sessions are far apart, so that they are set aside.
    set_aside: frozenset[int] = frozenset()
    visits = 0
    threads = 1

    def __init__(self, target: Target, reference: Architecture, *, seed: int = 0, device: object = None) -> None:
        self._rng = np.random.default_rng(seed)
        self._seen: dict[str, int] = {}

    def prepare(self, settling: tuple[Settling, ...]) -> None:
        self.settles = settling

    def settling(self, small: Architecture, large: Architecture) -> tuple[Settling, ...]:
        times = {"small": law(small), "middle": 1.0, "large": law(large)}
        return tuple(
            Settling(network=name, latency_ms=ratio * REFERENCE_MS, samples=5, inner=10, first_percent=24.0)
            for name, ratio in times.items()
        )

    def floor_ms(self) -> float:
        return 0.004

    @property
    def clock(self) -> str:
        return "thread_cpu"

    def alone(self, architecture: Architecture) -> Loop:
        """A loop has no noise here, and the network's own time over what the protocol makes of it."""
        kind = type(self)
        found = law(architecture) / kind.reference_law * kind.shift * REFERENCE_MS * kind.drift / kind.lukewarm
        return Loop(cpu_ms=found, wall_ms=found, runs=60)

    def visit(self, architecture: Architecture) -> Visit:
        kind = type(self)
        if kind.gone_after is not None and kind.visits >= kind.gone_after:
            raise DeviceError("the device does not answer.")
        kind.visits += 1
        noise = float(np.exp(kind.noise * self._rng.standard_normal()))
        ratio = law(architecture) / kind.reference_law * kind.shift * noise
        reference_ms = REFERENCE_MS * kind.drift
        return Visit(
            latency_ms=ratio * reference_ms,
            reference_ms=reference_ms,
            sessions_ms=(ratio * reference_ms, ratio * reference_ms * (1.3 if self._disturbs(architecture) else 1.0)),
            samples=(_samples(ratio * reference_ms),) * 2,
            reference_samples=_samples(reference_ms),
            at=0.1 * kind.visits,
            seconds=0.1,
        )

    def _disturbs(self, architecture: Architecture) -> bool:
        number = self._seen.get(architecture.digest, 0)
        self._seen[architecture.digest] = number + 1
        return number in type(self).set_aside


def _samples(latency_ms: float) -> Samples:
    values = np.full(3, latency_ms * 1e6)
    return Samples(wall_ns=values, cpu_ns=values, switches=1, inner=2)


def use(monkeypatch: pytest.MonkeyPatch, **settings: object) -> type[FakeBench]:
    """Put a fresh fake in the place of the bench, on a quiet machine with a known runtime."""
    kind = type("Fake", (FakeBench,), dict(settings))
    monkeypatch.setattr("edgenas.measure.table.build.Bench", kind)
    monkeypatch.setattr("edgenas.measure.table.validate.Bench", kind)
    monkeypatch.setattr("edgenas.measure.protocol.timing.load_per_core", lambda: 0.0)
    return kind
