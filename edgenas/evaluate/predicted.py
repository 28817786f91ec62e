"""An accuracy predictor as an evaluator: fitted on networks that another evaluator judged."""

from __future__ import annotations

import time

import numpy as np

from edgenas.evaluate.protocol import Estimates, Evaluator
from edgenas.search.predictor import AccuracyPredictor, encode
from edgenas.space import SearchSpace
from edgenas.study.values import Source
from edgenas.types import Genes, Progress


class PredictorEvaluator:
    """Predicts the accuracy of networks from their structure and choices, microseconds each."""

    source: Source = "predicted"
    unit = "1"

    def __init__(
        self,
        predictor: AccuracyPredictor,
        space: SearchSpace,
        *,
        name: str = "predictor",
        preparation_seconds: float = 0.0,
    ) -> None:
        """Wrap a fitted predictor.

        Args:
            predictor: Fitted on networks of the space.
            space: Of the networks.
            name: In tables.
            preparation_seconds: Seconds spent on judging the networks that it was fitted on, with the preparation of
                their evaluator.
        """
        self.name = name
        self._predictor, self._space, self._preparation_seconds = predictor, space, preparation_seconds

    @classmethod
    def fit(
        cls,
        evaluator: Evaluator,
        space: SearchSpace,
        *,
        networks: int,
        rng: np.random.Generator,
        name: str = "predictor",
        progress: Progress | None = None,
    ) -> PredictorEvaluator:
        """Judge random networks with another evaluator and fit a predictor on them.

        Args:
            evaluator: Judges, such as a supernet.
            space: Of the networks.
            networks: How many; fewer where the space is smaller.
            rng: Draws them.
            name: In tables.
            progress: Called with (done, all, what).

        Raises:
            SearchError: Fewer than 4 of them have a value.
        """
        drawn = space.canonical(space.sample(4 * networks, rng))
        _, first = np.unique(drawn, axis=0, return_index=True)
        genes = drawn[np.sort(first)[:networks]]
        started = time.perf_counter()
        found = evaluator.evaluate(genes, progress=progress)
        good = np.isfinite(found.values)
        predictor = AccuracyPredictor.fit(encode(space, genes[good]), found.values[good])
        seconds = found.preparation_seconds + time.perf_counter() - started
        return cls(predictor, space, name=name, preparation_seconds=seconds)

    def evaluate(self, genes: Genes, *, progress: Progress | None = None) -> Estimates:
        """Predict networks (N, D); errors are calibrated so that 90 % intervals hold for 90 %."""
        started = time.perf_counter()
        found = self._predictor.predict(encode(self._space, genes))
        return Estimates(
            values=found.mean,
            standard_error=found.standard_error,
            seconds=time.perf_counter() - started,
            preparation_seconds=self._preparation_seconds,
        )
