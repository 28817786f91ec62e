"""Is a table true? Validation on held-out networks, and a check in seconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kendalltau

from edgenas.arch.notation import parse_notation
from edgenas.errors import InputError, TableError, explain
from edgenas.latency.predict import PopulationLatency, SpaceLatency
from edgenas.latency.table import LatencyTable, Validation
from edgenas.measure.build import Progress, reference_drift, table_protocol
from edgenas.measure.design import covering_design, held_out
from edgenas.measure.devices import Device, LocalDevice
from edgenas.measure.protocol import require_quiet
from edgenas.measure.visits import Bench, Target, Visit, combined_ratio
from edgenas.space import SearchSpace

FloatArray = NDArray[np.float64]
# What a check calls true: the probes' ratios within this of the build's, beyond the noise of their visits.
_PROBE_TOLERANCE = 0.05


def target_of(table: LatencyTable) -> Target:
    """Return the target of a table, as a bench measures it."""
    runtime = table.runtime
    return Target(
        runtime=runtime.runtime,
        precision=runtime.precision,
        scheme="" if runtime.scheme == "none" else runtime.scheme,
        protocol=table_protocol(threads=runtime.threads, mode=runtime.mode),
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
    used = covering_design(space, table.build.networks, np.random.default_rng(table.build.seed)).genes
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
    seed: int = 0,
    force: bool = False,
    device: Device | None = None,
    progress: Progress | None = None,
) -> LatencyTable:
    """Measure held-out networks and store the error of a table's predictions in it.

    Measured latencies are ratios to the reference times the table's own reference latency: a change of the clock
    since the build is reported by itself and not mixed into the error.

    Args:
        table: A table that was measured on this machine.
        space: The space it was built for.
        networks: Held-out networks to measure.
        visits: Fresh sessions per network.
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
    taken = measure_networks(table, space, genes, visits=visits, seed=seed, device=where, progress=progress)
    measured_ms = ratios_of(taken) * table.reference.latency_ms
    drift = reference_drift([visit for passed in taken for visit in passed], table)
    predicted = SpaceLatency(table, space).predict(genes)
    return table.validated(validation_of(predicted, measured_ms, seed=seed, reference_drift=drift))


def measure_networks(
    table: LatencyTable,
    space: SearchSpace,
    genes: NDArray[np.int64],
    *,
    visits: int,
    seed: int,
    device: Device | None = None,
    progress: Progress | None = None,
) -> list[list[Visit]]:
    """Measure networks as a table's build did: `visits` passes, each over all networks in fresh sessions.

    Returns:
        Visits by pass and network.
    """
    bench = Bench(target_of(table), parse_notation(table.reference.notation), seed=seed, device=device)
    taken: list[list[Visit]] = []
    for passed in range(visits):
        taken.append([])
        for index, code in enumerate(genes):
            taken[-1].append(bench.visit(space.decode(code)))
            if progress is not None:
                progress(passed * len(genes) + index + 1, visits * len(genes), "measure held-out networks")
    return taken


def ratios_of(taken: Sequence[Sequence[Visit]]) -> FloatArray:
    """Combine visits by pass and network into one ratio per network (n,)."""
    typical = float(np.median([visit.reference_ms for passed in taken for visit in passed]))
    return np.array([combined_ratio(visits, typical) for visits in zip(*taken, strict=True)])


def validation_of(
    predicted: PopulationLatency, measured_ms: FloatArray, *, seed: int, reference_drift: float
) -> Validation:
    """Compute the errors of predictions.

    Args:
        predicted: Of n networks.
        measured_ms: (n,) what was measured.
        seed: The networks were drawn with it.
        reference_drift: Relative change of the reference since the build.
    """
    error = np.abs(predicted.latency_ms / measured_ms - 1)
    inside = (predicted.low_ms <= measured_ms) & (measured_ms <= predicted.high_ms)
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
        reference_drift_percent=percent(reference_drift),
        date=datetime.now(UTC).date().isoformat(),
        predicted_ms=tuple(predicted.latency_ms.round(6).tolist()),
        measured_ms=tuple(measured_ms.round(6).tolist()),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Whether a table is still true here.

    Attributes:
        differences: Where device or runtime are not the table's; then nothing was measured.
        reference_ms: Latency of the reference network now; `LatencyTable.at_clock` predicts with it.
        reference_drift: Its relative change: the clock and the load of the machine.
        probe_changes: Relative change of the probes' ratios to the reference: what makes a table wrong.
        passed: No difference, and every probe within its tolerance.
    """

    differences: tuple[str, ...]
    reference_ms: float
    reference_drift: float
    probe_changes: tuple[float, ...]
    passed: bool


def check_table(
    table: LatencyTable, *, visits: int = 3, seed: int = 0, device: Device | None = None
) -> Check:
    """Check in seconds whether a table is still true on this machine or another device.

    Args:
        table: The table.
        visits: Fresh sessions per probe.
        seed: Of the order of measurements.
        device: Where to measure; this machine if None.

    Raises:
        DeviceError: The runtime is not installed.
    """
    target, where = target_of(table), device or LocalDevice()
    differences = table.device.differences(where.info()) + table.runtime.differences(target.info(where))
    if differences:
        nothing = float("nan")
        return Check(
            differences=differences, reference_ms=nothing, reference_drift=nothing, probe_changes=(), passed=False
        )
    bench = Bench(target, parse_notation(table.reference.notation), seed=seed, device=where)
    probes = [parse_notation(probe.notation) for probe in table.probes]
    taken = [[bench.visit(probe) for probe in probes] for _ in range(visits)]
    changes = tuple(float(found / probe.ratio - 1) for found, probe in zip(ratios_of(taken), table.probes, strict=True))
    tolerance = max(_PROBE_TOLERANCE, 3 * table.interval.visit_noise)
    drift = reference_drift([visit for passed in taken for visit in passed], table)
    return Check(
        differences=(),
        reference_ms=(1 + drift) * table.reference.latency_ms,
        reference_drift=drift,
        probe_changes=changes,
        passed=all(abs(change) <= tolerance for change in changes),
    )
