"""An accuracy predictor with calibrated intervals: a Gaussian process over structure and choices.

The covariance (`edgenas.search.gp.two_sets`) adds a linear and a smooth term on structural features (depths, sums of
kernels and expansions, log MACs ...) and the same on the one-hot code of the choices. Its seven parameters maximise the
marginal likelihood under a wide prior. The interval is scaled until the
leave-one-out residuals (eq. 5.12) say that it covers 90 %.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgenas.errors import SearchError, explain
from edgenas.reading.json_text import plain_text, plain_value
from edgenas.search.gp.fitting import factorised, inverse_of, maximise, solved
from edgenas.search.gp.two_sets import PRIOR, Inputs, TwoSetsKernel, between, mean_of, prior_variance
from edgenas.search.protocol import Genes, SpaceView
from edgenas.types import Floats

LEVEL = 0.9
_Z = 1.6448536269514722
_MOST_FOR_WEIGHTS = 400
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
        self._factor = factorised(TwoSetsKernel(self._data).covariance(theta))
        self._alpha = solved(self._factor, (accuracy - self._mean) / self._spread)

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
        start = cls(inputs, values, PRIOR, 1.0)
        target = (values[chosen] - start._mean) / start._spread
        kernel = TwoSetsKernel(start._data.pick(chosen))
        theta, _ = maximise(kernel, target, start=PRIOR, iterations=60)
        fitted = cls(inputs, values, theta, 1.0)
        fitted.calibration = fitted._leave_one_out_factor()
        return fitted

    def predict(self, inputs: Inputs) -> Predictions:
        """Predict P networks."""
        data = self._standardised(inputs)
        cross = between(self.theta, data, self._data)
        mean = cross @ self._alpha
        prior = prior_variance(self.theta, data)
        explained = np.einsum("ij,ji->i", cross, solved(self._factor, cross.T))
        variance = np.maximum(prior - explained, 1e-12) + np.exp(self.theta[6])
        error = self.calibration * np.sqrt(variance) * self._spread
        centre = mean * self._spread + self._mean
        return Predictions(mean=centre, standard_error=error, low=centre - _Z * error, high=centre + _Z * error)

    def mean(self, inputs: Inputs) -> Floats:
        """Predicted means (P,) alone, faster than `predict`."""
        data = self._standardised(inputs)
        return mean_of(self.theta, data, self._data, self._alpha) * self._spread + self._mean

    def save(self, path: Path) -> None:
        """Write to an .npz of plain arrays."""
        meta = plain_text({"format": "edgenas-predictor", "version": 1})
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
                if plain_value(str(file["meta"])) != {"format": "edgenas-predictor", "version": 1}:
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
        inverse = np.diag(inverse_of(self._factor))
        ratios = np.abs(self._alpha) / np.sqrt(inverse)
        return float(np.quantile(ratios, LEVEL) / _Z) or 1.0


def _spread(values: Floats) -> Floats:
    deviation = values.std(0)
    # A column that is constant in training keeps its scale.
    return np.where(deviation > 1e-12, deviation, 1.0)
