"""An accuracy predictor with intervals that hold: a Gaussian process over structure and choices.

The covariance adds a linear and an exponential-of-squared-distance term on structural features (depths, sums of
kernels and expansions, log MACs ...) and the same on the one-hot code of the choices. Its seven weights maximise the
marginal likelihood under a wide prior (Rasmussen & Williams 2006, eq. 5.8 and 5.9). The interval is scaled until the
leave-one-out residuals (eq. 5.12) say that it covers 90 %.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize

from edgenas.errors import SearchError, explain
from edgenas.search.protocol import Genes, SpaceView
from edgenas.types import Floats

LEVEL = 0.9
_Z = 1.6448536269514722
# Weights of linear structure, linear choices, smooth structure, smooth choices; the two inverse length scales; noise.
_PRIOR = np.log([0.5, 0.5, 0.3, 0.3, 0.3, 0.3, 0.02])
_PRIOR_DEVIATION = 3.0
_MOST_FOR_WEIGHTS = 400
_JITTER = 1e-6
_LEAST = 4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Predictions:
    """Predicted accuracies of P networks, in the unit of what was fitted.

    Attributes:
        mean: (P,).
        standard_error: (P,), calibrated.
        low, high: (P,) interval of `LEVEL`.
    """

    mean: Floats
    standard_error: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Inputs:
    """What a predictor sees of N networks.

    Attributes:
        structure: (N, F) structural features.
        choices: (N, C) one-hot code of the choices.
    """

    structure: Floats
    choices: Floats

    def __len__(self) -> int:
        return len(self.structure)

    def pick(self, index: NDArray[np.int64] | slice) -> Inputs:
        """Take some of the rows."""
        return Inputs(structure=self.structure[index], choices=self.choices[index])


def encode(space: SpaceView, genes: Genes) -> Inputs:
    """Encode codes (N, D) of a space: its features, and the one-hot code of canonical genes.

    Args:
        space: The space.
        genes: (N, D).
    """
    codes = space.canonical(genes)
    columns = [codes[:, [gene]] == np.arange(count) for gene, count in enumerate(space.cardinalities)]
    return Inputs(structure=space.features(genes), choices=np.concatenate(columns, axis=1).astype(np.float64))


class AccuracyPredictor:
    """Fitted on evaluations, reused by any search; saved without pickle."""

    def __init__(self, inputs: Inputs, accuracy: Floats, theta: Floats, calibration: float) -> None:
        """Condition on data; use `fit`.

        Args:
            inputs: N networks as given.
            accuracy: (N,).
            theta: (7,) logarithms of the weights.
            calibration: Factor of the standard errors.
        """
        self._given, self._accuracy, self.theta, self.calibration = inputs, accuracy, theta, calibration
        self._shift = (inputs.structure.mean(0), inputs.choices.mean(0))
        self._scale = (_spread(inputs.structure), _spread(inputs.choices))
        self._data = self._standardised(inputs)
        self._mean, self._spread = float(accuracy.mean()), float(accuracy.std()) or 1.0
        covariance = _covariance(theta, *_parts(self._data, self._data))
        covariance[np.diag_indices(len(inputs))] += np.exp(theta[6]) + _JITTER
        self._factor = cho_factor(covariance, lower=True)
        self._alpha = cho_solve(self._factor, (accuracy - self._mean) / self._spread)

    @classmethod
    def fit(cls, inputs: Inputs, accuracy: NDArray[np.float64], *, seed: int = 0) -> AccuracyPredictor:
        """Fit to evaluated networks.

        Args:
            inputs: N networks, at least 4.
            accuracy: (N,), in any unit.
            seed: Chooses the networks that decide the weights where there are more than 400.

        Raises:
            SearchError: Too few networks, shapes that disagree, or values that are not finite.
        """
        values = np.asarray(accuracy, dtype=np.float64)
        if len(inputs) != len(values) or len(values) < _LEAST:
            raise SearchError(
                explain("cannot fit a predictor", got=f"{len(inputs)} networks, {len(values)} accuracies",
                        allowed=f"as many of both, {_LEAST} or more")
            )  # fmt: skip
        if not (np.isfinite(values).all() and np.isfinite(inputs.structure).all()):
            raise SearchError(explain("a predictor cannot be fitted to values that are not finite",
                                      remedy="Leave failed evaluations out."))  # fmt: skip
        chosen = np.sort(np.random.default_rng(seed).permutation(len(values))[:_MOST_FOR_WEIGHTS])
        start = cls(inputs, values, _PRIOR, 1.0)
        target = (values[chosen] - start._mean) / start._spread
        parts = _parts(start._data.pick(chosen), start._data.pick(chosen))
        found = minimize(
            _objective, _PRIOR, args=(parts, target), jac=True, method="L-BFGS-B",
            bounds=[(-12.0, 6.0)] * 7, options={"maxiter": 60},
        )  # fmt: skip
        fitted = cls(inputs, values, found.x, 1.0)
        fitted.calibration = fitted._leave_one_out_factor()
        return fitted

    def predict(self, inputs: Inputs) -> Predictions:
        """Predict P networks."""
        data = self._standardised(inputs)
        cross = _covariance(self.theta, *_parts(data, self._data))
        mean = cross @ self._alpha
        prior = _prior_variance(self.theta, data)
        explained = np.einsum("ij,ji->i", cross, cho_solve(self._factor, cross.T))
        variance = np.maximum(prior - explained, 1e-12) + np.exp(self.theta[6])
        error = self.calibration * np.sqrt(variance) * self._spread
        centre = mean * self._spread + self._mean
        return Predictions(mean=centre, standard_error=error, low=centre - _Z * error, high=centre + _Z * error)

    def mean(self, inputs: Inputs) -> Floats:
        """Predicted means (P,) alone, faster than `predict`."""
        weight, data = np.exp(self.theta), self._standardised(inputs)
        pairs = ((data.structure, self._data.structure), (data.choices, self._data.choices))
        total = np.zeros(len(inputs))
        for (points, known), linear, smooth, rate in zip(pairs, weight[0:2], weight[2:4], weight[4:6], strict=True):
            columns = known.shape[1]
            # The linear part of the covariance sums up to one weight a column.
            total += points @ (known.T @ self._alpha * (linear / columns))
            near = points @ (known.T * (2.0 * rate / columns))
            near -= (points**2).sum(1)[:, None] * (rate / columns)
            near -= (known**2).sum(1) * (rate / columns)
            total += np.exp(near, out=near) @ (self._alpha * smooth)
        return total * self._spread + self._mean

    def save(self, path: Path) -> None:
        """Write to an .npz of plain arrays."""
        meta = json.dumps({"format": "edgenas-predictor", "version": 1})
        np.savez(
            path, structure=self._given.structure, choices=self._given.choices, accuracy=self._accuracy,
            theta=self.theta, calibration=np.array(self.calibration), meta=np.array(meta),
        )  # fmt: skip

    @classmethod
    def load(cls, path: Path) -> AccuracyPredictor:
        """Read what `save` wrote.

        Raises:
            SearchError: The file cannot be read or is no predictor.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                if json.loads(str(file["meta"])) != {"format": "edgenas-predictor", "version": 1}:
                    raise KeyError("meta")
                inputs = Inputs(structure=file["structure"], choices=file["choices"])
                return cls(inputs, file["accuracy"], file["theta"], float(file["calibration"]))
        except (OSError, KeyError, ValueError) as error:
            raise SearchError(explain(f"{path} is no saved predictor", got=str(error))) from error

    def _standardised(self, inputs: Inputs) -> Inputs:
        return Inputs(
            structure=(inputs.structure - self._shift[0]) / self._scale[0],
            choices=(inputs.choices - self._shift[1]) / self._scale[1],
        )

    def _leave_one_out_factor(self) -> float:
        """Factor by which standard errors must grow so that 90 % of leave-one-out residuals lie inside."""
        inverse = np.diag(cho_solve(self._factor, np.eye(len(self._alpha))))
        ratios = np.abs(self._alpha) / np.sqrt(inverse)
        return float(np.quantile(ratios, LEVEL) / _Z) or 1.0


