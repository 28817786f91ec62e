"""The latency budget in milliseconds, and the check that some network can meet it and the other limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from edgenas.config.sections.target import TargetSection
from edgenas.errors import BudgetError, explain
from edgenas.pipeline.search.cost_model import Costs
from edgenas.pipeline.search.limits import LIMITS, SIZES, limits_of
from edgenas.types import Genes

if TYPE_CHECKING:
    from edgenas.pipeline.search.sizes import SizeModel
    from edgenas.space import SearchSpace

_LOOKED_AT = 20_000


class Costing(Protocol):
    """What gives the costs of networks."""

    @property
    def sizes(self) -> SizeModel | None:
        """Of the files that ship; None where they are not known."""

    def __call__(self, genes: Genes) -> Costs:
        """Return the costs of networks (N, D)."""
        ...


def budget_in_ms(
    target: TargetSection, space: SearchSpace, costs: Costing, *, clock: float = 1.0
) -> float | None:
    """Return the budget in milliseconds of the table's time; None where the configuration sets none.

    Args:
        target: With `budget_ms`, or `budget_share` of the space's largest network as the table predicts it.
        space: The space.
        costs: Its costs, in the table's time.
        clock: Present latency of the reference over the table's (see `clock.py`). A budget that is a share does not
            depend on it.
    """
    if target.budget_share is None:
        return None if target.budget_ms is None else target.budget_ms / clock
    return target.budget_share * float(costs(space.largest()[None]).latency_ms[0])


def within(latency_ms: float, error_ms: float, budget_ms: float | None) -> bool:
    """Whether a measured latency meets a budget: with one standard error added; without a budget, always.

    Args:
        latency_ms: Measured.
        error_ms: Its standard error; where it is not known (not finite), no budget is met.
        budget_ms: The budget, or None.
    """
    return budget_ms is None or latency_ms + error_ms <= budget_ms


def require_possible(
    target: TargetSection, space: SearchSpace, costs: Costing, *, seed: int, clock: float = 1.0
) -> None:
    """Make sure that some network may meet the limits of a run, before anything is spent on a search.

    Args:
        target: With the limits.
        space: The space.
        costs: Its costs.
        seed: Draws the networks that are looked at.
        clock: See `budget_in_ms`.

    Raises:
        BudgetError: The fastest or smallest network that could be found is over; says what it costs and which it is.
    """
    budget_ms, limits = budget_in_ms(target, space, costs, clock=clock), limits_of(target)
    if budget_ms is None and not limits:
        return
    genes = looked_at(space, seed=seed)
    found = costs(genes)
    if budget_ms is not None:
        fastest = int(np.argmin(found.latency_ms))
        if not found.latency_ms[fastest] - 1.645 * found.latency_error_ms[fastest] <= budget_ms:
            raise BudgetError(
                explain(
                    f"no network of the space {space.name} meets the latency budget",
                    got=f"{budget_ms * clock:g} ms",
                    allowed=f"{found.latency_ms[fastest] * clock:.4g} ms or more; that is the fastest of "
                    f"{len(genes):,} networks looked at, as the table predicts it: {_notation(space, genes[fastest])}",
                    remedy="Raise target.budget_ms, or choose a smaller space or resolution.",
                )
            )
    for metric, most in limits.items():
        smallest, value = _smallest(metric, costs, found, space, genes)
        if not value <= most:
            kind = LIMITS[metric]
            raise BudgetError(
                explain(
                    f"no network of the space {space.name} meets target.{kind.key}",
                    got=kind.text(most),
                    allowed=f"{kind.text(value)} or more; that is the smallest of {len(genes):,} networks "
                    f"looked at: {_notation(space, genes[smallest])}",
                    remedy=f"Raise target.{kind.key}, or choose a smaller space or resolution.",
                )
            )


def _smallest(
    metric: str, costs: Costing, found: Costs, space: SearchSpace, genes: NDArray[np.int64]
) -> tuple[int, float]:
    """Return the row of the network with the smallest value, and that value; of files by the files themselves."""
    if metric in SIZES:
        if costs.sizes is None:
            # Nothing of the run's files is known yet: the stages of the search ask again.
            return 0, 0.0
        row = costs.sizes.smallest(metric, genes)
        return row, float(costs.sizes.exact(space.decode(genes[row]))[metric])
    values = np.asarray(getattr(found, metric), dtype=np.float64)
    row = int(np.argmin(values))
    return row, float(values[row])


def looked_at(space: SearchSpace, *, seed: int) -> NDArray[np.int64]:
    """Return networks (N, D) that show the range of costs of a space: both ends and a large random sample."""
    sampled = space.sample(_LOOKED_AT, np.random.default_rng(seed))
    ends = np.stack([space.smallest(), space.largest()])
    genes: NDArray[np.int64] = np.concatenate([ends, space.canonical(sampled)])
    return genes


def _notation(space: SearchSpace, genes: NDArray[np.int64]) -> str:
    from edgenas.arch.notation import format_notation

    return format_notation(space.decode(genes))
