"""Results of candidates as numbers to minimise: all that a searcher is told.

Letters: N candidates, D genes, M objectives, K limits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgenas.errors import SearchError, explain
from edgenas.types import Floats, Genes

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The result of one candidate.

    Attributes:
        genes: D integers, as asked.
        objectives: M numbers to minimise; ignored where `failed`.
        violations: K numbers >= 0, 0 where the limit is met.
        failed: Whether the evaluation failed.
    """

    genes: tuple[int, ...]
    objectives: tuple[float, ...]
    violations: tuple[float, ...] = ()
    failed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Results:
    """The results of N candidates, column by column.

    Attributes:
        genes: (N, D) integers, as asked.
        objectives: (N, M) to minimise; NaN where `failed`.
        violations: (N, K) >= 0; relative to the limit, 0 where it is met.
        failed: (N,).
        margins: (N, K) signed distance to each limit, relative to it: <= 0 where it is met. A model learns a limit
            better from these than from violations, which are cut at 0. None where they are not known.
    """

    genes: Genes
    objectives: Floats
    violations: Floats
    failed: Mask
    margins: Floats | None = None

    def __len__(self) -> int:
        return len(self.genes)

    def pick(self, index: NDArray[np.int64] | Mask) -> Results:
        """Take some of the rows."""
        margins = None if self.margins is None else self.margins[index]
        return Results(
            genes=self.genes[index],
            objectives=self.objectives[index],
            violations=self.violations[index],
            failed=self.failed[index],
            margins=margins,
        )


def as_results(results: Results | Sequence[Result], *, objectives: int, limits: int) -> Results:
    """Bring results into columns and check their shapes.

    Raises:
        SearchError: A shape is wrong, or an objective or violation of a result that did not fail is not finite.
    """
    columns = results if isinstance(results, Results) else _columns(results, objectives, limits)
    n = len(columns.genes)
    if columns.objectives.shape != (n, objectives):
        raise SearchError(explain("wrong shape of objectives", got=columns.objectives.shape, allowed=(n, objectives)))
    if columns.violations.shape != (n, limits):
        raise SearchError(explain("wrong shape of violations", got=columns.violations.shape, allowed=(n, limits)))
    if columns.failed.shape != (n,) or (columns.margins is not None and columns.margins.shape != (n, limits)):
        raise SearchError(explain("wrong shape of failures or margins", allowed=f"({n},) and ({n}, {limits})"))
    good = ~columns.failed
    if not np.isfinite(columns.objectives[good]).all() or not np.isfinite(columns.violations[good]).all():
        raise SearchError(
            explain("a result holds a value that is not finite", remedy="Mark such an evaluation as failed.")
        )
    if (columns.violations[good] < 0).any():
        raise SearchError(explain("a violation is negative", allowed=">= 0, 0 where the limit is met"))
    return columns


def _columns(results: Sequence[Result], objectives: int, limits: int) -> Results:
    nothing = (float("nan"),)
    values = [nothing * objectives if r.failed else r.objectives for r in results]
    broken = [nothing * limits if r.failed else r.violations for r in results]
    if any(len(v) != objectives for v in values) or any(len(v) != limits for v in broken):
        raise SearchError(
            explain("a result has the wrong number of values", allowed=f"{objectives} objectives, {limits} violations")
        )
    return Results(
        genes=np.array([r.genes for r in results], dtype=np.int64),
        objectives=np.array(values, dtype=np.float64).reshape(len(results), objectives),
        violations=np.array(broken, dtype=np.float64).reshape(len(results), limits),
        failed=np.array([r.failed for r in results], dtype=bool),
    )
