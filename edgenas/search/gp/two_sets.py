"""A kernel with few parameters over two sets of columns, structure and choices: the accuracy predictor's.

With standardised columns a (structure) and o (choices), F and W of them,

    k(x, z) = w1 * <a(x), a(z)> / F + w3 * exp(-r1 * |a(x) - a(z)|^2 / F)
            + w2 * <o(x), o(z)> / W + w4 * exp(-r2 * |o(x) - o(z)|^2 / W)

plus noise: seven parameters, whatever the space.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgenas.search.gp.fitting import JITTER
from edgenas.types import Floats

# Linear structure, linear choices, smooth structure, smooth choices; the two inverse length scales; noise.
PRIOR = np.log([0.5, 0.5, 0.3, 0.3, 0.3, 0.3, 0.02])
_PRIOR_DEVIATION = 3.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Inputs:
    """What a predictor sees of N networks.

    Attributes:
        structure: (N, F) structural features.
        choices: (N, W) one-hot code of the choices.
    """

    structure: Floats
    choices: Floats

    def __len__(self) -> int:
        return len(self.structure)

    def pick(self, index: NDArray[np.int64] | slice) -> Inputs:
        """Take some of the rows."""
        return Inputs(structure=self.structure[index], choices=self.choices[index])


class TwoSetsKernel:
    """The covariance of some points with themselves, for `edgenas.search.gp.fitting`."""

    prior_mean = PRIOR
    prior_deviation = np.full(len(PRIOR), _PRIOR_DEVIATION)
    bounds = [(-12.0, 6.0)] * len(PRIOR)

    def __init__(self, points: Inputs) -> None:
        """Compute what does not depend on the parameters.

        Args:
            points: (N), standardised.
        """
        self._parts = _parts(points, points)

    def covariance(self, theta: Floats) -> Floats:
        """The covariance (N, N) with noise on its diagonal."""
        self._smooth = _smooth(theta, self._parts)
        weight = np.exp(theta)
        total = weight[0] * self._parts[0] + weight[1] * self._parts[1] + self._smooth[0] + self._smooth[1]
        total[np.diag_indices(len(total))] += weight[6] + JITTER
        return np.asarray(total)

    def gradient(self, theta: Floats, slope: Floats) -> Floats:
        """See `edgenas.search.gp.fitting.Kernel`."""
        weight, (linear_s, linear_c, far_s, far_c), (smooth_s, smooth_c) = np.exp(theta), self._parts, self._smooth
        return np.asarray(
            [
                weight[0] * np.vdot(slope, linear_s),
                weight[1] * np.vdot(slope, linear_c),
                np.vdot(slope, smooth_s),
                np.vdot(slope, smooth_c),
                -weight[4] * np.vdot(slope, smooth_s * far_s),
                -weight[5] * np.vdot(slope, smooth_c * far_c),
                weight[6] * float(np.trace(slope)),
            ]
        )


def between(theta: Floats, first: Inputs, second: Inputs) -> Floats:
    """Covariance (A, B) between standardised points, without noise."""
    weight, parts = np.exp(theta), _parts(first, second)
    smooth_s, smooth_c = _smooth(theta, parts)
    return np.asarray(weight[0] * parts[0] + weight[1] * parts[1] + smooth_s + smooth_c)


def prior_variance(theta: Floats, points: Inputs) -> Floats:
    """k(x, x) (N,) of standardised points, without noise."""
    weight = np.exp(theta)
    linear = weight[0] * (points.structure**2).mean(1) + weight[1] * (points.choices**2).mean(1)
    return np.asarray(linear + weight[2] + weight[3])


def mean_of(theta: Floats, points: Inputs, known: Inputs, alpha: Floats) -> Floats:
    """Return `between(theta, points, known) @ alpha` (A,), without forming the linear part of the covariance.

    Args:
        theta: (7,) logarithms of the parameters.
        points: A, standardised.
        known: N, standardised.
        alpha: (N,), K^-1 times the targets.
    """
    weight = np.exp(theta)
    pairs = ((points.structure, known.structure), (points.choices, known.choices))
    total = np.zeros(len(points))
    for (asked, data), linear, smooth, rate in zip(pairs, weight[0:2], weight[2:4], weight[4:6], strict=True):
        columns = data.shape[1]
        # The linear part of the covariance sums up to one weight a column.
        total += asked @ (data.T @ alpha * (linear / columns))
        near = asked @ (data.T * (2.0 * rate / columns))
        near -= (asked**2).sum(1)[:, None] * (rate / columns)
        near -= (data**2).sum(1) * (rate / columns)
        total += np.exp(near, out=near) @ (alpha * smooth)
    return total


def _parts(first: Inputs, second: Inputs) -> tuple[Floats, Floats, Floats, Floats]:
    """Mean products and mean squared distances of structure and of choices, (A, B) each."""
    products = [a @ b.T / a.shape[1] for a, b in ((first.structure, second.structure), (first.choices, second.choices))]
    squares = [
        (a**2).mean(1)[:, None] + (b**2).mean(1)[None]
        for a, b in ((first.structure, second.structure), (first.choices, second.choices))
    ]
    distances = [np.maximum(square - 2 * product, 0.0) for square, product in zip(squares, products, strict=True)]
    return products[0], products[1], distances[0], distances[1]


def _smooth(theta: Floats, parts: tuple[Floats, Floats, Floats, Floats]) -> tuple[Floats, Floats]:
    weight = np.exp(theta)
    return weight[2] * np.exp(-weight[4] * parts[2]), weight[3] * np.exp(-weight[5] * parts[3])
