"""An accuracy predictor of one data set as the beginning of one for another.

accuracy on the other data = intercept + slope * (what the source's predictor says) + rest, where the rest is a
predictor of its own, fitted to the few networks that were judged there. The slope is shrunk towards zero. If the data
sets disagree it becomes zero, and the predictor is one from scratch.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from edgenas.search.predictor import AccuracyPredictor, Inputs, Predictions
from edgenas.types import Floats

_SHRINKAGE = 4.0
"""Strength of the shrinking, as a number of networks on which the source has no influence."""
_SPLITS = 20


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WarmPredictor:
    """A predictor for other images that starts from the predictor of the source.

    Attributes:
        source: Fitted on the source's networks.
        slope, intercept: From the source's predictions to accuracies on the other images.
        rest: Fitted on the residuals of that line.
    """

    source: AccuracyPredictor
    slope: float
    intercept: float
    rest: AccuracyPredictor

    @classmethod
    def fit(cls, source: AccuracyPredictor, inputs: Inputs, accuracy: Floats, *, seed: int = 0) -> WarmPredictor:
        """Fit to networks that were judged on the other images.

        Args:
            source: Fitted on the source's networks; of the same space, so that inputs mean the same.
            inputs: N networks, at least 4.
            accuracy: (N,), on the other images.
            seed: See `AccuracyPredictor.fit`.

        Raises:
            SearchError: Too few networks, or values that are not finite.
        """
        known = source.mean(inputs)
        centred = known - known.mean()
        variance = float(centred @ centred) / len(known)
        slope = 0.0
        if variance > 0:
            slope = float(centred @ (accuracy - accuracy.mean())) / (variance * (len(known) + _SHRINKAGE))
        intercept = float(accuracy.mean() - slope * known.mean())
        rest = AccuracyPredictor.fit(inputs, accuracy - intercept - slope * known, seed=seed)
        return cls(source=source, slope=slope, intercept=intercept, rest=rest)

    def predict(self, inputs: Inputs) -> Predictions:
        """Predict P networks; the errors are those of the rest."""
        rest = self.rest.predict(inputs)
        known = self.intercept + self.slope * self.source.mean(inputs)
        return replace(rest, mean=rest.mean + known, low=rest.low + known, high=rest.high + known)


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """How well predictors order networks that they have not seen, after some judgements on the other images.

    Attributes:
        networks: How many were judged there for it.
        warm, cold: Rank correlation with the accuracies of all others, started from the source and from nothing; mean
            over random choices of the networks.
    """

    networks: int
    warm: float
    cold: float


def learning_curve(
    source: AccuracyPredictor, inputs: Inputs, accuracy: Floats, *, rng: np.random.Generator
) -> tuple[Learned, ...]:
    """Compare a warm-started predictor with one from scratch after few judgements.

    Args:
        source: Fitted on the source's accuracies.
        inputs: N networks.
        accuracy: (N,), on the other images.
        rng: Chooses what is judged and what is held out.
    """
    from edgenas.evaluate import spearman

    rows = []
    for count in (4, 8, 16, 24):
        if count + 8 > len(accuracy):
            break
        found = []
        for _ in range(_SPLITS):
            order = rng.permutation(len(accuracy))
            few, others = order[:count], order[count:]
            warm = WarmPredictor.fit(source, inputs.pick(few), accuracy[few]).predict(inputs.pick(others)).mean
            cold = AccuracyPredictor.fit(inputs.pick(few), accuracy[few]).mean(inputs.pick(others))
            found.append([spearman(each, accuracy[others]) for each in (warm, cold)])
        warm_mean, cold_mean = np.nan_to_num(np.array(found)).mean(0)
        rows.append(Learned(networks=count, warm=float(warm_mean), cold=float(cold_mean)))
    return tuple(rows)
