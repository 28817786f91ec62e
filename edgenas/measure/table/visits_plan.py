"""The plan of a build's visits: which network is measured when, and how often."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from edgenas.errors import DeviceError, explain
from edgenas.interrupt import finishing
from edgenas.measure.protocol.ratios import Ratios, disturbed
from edgenas.measure.protocol.visit import Bench, Visit
from edgenas.measure.table.design import Design
from edgenas.measure.table.sample_file import SampleFile
from edgenas.space import SearchSpace
from edgenas.types import Progress

# Chosen, not measured: bounds the time of a build.
MAX_PASSES = 8
# Number of the visit that replaces disturbed ones; passes are numbered from 0.
RETAKEN = MAX_PASSES
# Further visits between two looks at the noise and the time.
# Chosen, not measured: a compromise of responsiveness and cost.
_ASK_EVERY = 10
# Average visits of a network after which one call stops trying to find out how well a measurement repeats.
# Chosen, not measured: bounds the time of a build.
_MOST_WITHOUT_NOISE = 3


class Campaign:
    """The visits of a build: one pass over all networks, some again, then more while noise and time allow."""

    def __init__(
        self, space: SearchSpace, design: Design, bench: Bench, kept: SampleFile, progress: Progress | None
    ) -> None:
        self._networks = [space.decode(genes) for genes in design.genes]
        self._codes = [tuple(int(gene) for gene in genes) for genes in design.genes]
        self._again = design.probes
        self._bench, self._kept, self._progress = bench, kept, progress
        self._done = self._planned = 0

    def run(self, *, seed: int, target_error: float, seconds: float) -> None:
        """Take every visit that is not kept yet.

        Args:
            seed: Of the order. The order is random, so that drift of the machine does not become a trend in the design.
            target_error: Relative standard error between sessions at which visits end.
            seconds: Time for all visits, beyond which no visit besides the first pass begins.
        """
        count, before = len(self._networks), len(self._kept)
        order = [int(index) for index in np.random.default_rng(seed + 1).permutation(count)]
        again = [int(index) for index in np.random.default_rng(seed).permutation(self._again)]
        for index in order:
            self._take(index, 0, planned=count + len(again))
        for index in again:
            self._take(index, 1, planned=count + len(again))
        missing, self._before = 0, before
        # Networks are visited again until time is up or the noise is small. While the noise is unknown, visits go on
        # beyond that time.
        for step, (index, visit) in enumerate(self._further(order)):
            missing = self._missing(target_error, seconds) if step % _ASK_EVERY == 0 else missing - 1
            if missing < 1:
                break
            self._take(index, visit, planned=self._done + missing)
        self._retake()
        self._require_noise()
        if self._planned != self._done:
            self._report(self._done)

    def _further(self, order: list[int]) -> Iterator[tuple[int, int]]:
        """Visits beyond the first pass that are not kept, those of the least visited networks first."""
        for visit in range(1, MAX_PASSES):
            for index in order:
                if self._kept.get(self._codes[index], visit) is None:
                    yield index, visit

    def _missing(self, target_error: float, seconds: float) -> int:
        """Estimate how many further visits the target needs and the time allows."""
        taken = len(self._kept)
        spent = sum(found.value.seconds for found in self._kept)
        noise = self._noise()
        if math.isnan(noise):
            return _ASK_EVERY if taken - self._before < _MOST_WITHOUT_NOISE * len(self._codes) else 0
        needed = math.ceil(len(self._codes) * (noise / target_error) ** 2) - taken
        return min(needed, int((seconds - spent) / (spent / taken)))

    def _noise(self) -> float:
        return Ratios.steadiest([self._visits(index) for index in range(len(self._codes))]).noise

    def _require_noise(self) -> None:
        """Refuse a build whose repeatability is unknown."""
        if math.isnan(self._noise()):
            raise DeviceError(
                explain(
                    "the machine is too unsteady to measure: no network has two visits that can be trusted, so nothing "
                    "says how well a measurement repeats",
                    got=f"{len(self._kept)} visits of {len(self._codes)} networks",
                    remedy="Stop other work and give the same command again; it goes on from what was measured.",
                )
            )

    def _retake(self) -> None:
        """Visit networks again of which every visit was disturbed."""
        for index in range(len(self._codes)):
            if all(disturbed(visit) for visit in self._visits(index)):
                self._take(index, RETAKEN, planned=self._done + 1)

    def _visits(self, index: int) -> tuple[Visit, ...]:
        return visits_of(self._kept, self._codes[index])

    def _take(self, index: int, visit: int, *, planned: int) -> None:
        if self._kept.get(self._codes[index], visit) is None:
            try:
                with finishing("this visit"):
                    self._kept.add(self._codes[index], visit, self._bench.visit(self._networks[index]))
            except DeviceError as error:
                raise self._gone(error, planned) from error
        self._done += 1
        self._report(planned)

    def _report(self, planned: int) -> None:
        self._planned = planned
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
