"""Fitting a Gaussian process with any kernel: marginal likelihood, its maximum, and solving with the covariance.

The likelihood is that of Rasmussen & Williams 2006, eq. 5.8 and 5.9, with normal priors on the logarithms of the
parameters. Letters: N points, K parameters.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from scipy.linalg import lapack
from scipy.optimize import minimize

from edgenas.types import Floats

JITTER = 1e-6
"""Added to the variance of the noise, so that a covariance can be factorised."""


class Kernel(Protocol):
    """The covariance of N given points as a function of theta (K,), the logarithms of its parameters."""

    @property
    def prior_mean(self) -> Floats:
        """Means (K,) of the priors; where a fit starts."""

    @property
    def prior_deviation(self) -> Floats:
        """Standard deviations (K,) of the priors."""

    @property
    def bounds(self) -> list[tuple[float, float]]:
        """Bounds of each parameter."""

    def covariance(self, theta: Floats) -> Floats:
        """Return the covariance (N, N) with noise on its diagonal: a new array, which the caller may overwrite."""

    def gradient(self, theta: Floats, slope: Floats) -> Floats:
        """Return sum_ij slope_ij dK_ij / dtheta (K,), at the theta of the last call of `covariance`."""


class Likelihood:
    """Negative log marginal likelihood of standardised targets, with priors, and its gradient."""

    def __init__(self, kernel: Kernel, target: Floats) -> None:
        """Keep what is given.

        Args:
            kernel: Of the points.
            target: (N,), of mean 0.
        """
        self._kernel, self._target = kernel, target
        self._mean, self._precision = kernel.prior_mean, kernel.prior_deviation**-2.0

    def __call__(self, theta: Floats) -> tuple[float, Floats]:
        """Value and gradient (K,) at parameters; a huge value where the matrix is not positive definite."""
        target = self._target
        factor, bad = lapack.dpotrf(self._kernel.covariance(theta), lower=1)
        if bad:
            return 1e10, np.zeros_like(theta)
        alpha, _ = lapack.dpotrs(factor, target, lower=1)
        off = theta - self._mean
        value = (
            0.5 * float(target @ alpha)
            + float(np.log(np.diag(factor)).sum())
            + 0.5 * float(off @ (self._precision * off))
        )
        slope = inverse_of(factor)
        slope -= np.outer(alpha, alpha)
        slope *= 0.5
        return value, self._kernel.gradient(theta, slope) + self._precision * off


def maximise(kernel: Kernel, target: Floats, *, start: Floats, iterations: int) -> tuple[Floats, float]:
    """Return the parameters (K,) of the largest likelihood with priors, and its negative logarithm.

    Args:
        kernel: Of the points.
        target: (N,), of mean 0.
        start: (K,), where to begin.
        iterations: Most steps of the optimiser (L-BFGS-B).
    """
    found = minimize(
        Likelihood(kernel, target),
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=kernel.bounds,
        options={"maxiter": iterations},
    )
    return found.x, float(found.fun)


def factorised(covariance: Floats) -> Floats:
    """Return the lower Cholesky factor (N, N) of a covariance that carries noise."""
    factor, bad = lapack.dpotrf(covariance, lower=1)
    assert not bad, "the covariance carries noise and is positive definite"
    return np.asarray(factor)


def solved(factor: Floats, right: Floats) -> Floats:
    """Return K^-1 times a right-hand side (N,) or (N, P), from the lower factor of K."""
    solution, _ = lapack.dpotrs(factor, right, lower=1)
    return np.asarray(solution)


def inverse_of(factor: Floats) -> Floats:
    """Return K^-1 (N, N), from the lower factor of K."""
    inverse, _ = lapack.dpotri(factor, lower=1)
    inverse = np.tril(inverse)
    inverse += np.tril(inverse, -1).T
    return np.asarray(inverse)
