"""Scales on which an objective is modelled, and the expected improvement below a level on its own scale."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from scipy.special import ndtr

from edgenas.search.protocol import Floats

_LOG_SQRT_2PI = 0.9189385332046727


class Warp(Protocol):
    """A monotone scale; the model is normal on it."""

    def takes(self, values: Floats) -> bool:
        """Whether all values have a place on the scale."""
        ...

    def forward(self, values: Floats) -> Floats:
        """Own scale to model scale."""
        ...

    def backward(self, modelled: Floats) -> Floats:
        """Model scale to own scale (the median stays the median)."""
        ...

    def log_jacobian(self, values: Floats) -> float:
        """Sum of log |d forward / d value|: the correction of a likelihood on the model scale."""
        ...

    def below(self, level: Floats, mean: Floats, deviation: Floats) -> Floats:
        """E[max(level - y, 0)] where `forward(y)` is normal with mean and deviation; shapes broadcast."""
        ...


class Identity:
    """As it is."""

    def takes(self, values: Floats) -> bool:
        """Always."""
        return True

    def forward(self, values: Floats) -> Floats:
        """The values."""
        return values

    def backward(self, modelled: Floats) -> Floats:
        """The values."""
        return modelled

    def log_jacobian(self, values: Floats) -> float:
        """0."""
        return 0.0

    def below(self, level: Floats, mean: Floats, deviation: Floats) -> Floats:
        """s (u Phi(u) + phi(u)) with u = (level - mean) / s (Jones 1998, eq. 15)."""
        u = (level - mean) / deviation
        return deviation * (u * ndtr(u) + np.exp(-0.5 * u * u - _LOG_SQRT_2PI))


class Log:
    """The logarithm, for positive values."""

    def takes(self, values: Floats) -> bool:
        """Whether all are positive."""
        return bool((values > 0).all())

    def forward(self, values: Floats) -> Floats:
        """log y."""
        return np.log(values)

    def backward(self, modelled: Floats) -> Floats:
        """exp m."""
        return np.exp(modelled)

    def log_jacobian(self, values: Floats) -> float:
        """-sum log y."""
        return -float(np.log(values).sum())

    def below(self, level: Floats, mean: Floats, deviation: Floats) -> Floats:
        """level Phi(u) - exp(m + s^2 / 2) Phi(u - s), u = (log level - m) / s: a put on a log-normal (Black 1976)."""
        u = (np.log(np.maximum(level, 1e-300)) - mean) / deviation
        return np.maximum(level * ndtr(u) - np.exp(mean + 0.5 * deviation**2) * ndtr(u - deviation), 0.0)


IDENTITY, LOG = Identity(), Log()
