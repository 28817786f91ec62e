"""A study: objectives and limits on metrics, and the loop that asks, evaluates, tells and stores."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from edgenas.errors import SearchError, explain
from edgenas.interrupt import finishing
from edgenas.study.history import History
from edgenas.study.results import Results
from edgenas.study.values import Budget, Context, Evaluation, Failure, Limit, Metric, Objective, Outcome
from edgenas.types import Genes

if TYPE_CHECKING:
    from edgenas.study.store import Store

Evaluate = Callable[[Genes], Iterable[Outcome]]
"""Genes (N, D) to N outcomes in that order; may yield them one by one, so that a killed run loses at most one."""

Identify = Callable[[Genes], Sequence[str]]
"""Genes (N, D) to N digests of architectures."""

_FLUSH_SECONDS = 0.001
"""Outcomes that take less than this together are written together: writing takes about as long."""


class AsksAndTells(Protocol):
    """The part of a searcher that a study drives."""

    def ask(self, n: int) -> Genes:
        """Propose at most n candidates (k, D)."""
        ...

    def tell(self, results: Results) -> None:
        """Learn their results."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a run stands, given to the callback after every batch.

    Attributes:
        evaluated: Outcomes so far, those from the store included.
        planned: Evaluations of the budget.
        from_store: How many came from the store.
        failed: How many failed.
        seconds: Wall-clock seconds so far.
    """

    evaluated: int
    planned: int
    from_store: int
    failed: int
    seconds: float


def digest_of_genes(genes: Genes) -> list[str]:
    """Digests of codes (N, D), for spaces whose members are not architectures."""
    return [hashlib.sha256(row.astype("<i8").tobytes()).hexdigest() for row in np.ascontiguousarray(genes)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """The goals of a search.

    Directions and limits belong here: a searcher sees numbers to minimise and violations. A share (unit "1") that is
    maximised becomes 1 - value, an error; another metric that is maximised changes its sign.

    Attributes:
        objectives: What to improve, at least one.
        limits: Further limits on metrics that are not improved.
        context: What the evaluations depend on; part of the key under which outcomes are stored.
        identify: Digests of architectures from genes; of the genes themselves when left out.
        batch: Candidates asked at a time.
    """

    objectives: tuple[Objective, ...]
    limits: tuple[Limit, ...] = ()
    context: Context = Context(evaluator="unnamed")
    identify: Identify = digest_of_genes
    batch: int = 8

    def __post_init__(self) -> None:
        if not self.objectives:
            raise SearchError(explain("a study needs an objective"))
        if self.batch < 1:
            raise SearchError(explain("a batch must hold a candidate", got=self.batch))
        names = [o.metric for o in self.objectives]
        if len(set(names)) < len(names):
            raise SearchError(explain("an objective is named twice", got=", ".join(names)))

    @property
    def all_limits(self) -> tuple[Limit, ...]:
        """The limits of the objectives, then the others: the K columns of violations."""
        limited = (o for o in self.objectives if o.limit is not None)
        own = (Limit(metric=o.metric, **{"at_most" if o.goal == "minimise" else "at_least": o.limit}) for o in limited)
        return (*own, *self.limits)

    def results(self, genes: Genes, outcomes: Sequence[Outcome]) -> Results:
        """Translate outcomes to what a searcher is told.

        Args:
            genes: (N, D).
            outcomes: N, in the same order.

        Raises:
            SearchError: The numbers differ, or an evaluation lacks a metric of the study.
        """
        if len(genes) != len(outcomes):
            raise SearchError(
                explain("as many outcomes as candidates are needed", got=len(outcomes), allowed=len(genes))
            )
        limits = self.all_limits
        objectives = np.full((len(outcomes), len(self.objectives)), np.nan)
        margins = np.full((len(outcomes), len(limits)), np.nan)
        for row, outcome in enumerate(outcomes):
            if isinstance(outcome, Evaluation):
                objectives[row] = [_minimised(outcome.metric(o.metric), o) for o in self.objectives]
                margins[row] = [_margin(outcome.metric(limit.metric).value, limit) for limit in limits]
        failed = np.array([isinstance(o, Failure) for o in outcomes], dtype=bool)
        return Results(
            genes=genes, objectives=objectives, violations=np.maximum(margins, 0.0), failed=failed, margins=margins
        )

    def run(
        self,
        searcher: AsksAndTells,
        evaluate: Evaluate,
        budget: Budget,
        *,
        store: Store | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> History:
        """Ask, evaluate, tell and store until the budget is spent or the space is exhausted.

        Resume is replay. A second run with a searcher of the same seed proposes the same candidates, takes their
        outcomes from the store without evaluating, and continues from there. Failures are stored and replayed too.

        Args:
            searcher: A fresh one.
            evaluate: Called with the candidates that the store does not know.
            budget: How much to spend.
            store: Where outcomes are looked up and written as they come; None keeps nothing.
            progress: Called after every batch.

        Raises:
            SearchError: `evaluate` gave another number of outcomes than it was given candidates, or a metric lacks.
            StoreError: The store cannot be read or written.
        """
        start = time.monotonic()
        done: list[Results] = []
        outcomes: list[Outcome] = []
        stored = 0
        while len(outcomes) < budget.evaluations:
            if budget.seconds is not None and time.monotonic() - start >= budget.seconds:
                break
            genes = searcher.ask(min(self.batch, budget.evaluations - len(outcomes)))
            if len(genes) == 0:
                break
            batch, known = self._outcomes(genes, evaluate, store)
            results = self.results(genes, batch)
            searcher.tell(results)
            done.append(results)
            outcomes += batch
            stored += known
            if progress is not None:
                failed = sum(isinstance(o, Failure) for o in outcomes)
                progress(
                    Progress(
                        evaluated=len(outcomes),
                        planned=budget.evaluations,
                        from_store=stored,
                        failed=failed,
                        seconds=time.monotonic() - start,
                    )
                )
        return History.of(self.objectives, self.all_limits, done, outcomes, from_store=stored)

    def _outcomes(self, genes: Genes, evaluate: Evaluate, store: Store | None) -> tuple[list[Outcome], int]:
        """Outcomes of candidates in order, from the store where it knows them; and how many it knew."""
        if store is None:
            outcomes = list(evaluate(genes))
            _check_count(len(outcomes), len(genes))
            return [_with_genes(outcome, row) for outcome, row in zip(outcomes, genes, strict=True)], 0
        keys = [self.context.key(digest) for digest in self.identify(genes)]
        known = store.get_many(keys)
        missing = [i for i, key in enumerate(keys) if key not in known]
        found = dict(known)
        if missing:
            found |= self._evaluate_and_store(genes[missing], [keys[i] for i in missing], evaluate, store)
        # The same architecture may have come from another space, with other genes.
        outcomes = [_with_genes(found[key], row) for key, row in zip(keys, genes, strict=True)]
        return outcomes, len(genes) - len(missing)

    def _evaluate_and_store(
        self, genes: Genes, keys: Sequence[str], evaluate: Evaluate, store: Store
    ) -> dict[str, Outcome]:
        found: dict[str, Outcome] = {}
        waiting: dict[str, Outcome] = {}
        flushed, count, coming = time.monotonic(), 0, iter(evaluate(genes))
        try:
            while True:
                with finishing("this evaluation"):
                    outcome = next(coming, None)
                    if outcome is None:
                        break
                    if count < len(keys):
                        waiting[keys[count]] = _with_genes(outcome, genes[count])
                    count += 1
                    if time.monotonic() - flushed > _FLUSH_SECONDS:
                        store.put_many(waiting, context=self.context)
                        found |= waiting
                        waiting, flushed = {}, time.monotonic()
            _check_count(count, len(keys))
        finally:
            # Finished outcomes are stored even if the evaluation of the next candidate raises or is interrupted.
            if waiting:
                store.put_many(waiting, context=self.context)
            if isinstance(coming, Generator):
                coming.close()  # it may have processes at work on later candidates
        return found | waiting


def _with_genes(outcome: Outcome, genes: Genes) -> Outcome:
    return replace(outcome, genes=tuple(int(g) for g in genes))


def _check_count(got: int, wanted: int) -> None:
    if got != wanted:
        raise SearchError(explain("the evaluator must give one outcome a candidate", got=got, allowed=wanted))


def _minimised(metric: Metric, objective: Objective) -> float:
    if objective.goal == "minimise":
        return metric.value
    return 1.0 - metric.value if metric.unit == "1" else -metric.value


def _margin(value: float, limit: Limit) -> float:
    if limit.at_most is not None:
        return (value - limit.at_most) / (abs(limit.at_most) or 1.0)
    assert limit.at_least is not None
    return (limit.at_least - value) / (abs(limit.at_least) or 1.0)
