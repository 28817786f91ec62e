"""The covariance of units: how far the times of units deviate from their trend, and how much alike.

The time of a unit is its trend (`work.Trend`) times 1 + a deviation. A deviation is the sum of a part shared by all
units, one by group, one that varies smoothly with sizes, and one of the unit alone. Building a table (`process`) and
estimating units that a table lacks (`edgenas.latency.interpolate`) stand on this one covariance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgenas.latency.model.work import group, position
from edgenas.latency.units import Unit
from edgenas.types import Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Standard deviations, all relative, and the length of the process.

    Attributes:
        shared: Of all units together (the scale of the trend).
        by_group: Of a group of units.
        smooth: Of the part that varies with sizes.
        length: Distance in `work.position` over which that part's correlation falls.
        alone: Of a unit by itself.
        noise: Of a measured network.
    """

    shared: float = 0.3
    by_group: float = 0.2
    smooth: float = 0.2
    length: float = 2.0
    alone: float = 0.05
    noise: float = 0.015

    @property
    def variance(self) -> float:
        """Of the deviation of one unit."""
        return self.shared**2 + self.by_group**2 + self.smooth**2 + self.alone**2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Places:
    """Where units lie for the process: group numbers (U,) and positions (U, P)."""

    groups: NDArray[np.int64]
    positions: Floats

    @classmethod
    def of(cls, units: Sequence[Unit], names: dict[str, int]) -> Places:
        """Describe units (U,); `names` numbers the groups, and new ones are added to it."""
        numbers = [names.setdefault(group(unit), len(names)) for unit in units]
        return cls(groups=np.array(numbers), positions=np.array([position(unit) for unit in units]))

    def squares(self, other: Places) -> Floats:
        """Squared distances (U, V) of positions."""
        found = (self.positions**2).sum(axis=1)[:, None] + (other.positions**2).sum(axis=1)
        return np.maximum(found - 2 * self.positions @ other.positions.T, 0.0)

    def at(self, members: NDArray[np.bool_] | NDArray[np.int64]) -> Places:
        """Some of the units."""
        return Places(groups=self.groups[members], positions=self.positions[members])

    def covariance(self, other: Places, spread: Spread) -> Floats:
        """Of deviations of these units with the others' (U, V), without the part of a unit alone."""
        smooth = spread.smooth**2 * np.exp(-0.5 * self.squares(other) / spread.length**2)
        same = self.groups[:, None] == other.groups
        return same * (spread.by_group**2 + smooth) + spread.shared**2
