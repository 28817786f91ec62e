"""Build a latency table: measure whole networks of a covering design, then fit the times of their units."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from edgenas.arch import Architecture
from edgenas.arch.notation import format_notation
from edgenas.errors import InputError, explain
from edgenas.latency.device import NAME_VARIABLE, Mode, Precision, require_known
from edgenas.latency.model.work import group
from edgenas.latency.records import Settling
from edgenas.latency.runtimes import RuntimeName
from edgenas.latency.table import (
    RATIO_UNIT,
    BuildInfo,
    Correction,
    Entry,
    LatencyTable,
    Probe,
    Reference,
)
from edgenas.measure.device.local import Device, LocalDevice
from edgenas.measure.protocol.settle import settle_of
from edgenas.measure.protocol.timing import Protocol, require_quiet
from edgenas.measure.protocol.visit import Bench, Target, Visit
from edgenas.measure.table.design import Design, covering_design, space_units
from edgenas.measure.table.fit import TableFit, fitted, interval_of
from edgenas.measure.table.sample_file import Calibration, SampleFile, default_path
from edgenas.measure.table.visits_plan import Campaign
from edgenas.measure.table.warnings import doubts
from edgenas.space import SearchSpace
from edgenas.types import Floats, Progress
from edgenas.version import __version__

# With four the interval is about twice as wide as it need be (benchmarks/latency_coverage.py, docs/latency.md).
_MIN_NETWORKS = 4


def table_protocol(
    *, threads: int = 1, mode: Mode = "hot", settling: Sequence[Settling] = ()
) -> Protocol:
    """Return the protocol of a table's visits: two turns, each of some runs that do not count and four that do.

    Seven turns of one run after one warm-up run were steadier (1.0 % on ORT, 0.5 % on LiteRT), but what they measured
    was up to 24 % more than a loop sees. A turn must be long enough for a network to settle, so there are fewer. Cold
    runs need no such turns; there are eight.

    Args:
        threads: Threads within one operation.
        mode: `hot` or `cold`.
        settling: How networks settle on the device; the default of `Protocol` if it is not known.
    """
    found = Protocol(
        threads=threads, mode=mode, bursts=2, runs=4, burst_ms=10.0, turn_ms=10.0, warmup=2, min_sessions=1,
        max_sessions=1,
    )  # fmt: skip
    return replace(found, settle=settle_of(settling)) if settling else found


def reference_of(space: SearchSpace) -> Architecture:
    """Return the network that all others of a space are measured against: the middle of every choice."""
    middle = np.asarray(space.cardinalities, dtype=np.int64) // 2
    return space.decode(space.canonical(middle[None])[0])


def build_table(
    space: SearchSpace,
    *,
    runtime: RuntimeName = "ort",
    precision: Precision = "fp32",
    threads: int = 1,
    mode: Mode = "hot",
    scheme: str = "",
    networks: int = 100,
    target_error: float = 0.01,
    seconds: float = 60.0,
    seed: int = 0,
    samples: str | Path | None = None,
    force: bool = False,
    device: Device | None = None,
    progress: Progress | None = None,
) -> LatencyTable:
    """Measure a latency table of a space on this machine or another device.

    Args:
        space: The space.
        runtime: `ort` or `litert`.
        precision: fp32, fp16 or int8 (with ranges that need no images).
        threads: Threads within one operation.
        mode: `hot` or `cold`.
        scheme: int8 scheme of the writer; empty for its default.
        networks: Networks to measure, 4 or more; 100 for a large space.
        target_error: Networks are visited again while the relative standard error between sessions is above this ...
        seconds: ... and all visits together stay within this time. The first pass is always completed.
        seed: Of the design and of the order of measurements.
        samples: File that stores every visit when it is taken. The same call resumes where it was stopped.
        force: Measure on a busy machine too.
        device: Where to measure, such as a `RemoteDevice`; this machine if None.
        progress: Called with (visits done, visits in all, what).

    Returns:
        The table, not validated.

    Raises:
        InputError: Too few networks, or an unknown runtime, precision or mode.
        DeviceError: The runtime is missing, the machine is too busy, or the device went away; what was measured
            stays in `samples`.
        TableError: `samples` belongs to another build.
    """
    if networks < _MIN_NETWORKS:
        raise InputError(explain("too few networks for a latency table", got=networks, allowed=f">= {_MIN_NETWORKS}"))
    target = Target(
        runtime=runtime, precision=precision, scheme=scheme, protocol=table_protocol(threads=threads, mode=mode)
    )
    where = device or LocalDevice()
    described, info = where.info(), target.info(where)
    require_known(described, remedy=f"Give it a name with --device-name, or {NAME_VARIABLE} on this machine.")
    load = require_quiet(where.busy(), force=force).load_per_core
    design = covering_design(space, networks, np.random.default_rng(seed))
    reference = reference_of(space)
    identity = {
        "device": described.plain(),
        "runtime": asdict(info),
        "protocol": asdict(target.protocol),
        "space": space.digest,
        "reference": reference.digest,
        "networks": networks,
        "target_error": target_error,
        "seed": seed,
    }
    path = Path(samples) if samples is not None else None
    if path is None and not isinstance(where, LocalDevice):
        path = default_path(identity, name=f"{described.slug}-{space.name}-{info.slug}")
    kept = SampleFile(path, identity)
    kept.open()
    bench = Bench(target, reference, seed=seed, device=where)
    if kept.calibration is None:
        kept.calibrate(_calibration(bench, space, mode))
    assert kept.calibration is not None
    bench.prepare(kept.calibration.settling)
    campaign = Campaign(space, design, bench, kept, progress)
    campaign.run(seed=seed, target_error=target_error, seconds=seconds)
    table = table_from(space, design, target, kept, load_per_core=load, seed=seed, device=where)
    if samples is None:
        kept.finish()
    return table


def _calibration(bench: Bench, space: SearchSpace, mode: Mode) -> Calibration:
    """Measure how networks settle, and then, with that, what a run costs that computes nothing."""
    settling = (
        bench.settling(space.decode(space.smallest()), space.decode(space.largest())) if mode == "hot" else ()
    )
    bench.prepare(settling)
    return Calibration(settling=settling, floor_ms=bench.floor_ms())


def table_from(
    space: SearchSpace,
    design: Design,
    target: Target,
    kept: SampleFile,
    *,
    load_per_core: float,
    seed: int,
    device: Device,
) -> LatencyTable:
    """Fit the table to measured visits; the same samples give the same table (but for its date)."""
    start = time.perf_counter()
    found = fitted(space, design, kept)
    left_out = found.left_out(space, design)
    interval = interval_of(left_out, found.noise)
    visits = [visit for several in found.visits for visit in several]
    references = np.array([visit.reference_ms for visit in visits])
    spread = float(references.std() / references.mean())
    calibration = kept.calibration
    assert calibration is not None
    how = table_protocol(
        threads=target.protocol.threads, mode=target.protocol.mode, settling=calibration.settling
    )
    ended = moment(max(visit.at + visit.seconds for visit in visits))
    return LatencyTable(
        device=device.info(),
        runtime=target.info(device),
        reference=Reference(
            notation=format_notation(reference_of(space)),
            digest=reference_of(space).digest,
            latency_ms=float(np.median(references)),
            spread=spread,
            at=ended,
            # Of a median, in the normal case.
            error=math.sqrt(math.pi / 2 / len(references)) * spread,
        ),
        build=BuildInfo(
            space=space.name,
            space_digest=space.digest,
            networks=len(design.genes),
            visits=len(visits),
            runs=sum(visit.runs for visit in visits),
            switches=sum(visit.switches for visit in visits),
            seconds=round(sum(visit.seconds for visit in visits) + time.perf_counter() - start, 2),
            load_per_core=round(load_per_core, 3),
            clock=target.protocol.clock,
            protocol=_protocol_line(how),
            seed=seed,
            date=datetime.now(UTC).date().isoformat(),
            edgenas=__version__,
            warnings=doubts(
                left_out, interval, covered=design.covered, total=design.total, networks=len(design.genes),
                strange=_strange(space, found),
            ),
            measured=tuple(space.decode(genes).digest for genes in design.genes),
            begun=moment(min(visit.at for visit in visits)),
            ended=ended,
            floor_ms=calibration.floor_ms,
            settling=calibration.settling,
        ),
        probes=_probes(space, design, found.ratios),
        entries=_entries(space, found),
        correction=Correction(constant=found.fit.constant, per_unit=found.fit.per_unit),
        interval=interval,
    )


def _protocol_line(protocol: Protocol) -> str:
    fields, names = asdict(protocol), ("bursts", "runs", "burst_ms", "turn_ms", "warmup")
    settle = ",".join(f"{samples}@{milliseconds:.3g}ms" for milliseconds, samples in protocol.settle)
    return " ".join(f"{name}={fields[name]}" for name in names) + f" settle={settle} statistic=low_half_mean"


def _probes(space: SearchSpace, design: Design, ratios: Floats) -> tuple[Probe, ...]:
    return tuple(
        Probe(notation=format_notation(space.decode(design.genes[row])), ratio=float(ratios[row]))
        for row in design.probes
    )


def _entries(space: SearchSpace, from_: TableFit) -> dict[str, Entry]:
    """One entry for every unit of the space, those without a measured network estimated from the others."""
    found = {**{unit.key: unit for unit in from_.units}, **space_units(space)}
    times, errors = from_.fit.times(list(found.values()))
    often = (from_.counts > 0).sum(axis=0).tolist()
    networks = {unit.key: number for unit, number in zip(from_.units, often, strict=True)}
    return {
        key: Entry(ratio=round(time_ / RATIO_UNIT), error=round(error / RATIO_UNIT), networks=networks.get(key, 0))
        for key, time_, error in zip(found, times.tolist(), errors.tolist(), strict=True)
    }


def _strange(space: SearchSpace, from_: TableFit) -> dict[str, int]:
    """Units of the space by group, of the groups that no measured network contains."""
    seen = {group(unit) for unit in from_.units}
    return dict(Counter(name for unit in space_units(space).values() if (name := group(unit)) not in seen))


def moment(seconds: float) -> str:
    """Return a moment as tables state it: UTC, in ISO 8601, whole seconds.

    Args:
        seconds: Since 1970.
    """
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def reference_drift(visits: Sequence[Visit], table: LatencyTable) -> float:
    """Relative change of the reference's latency since the table was built."""
    return float(np.median([visit.reference_ms for visit in visits])) / table.reference.latency_ms - 1