def _spread(values: Floats) -> Floats:
    deviation = values.std(0)
    # A column that never changed in training says nothing; its scale is left alone.
    return np.where(deviation > 1e-12, deviation, 1.0)


def _parts(first: Inputs, second: Inputs) -> tuple[Floats, Floats, Floats, Floats]:
    """Mean products and mean squared distances of structure and of choices, (A, B) each."""
    products = [a @ b.T / a.shape[1] for a, b in ((first.structure, second.structure), (first.choices, second.choices))]
    squares = [
        (a**2).mean(1)[:, None] + (b**2).mean(1)[None]
        for a, b in ((first.structure, second.structure), (first.choices, second.choices))
    ]
    distances = [np.maximum(square - 2 * product, 0.0) for square, product in zip(squares, products, strict=True)]
    return products[0], products[1], distances[0], distances[1]


def _covariance(theta: Floats, linear_s: Floats, linear_c: Floats, far_s: Floats, far_c: Floats) -> Floats:
    weight = np.exp(theta)
    smooth_s = weight[2] * np.exp(-weight[4] * far_s)
    smooth_c = weight[3] * np.exp(-weight[5] * far_c)
    return np.asarray(weight[0] * linear_s + weight[1] * linear_c + smooth_s + smooth_c)


def _prior_variance(theta: Floats, data: Inputs) -> Floats:
    weight = np.exp(theta)
    linear = weight[0] * (data.structure**2).mean(1) + weight[1] * (data.choices**2).mean(1)
    return np.asarray(linear + weight[2] + weight[3])


def _objective(theta: Floats, parts: tuple[Floats, Floats, Floats, Floats], target: Floats) -> tuple[float, Floats]:
    """Negative log marginal likelihood with the prior on theta, and its gradient."""
    weight, (linear_s, linear_c, far_s, far_c) = np.exp(theta), parts
    smooth_s, smooth_c = weight[2] * np.exp(-weight[4] * far_s), weight[3] * np.exp(-weight[5] * far_c)
    covariance = weight[0] * linear_s + weight[1] * linear_c + smooth_s + smooth_c
    covariance[np.diag_indices(len(target))] += weight[6] + _JITTER
    factor = cho_factor(covariance, lower=True)
    alpha = cho_solve(factor, target)
    off = (theta - _PRIOR) / _PRIOR_DEVIATION
    value = 0.5 * float(target @ alpha) + float(np.log(np.diag(factor[0])).sum()) + 0.5 * float(off @ off)
    slope = 0.5 * (cho_solve(factor, np.eye(len(target))) - np.outer(alpha, alpha))
    inner = [
        weight[0] * np.vdot(slope, linear_s),
        weight[1] * np.vdot(slope, linear_c),
        np.vdot(slope, smooth_s),
        np.vdot(slope, smooth_c),
        -weight[4] * np.vdot(slope, smooth_s * far_s),
        -weight[5] * np.vdot(slope, smooth_c * far_c),
        weight[6] * float(np.trace(slope)),
    ]
    return value, np.asarray(inner) + off / _PRIOR_DEVIATION
