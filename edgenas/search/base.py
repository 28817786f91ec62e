"""The part that every searcher shares: the order of ask and tell, duplicates, checks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgenas.errors import SearchError, explain
from edgenas.search.members import Newcomers
from edgenas.search.protocol import Genes, Result, Results, as_results
from edgenas.search.task import Task


class AskTell:
    """Base of the searchers: subclasses say `_propose(n)` and `_learn(results)`.

    `_propose` returns any number of canonical codes; the base keeps the new ones and fills up with random new members,
    so no strategy can stop before the space is exhausted, and none evaluates a network twice.
    """

    def __init__(self, task: Task) -> None:
        """Make a searcher for a task."""
        self.task, self.space = task, task.space
        self.objectives, self.limits, self.budget = task.objectives, task.limits, task.budget
        self.rng = np.random.default_rng(task.seed)
        self.newcomers = Newcomers(task, self.rng)
        self._pending: Genes | None = None
        self._evaluated = 0

    @property
    def evaluated(self) -> int:
        """How many results it was told."""
        return self._evaluated

    def ask(self, n: int) -> Genes:
        """Propose at most n new canonical candidates (k, D); see `Searcher.ask`."""
        if n < 1:
            raise SearchError(explain("cannot propose so few candidates", got=n, allowed=">= 1"))
        if self._pending is not None and len(self._pending):
            raise SearchError(
                explain(
                    "asked again before the results were told",
                    got=f"{len(self._pending)} candidates without a result",
                    remedy="Call tell with the results of the last proposal first.",
                )
            )
        genes = self._propose(n)
        if len(genes) < n:
            more = self.newcomers.random(n - len(genes))
            genes = np.concatenate([genes, more]) if len(genes) else more
        self._pending = genes
        return genes.copy()

    def tell(self, results: Results | Sequence[Result]) -> None:
        """Learn what became of the last proposal; see `Searcher.tell`."""
        if self._pending is None:
            raise SearchError(explain("results were told before anything was asked", remedy="Call ask first."))
        columns = as_results(results, objectives=self.objectives, limits=self.limits)
        if not np.array_equal(columns.genes, self._pending):
            raise SearchError(
                explain(
                    "the results are not those of the last proposal",
                    got=f"{len(columns)} results",
                    allowed=f"the {len(self._pending)} candidates asked, in that order",
                )
            )
        self._pending = None
        self._evaluated += len(columns)
        if len(columns):
            self._learn(columns)

    def warm_start(self, results: Results | Sequence[Result]) -> None:
        """Learn from an earlier run, before the first ask. Its networks are not proposed again.

        Raises:
            SearchError: Something was asked already, or a shape is wrong.
        """
        if self._pending is not None or self._evaluated:
            raise SearchError(explain("a warm start comes before the first ask", got=f"{self._evaluated} results told"))
        columns = as_results(results, objectives=self.objectives, limits=self.limits)
        canonical = self.space.canonical(columns.genes)
        keys = self.newcomers.keys(canonical)
        first = np.flatnonzero(self.newcomers.seen.claim(keys))
        known = columns.pick(first)
        if len(first):
            self._learn(
                Results(
                    genes=canonical[first],
                    objectives=known.objectives,
                    violations=known.violations,
                    failed=known.failed,
                    margins=known.margins,
                )
            )

    def _propose(self, n: int) -> Genes:
        """Propose new canonical codes, taken with `self.newcomers`; may be fewer than n."""
        raise NotImplementedError

    def _learn(self, results: Results) -> None:
        """Take in results of new canonical codes."""
        raise NotImplementedError


class Random(AskTell):
    """Random search without replacement: the baseline that every comparison shows."""

    def _propose(self, n: int) -> Genes:
        return self.newcomers.random(n)

    def _learn(self, results: Results) -> None:
        return None
