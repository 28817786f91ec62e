"""Guided search: a strategy searches tens of thousands of predicted candidates, and the best of them are judged.

Letters: N candidates, D genes, M objectives, K limits.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from edgenas.pareto import constrained_ranks, crowding_distance
from edgenas.search import AskTell, CostFunction, Results, Searcher, SpaceView
from edgenas.search.predictor import AccuracyPredictor, Predictions, encode
from edgenas.search.task import Task
from edgenas.types import Floats, Genes

ROUNDS = 3
"""How often the predictor is fitted anew: after the first networks, and on what was judged since."""

_ASKED = 512

Translate = Callable[[Genes, Floats], Results]
"""From codes (N, D) and predicted values (N,) of one objective, to minimise, to all objectives and limits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GuidedRound:
    """One walk of a strategy on predictions.

    Attributes:
        fitted_on: Judged networks that the predictor knew.
        candidates: Networks that the strategy asked for.
        fit_seconds, walk_seconds: Wall-clock times.
    """

    fitted_on: int
    candidates: int
    fit_seconds: float
    walk_seconds: float


class GuidedSearcher(AskTell):
    """First random networks; then, in rounds, the best that a strategy finds among predicted candidates.

    Its proposals are judged like any others, so that no predicted value becomes a result.

    Pending: random first networks count as soon as they are asked; the first predictor waits for half of them, and
    more random ones are proposed until then. Warm start: known results take the place of random first networks.

    Attributes:
        rounds: What was done so far.
    """

    def __init__(
        self,
        space: SpaceView,
        *,
        inner: Callable[[int, int], Searcher],
        translate: Translate,
        column: int,
        networks: int,
        candidates: int,
        objectives: int,
        limits: int,
        seed: int,
        budget: int,
        known_margins: Mapping[int, CostFunction] | None = None,
    ) -> None:
        """Make a searcher.

        Args:
            space: Where to search.
            inner: Makes the strategy, from a seed and the number of candidates.
            translate: Computes all objectives but the predicted one, and the limits.
            column: Of the objective that is predicted.
            networks: Random networks that the first predictor is fitted on; at least 4.
            candidates: Of the strategy, in all rounds together.
            objectives, limits, seed, budget, known_margins: As for every searcher.
        """
        known = known_margins or {}
        super().__init__(
            Task(space=space, objectives=objectives, limits=limits, seed=seed, budget=budget, known_margins=known)
        )
        self._inner, self._translate, self._column = inner, translate, column
        self._networks = min(max(networks, 4), budget)
        self._candidates = candidates
        self._genes: list[Genes] = []
        self._values: list[Floats] = []
        self._plan: Genes | None = None
        self._predictor: AccuracyPredictor | None = None
        self._next_round = self._networks
        self._expected: dict[bytes, tuple[float, float, float, float]] = {}
        self.rounds: list[GuidedRound] = []

    def _propose(self, n: int) -> Genes:
        missing = self._networks - self._counted
        judged = sum(len(part) for part in self._genes)
        if missing > 0 or judged < max(4, self._networks // 2):
            return self.newcomers.random(min(n, max(missing, 1)))
        if self._plan is None or self._evaluated >= self._next_round:
            self._plan = self._walk()
            self._next_round = self._evaluated + -(-(self.budget - self._first_random) // ROUNDS)
        chosen = self.newcomers.take(self._plan, n)
        self._remember(chosen)
        return chosen

    def _learn(self, results: Results) -> None:
        good = ~results.failed
        self._genes.append(results.genes[good])
        self._values.append(results.objectives[good, self._column])
        for genes, value in zip(results.genes[good], results.objectives[good, self._column], strict=True):
            if (known := self._expected.get(genes.tobytes())) is not None:
                self._expected[genes.tobytes()] = (*known[:3], float(value))

    @property
    def _first_random(self) -> int:
        return max(0, self._networks - self._known_results)

    @property
    def checked(self) -> Floats:
        """Predicted value, ends of its 90 % interval and judged value (P, 4) of every predicted network judged."""
        done = [entry for entry in self._expected.values() if np.isfinite(entry[3])]
        return np.array(done, dtype=np.float64).reshape(-1, 4)

    def _walk(self) -> Genes:
        """Fit a predictor on all judged networks, run the strategy on it, and order the candidates, best first.
        """
        started = time.perf_counter()
        genes, values = np.concatenate(self._genes), np.concatenate(self._values)
        predictor = self._predictor = AccuracyPredictor.fit(encode(self.space, genes), values)
        fitted = time.perf_counter()
        count = max(_ASKED, self._candidates // ROUNDS)
        strategy = self._inner(int(self.rng.integers(2**31)), count)
        done: list[Results] = []
        while strategy.evaluated < count:
            asked = strategy.ask(min(_ASKED, count - strategy.evaluated))
            if not len(asked):
                break
            done.append(self._translate(asked, predictor.mean(encode(self.space, asked))))
            strategy.tell(done[-1])
        self.rounds.append(
            GuidedRound(
                fitted_on=len(genes),
                candidates=strategy.evaluated,
                fit_seconds=fitted - started,
                walk_seconds=time.perf_counter() - fitted,
            )
        )
        return _best_first(done)

    def _remember(self, genes: Genes) -> None:
        """Keep the predictions of proposals, to compare them with the judged values."""
        if self._predictor is None or not len(genes):
            return
        found: Predictions = self._predictor.predict(encode(self.space, genes))
        for row, *expected in zip(genes, found.mean, found.low, found.high, strict=True):
            mean, low, high = (float(value) for value in expected)
            self._expected[row.tobytes()] = (mean, low, high, float("nan"))


def _best_first(results: list[Results]) -> Genes:
    """Order candidates by constrained Pareto rank, and within a rank from the sparsest part of the front."""
    genes = np.concatenate([part.genes for part in results])
    objectives = np.concatenate([part.objectives for part in results])
    violation = np.concatenate([part.violations for part in results]).sum(1)
    ranks = constrained_ranks(objectives, violation)
    crowding = crowding_distance(objectives, ranks)
    return np.asarray(genes[np.lexsort((-crowding, ranks))])
