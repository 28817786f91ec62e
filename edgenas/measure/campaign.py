"""The visits of a build: which network is measured when, and how often."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from edgenas.errors import DeviceError
from edgenas.measure.design import Design
from edgenas.measure.state import SampleFile
from edgenas.measure.visits import Bench, Visit, disturbed
from edgenas.space import SearchSpace

Progress = Callable[[int, int, str], None]
MAX_PASSES = 8
# Number of the visit that replaces disturbed ones; passes are numbered from 0.
RETAKEN = MAX_PASSES
_REVISIT_SHARE = 0.12


def _again(networks: int, seed: int) -> list[int]:
    """Networks that are visited a second time right after the first pass, in fresh sessions: they show the noise."""
    order = np.random.default_rng(seed).permutation(networks)
    return [int(index) for index in order[: max(4, round(_REVISIT_SHARE * networks))]]


class Campaign:
    """The visits of a build: one pass over all networks, some again, then whole passes while noise and time allow."""

    def __init__(
        self, space: SearchSpace, design: Design, bench: Bench, kept: SampleFile, progress: Progress | None
    ) -> None:
        self._networks = [space.decode(genes) for genes in design.genes]
        self._codes = [tuple(int(gene) for gene in genes) for genes in design.genes]
        self._bench, self._kept, self._progress = bench, kept, progress
        self._done = 0

    def run(self, *, seed: int, target_error: float, seconds: float) -> None:
        """Take every visit that is not kept yet.

        Args:
            seed: Of the order, which is random so that drift is no trend in the design.
            target_error: Relative standard error between sessions at which passes end.
            seconds: Time for all visits, beyond which no further pass begins.
        """
        count = len(self._networks)
        order = [int(index) for index in np.random.default_rng(seed + 1).permutation(count)]
        again = _again(count, seed)
        planned = count + len(again)
        self._take(order, 0, planned)
        self._take(again, 1, planned)
        for passed in range(1, MAX_PASSES):
            noise = visit_noise(self._kept, self._codes)
            spent = sum(taken.value.seconds for taken in self._kept)
            if noise / math.sqrt(passed) <= target_error or spent * (1 + 1 / passed) > seconds:
                break
            fresh = [index for index in order if passed > 1 or index not in set(again)]
            planned += len(fresh)
            self._take(fresh, passed, planned)
        self._retake(planned)

    def _retake(self, planned: int) -> None:
        """Visit networks again that were only ever measured while the reference was disturbed."""
        typical = typical_reference_ms(self._kept)
        for index, code in enumerate(self._codes):
            if all(disturbed(visit, typical) for visit in visits_of(self._kept, code)):
                planned += 1
                self._take([index], RETAKEN, planned)

    def _take(self, indices: Sequence[int], visit: int, planned: int) -> None:
        for index in indices:
            if self._kept.get(self._codes[index], visit) is None:
                try:
                    self._kept.add(self._codes[index], visit, self._bench.visit(self._networks[index]))
                except DeviceError as error:
                    raise self._gone(error, planned) from error
            self._done += 1
            if self._progress is not None:
                self._progress(self._done, planned, "measure networks")

    def _gone(self, error: DeviceError, planned: int) -> DeviceError:
        kept = self._kept
        where = f"they are kept in {kept.path}; the same command goes on from there" if kept.path else "none is kept"
        return DeviceError(f"{error} The measurement stopped after {len(kept)} of {planned} visits; {where}.")


def visits_of(kept: SampleFile, code: tuple[int, ...]) -> tuple[Visit, ...]:
    """Return the visits of one network, in order."""
    found = [kept.get(code, visit) for visit in range(RETAKEN + 1)]
    return tuple(visit for visit in found if visit is not None)


def typical_reference_ms(kept: SampleFile) -> float:
    """Return the median latency of the reference over all visits."""
    return float(np.median([taken.value.reference_ms for taken in kept]))


def visit_noise(kept: SampleFile, codes: Sequence[tuple[int, ...]]) -> float:
    """Relative standard deviation of a network's ratio between visits; NaN without two visits of any network.

    Disturbed visits are left out where two others of a network remain; where the machine disturbed nearly all, they
    are what there is, and their noise is the truth about the table.
    """
    typical = typical_reference_ms(kept)
    every = [visits_of(kept, code) for code in codes]
    steady = [[visit for visit in found if not disturbed(visit, typical)] for found in every]
    noise = _pooled_deviation(steady)
    return _pooled_deviation(every) if math.isnan(noise) else noise


def _pooled_deviation(visits: Sequence[Sequence[Visit]]) -> float:
    """Standard deviation of log ratios within networks, pooled; NaN without two visits of any network."""
    squares: list[float] = []
    freedom = 0
    for found in visits:
        ratios = np.log([visit.ratio for visit in found])
        if len(ratios) > 1:
            squares.append(float(((ratios - ratios.mean()) ** 2).sum()))
            freedom += len(ratios) - 1
    return math.sqrt(sum(squares) / freedom) if freedom else float("nan")
