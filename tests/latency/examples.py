"""Small tables and networks for the tests of this room; no runtime, no measurement."""

from __future__ import annotations

import numpy as np

from edgenas.arch import Architecture, lower
from edgenas.latency import (
    BuildInfo,
    Correction,
    DeviceInfo,
    Entry,
    Interval,
    LatencyTable,
    Probe,
    Reference,
    RuntimeInfo,
    Unit,
    graph_units,
)
from edgenas.measure.table.design import space_units
from edgenas.space import SearchSpace, load

DEVICE = DeviceInfo(machine="x86_64", cpu="Test CPU", isa=("avx2", "avx512f"), cores=2, memory_mib=1024)
RUNTIME = RuntimeInfo(runtime="ort", version="1.2.3", precision="fp32", scheme="none", threads=1, mode="hot")


def tiny() -> SearchSpace:
    return load("tiny")


def network(seed: int = 0) -> Architecture:
    space = tiny()
    return space.decode(space.sample(1, np.random.default_rng(seed))[0])


def units_of(architecture: Architecture) -> list[Unit]:
    return [unit for unit, _ in graph_units(lower(architecture))]


def true_ratio(unit: Unit) -> float:
    """A law that times obey exactly in the tests: a call, arithmetic, memory."""
    return 0.01 + unit.macs * 2e-6 + (unit.source.elements + unit.result.elements) * 3e-6


def table(space: SearchSpace | None = None, *, estimated: tuple[str, ...] = ()) -> LatencyTable:
    """A table of a whole space by `true_ratio`; `estimated` keys have no measured network."""
    chosen = space or tiny()
    entries = {
        key: Entry(ratio=round(true_ratio(unit) * 1e9), error=1_000_000, networks=0 if key in estimated else 3)
        for key, unit in space_units(chosen).items()
    }
    return LatencyTable(
        device=DEVICE,
        runtime=RUNTIME,
        reference=Reference(notation="r8_i1", digest="0" * 32, latency_ms=0.03, spread=0.01),
        build=BuildInfo(
            space=chosen.name, space_digest=chosen.digest, networks=24, visits=27, runs=1000, switches=3, seconds=1.5,
            load_per_core=0.1, clock="thread_cpu", protocol="bursts=8 runs=3", seed=0, date="2026-01-01", edgenas="0",
        ),
        probes=(Probe(notation="r8_i1", ratio=1.0),),
        entries=entries,
        correction=Correction(constant=0.02, per_unit=0.001),
        interval=Interval(level=0.9, relative=0.03, networks=10, visit_noise=0.01),
    )  # fmt: skip
