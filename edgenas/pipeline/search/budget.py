"""The latency budget in milliseconds, and the check that some network can meet it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edgenas.config.settings import TargetSection
from edgenas.errors import BudgetError, explain
from edgenas.pipeline.search.cost_model import CostModel

if TYPE_CHECKING:
    from edgenas.space import SearchSpace

_LOOKED_AT = 20_000


def budget_in_ms(
    target: TargetSection, space: SearchSpace, costs: CostModel, *, clock: float = 1.0
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
    target: TargetSection, space: SearchSpace, costs: CostModel, *, seed: int, clock: float = 1.0
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
    budget_ms = budget_in_ms(target, space, costs, clock=clock)
    if budget_ms is None and target.max_macs is None:
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
    if target.max_macs is not None:
        smallest = int(np.argmin(found.macs))
        if not found.macs[smallest] <= target.max_macs:
            raise BudgetError(
                explain(
                    f"no network of the space {space.name} meets target.max_macs",
                    got=f"{target.max_macs:,}",
                    allowed=f"{found.macs[smallest]:,.0f} or more; that is the smallest of {len(genes):,} networks "
                    f"looked at: {_notation(space, genes[smallest])}",
                    remedy="Raise target.max_macs, or choose a smaller space or resolution.",
                )
            )


def looked_at(space: SearchSpace, *, seed: int) -> NDArray[np.int64]:
    """Return networks (N, D) that show the range of costs of a space: both ends and a large random sample."""
    sampled = space.sample(_LOOKED_AT, np.random.default_rng(seed))
    ends = np.stack([space.smallest(), space.largest()])
    genes: NDArray[np.int64] = np.concatenate([ends, space.canonical(sampled)])
    return genes


def _notation(space: SearchSpace, genes: NDArray[np.int64]) -> str:
    from edgenas.arch.notation import format_notation

    return format_notation(space.decode(genes))
