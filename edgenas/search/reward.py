"""Rewards of reinforcement learning for a network's accuracy and costs. Pure functions, vectorised, to maximise.

Accuracies lie in [0, 1]; a cost and its target have the same unit, and both are positive.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from edgenas.errors import SearchError, explain
from edgenas.search.protocol import Floats


def mnasnet_soft(accuracy: ArrayLike, latency_ms: ArrayLike, *, target_ms: float, exponent: float = -0.07) -> Floats:
    """ACC * (LAT / T)^w with one exponent on both sides of the target (Tan 2019, eq. 2 and 3, alpha = beta).

    Args:
        accuracy: (N,).
        latency_ms: (N,).
        target_ms: T.
        exponent: w, negative.
    """
    return np.asarray(accuracy, dtype=np.float64) * _ratio(latency_ms, target_ms) ** exponent


def mnasnet_hard(accuracy: ArrayLike, latency_ms: ArrayLike, *, target_ms: float, exponent: float = -1.0) -> Floats:
    """ACC where LAT <= T, else ACC * (LAT / T)^b (Tan 2019, eq. 2 and 3, alpha = 0)."""
    return np.asarray(accuracy, dtype=np.float64) * np.maximum(_ratio(latency_ms, target_ms), 1.0) ** exponent


def tunas_absolute(accuracy: ArrayLike, latency_ms: ArrayLike, *, target_ms: float, weight: float = -0.10) -> Floats:
    """ACC + b |LAT / T - 1| (Bender 2020, section 4)."""
    return np.asarray(accuracy, dtype=np.float64) + weight * np.abs(_ratio(latency_ms, target_ms) - 1.0)


def combined(
    accuracy: ArrayLike,
    latency_ms: ArrayLike,
    macs: ArrayLike,
    *,
    target_ms: float,
    target_macs: float,
    latency_exponent: float = -0.07,
    macs_exponent: float = -0.07,
) -> Floats:
    """ACC * (LAT / T)^w1 * (MACs / M)^w2: the soft reward (Tan 2019, eq. 2) with a second cost."""
    soft = mnasnet_soft(accuracy, latency_ms, target_ms=target_ms, exponent=latency_exponent)
    return soft * _ratio(macs, target_macs) ** macs_exponent


def _ratio(cost: ArrayLike, target: float) -> Floats:
    values = np.asarray(cost, dtype=np.float64)
    if not target > 0 or (values <= 0).any():
        raise SearchError(explain("a cost and its target must be positive", got=f"target {target}"))
    return values / target
