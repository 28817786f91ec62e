"""A Gaussian process for one output, and its posterior over a pool that grows point by point."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.linalg import solve_triangular

from edgenas.search.gp.encoding import Encoded
from edgenas.search.gp.fitting import factorised, maximise, solved
from edgenas.search.gp.kernel import (
    ChoiceKernel,
    KernelLayout,
    Scaled,
    cross,
    noise,
    prior_variance,
    scale,
)
from edgenas.search.gp.predicted import Predicted
from edgenas.search.gp.warp import IDENTITY, Warp
from edgenas.search.protocol import Floats

_SMALLEST_VARIANCE = 1e-10


class Model:
    """One output: the warp and the parameters, chosen by marginal likelihood, and the data they were chosen on."""

    def __init__(self, layout: KernelLayout, warps: Sequence[Warp]) -> None:
        self.layout, self._warps = layout, tuple(warps)
        self.warp: Warp = IDENTITY
        self._thetas: dict[Warp, Floats] = {}

    @property
    def theta(self) -> Floats:
        """Logarithms of the parameters."""
        return self._thetas[self.warp]

    def fit(self, x: Encoded, values: Floats, *, iterations: int, choose_warp: bool) -> None:
        """Choose the warp and the parameters.

        Args:
            x: N candidates.
            values: (N,) on their own scale.
            iterations: Most steps of the optimiser.
            choose_warp: Compare the warps; else keep the present one where it can be kept.
        """
        possible = [warp for warp in self._warps if warp.takes(values)]
        tried = possible if choose_warp or self.warp not in possible else [self.warp]
        scores = {warp: self._fit_on(warp, x, values, iterations) for warp in tried}
        self.warp = min(scores, key=lambda w: scores[w])
        self.set_scale(values)

    def standardised(self, values: Floats) -> Floats:
        """Values (N,) as the model sees them."""
        return (self.warp.forward(values) - self._shift) / self._spread

    def own_scale(self, modelled: Floats) -> Floats:
        """Standardised values (N,) back on their own scale."""
        return self.warp.backward(modelled * self._spread + self._shift)

    def set_scale(self, values: Floats) -> None:
        """Take the mean and the spread of the data (N,)."""
        warped = self.warp.forward(values)
        self._shift = float(warped.mean())
        deviation = float(warped.std())
        # A constant output is predicted as that constant, with any spread.
        self._spread = deviation if deviation > 1e-12 * (abs(self._shift) + 1e-12) else 1.0

    def predicted(self, mean: Floats, variance: Floats) -> Predicted:
        """Standardised mean and variance (P,) as a prediction on the scale of the warp.

        The prediction is of the observed value, noise included. A network may be better than its structure suggests,
        and the observed value counts.
        """
        variance = np.maximum(variance, _SMALLEST_VARIANCE) + noise(self.theta)
        deviation = np.sqrt(variance) * self._spread
        return Predicted(mean=mean * self._spread + self._shift, deviation=deviation, warp=self.warp)

    def _fit_on(self, warp: Warp, x: Encoded, values: Floats, iterations: int) -> float:
        self.warp = warp
        self.set_scale(values)
        start = self._thetas.get(warp, self.layout.prior_mean)
        target = self.standardised(values)
        theta, value = maximise(ChoiceKernel(self.layout, x), target, start=start, iterations=iterations)
        self._thetas[warp] = theta
        return value + len(values) * np.log(self._spread) - warp.log_jacobian(values)


class Posterior:
    """Mean and variance of a model over a pool, kept up to date as members of the pool are evaluated.

    With L the Cholesky factor of the data's covariance, V = L^-1 K(data, pool) is kept row by row. A new point of the
    pool adds the row (k(x, pool) - V[:, x]' V) / d, d^2 = k(x, x) + noise - |V[:, x]|^2: O(N P), no factorisation
    again. The variance depends on the evaluated points and not on their values. So a point is conditioned on as soon as
    it is proposed, and its value is filled in later. Until then the mean does not change (the believer rule,
    Ginsbourger 2010).
    """

    def __init__(self, model: Model, data: Encoded, values: Floats, pool: Encoded) -> None:
        """Condition a model on data (N) and predict for a pool (P)."""
        self._model, layout, theta = model, model.layout, model.theta
        self._pool = scale(layout, theta, pool)
        points = scale(layout, theta, data)
        target = model.standardised(values)
        matrix = cross(layout, theta, points, points)
        matrix[np.diag_indices(len(target))] += noise(theta)
        factor = factorised(matrix)
        rows = cross(layout, theta, points, self._pool)
        rows = solve_triangular(factor, rows, lower=True, overwrite_b=True, check_finite=False)
        self._rows = np.empty((len(target) + 32, len(pool)))
        self._count = len(target)
        self._rows[: self._count] = rows
        solved = solve_triangular(factor, target, lower=True, check_finite=False)
        self.mean: Floats = solved @ rows
        self.variance: Floats = prior_variance(theta) - np.einsum("ij,ij->j", rows, rows)
        self._open: list[tuple[int, float]] = []

    def predicted(self) -> Predicted:
        """Predictions (P,) as they are now."""
        return self._model.predicted(self.mean, self.variance)

    def propose(self, index: int) -> None:
        """Condition the variance on a member of the pool that is going to be evaluated."""
        layout, theta = self._model.layout, self._model.theta
        before = self._rows[: self._count]
        row = cross(layout, theta, self._pool.pick(slice(index, index + 1)), self._pool)[0]
        column = before[:, index].copy()
        row -= column @ before
        left = prior_variance(theta) + noise(theta) - float(column @ column)
        deviation = math.sqrt(max(left, noise(theta)))
        row /= deviation
        if self._count == len(self._rows):
            self._rows = np.concatenate([self._rows, np.empty((self._count, self._rows.shape[1]))])
        self._rows[self._count] = row
        self._count += 1
        self.variance -= row * row
        self._open.append((index, deviation))

    def resolve(self, values: Floats) -> None:
        """Fill in the values (B,) of what was proposed, in that order; NaN where the evaluation failed."""
        good = np.isfinite(values)
        proposed, self._open = self._open, []
        if not good.all():
            # A failed point gives no information. Remove the whole batch, and add the points that worked again.
            start = self._count - len(proposed)
            self.variance += (self._rows[start : self._count] ** 2).sum(axis=0)
            self._count = start
            for index, _ in (p for p, ok in zip(proposed, good, strict=True) if ok):
                self.propose(index)
            proposed, self._open = self._open, []
        start = self._count - len(proposed)
        target = self._model.standardised(values[good]) if len(proposed) else np.zeros(0)
        for i, (index, deviation) in enumerate(proposed):
            self.mean += (target[i] - self.mean[index]) / deviation * self._rows[start + i]


class Known:
    """An output that is known exactly without an evaluation. It has the interface of a `Posterior`."""

    def __init__(self, values: Floats) -> None:
        scale_of = float(np.abs(values).max()) if len(values) else 1.0
        deviation = np.full(len(values), 1e-9 * (scale_of or 1.0))
        self._predicted = Predicted(mean=values, deviation=deviation, warp=IDENTITY)

    def predicted(self) -> Predicted:
        """The values, with a deviation that is nearly 0."""
        return self._predicted

    def propose(self, index: int) -> None:
        """Nothing to do."""

    def resolve(self, values: Floats) -> None:
        """Nothing to do."""


def predict_mean(model: Model, data: Scaled, weights: Floats, candidates: Encoded) -> Floats:
    """Standardised mean (P,) for candidates that are predicted only once; weights (N,) are K^-1 y."""
    layout, theta = model.layout, model.theta
    return cross(layout, theta, scale(layout, theta, candidates), data) @ weights


def data_weights(model: Model, data: Encoded, values: Floats) -> tuple[Scaled, Floats]:
    """Scaled data and K^-1 y, for `predict_mean`."""
    layout, theta = model.layout, model.theta
    points = scale(layout, theta, data)
    matrix = cross(layout, theta, points, points)
    matrix[np.diag_indices(len(values))] += noise(theta)
    return points, solved(factorised(matrix), model.standardised(values))
