"""Predictions against loops of back-to-back runs in fresh processes: another procedure than the table's own."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

import numpy as np

from edgenas.arch import Architecture
from edgenas.latency.records import Loops
from edgenas.latency.table import LatencyTable
from edgenas.measure.device.alone import Loop
from edgenas.measure.device.local import kept_on, measuring_cpus_here
from edgenas.measure.protocol.visit import Bench, Visit
from edgenas.measure.table.build import moment
from edgenas.types import Floats, Progress

# Share of the held-out networks that run in loops, and their least number.
# Chosen, not measured: bounds the time of a validation; 6 to 8 networks left the bias uncertain by 0.7 to 3.7 %
# (docs/latency.md).
_SHARE, _LEAST = 0.1, 5
# Fresh processes for each network; their median counts, since one may be disturbed.
# Chosen, not measured: the least of which a median drops one.
_PROCESSES = 3
# The reference's latency before and after the loops differs by some 1 % on a calm machine. A virtual machine beside
# busy ones was seen to change its clock by a factor of two for seconds.
_CALM, _TRIES = 0.02, 5


def loop_rows(predicted_ms: Floats) -> list[int]:
    """Choose networks for loops: a tenth, at least five, spread over the order of their predicted latencies (n,)."""
    count = min(len(predicted_ms), max(_LEAST, math.ceil(_SHARE * len(predicted_ms))))
    order = np.argsort(predicted_ms, kind="stable")
    return [int(order[(2 * part + 1) * len(order) // (2 * count)]) for part in range(count)]


def measured_loops(
    table: LatencyTable,
    bench: Bench,
    networks: Sequence[Architecture],
    predicted: Floats,
    *,
    scale: float = 1.0,
    progress: Progress | None = None,
) -> Loops:
    """Run networks in loops, and compare what the table predicts for that moment.

    The protocol visits each network just before its loops and just after. The reference's latency in these visits is
    the clock of the moment, as `check` would find it.

    Args:
        table: The table.
        bench: Measures for it.
        networks: n of them, at least one.
        predicted: (n,) predicted ratios to the reference.
        scale: Common factor of the table's probes now over the build's, which is part of the clock too.
        progress: Called with (networks done, networks in all, what).
    """
    # A loop's process starts on the processor that its visits are kept on, so that both see the same clock.
    with kept_on(measuring_cpus_here(bench.threads)):
        return _measured(table, bench, networks, predicted, scale, progress)


def _measured(
    table: LatencyTable,
    bench: Bench,
    networks: Sequence[Architecture],
    predicted: Floats,
    scale: float,
    progress: Progress | None,
) -> Loops:
    loop, now, visited = np.empty((3, len(networks)))
    runs = 0
    for place, network in enumerate(networks):
        before, found, after = _calm(bench, network)
        runs = found[0].runs
        loop[place] = np.median([each.value_ms(bench.clock) for each in found])
        now[place] = predicted[place] * scale * math.sqrt(before.reference_ms * after.reference_ms)
        visited[place] = math.sqrt(before.latency_ms * after.latency_ms)
        if progress is not None:
            progress(place + 1, len(networks), "run loops in fresh processes")
    return loops_of(table, predicted_ms=now, loop_ms=loop, visited_ms=visited, processes=_PROCESSES, runs=runs)


def _calm(bench: Bench, network: Architecture) -> tuple[Visit, list[Loop], Visit]:
    """Run a network's loops between two visits, again where the clock moved meanwhile; the calmest try counts."""
    tries = []
    for _ in range(_TRIES):
        before = bench.visit(network)
        found = [bench.alone(network) for _ in range(_PROCESSES)]
        after = bench.visit(network)
        moved = abs(math.log(after.reference_ms / before.reference_ms))
        tries.append((moved, before, found, after))
        if moved <= _CALM:
            break
    _, before, found, after = min(tries, key=lambda one: one[0])
    return before, found, after


def loops_of(
    table: LatencyTable, *, predicted_ms: Floats, loop_ms: Floats, visited_ms: Floats, processes: int, runs: int
) -> Loops:
    """Compute the errors of predictions (n,) against loops (n,), and those of the protocol's visits (n,)."""
    error = predicted_ms / loop_ms - 1
    # One network says nothing about its scatter. The table's own interval does.
    alone = table.interval.unbiased / 1.645
    spread = float(error.std(ddof=1)) / math.sqrt(len(error)) if len(error) > 1 else alone

    def percent(share: float) -> float:
        return round(100 * float(share), 3)

    return Loops(
        networks=len(error),
        processes=processes,
        runs=runs,
        bias_percent=percent(error.mean()),
        bias_error_percent=percent(spread),
        mape_percent=percent(np.abs(error).mean()),
        coverage_percent=percent((np.abs(loop_ms / predicted_ms - 1) <= table.interval.unbiased).mean()),
        protocol_percent=percent((visited_ms / loop_ms - 1).mean()),
        predicted_ms=tuple(predicted_ms.round(6).tolist()),
        loop_ms=tuple(loop_ms.round(6).tolist()),
        at=moment(time.time()),
    )
