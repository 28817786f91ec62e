"""The latency budget: what it is in milliseconds, and whether any network can meet it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgenas.config.settings import TargetSection
from edgenas.errors import BudgetError, explain
from edgenas.pipeline.costs import CostModel

if TYPE_CHECKING:
    from edgenas.space import SearchSpace

_LOOKED_AT = 20_000


def budget_in_ms(target: TargetSection, space: SearchSpace, costs: CostModel) -> float | None:
    """Return the budget in milliseconds; None where the configuration sets none.

    Args:
        target: With `budget_ms`, or `budget_share` of the space's largest network as the table predicts it.
        space: The space.
        costs: Its costs.
    """
    if target.budget_share is None:
        return target.budget_ms
    return target.budget_share * float(costs(space.largest()[None]).latency_ms[0])


def require_possible(budget_ms: float, space: SearchSpace, costs: CostModel, *, seed: int) -> None:
    """Make sure that some network may meet a budget, before anything is spent on a search.

    Args:
        budget_ms: The budget.
        space: The space.
        costs: Its costs.
        seed: Draws the networks that are looked at.

    Raises:
        BudgetError: The fastest network that could be found is slower; says how fast it is and which it is.
    """
    from edgenas.arch.notation import format_notation

    sampled = space.sample(_LOOKED_AT, np.random.default_rng(seed))
    genes = np.concatenate([space.smallest()[None], space.canonical(sampled)])
    found = costs(genes)
    fastest = int(np.argmin(found.latency_ms))
    if found.latency_ms[fastest] - 1.645 * found.latency_error_ms[fastest] <= budget_ms:
        return
    raise BudgetError(
        explain(
            f"no network of the space {space.name} meets the latency budget",
            got=f"{budget_ms:g} ms",
            allowed=f"{found.latency_ms[fastest]:.4g} ms or more; that is the fastest of {len(genes):,} networks "
            f"looked at, as the table predicts it: {format_notation(space.decode(genes[fastest]))}",
            remedy="Raise target.budget_ms, or choose a smaller space or resolution.",
        )
    )
