"""Model-based search: Gaussian processes on canonical codes, expected improvement under limits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgenas.pareto import constrained_ranks, hypervolume, nondominated
from edgenas.search.base import AskTell
from edgenas.search.bayes.improvement import chance_of_feasibility, expected_improvement, hopeful
from edgenas.search.bayes.pool import evolved_pool
from edgenas.search.bayes.references import region_of_interest, whole_front
from edgenas.search.evolution.variation import Variation
from edgenas.search.gp.encoding import Encoded, Encoder
from edgenas.search.gp.kernel import KernelLayout
from edgenas.search.gp.model import Known, Model, Posterior, data_weights, predict_mean
from edgenas.search.gp.predicted import Predicted
from edgenas.search.gp.warp import IDENTITY, LOG
from edgenas.search.members import listable, listed_members
from edgenas.search.protocol import Floats, Genes, Mask, Results
from edgenas.search.task import Task

_POOL_SIZE = 12_000
_SCALE_SAMPLE = 2_000
_QUARTILE_SAMPLE = 500
_MOST_DATA = 1_000
_ITERATIONS = 40
_WARPS_COMPARED_UP_TO = 100
_HOPES = (0.5, 1.0, 2.0, 3.0)
_ENOUGH = 200
_SLIGHT = 1e-3


class Surrogate(AskTell):
    """Bayesian optimisation over canonical codes, for one objective or several, with or without limits.

    Each output has a Gaussian process, on its own or on the logarithmic scale, whichever has the higher likelihood. The
    acquisition is the expected hypervolume improvement over the feasible front (expected improvement with one
    objective) times the probability that every limit is met. While nothing feasible is known it is that probability
    alone. Hypervolume is measured from two references: one behind the whole front and one around its accurate end
    (`whole_front`, `region_of_interest`). Each reference has a best candidate; the one whose expected improvement is
    the larger share of the present hypervolume is taken. A batch is chosen one by one, as if each choice will turn out
    as predicted.

    Pending: what is pending is believed to come out as predicted, like the choices of one batch. At first, random
    members are proposed until `initial` results that worked are there or pending, and half of them there.
    Warm start: the known results are the data of the models, and take the place of random first ones.
    """

    def __init__(
        self,
        task: Task,
        *,
        initial: int = 8,
        refit_growth: float = 1.25,
        reference: Sequence[float] | None = None,
    ) -> None:
        """Make a searcher.

        Args:
            task: What is searched.
            initial: Evaluations that worked before the first model.
            refit_growth: Parameters are fitted again when the data has grown by this factor.
            reference: (M,), where hypervolume is measured from; `whole_front` and `region_of_interest` when left out.
        """
        super().__init__(task)
        self._initial, self._growth = initial, refit_growth
        self._given_reference = None if reference is None else np.asarray(reference, dtype=np.float64)
        self._known = dict(task.known_objectives)
        self._known |= {task.objectives + k: cost for k, cost in task.known_margins.items()}
        self._variation = Variation(task.space.cardinalities)
        self._genes: Genes = np.zeros((0, len(task.space.cardinalities)), dtype=np.int64)
        self._outputs: Floats = np.zeros((0, task.objectives + task.limits))
        self._encoder: Encoder | None = None
        self._models: list[Model] = []
        self._fit_at = 0
        self._pool: Genes | None = None
        self._open: Mask = np.zeros(0, dtype=bool)
        self._posteriors: list[Posterior | Known] = []
        self._proposed: list[int] = []

    @property
    def _listed(self) -> bool:
        return listable(self.space)

    def _propose(self, n: int) -> Genes:
        if self._encoder is None:
            self._start()
        missing = self._initial - len(self._genes) - self.pending
        if missing > 0 or 2 * len(self._genes) < self._initial:
            return self.newcomers.random(min(n, max(missing, 1)))
        self._prepare()
        assert self._pool is not None
        believed = self._believe_pending()
        held = len(self._proposed)
        for _ in range(min(n, int(self._open.sum()))):
            index = self._choose(believed)
            believed = np.vstack([believed, self._believed(index)])
            self._open[index] = False
            self._proposed.append(index)
            for posterior in self._posteriors:
                posterior.propose(index)
        return self.newcomers.take(self._pool[self._proposed[held:]], n)

    def _learn(self, results: Results) -> None:
        margins = results.violations if results.margins is None else results.margins
        outputs = np.concatenate([results.objectives, margins], axis=1)
        good = ~results.failed
        self._genes = np.concatenate([self._genes, results.genes[good]])
        self._outputs = np.concatenate([self._outputs, outputs[good]])
        fits = all(m.warp.takes(outputs[good, c]) for c, m in enumerate(self._models))
        if not fits:
            self._fit_at = 0
        if fits and self._are_proposed(results.genes):
            for column, posterior in enumerate(self._posteriors):
                posterior.resolve(np.where(results.failed, np.nan, outputs[:, column]))
        else:
            self._posteriors = []
        self._proposed = []

    def _are_proposed(self, genes: Genes) -> bool:
        """Whether codes (N, D) are what the posteriors were conditioned on, all of it and in that order."""
        return self._pool is not None and np.array_equal(self._pool[self._proposed], genes)

    def _believe_pending(self) -> Floats:
        """Condition the posteriors on what is pending (P); the outputs (P, M + K) that it is believed to have."""
        assert self._pool is not None
        self._proposed = []
        believed = np.zeros((0, self._outputs.shape[1]))
        place = {tuple(row): index for index, row in enumerate(self._pool.tolist())} if self.pending else {}
        for code in self._waiting_for.tolist():
            index = place[tuple(code)]
            believed = np.vstack([believed, self._believed(index)])
            self._open[index] = False
            self._proposed.append(index)
            for posterior in self._posteriors:
                posterior.propose(index)
        return believed

    def _prepare(self) -> None:
        """Bring models, pool and posteriors up to date."""
        data, outputs = self._data()
        refit = len(self._genes) >= self._fit_at
        if refit:
            self._fit_at = int(np.ceil(len(self._genes) * self._growth))
            self._fit(data, outputs)
        if self._pool is None or self._evolves:
            self._pool = np.concatenate([self._evolved(data, outputs), self._waiting_for])
            self._open = np.ones(len(self._pool), dtype=bool)
            self._posteriors = []
        # What was proposed at random, and failed perhaps, is in the pool and must not be chosen again.
        self._open &= ~self.newcomers.seen.contains(self.newcomers.keys(self._pool))
        if refit or self.pending or not self._posteriors:
            self._condition(data, outputs)

    def _start(self) -> None:
        every = listed_members(self.space) if self._listed else None
        members = None if every is None else every[self.newcomers.allowed(every)]
        self._evolves = members is None or len(members) > _POOL_SIZE
        sample = self.space.canonical(self.space.sample(_SCALE_SAMPLE, np.random.default_rng(0)))
        self._encoder = Encoder(self.space, sample if every is None or len(every) > _POOL_SIZE else every)
        self._sample = self.space.canonical(self.space.sample(_QUARTILE_SAMPLE, np.random.default_rng(1)))
        self._sample_encoded = self._encoder(self._sample)
        layout = KernelLayout(
            genes=len(self.space.cardinalities), features=self._encoder.feature_count, starts=self._encoder.starts
        )
        # A margin may have either sign, even if the first ones were all positive, so it has no logarithm.
        self._models = [Model(layout, (IDENTITY, LOG)) for _ in range(self.objectives)]
        self._models += [Model(layout, (IDENTITY,)) for _ in range(self.limits)]
        if not self._evolves and members is not None:
            self._pool = members
            self._open = ~self.newcomers.seen.contains(self.newcomers.keys(members))
            self._pool_encoded = self._encoder(members)

    def _data(self) -> tuple[Encoded, Floats]:
        """The evaluations that the models are fitted to: all, or of very many the best and the latest."""
        assert self._encoder is not None
        if len(self._genes) <= _MOST_DATA:
            return self._encoder(self._genes), self._outputs
        ranks = constrained_ranks(self._objectives, self._violation)
        best = np.argsort(ranks, kind="stable")[: _MOST_DATA // 2]
        rest = np.setdiff1d(np.arange(len(ranks)), best)[-(_MOST_DATA // 2) :]
        chosen = np.sort(np.r_[best, rest])
        return self._encoder(self._genes[chosen]), self._outputs[chosen]

    def _fit(self, data: Encoded, outputs: Floats) -> None:
        compare = len(self._genes) <= _WARPS_COMPARED_UP_TO
        for column, model in enumerate(self._models):
            if column not in self._known:
                model.fit(data, outputs[:, column], iterations=_ITERATIONS, choose_warp=compare)
        self._quartile = self._predicted_quartile(data, outputs)

    def _predicted_quartile(self, data: Encoded, outputs: Floats) -> float:
        """75th percentile of the first objective over the space, as far as is known."""
        if 0 in self._known:
            return float(np.percentile(self._known[0](self._sample), 75))
        points, weights = data_weights(self._models[0], data, outputs[:, 0])
        mean = predict_mean(self._models[0], points, weights, self._sample_encoded)
        return float(np.percentile(self._models[0].own_scale(mean), 75))

    def _condition(self, data: Encoded, outputs: Floats) -> None:
        assert self._encoder is not None and self._pool is not None
        pool = self._encoder(self._pool) if self._evolves else self._pool_encoded
        self._posteriors = [
            Known(self._known[column](self._pool))
            if column in self._known
            else Posterior(model, data, outputs[:, column], pool)
            for column, model in enumerate(self._models)
        ]

    def _evolved(self, data: Encoded, outputs: Floats) -> Genes:
        encoder = self._encoder
        assert encoder is not None
        prepared = {
            column: data_weights(model, data, outputs[:, column])
            for column, model in enumerate(self._models)
            if column not in self._known
        }

        def judge(genes: Genes) -> tuple[Floats, Floats]:
            encoded = encoder(genes)
            means = [
                self._known[column](genes) if column in self._known else predict_mean(model, *prepared[column], encoded)
                for column, model in enumerate(self._models)
            ]
            stacked = np.stack(means, axis=1)
            limits = [
                stacked[:, c] if c in self._known else model.own_scale(stacked[:, c])
                for c, model in list(enumerate(self._models))[self.objectives :]
            ]
            violation = np.maximum(np.array(limits), 0.0).sum(axis=0) if limits else np.zeros(len(genes))
            return stacked[:, : self.objectives], violation

        ranks = constrained_ranks(self._objectives, self._violation)
        parents = self._genes[np.argsort(ranks, kind="stable")[:40]]
        return evolved_pool(self.newcomers, self._variation, parents, judge)

    @property
    def _objectives(self) -> Floats:
        return self._outputs[:, : self.objectives]

    @property
    def _violation(self) -> Floats:
        return np.maximum(self._outputs[:, self.objectives :], 0.0).sum(axis=1)

    def _choose(self, believed: Floats) -> int:
        """Index in the pool of the candidate with the best acquisition."""
        predicted = [p.predicted() for p in self._posteriors]
        objectives = predicted[: self.objectives]
        # The pool holds no candidate that breaks a known limit, so known limits are met for sure.
        margins = [p for c, p in enumerate(predicted) if c >= self.objectives and c not in self._known]
        chance = chance_of_feasibility(margins, len(self._open))
        known = np.concatenate([self._outputs, believed])
        feasible = known[(known[:, self.objectives :] <= 0).all(axis=1), : self.objectives]
        if len(feasible) == 0:
            return int(np.argmax(np.where(self._open, chance, -1.0)))
        front = feasible[nondominated(feasible)]
        index, gain = -1, 0.0
        for reference in self._references(feasible, objectives):
            candidates = self._candidates(objectives, front, reference, chance)
            expected = expected_improvement([p.pick(candidates) for p in objectives], front, reference)
            score = expected * chance[candidates] / (hypervolume(front, reference) or 1.0)
            best = int(np.argmax(score))
            if score[best] > gain:
                index, gain = int(candidates[best]), float(score[best])
        if index < 0:
            # No candidate promises an improvement: take the one with the largest uncertainty.
            unsure = np.sum([np.log(p.deviation[candidates]) for p in objectives], axis=0)
            index = int(candidates[np.argmax(unsure)])
        return index

    def _candidates(
        self, objectives: Sequence[Predicted], front: Floats, reference: Floats, chance: Floats
    ) -> Genes:
        """Indices of the candidates worth an exact acquisition: those whose optimistic values would improve the front.

        Candidates that hardly meet the limits are left out first. They may promise more than all others and would take
        all places.
        """
        possible = self._open & (chance > _SLIGHT)
        if not possible.any():
            possible = self._open
        for deviations in _HOPES:
            found = np.flatnonzero(possible & hopeful(objectives, front, reference, deviations=deviations))
            if len(found) >= _ENOUGH:
                return found
        return found if len(found) else np.flatnonzero(possible)

    def _believed(self, index: int) -> Floats:
        predicted = (p.predicted() for p in self._posteriors)
        return np.array([float(p.warp.backward(p.mean[index])) for p in predicted])

    def _references(self, feasible: Floats, objectives: Sequence[Predicted]) -> tuple[Floats, ...]:
        if self._given_reference is not None:
            return (self._given_reference,)
        if self.objectives == 1:
            return (feasible.max(axis=0) + 1.0,)
        return whole_front(feasible, objectives), region_of_interest(feasible, objectives, quartile=self._quartile)
