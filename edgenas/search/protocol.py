"""The interface of searchers: they see a space as codes and results as numbers to minimise.

Letters: N candidates, D genes, M objectives, K limits, F features.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from edgenas.study.results import Mask, Result, Results, as_results
from edgenas.types import Floats, Genes

__all__ = [
    "CostFunction",
    "Floats",
    "Genes",
    "Mask",
    "Result",
    "Results",
    "Searcher",
    "SpaceView",
    "as_results",
]


@runtime_checkable
class SpaceView(Protocol):
    """The only thing that a searcher sees of a search space.

    Two optional methods are used where a space has them: `members() -> (S, D)`, every code of a space that is not the
    full product of its cardinalities, and `admits(genes) -> (N,) mask`, which codes lie in such a space.
    """

    @property
    def cardinalities(self) -> tuple[int, ...]:
        """Number of choices of each of the D genes."""
        ...

    @property
    def size(self) -> int:
        """Number of distinct networks (canonical codes), exact; raw codes where they are not distinguished."""
        ...

    def sample(self, n: int, rng: np.random.Generator) -> Genes:
        """Draw n codes (n, D), with replacement."""
        ...

    def canonical(self, genes: Genes) -> Genes:
        """Map codes (N, D) to canonical ones: equal networks have equal canonical codes."""
        ...

    def features(self, genes: Genes) -> Floats:
        """Structural features (N, F) of codes (N, D), such as depth and operation counts of each stage."""
        ...


class Searcher(Protocol):
    """Proposes candidates and learns from their results. It reads no files and sees only numbers."""

    @property
    def evaluated(self) -> int:
        """Number of results told so far."""
        ...

    @property
    def pending(self) -> int:
        """How many candidates were asked and have no result yet."""
        ...

    def ask(self, n: int) -> Genes:
        """Propose at most n candidates (k, D), canonical, none of them proposed before.

        Fewer than n only where the space is exhausted. It may be asked while other candidates are pending.

        Raises:
            SearchError: n < 1.
        """
        ...

    def tell(self, results: Results | Sequence[Result]) -> None:
        """Learn the results of pending candidates, all or some of them, in any order.

        Raises:
            SearchError: Nothing was asked, a result is of a network that is not pending, or two are of one network.
                Then nothing changes.
        """
        ...

    def warm_start(self, results: Results | Sequence[Result]) -> None:
        """Learn from an earlier run, before the first ask. Its networks are not proposed again.

        Raises:
            SearchError: Something was asked already, or the results are none of this search.
        """
        ...


CostFunction = Callable[[Genes], Floats]
"""Exact values (N,) for codes (N, D): an objective or a margin that needs no evaluation."""
