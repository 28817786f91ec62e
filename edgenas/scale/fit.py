"""Finding the coefficients of compound scaling: a grid under a constraint on MACs or on latency, judged by quality."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from edgenas.arch.architecture import Architecture
from edgenas.errors import BudgetError, InputError, explain
from edgenas.scale.compound import Coefficients, compound
from edgenas.types import Progress

LatencyMs = Callable[[Architecture], float]
Quality = Callable[[Architecture], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """Coefficients, and what they make of a network at phi = 1.

    Attributes:
        coefficients: The coefficients.
        architecture: The network at phi = 1.
        ratio: Cost at phi = 1 over cost at phi = 0: MACs before rounding, or latency.
    """

    coefficients: Coefficients
    architecture: Architecture
    ratio: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """A candidate and what it was found to be worth.

    Attributes:
        candidate: The candidate.
        quality: What the quality function said of its network; more is better.
    """

    candidate: Candidate
    quality: float


def _axis(step: float, most: float) -> list[float]:
    return [round(1 + place * step, 6) for place in range(int((most - 1) / step + 1e-6) + 1)]


def _check_grid(*, target: float, tolerance: float, step: float) -> None:
    if not (target > 1 and 0 < tolerance < target - 1 + 1e-12 and 0.005 <= step <= 1):
        raise InputError(
            explain(
                "impossible grid of scaling coefficients", got=f"ratio {target}, tolerance {tolerance}, step {step}",
                allowed="ratio > 1, tolerance in (0, ratio - 1], step 0.005 to 1",
            )
        )


def grid_by_macs(
    architecture: Architecture, *, ratio: float = 2.0, tolerance: float = 0.1, step: float = 0.05
) -> tuple[Candidate, ...]:
    """List the grid points with alpha * beta^2 * gamma^2 near a ratio (Tan & Le 2019, eq. 3 and section 4).

    Of the points that give the same network at phi = 1, the one with the product nearest the ratio stays. So the
    network of the published 1.2, 1.1, 1.15 (product 1.920) is in the default grid under coefficients nearer to 2.

    Args:
        architecture: The network at phi = 0.
        ratio: The product wanted at phi = 1.
        tolerance: How far from it a point may be.
        step: Of the grid.

    Raises:
        InputError: The grid is impossible.
    """
    _check_grid(target=ratio, tolerance=tolerance, step=step)
    points = [
        Coefficients(alpha=alpha, beta=beta, gamma=gamma)
        for alpha in _axis(step, ratio + tolerance)
        for beta in _axis(step, (ratio + tolerance) ** 0.5)
        for gamma in _axis(step, (ratio + tolerance) ** 0.5)
    ]
    near = [point for point in points if abs(point.macs_factor - ratio) <= tolerance + 1e-9]
    found = (
        Candidate(coefficients=point, architecture=_grown(architecture, point), ratio=point.macs_factor)
        for point in near
    )
    return _distinct(found, ratio)


def grid_by_latency(
    architecture: Architecture,
    latency_ms: LatencyMs,
    *,
    ratio: float = 2.0,
    tolerance: float = 0.1,
    step: float = 0.05,
    most: float = 2.5,
    progress: Progress | None = None,
) -> tuple[Candidate, ...]:
    """List the grid points whose network at phi = 1 takes a given multiple of the latency at phi = 0.

    Latency rises with each coefficient, apart from rounding. So the walk along alpha ends one step after the last point
    within the tolerance. The latency of each distinct network is asked for once.

    Args:
        architecture: The network at phi = 0.
        latency_ms: Latency of a network, ms: a table's prediction or a measurement.
        ratio: Latency at phi = 1 over latency at phi = 0.
        tolerance: How far from it a point may be.
        step: Of the grid.
        most: Largest value of each coefficient.
        progress: Told after each line of the grid.

    Raises:
        InputError: The grid is impossible.
        BudgetError: No point has the ratio.
    """
    _check_grid(target=ratio, tolerance=tolerance, step=step)
    known = _Remembered(latency_ms)
    base = known(architecture)
    lines = [(beta, gamma) for beta in _axis(step, most) for gamma in _axis(step, most)]
    found: list[Candidate] = []
    closed = most + 1  # beyond this gamma a line begins too slow already, for this beta and every larger one
    for done, (beta, gamma) in enumerate(lines, start=1):
        if gamma >= closed:
            continue
        line = list(_line(architecture, known, base, beta=beta, gamma=gamma, limit=ratio + tolerance, step=step,
                          most=most))
        if not line[0].ratio <= ratio + tolerance:
            closed = gamma
        found += [candidate for candidate in line if abs(candidate.ratio - ratio) <= tolerance + 1e-9]
        if progress is not None:
            progress(done, len(lines), "scaling coefficients by latency")
    if not found:
        raise BudgetError(
            explain(
                "no scaling coefficients have the ratio of latencies", got=f"{ratio} +- {tolerance}",
                remedy="Use a larger tolerance or a smaller step.",
            )
        )
    return _distinct(found, ratio)


def _line(
    architecture: Architecture,
    latency_ms: LatencyMs,
    base: float,
    *,
    beta: float,
    gamma: float,
    limit: float,
    step: float,
    most: float,
) -> Iterator[Candidate]:
    """Walk along alpha until the limit is passed; the point that passes it is the last one."""
    for alpha in _axis(step, most):
        point = Coefficients(alpha=alpha, beta=beta, gamma=gamma)
        grown = _grown(architecture, point)
        candidate = Candidate(coefficients=point, architecture=grown, ratio=latency_ms(grown) / base)
        yield candidate
        if not candidate.ratio <= limit:
            return


def _grown(architecture: Architecture, point: Coefficients) -> Architecture:
    return compound(architecture, alpha=point.alpha, beta=point.beta, gamma=point.gamma, phi=1)


def _distinct(candidates: Iterator[Candidate] | Sequence[Candidate], ratio: float) -> tuple[Candidate, ...]:
    """Keep one candidate for each network, that with the ratio nearest the wanted one."""
    best: dict[str, Candidate] = {}
    for candidate in candidates:
        digest = candidate.architecture.digest
        if digest not in best or abs(candidate.ratio - ratio) < abs(best[digest].ratio - ratio):
            best[digest] = candidate
    return tuple(best.values())


class _Remembered:
    """Asks for the latency of each distinct network once."""

    def __init__(self, latency_ms: LatencyMs) -> None:
        self._latency_ms = latency_ms
        self._known: dict[str, float] = {}

    def __call__(self, architecture: Architecture) -> float:
        digest = architecture.digest
        if digest not in self._known:
            self._known[digest] = self._latency_ms(architecture)
        return self._known[digest]


def fit(
    candidates: Sequence[Candidate], quality: Quality, *, progress: Progress | None = None
) -> tuple[Fitted, ...]:
    """Judge candidates, best first; candidates of equal quality stay in their order.

    Args:
        candidates: From `grid_by_macs` or `grid_by_latency`.
        quality: What a network is worth; a training, or the run's estimator. More is better.
        progress: Told after each candidate.

    Raises:
        InputError: There is no candidate.
    """
    if not candidates:
        raise InputError(explain("no scaling coefficients to judge", remedy="Use a larger tolerance or smaller step."))
    judged = []
    for done, candidate in enumerate(candidates, start=1):
        judged.append(Fitted(candidate=candidate, quality=quality(candidate.architecture)))
        if progress is not None:
            progress(done, len(candidates), "scaling coefficients")
    return tuple(sorted(judged, key=lambda fitted: -fitted.quality))
