"""How many runs a network needs after others ran until the next one changes nothing: measured, on each device.

Networks of different size take turns of many runs, and the time of each run is compared with that of the settled ones
of its turn. Caches (their size, how they replace, what else uses them) decide how many runs it takes. So it is measured
where tables are built, at the beginning, and every later measurement with the table uses the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from edgenas.latency.records import Settling
from edgenas.measure.device.agent import low_half_mean
from edgenas.measure.protocol.timing import MOST_SETTLE, Protocol, Samples
from edgenas.types import Floats

# A network is settled where the runs that would count are on average at most this much above the settled ones.
# Chosen, not measured: below the 1 % that visits repeat to (docs/latency.md).
_SETTLED = 0.007
# Turns and samples a turn. Networks slower than a turn of several runs may be take fewer: little of them stays in the
# caches, and they would take minutes.
# Chosen, not measured: a compromise with the time of a calibration.
_TURNS, _SLOW_TURNS, _SLOW_SAMPLES = 8, 3, 6

Take = Callable[[Sequence[int], Protocol], list[Samples]]


def measured_settling(names: Sequence[str], take: Take, how: Protocol) -> tuple[Settling, ...]:
    """Measure how networks settle that take turns with each other.

    Args:
        names: How the record calls them, at least two networks.
        take: Measures the networks of some places by a protocol.
        how: The protocol whose `settle` is asked for; hot.

    Returns:
        One record each, in order.
    """
    places = range(len(names))
    burst_ms = how.burst_ms or 10.0
    plain = replace(how, settle=((1.0, 0),), burst_ms=burst_ms, turn_ms=0.0)
    first = take(places, replace(plain, bursts=1, runs=1))
    slow = [place for place in places if _duration_ms(first[place]) > burst_ms]
    found: dict[int, Settling] = {}
    if len(slow) < len(names):
        samples = take(places, replace(plain, bursts=_TURNS, runs=MOST_SETTLE))
        found = {
            place: _settling(names[place], samples[place], _TURNS, how) for place in places if place not in slow
        }
    for place in slow:
        other = next(other for other in places if other != place)
        (taken, _) = take((place, other), replace(plain, bursts=_SLOW_TURNS, runs=_SLOW_SAMPLES, burst_ms=0.0))
        found[place] = _settling(names[place], taken, _SLOW_TURNS, replace(how, runs=(how.runs + 1) // 2))
    return tuple(found[place] for place in places)


def settle_of(settling: Sequence[Settling]) -> tuple[tuple[float, int], ...]:
    """Return what a protocol takes of measured records.

    A network needs at least as many samples as a slower one: the more of a network the caches hold, the more there is
    to bring back. So the noise of one record cannot leave a network lukewarm.
    """
    ordered = sorted(settling, key=lambda record: record.latency_ms)
    most = [max(record.samples for record in ordered[place:]) for place in range(len(ordered))]
    return tuple((record.latency_ms, samples) for record, samples in zip(ordered, most, strict=True))


def settled_after(excess: Floats, *, counted: int) -> int:
    """Return how many samples (M,) of a turn do not count.

    Args:
        excess: (M,) relative time of each sample above the settled ones.
        counted: Samples that would count after them.

    Returns:
        The least number after which the `counted` next ones are on average settled; half of M at most, since the
        second half is what they are compared with.
    """
    window = max(2, counted)
    for start in range(len(excess) // 2):
        if excess[start : start + window].mean() <= _SETTLED:
            return start
    return len(excess) // 2


def excess_of(turns: Floats) -> Floats:
    """Return the time of each sample of a turn above the settled ones, relative (M,), from samples (T, M) of T turns.

    Each turn is compared with itself, so that a drift of the clock cancels, and the median over turns drops what other
    programs did.
    """
    half = turns.shape[1] // 2
    settled = np.median(turns[:, half:], axis=1, keepdims=True)
    return np.asarray(np.median(turns / settled, axis=0) - 1)


def _settling(name: str, samples: Samples, turns: int, how: Protocol) -> Settling:
    values = (samples.cpu_ns if how.clock == "thread_cpu" else samples.wall_ns).reshape(turns, -1)
    excess = excess_of(values)
    return Settling(
        network=name,
        # `agent.Network` knows a network by its CPU time, whatever clock counts.
        latency_ms=_duration_ms(samples),
        samples=settled_after(excess, counted=how.runs),
        inner=samples.inner,
        first_percent=round(100 * float(excess[0]), 2),
    )


def _duration_ms(samples: Samples) -> float:
    return max(1e-6, low_half_mean(samples.cpu_ns) / 1e6)
