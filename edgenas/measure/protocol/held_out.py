"""The measurements that predictions are compared with: networks measured until their own error is small."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgenas.arch import Architecture
from edgenas.measure.protocol.ratios import Ratios
from edgenas.measure.protocol.visit import Bench, Visit
from edgenas.types import Floats, Progress

_WHAT = "measure held-out networks"
# Most visits of a network after the first passes. On a noisy machine its measurement stays uncertain.
# Chosen, not measured: bounds the time of a validation.
_FURTHER = 4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Truth:
    """Measured networks.

    Attributes:
        visits: Of each of n networks, in order.
        ratios: (n,) latencies over the reference's.
        errors: (n,) relative standard errors of the ratios; NaN where no network was visited twice.
        noise: Relative standard deviation of one visit; NaN where no network was visited twice.
        scale: Divisor of the ratios that makes them comparable with ratios of another time.
    """

    visits: tuple[tuple[Visit, ...], ...]
    ratios: Floats
    errors: Floats
    noise: float
    scale: float = 1.0

    @classmethod
    def of(cls, taken: Sequence[Sequence[Visit]]) -> Truth:
        """Combine the visits of each network."""
        found = Ratios.steadiest(taken)
        return cls(
            visits=tuple(tuple(visits) for visits in taken),
            ratios=found.combined,
            errors=found.errors,
            noise=found.noise,
        )

    def first(self, count: int, *, scale: float) -> Truth:
        """Return the first `count` networks, their ratios divided by `scale`."""
        return Truth(
            visits=self.visits[:count],
            ratios=self.ratios[:count] / scale,
            errors=self.errors[:count],
            noise=self.noise,
            scale=scale,
        )

    @property
    def all(self) -> list[Visit]:
        """Every visit of every network."""
        return [visit for found in self.visits for visit in found]


def measure_passes(
    bench: Bench, networks: Sequence[Architecture], *, visits: int, progress: Progress | None = None
) -> Truth:
    """Measure networks in passes of random order, so that the visits of one network lie apart in time.

    Args:
        bench: Measures against the reference.
        networks: At least one.
        visits: Passes.
        progress: Called with (visits done, visits in all, what).
    """
    taken: list[list[Visit]] = [[] for _ in networks]
    order = np.random.default_rng(0).permutation(len(networks)).tolist()
    for passed in range(visits):
        for place, index in enumerate(order):
            taken[index].append(bench.visit(networks[index]))
            if progress is not None:
                progress(passed * len(networks) + place + 1, visits * len(networks), _WHAT)
    return Truth.of(taken)


def measure_held_out(
    bench: Bench,
    networks: Sequence[Architecture],
    *,
    visits: int,
    target_error: float,
    progress: Progress | None = None,
) -> Truth:
    """Measure networks in passes, then measure again those whose error is still too large.

    Args:
        bench: Measures against the reference.
        networks: At least one.
        visits: First passes over all networks.
        target_error: A network is visited again while its relative standard error is above this, or unknown.
        progress: Called with (visits done, visits in all, what).
    """
    truth = measure_passes(bench, networks, visits=visits, progress=progress)
    for _ in range(_FURTHER):
        unsure = [index for index, error in enumerate(truth.errors) if not error <= target_error]
        taken = [list(found) for found in truth.visits]
        done = len(truth.all)
        for place, index in enumerate(unsure):
            taken[index].append(bench.visit(networks[index]))
            if progress is not None:
                progress(done + place + 1, done + len(unsure), _WHAT)
        truth = Truth.of(taken)
    return truth
