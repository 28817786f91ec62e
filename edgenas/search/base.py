"""The base of every searcher: the order of ask and tell, duplicates, checks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from edgenas.errors import SearchError, explain
from edgenas.search.members import Newcomers, admitted
from edgenas.search.protocol import Genes, Result, Results, as_results
from edgenas.search.task import Task


class AskTell:
    """Base of the searchers: subclasses say `_propose(n)` and `_learn(results)`, and perhaps `_warm(results)`.

    `_propose` returns any number of canonical codes. The base keeps the new ones and fills up with random new members.
    So no strategy stops before the space is exhausted, and none evaluates a network twice.

    Candidates without a result are pending. More may be asked while some are, and results are told in any order, a few
    at a time. A random initial phase counts what is known, what was told and what is pending.
    """

    def __init__(self, task: Task) -> None:
        """Make a searcher for a task."""
        self.task, self.space = task, task.space
        self.objectives, self.limits, self.budget = task.objectives, task.limits, task.budget
        self.rng = np.random.default_rng(task.seed)
        self.newcomers = Newcomers(task, self.rng)
        self._waiting_for: Genes = np.zeros((0, len(task.space.cardinalities)), dtype=np.int64)
        self._asked = False
        self._evaluated = self._known_results = 0

    @property
    def evaluated(self) -> int:
        """Number of results told so far."""
        return self._evaluated

    @property
    def pending(self) -> int:
        """How many candidates were asked and have no result yet."""
        return len(self._waiting_for)

    @property
    def _counted(self) -> int:
        """Number of known results that worked, results told and pending candidates.

        Initial phases end by this number.
        """
        return self._known_results + self._evaluated + self.pending

    def ask(self, n: int) -> Genes:
        """Propose at most n new canonical candidates (k, D); see `Searcher.ask`."""
        if n < 1:
            raise SearchError(explain("cannot propose so few candidates", got=n, allowed=">= 1"))
        genes = self._propose(n)
        if len(genes) < n:
            more = self.newcomers.random(n - len(genes))
            genes = np.concatenate([genes, more]) if len(genes) else more
        self._asked = True
        self._waiting_for = np.concatenate([self._waiting_for, genes]) if self.pending else genes
        return genes.copy()

    def tell(self, results: Results | Sequence[Result]) -> None:
        """Learn the results of pending candidates; see `Searcher.tell`."""
        if not self._asked:
            raise SearchError(explain("results were told before anything was asked", remedy="Call ask first."))
        columns = as_results(results, objectives=self.objectives, limits=self.limits)
        if len(columns) == 0:
            return
        if np.array_equal(columns.genes, self._waiting_for):
            self._waiting_for = self._waiting_for[:0]
        else:
            self._waiting_for = np.delete(self._waiting_for, self._places(columns.genes), axis=0)
        self._evaluated += len(columns)
        self._learn(columns)

    def _places(self, genes: Genes) -> list[int]:
        """Indices among the pending of codes (N, D), each once."""
        place = {tuple(row): index for index, row in enumerate(self._waiting_for.tolist())}
        found = [place.pop(tuple(row), None) for row in np.asarray(genes).reshape(len(genes), -1).tolist()]
        if None in found:
            raise SearchError(
                explain(
                    "the results are not those of pending candidates, one each",
                    got=f"{sum(index is None for index in found)} of {len(found)} results are of others",
                    allowed=f"the {self.pending} candidates asked that have no result yet, in any order",
                )
            )
        return [index for index in found if index is not None]

    def warm_start(self, results: Results | Sequence[Result]) -> None:
        """Learn from an earlier run, before the first ask. Its networks are not proposed again.

        A random initial phase is shorter by the known results that worked. Of several results of one network the first
        that worked counts.

        Raises:
            SearchError: Something was asked already, a shape is wrong, or a code does not lie in the space.
        """
        if self._asked:
            raise SearchError(explain("a warm start comes before the first ask", got=f"{self._evaluated} results told"))
        columns = as_results(results, objectives=self.objectives, limits=self.limits)
        if len(columns) == 0:
            return
        self._require_members(columns.genes)
        # The known results may be a run of the same seed, whose draws would be drawn again, and nothing else.
        self.rng.bit_generator.state = self.rng.bit_generator.jumped().state  # type: ignore[attr-defined]
        canonical = self.space.canonical(columns.genes)
        worked_first = np.argsort(columns.failed, kind="stable")
        new = self.newcomers.seen.claim(self.newcomers.keys(canonical[worked_first]))
        known = replace(columns, genes=canonical).pick(np.sort(worked_first[new]))
        self._known_results += int((~known.failed).sum())
        if len(known):
            self._warm(known)

    def _require_members(self, genes: Genes) -> None:
        cards = np.asarray(self.space.cardinalities)
        right = genes.ndim == 2 and genes.shape[1] == len(cards) and np.issubdtype(genes.dtype, np.integer)
        if right and ((genes >= 0) & (genes < cards)).all() and admitted(self.space, genes).all():
            return
        raise SearchError(
            explain(
                "a warm start takes results of the space that is searched",
                got=f"codes {genes.shape}, some of them of no member of the space",
                allowed=f"codes (N, {len(cards)}) of its members",
            )
        )

    def _propose(self, n: int) -> Genes:
        """Propose new canonical codes, taken with `self.newcomers`; may be fewer than n."""
        raise NotImplementedError

    def _learn(self, results: Results) -> None:
        """Take in results of new canonical codes. Each is told once."""
        raise NotImplementedError

    def _warm(self, results: Results) -> None:
        """Take in results of an earlier run, canonical and each network once. By default `_learn` does it."""
        self._learn(results)


class Random(AskTell):
    """Random search without replacement: the baseline that every comparison shows.

    It learns nothing. Of known and pending results it only leaves the networks out.
    """

    def _propose(self, n: int) -> Genes:
        return self.newcomers.random(n)

    def _learn(self, results: Results) -> None:
        return None
