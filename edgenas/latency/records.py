"""What a table records of its own measurement: how networks settled, and what an independent loop found."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist


@dataclass(frozen=True, slots=True, kw_only=True)
class Settling:
    """How one network settled after others had run.

    Attributes:
        network: How it is called: `small`, `middle` (the reference), `large`.
        latency_ms: CPU time of one settled run.
        samples: Samples at the beginning of a turn that do not count.
        inner: Runs per sample; more than one for networks below 0.4 ms.
        first_percent: How much longer the first sample after other networks took than the settled ones.
    """

    network: str
    latency_ms: float
    samples: int
    inner: int
    first_percent: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Loops:
    """Predictions against loops of back-to-back runs in processes of their own, without any code of the protocol.

    Attributes:
        networks: How many.
        processes: Fresh processes for each.
        runs: Timed runs of each process.
        bias_percent: Mean of prediction over loop, less one; the prediction is brought to the moment of the loop.
        bias_error_percent: Its standard error, from the scatter between networks.
        mape_percent: Mean absolute error against the loops.
        coverage_percent: Share of loops inside the interval, as announced without the bias.
        protocol_percent: Mean of what the protocol measured over the loop, less one: the part of the bias that lies in
            measuring, not in predicting.
        predicted_ms, loop_ms: One value per network.
        at: Moment of the loops, UTC, in ISO 8601.
    """

    networks: int
    processes: int
    runs: int
    bias_percent: float
    bias_error_percent: float
    mape_percent: float
    coverage_percent: float
    protocol_percent: float
    predicted_ms: tuple[float, ...]
    loop_ms: tuple[float, ...]
    at: str


def half_width(*, level: float, relative: float, bias: float, error: float) -> float:
    """Return the half width around a biased prediction that holds as much as the given one does without bias.

    Errors are taken as normal: of mean `bias`, and of the variance that makes `relative` hold `level`, together with
    the variance of the bias itself.

    Args:
        level: Coverage, in (0, 1).
        relative: Half width that holds it without bias.
        bias: Of predictions, relative.
        error: Standard error of the bias.
    """
    normal = NormalDist()
    deviation = math.hypot(relative / normal.inv_cdf((1 + level) / 2), error)
    shift = abs(bias)
    if not shift and not error:
        return relative
    if not deviation:
        return shift
    low, high = 0.0, shift + 10 * deviation
    for _ in range(60):
        middle = (low + high) / 2
        inside = normal.cdf((middle - shift) / deviation) - normal.cdf((-middle - shift) / deviation)
        low, high = (low, middle) if inside >= level else (middle, high)
    return high
