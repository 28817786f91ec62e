"""A family of one network: one member for each latency target, by a continuous phi."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

from edgenas.arch.architecture import Architecture
from edgenas.errors import BudgetError, InputError, explain
from edgenas.scale.compound import Coefficients, rounded_resolution, scaled
from edgenas.types import Progress

LatencyMs = Callable[[Architecture], float]

_HALVINGS = 24
_MOST_TRIES = 200
_NEAR = (0.0, -0.15, 0.15, -0.3, 0.3, -0.5, 0.5, -0.75, 0.75, -1.0, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """The network of one target.

    Attributes:
        target_ms: The target.
        latency_ms: What the latency function said of the network.
        phi: How far depth, width and resolution were scaled, in this order; equal unless rounding left a gap.
        architecture: The network.
        within: Whether its latency lies between `low` times the target and the target.
    """

    target_ms: float
    latency_ms: float
    phi: tuple[float, float, float]
    architecture: Architecture
    within: bool


class _Scaler:
    """Scales one network, and remembers the latency of each distinct one."""

    def __init__(self, architecture: Architecture, coefficients: Coefficients, latency_ms: LatencyMs) -> None:
        self.architecture, self.coefficients, self._latency_ms = architecture, coefficients, latency_ms
        self._known: dict[str, float] = {}

    @property
    def asked(self) -> int:
        """For how many networks the latency was asked."""
        return len(self._known)

    def latency_ms(self, phi: tuple[float, float, float]) -> float:
        """Return the latency at phi; infinite where the network would be too large to build."""
        try:
            return self.at(phi)[1]
        except BudgetError:
            return math.inf

    def at(self, phi: tuple[float, float, float]) -> tuple[Architecture, float]:
        """Return the network, and its latency in ms, at phi of depth, width and resolution."""
        depth, width, resolution = phi
        pixels = rounded_resolution(self.architecture.resolution * self.coefficients.gamma**resolution)
        grown = self.architecture
        if any(phi):
            grown = scaled(
                self.architecture,
                depth=self.coefficients.alpha**depth,
                width=self.coefficients.beta**width,
                resolution=pixels if resolution else None,
            )
        digest = grown.digest
        if digest not in self._known:
            self._known[digest] = self._latency_ms(grown)
            if not (math.isfinite(self._known[digest]) and self._known[digest] > 0):
                raise InputError(explain("a latency must be positive", got=self._known[digest]))
        return grown, self._known[digest]


def family(
    architecture: Architecture,
    coefficients: Coefficients,
    targets_ms: Sequence[float],
    latency_ms: LatencyMs,
    *,
    low: float = 0.95,
    phi_range: tuple[float, float] = (-12.0, 12.0),
    progress: Progress | None = None,
) -> tuple[Member, ...]:
    """Find for each target the largest member that is not slower.

    Bisection finds a phi whose latency lies between `low` and 1 times the target. Channels, layers and pixels are
    whole, so latency jumps as phi grows. If a jump leaves no such member, depth, width and resolution get slightly
    different phis around the one found, small differences first.

    Args:
        architecture: The network at phi = 0.
        coefficients: Growth for each unit of phi.
        targets_ms: Latency targets, ms.
        latency_ms: Latency of a network, ms; asked once for each distinct network.
        low: How far below its target a member may be, as a share of it.
        phi_range: Smallest and largest phi.
        progress: Told after each target.

    Returns:
        One member for each target, in the order given; `within` says whether it reached its target.

    Raises:
        BudgetError: A target is below the fastest member; the message says the fastest.
        InputError: A target is not positive, or a coefficient leaves nothing to scale.
    """
    if not targets_ms or any(not (math.isfinite(target) and target > 0) for target in targets_ms):
        raise InputError(explain("latency targets must be positive", got=list(targets_ms), allowed="ms, at least one"))
    if coefficients.macs_factor == 1:
        raise InputError(explain("coefficients of 1 scale nothing", got=coefficients))
    scaler = _Scaler(architecture, coefficients, latency_ms)
    members = []
    for done, target in enumerate(targets_ms, start=1):
        members.append(_member(scaler, target, low=low, phi_range=phi_range))
        if progress is not None:
            progress(done, len(targets_ms), f"member for {target:g} ms")
    return tuple(members)


def _member(scaler: _Scaler, target: float, *, low: float, phi_range: tuple[float, float]) -> Member:
    fast, slow = _bracket(scaler, target, phi_range)
    for _ in range(_HALVINGS):
        if scaler.latency_ms((fast,) * 3) >= low * target:
            break
        middle = (fast + slow) / 2
        if scaler.latency_ms((middle,) * 3) <= target:
            fast = middle
        else:
            slow = middle
    best = (fast,) * 3
    if scaler.latency_ms(best) < low * target:
        best = _moved_apart(scaler, target, best, low=low)
    found, latency = scaler.at(best)
    return Member(target_ms=target, latency_ms=latency, phi=best, architecture=found, within=latency >= low * target)


def _bracket(scaler: _Scaler, target: float, phi_range: tuple[float, float]) -> tuple[float, float]:
    """Return a phi whose member meets the target, and a larger one whose member does not (or the largest phi)."""
    least, most = phi_range
    fast = slow = 0.0
    while not scaler.latency_ms((fast,) * 3) <= target:
        if fast <= least:
            fastest = scaler.latency_ms((fast,) * 3)
            raise BudgetError(
                explain(
                    "no member of the family is that fast", got=f"{target:g} ms",
                    allowed=f"at least {fastest:.4g} ms (phi {fast:g})",
                    remedy="Raise the target, or start from a faster network.",
                )
            )
        slow, fast = fast, max(least, fast - max(1.0, -fast))
    while slow < most and scaler.latency_ms((slow,) * 3) <= target:
        fast, slow = slow, min(most, slow + max(1.0, slow))
    return fast, slow


def _moved_apart(
    scaler: _Scaler, target: float, phi: tuple[float, float, float], *, low: float
) -> tuple[float, float, float]:
    """The nearly equal phis whose member lies just below the target; else those of the slowest one that meets it.
    """
    offsets = sorted(product(_NEAR, repeat=3), key=lambda moves: (sum(abs(move) for move in moves), moves))
    best, best_ms = phi, scaler.latency_ms(phi)
    tries = scaler.asked + _MOST_TRIES
    for depth, width, resolution in offsets:
        moved = (phi[0] + depth, phi[1] + width, phi[2] + resolution)
        latency = scaler.latency_ms(moved)
        if best_ms < latency <= target:
            best, best_ms = moved, latency
        if best_ms >= low * target or scaler.asked >= tries:
            break
    return best
