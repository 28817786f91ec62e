"""From measured visits to a fit: the reference's share, the errors on left-out networks, and the interval.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgenas.arch import lower
from edgenas.latency.model.crossval import LEVEL, LeftOut, cross_validate
from edgenas.latency.model.process import UnitFit
from edgenas.latency.table import Interval
from edgenas.latency.units import Unit, graph_units
from edgenas.measure.protocol.ratios import SHARES, Ratios
from edgenas.measure.protocol.visit import Visit
from edgenas.measure.table.design import Design
from edgenas.measure.table.sample_file import SampleFile
from edgenas.measure.table.visits_plan import visits_of
from edgenas.space import SearchSpace
from edgenas.types import Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TableFit:
    """A fit and what it explains: units, counts (n, U), ratios (n,), visits of each network, noise of one visit."""

    units: list[Unit]
    counts: Floats
    ratios: Floats
    visits: tuple[tuple[Visit, ...], ...]
    noise: float
    fit: UnitFit

    @property
    def often(self) -> Floats:
        """(n,) visits of each network."""
        return np.array([len(found) for found in self.visits], dtype=np.float64)

    @property
    def mean_noise(self) -> float:
        """Noise of a typical ratio."""
        return self.noise / math.sqrt(float(self.often.mean()))

    def left_out(self, drawn: NDArray[np.bool_]) -> LeftOut:
        """Errors of the fit on networks left out of it."""
        return cross_validate(
            self.units, self.counts, self.ratios, drawn=drawn, noise=self.mean_noise, visits=self.often
        )


def fitted(space: SearchSpace, design: Design, kept: SampleFile) -> TableFit:
    """Fit with each share of a visit's own reference, and keep the one with the least error on left-out networks."""
    visits = tuple(visits_of(kept, tuple(int(gene) for gene in genes)) for genes in design.genes)
    lists = [graph_units(lower(space.decode(genes))) for genes in design.genes]
    known = {unit.key: unit for pairs in lists for unit, _ in pairs}
    places = {key: place for place, key in enumerate(known)}
    counts = np.zeros((len(lists), len(known)))
    for row, pairs in enumerate(lists):
        for unit, _ in pairs:
            counts[row, places[unit.key]] += 1
    often = np.array([len(found) for found in visits], dtype=np.float64)
    best: TableFit | None = None
    for share in reversed(SHARES):
        found = Ratios.of(visits, own_share=share)
        noise = found.noise / math.sqrt(float(often.mean()))
        fit = UnitFit(list(known.values()), counts, found.combined, noise=noise, visits=often)
        if best is None or _rms(fit.left_out) < _rms(best.fit.left_out):
            best = TableFit(
                units=list(known.values()), counts=counts, ratios=found.combined, visits=visits, noise=found.noise,
                fit=fit,
            )  # fmt: skip
    assert best is not None
    return best


def _rms(values: Floats) -> float:
    return math.sqrt(float((values**2).mean()))


def interval_of(left_out: LeftOut, noise: float) -> Interval:
    """Half width from networks that were left out of the whole fit, and the noise of a visit in quadrature.

    Residuals within a build do not contain what changes from one hour to the next. That is an error common to all
    networks. It was about as large as the noise of one visit on every machine measured.
    """
    relative = math.hypot(left_out.quantile(), noise)
    return Interval(level=LEVEL, relative=relative, networks=len(left_out.error), visit_noise=noise)
