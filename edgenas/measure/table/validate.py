"""Validation of a table on held-out networks, and a check in seconds whether it still holds."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kendalltau

from edgenas.arch import Architecture
from edgenas.arch.notation import parse_notation
from edgenas.errors import InputError, TableError, explain
from edgenas.latency.predict import PopulationLatency, SpaceLatency
from edgenas.latency.records import Loops
from edgenas.latency.table import LatencyTable, Validation
from edgenas.measure.device.local import Device, LocalDevice
from edgenas.measure.protocol.held_out import Truth, measure_held_out, measure_passes
from edgenas.measure.protocol.timing import require_quiet
from edgenas.measure.protocol.visit import Bench, Target
from edgenas.measure.table.build import moment, reference_drift, table_protocol
from edgenas.measure.table.design import covering_design, held_out
from edgenas.measure.table.loops import loop_rows, measured_loops
from edgenas.space import SearchSpace
from edgenas.types import Floats, Progress

# A check passes if the probes' ratios differ from the build's by at most the first number, or by at most three times
# the noise of a visit of the build. Beyond the second number it always fails, however noisy the build was.
# Chosen, not measured: 5 % is the error that the method aims to stay within.
_PROBE_TOLERANCE, _MOST_TOLERANCE = 0.05, 0.10
# If the clock changed by more than this factor, ratios no longer hold: other parts of the machine have become the
# bottleneck.
# Chosen, not measured: no table was tried at such a clock.
_MOST_CLOCK_CHANGE = 2.0


def target_of(table: LatencyTable) -> Target:
    """Return the target of a table, as a bench measures it."""
    runtime = table.runtime
    return Target(
        runtime=runtime.runtime,
        precision=runtime.precision,
        scheme="" if runtime.scheme == "none" else runtime.scheme,
        protocol=table_protocol(threads=runtime.threads, mode=runtime.mode, settling=table.build.settling),
    )


def require_here(table: LatencyTable, device: Device | None = None) -> None:
    """Refuse a table that was not measured on this kind of machine with this runtime.

    Args:
        table: The table.
        device: The device at hand; this machine if None.

    Raises:
        TableError: Names every difference.
        DeviceError: The runtime is not installed.
    """
    where = device or LocalDevice()
    table.require(device=where.info(), runtime=target_of(table).info(where))


def held_out_networks(table: LatencyTable, space: SearchSpace, networks: int, seed: int) -> NDArray[np.int64]:
    """Draw networks (n, D) that were not used to build a table.

    Raises:
        TableError: The table is of another space.
        InputError: No network asked for, or none left.
    """
    if networks < 1:
        raise InputError(explain("a validation needs at least one network", got=networks))
    if table.build.space_digest != space.digest:
        raise TableError(
            explain("the table is of another space", got=space.name, allowed=f"{table.build.space} as it was then")
        )
    if table.build.measured:
        used = set(table.build.measured)
    else:
        # A table of an older version does not say which networks it was fitted to. Its design can be drawn again.
        design = covering_design(space, table.build.networks, np.random.default_rng(table.build.seed))
        used = {space.decode(code).digest for code in design.genes}
    found = held_out(space, networks, np.random.default_rng(seed + 1_000_003), without=used)
    if not len(found):
        raise InputError(explain("every network of the space was used to build the table"))
    return found


def validate_table(
    table: LatencyTable,
    space: SearchSpace,
    *,
    networks: int = 80,
    visits: int = 2,
    target_error: float = 0.01,
    seed: int = 0,
    force: bool = False,
    device: Device | None = None,
    progress: Progress | None = None,
) -> LatencyTable:
    """Measure held-out networks and store the error of a table's predictions in it.

    Measured latencies are ratios to the reference and the table's probes, in the milliseconds of the build. A change of
    all networks by one factor since then (the clock, the load) is reported on its own. It is not part of the error.

    The protocol that built the table measures them, so it would repeat its own mistakes. Therefore a tenth of the
    networks, five at least, also run back to back in fresh processes, by a program that has nothing of the protocol
    (`loop.py`). The bias of predictions against these loops is stored, and enters the interval.

    Args:
        table: A table that was measured on this machine.
        space: The space it was built for.
        networks: Held-out networks to measure.
        visits: Least fresh sessions per network, in passes over all networks. See `target_error`.
        target_error: A network whose relative standard error is above this after the passes is visited again, up to
            four times, so that errors of the measurement do not count as errors of the table.
        seed: Draws the networks.
        force: Measure on a busy machine too.
        device: Where to measure; this machine if None.
        progress: Called with (visits done, visits in all, what).

    Returns:
        The table with its validation.

    Raises:
        TableError: The table is of another space, device or runtime.
        InputError: No network to measure.
        DeviceError: The runtime is missing or the machine too busy.
    """
    where = device or LocalDevice()
    require_here(table, where)
    genes = held_out_networks(table, space, networks, seed)
    require_quiet(where.busy(), force=force)
    bench = Bench(target_of(table), parse_notation(table.reference.notation), seed=seed, device=where)
    truth = truth_for(
        table, bench, [space.decode(code) for code in genes], visits=visits, target_error=target_error,
        progress=progress,
    )  # fmt: skip
    predicted = SpaceLatency(table, space).predict(genes)
    rows = loop_rows(predicted.latency_ms)
    loops = measured_loops(
        table, bench, [space.decode(genes[row]) for row in rows],
        predicted.latency_ms[rows] / table.reference.latency_ms, scale=truth.scale, progress=progress,
    )  # fmt: skip
    return table.validated(validation_of(predicted, truth, table, seed=seed, loops=loops))


def truth_for(
    table: LatencyTable,
    bench: Bench,
    networks: Sequence[Architecture],
    *,
    visits: int,
    target_error: float,
    progress: Progress | None = None,
) -> Truth:
    """Measure networks, and the table's probes among them, in the conditions of the table's build.

    One reference network is not enough for that. Where other programs slow the memory, the reference slows down more or
    less than other networks, and all ratios to it shift by a percent.

    Args:
        table: The table.
        bench: Measures for it.
        networks: At least one.
        visits, target_error, progress: See `validate_table`.

    Returns:
        What was measured, its ratios comparable with the table's.
    """
    every = [*networks, *(parse_notation(probe.notation) for probe in table.probes)]
    found = measure_held_out(bench, every, visits=visits, target_error=target_error, progress=progress)
    scale = probe_scale(table, found.ratios[len(networks) :])
    return found.first(len(networks), scale=scale)


def probe_scale(table: LatencyTable, ratios: Floats) -> float:
    """Return the common factor of the probes' ratios (their number,) now over those of the build."""
    then = np.array([probe.ratio for probe in table.probes])
    return float(np.exp(np.log(ratios / then).mean())) if len(then) else 1.0


