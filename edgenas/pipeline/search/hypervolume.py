"""Hypervolume against evaluations, made comparable between searches."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from edgenas.pareto import hypervolume_curve
from edgenas.study import History

# A little beyond the worst value, so that the ends of a front count.
_REFERENCE = 1.05


def shared_curves(histories: Iterable[History]) -> list[NDArray[np.float64]]:
    """Hypervolume after each evaluation, as a share of the box that all searches span together.

    Args:
        histories: Searches of one study.

    Returns:
        One curve for each, (its evaluations,).
    """
    several = list(histories)
    points = np.concatenate([history.results.objectives[history.shown] for history in several])
    low, high = points.min(axis=0), points.max(axis=0)
    width = np.where(high > low, high - low, 1.0)
    reference = np.full(len(low), _REFERENCE)
    curves = []
    for history in several:
        scaled = (history.results.objectives - low) / width
        scaled[~history.shown] = np.inf
        curves.append(np.asarray(hypervolume_curve(scaled, reference) / _REFERENCE ** len(low)))
    return curves
