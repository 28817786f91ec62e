"""From measured visits to a fit: the reference's share, the errors on left-out networks, and the interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgenas.arch import lower
from edgenas.latency.model.crossval import LEVEL, LeftOut, cross_validate
from edgenas.latency.model.process import UnitFit
from edgenas.latency.table import Interval
from edgenas.latency.units import Unit, graph_units
from edgenas.measure.protocol.ratios import SHARES, Ratios
from edgenas.measure.protocol.visit import Visit
from edgenas.measure.table.design import Design, held_out
from edgenas.measure.table.sample_file import SampleFile
from edgenas.measure.table.visits_plan import visits_of
from edgenas.space import SearchSpace
from edgenas.types import Floats

# Networks whose predictions tell how unsteady a fit is. A standard deviation from 60 independent ones would be known to
# 9 %.
_OTHERS = 60


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

    def left_out(self, space: SearchSpace, design: Design) -> LeftOut:
        """Errors of the fit on networks left out of it, and its unsteadiness on others of the space."""
        used = {space.decode(genes).digest for genes in design.genes}
        drawn = held_out(space, _OTHERS, np.random.default_rng(0), without=used)
        lists = [graph_units(lower(space.decode(genes))) for genes in drawn]
        units = list({unit: None for unit in self.units} | {unit: None for pairs in lists for unit, _ in pairs})
        counts = np.zeros((len(self.counts), len(units)))
        counts[:, : len(self.units)] = self.counts
        return cross_validate(
            units, counts, self.ratios, drawn=design.drawn, others=_counts(lists, units), noise=self.mean_noise,
            visits=self.often,
        )  # fmt: skip


def fitted(space: SearchSpace, design: Design, kept: SampleFile) -> TableFit:
    """Fit with each share of a visit's own reference, and keep the one with the least error on left-out networks."""
    visits = tuple(visits_of(kept, tuple(int(gene) for gene in genes)) for genes in design.genes)
    lists = [graph_units(lower(space.decode(genes))) for genes in design.genes]
    units = list({unit: None for pairs in lists for unit, _ in pairs})
    counts = _counts(lists, units)
    often = np.array([len(found) for found in visits], dtype=np.float64)
    best: TableFit | None = None
    for share in reversed(SHARES):
        found = Ratios.of(visits, own_share=share)
        noise = found.noise / math.sqrt(float(often.mean()))
        fit = UnitFit(units, counts, found.combined, noise=noise, visits=often)
        if best is None or _rms(fit.left_out) < _rms(best.fit.left_out):
            best = TableFit(
                units=units, counts=counts, ratios=found.combined, visits=visits, noise=found.noise, fit=fit
            )
    assert best is not None
    return best


def _counts(lists: Sequence[tuple[tuple[Unit, str], ...]], units: Sequence[Unit]) -> Floats:
    """How often each network (n,) contains each unit (n, U)."""
    places = {unit: place for place, unit in enumerate(units)}
    counts = np.zeros((len(lists), len(units)))
    for row, pairs in enumerate(lists):
        for unit, _ in pairs:
            counts[row, places[unit]] += 1
    return counts


def _rms(values: Floats) -> float:
    return math.sqrt(float((values**2).mean()))


def interval_of(left_out: LeftOut, noise: float) -> Interval:
    """Half width for true latencies at the clock of the build, from networks that were left out of the whole fit.

    What the clock is off is not a part of it: every clock has an error of its own, which predictions add.
    """
    return Interval(level=LEVEL, relative=left_out.quantile(), networks=len(left_out.error), visit_noise=noise)