def inside_intervals(
    predicted: PopulationLatency, measured_ms: Floats, errors: Floats, *, level: float
) -> NDArray[np.bool_]:
    """Say which measured latencies agree with the intervals of their predictions, (n,).

    An interval is of the true latency. A measured one is off that by its own error too, so each interval is widened by
    it: the half width becomes sqrt(h^2 + (z s)^2), with the normal quantile z of the interval's level and the standard
    error s of the measurement. Else a table of right intervals would be said to cover too little, the more so the
    noisier the machine that validates it.

    Args:
        predicted: Of n networks.
        measured_ms: (n,) what was measured.
        errors: (n,) its relative standard errors; NaN where they are not known, and nothing is allowed for then.
        level: Of the intervals.
    """
    z = NormalDist().inv_cdf(0.5 + level / 2)
    own = z * np.nan_to_num(errors, nan=0.0) * measured_ms
    above = measured_ms - predicted.latency_ms
    half = np.where(above > 0, predicted.high_ms - predicted.latency_ms, predicted.latency_ms - predicted.low_ms)
    return np.asarray(np.abs(above) <= np.hypot(half, own))


def validation_of(
    predicted: PopulationLatency, truth: Truth, table: LatencyTable, *, seed: int, loops: Loops | None = None
) -> Validation:
    """Compute the errors of predictions.

    Args:
        predicted: Of n networks.
        truth: What was measured of them.
        table: The table they were predicted with.
        seed: The networks were drawn with it.
        loops: What an independent procedure found.
    """
    measured_ms: Floats = truth.ratios * table.reference.latency_ms
    error = np.abs(predicted.latency_ms / measured_ms - 1)
    inside = inside_intervals(predicted, measured_ms, truth.errors, level=table.interval.level)
    tau = float(kendalltau(predicted.latency_ms, measured_ms).statistic) if len(error) > 1 else 1.0

    def percent(share: float) -> float:
        return round(100 * float(share), 3)

    return Validation(
        networks=len(error),
        seed=seed,
        mape_percent=percent(error.mean()),
        median_percent=percent(np.median(error)),
        worst_percent=percent(error.max()),
        within_5_percent=percent((error <= 0.05).mean()),
        within_10_percent=percent((error <= 0.10).mean()),
        kendall_tau=round(tau, 4),
        interval_coverage_percent=percent(inside.mean()),
        reference_drift_percent=percent(truth.scale * (1 + reference_drift(truth.all, table)) - 1),
        date=datetime.now(UTC).date().isoformat(),
        predicted_ms=tuple(predicted.latency_ms.round(6).tolist()),
        measured_ms=tuple(measured_ms.round(6).tolist()),
        visits=round(len(truth.all) / len(error), 2),
        at=moment(time.time()),
        loops=loops,
        measured_error_percent=None if np.isnan(truth.errors).any() else percent(np.sqrt((truth.errors**2).mean())),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """The answer to whether a table still holds here.

    Attributes:
        differences: Differences of device or runtime from the table's. If there are any, nothing was measured.
        reference_ms: Latency of the reference network now, estimated from it and the probes. `LatencyTable.at_clock`
            takes it.
        reference_error: Its relative standard error, from the scatter of the probes.
        at: The moment that it speaks of, UTC, in ISO 8601.
        reference_drift: Its relative change. Clock and load of the machine change all networks by this factor.
        probe_changes: Relative change of each probe beyond that. Only these changes make a table wrong.
        doubts: Reasons why the table does not hold here, one line each; empty if it holds.
    """

    differences: tuple[str, ...]
    reference_ms: float
    reference_drift: float
    probe_changes: tuple[float, ...]
    doubts: tuple[str, ...]
    reference_error: float = 0.0
    at: str = ""

    @property
    def passed(self) -> bool:
        """Whether the table holds: something was measured, and there are no doubts."""
        return not self.doubts and not self.differences


def check_table(
    table: LatencyTable, *, visits: int = 2, seed: int = 0, device: Device | None = None
) -> Check:
    """Check in seconds whether a table is still true on this machine or another device, and find its clock of now.

    Args:
        table: The table.
        visits: Fresh sessions per probe.
        seed: Of the order of measurements.
        device: Where to measure; this machine if None.

    Raises:
        DeviceError: The runtime is not installed.
        TableError: The table has no probes.
    """
    target, where = target_of(table), device or LocalDevice()
    differences = table.device.differences(where.info()) + table.runtime.differences(target.info(where))
    if differences:
        nothing = float("nan")
        return Check(
            differences=differences, reference_ms=nothing, reference_drift=nothing, probe_changes=(), doubts=()
        )
    if not table.probes:
        raise TableError(
            explain(
                f"the latency table of {table.build.space!r} names no networks to check it by",
                remedy="Build it again; nothing can be said of this one.",
            )
        )
    bench = Bench(target, parse_notation(table.reference.notation), seed=seed, device=where)
    probes = [parse_notation(probe.notation) for probe in table.probes]
    found = measure_passes(bench, probes, visits=visits)
    scale = probe_scale(table, found.ratios)
    then = np.array([probe.ratio for probe in table.probes])
    changes = tuple((found.ratios / then / scale - 1).tolist())
    drift = scale * (1 + reference_drift(found.all, table)) - 1
    return Check(
        differences=(),
        reference_error=_clock_error(found, then),
        at=moment(time.time()),
        reference_ms=(1 + drift) * table.reference.latency_ms,
        reference_drift=drift,
        probe_changes=changes,
        doubts=(*table.faults, *_doubts(table, changes, scale=scale, clock=1 + drift)),
    )


def _clock_error(found: Truth, then: Floats) -> float:
    """Relative standard error of the clock: each probe in milliseconds, over its ratio then, tells the reference's."""
    told = [
        math.log(visit.latency_ms / ratio) for visits, ratio in zip(found.visits, then, strict=True) for visit in visits
    ]
    by_probe = np.array(told).reshape(len(then), -1).mean(axis=1)
    if len(by_probe) < 2:
        return float(np.std([math.log(visit.reference_ms) for visit in found.all]))
    return float(by_probe.std(ddof=1)) / math.sqrt(len(by_probe))


def present(table: LatencyTable, found: Check) -> LatencyTable:
    """Return a table at the clock of a check, with the uncertainty of that step; itself if nothing was measured."""
    if found.differences:
        return table
    return table.at_clock(found.reference_ms, error=found.reference_error, at=found.at)


def _doubts(table: LatencyTable, changes: Sequence[float], *, scale: float, clock: float) -> Iterator[str]:
    tolerance = min(max(_PROBE_TOLERANCE, 3 * table.interval.visit_noise), _MOST_TOLERANCE)
    allowed = f"at most {100 * tolerance:.0f} %"
    if not abs(scale - 1) <= tolerance:
        yield f"the probes together changed by {100 * (scale - 1):+.1f} % against the reference, {allowed} may be"
    worst = max(changes, key=abs)
    if not all(abs(change) <= tolerance for change in changes):
        yield f"a probe changed by {100 * worst:+.1f} % against the others, {allowed} may be"
    if not 1 / _MOST_CLOCK_CHANGE <= clock <= _MOST_CLOCK_CHANGE:
        yield f"the reference takes {clock:.2f} times what it took, at most {_MOST_CLOCK_CHANGE:g} times may be"
