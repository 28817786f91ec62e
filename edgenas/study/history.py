"""The outcomes of a run, in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgenas.errors import BudgetError, explain
from edgenas.pareto import nondominated
from edgenas.study.results import Mask, Results
from edgenas.study.values import Evaluation, Limit, Objective, Outcome
from edgenas.types import Genes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class History:
    """The outcomes of a run.

    Attributes:
        objectives_of: The M objectives of the study.
        limits: Its K limits, those of the objectives first.
        outcomes: N outcomes.
        results: The same in columns, as told to the searcher: objectives to minimise, violations.
        from_store: How many were known before.
    """

    objectives_of: tuple[Objective, ...]
    limits: tuple[Limit, ...]
    outcomes: tuple[Outcome, ...]
    results: Results
    from_store: int = 0

    @classmethod
    def of(
        cls,
        objectives: tuple[Objective, ...],
        limits: tuple[Limit, ...],
        batches: Sequence[Results],
        outcomes: Sequence[Outcome],
        *,
        from_store: int,
    ) -> History:
        """Put the batches of a run together."""
        results = _concatenate(batches, objectives=len(objectives), limits=len(limits))
        return cls(
            objectives_of=objectives, limits=limits, outcomes=tuple(outcomes), results=results, from_store=from_store
        )

    def after(self, earlier: History) -> History:
        """Return this history with that of an earlier search of the same study before it."""
        return History.of(
            self.objectives_of,
            self.limits,
            [earlier.results, self.results],
            [*earlier.outcomes, *self.outcomes],
            from_store=earlier.from_store + self.from_store,
        )

    def __len__(self) -> int:
        return len(self.outcomes)

    @property
    def feasible(self) -> Mask:
        """(N,), evaluations that worked and meet every limit."""
        return ~self.results.failed & (np.nan_to_num(self.results.violations, nan=1.0) <= 0).all(axis=1)

    @property
    def shown(self) -> Mask:
        """(N,), the feasible that were judged in full: what may be a result."""
        full = [isinstance(outcome, Evaluation) and outcome.fidelity >= 1 for outcome in self.outcomes]
        return np.asarray(self.feasible & np.array(full, dtype=bool))

    def front(self) -> Genes:
        """Indices of the Pareto front among the shown, sorted by the first objective; empty where none is."""
        index = np.flatnonzero(self.shown)
        index = index[nondominated(self.results.objectives[index])]
        return index[np.argsort(self.results.objectives[index, 0], kind="stable")]

    def front_evaluations(self) -> tuple[Evaluation, ...]:
        """The evaluations of the front, best in the first objective first."""
        chosen = (self.outcomes[i] for i in self.front())
        return tuple(o for o in chosen if isinstance(o, Evaluation))

    def require_feasible(self) -> None:
        """Make sure that something was found that meets the limits.

        Raises:
            BudgetError: No network meets them. The message names the limits that no network met with the best value
                found, or says why all evaluations failed.
        """
        if self.shown.any():
            return
        if self.feasible.any():
            raise BudgetError(
                explain(
                    "no network that meets the limits was judged in full", got=f"{int(self.feasible.sum())} in part",
                    remedy="Raise search.evaluations, or loosen the limit.",
                )
            )
        if len(self) == 0 or self.results.failed.all():
            reasons = {getattr(o, "reason", "") for o in self.outcomes} or {"nothing was evaluated"}
            raise BudgetError(
                explain(
                    f"none of {len(self)} evaluations worked", got="; ".join(sorted(reasons)[:3]).rstrip("."),
                    remedy="Mend the cause and try them again: search.retry_failures=true.",
                )
            )
        unmet = [k for k in range(len(self.limits)) if not (self.results.violations[:, k] <= 0).any()]
        each = unmet or range(len(self.limits))
        found = "; ".join(self._best_of(k) for k in each)
        what = "no network met a limit" if unmet else "no network met all limits together"
        raise BudgetError(
            explain(
                f"{what}, among {len(self)} evaluated",
                got=found,
                remedy="Loosen the limit, or search a space with smaller networks.",
            )
        )

    def _best_of(self, k: int) -> str:
        limit = self.limits[k]
        values = [o.metric(limit.metric) for o in self.outcomes if isinstance(o, Evaluation)]
        unit = "" if values[0].unit == "1" else f" {values[0].unit}"
        if limit.at_most is not None:
            return f"{limit.metric} <= {limit.at_most:g}{unit}, best found {min(v.value for v in values):g}{unit}"
        return f"{limit.metric} >= {limit.at_least:g}{unit}, best found {max(v.value for v in values):g}{unit}"


def _concatenate(batches: Sequence[Results], *, objectives: int, limits: int) -> Results:
    if not batches:
        return Results(
            genes=np.zeros((0, 0), dtype=np.int64),
            objectives=np.zeros((0, objectives)),
            violations=np.zeros((0, limits)),
            failed=np.zeros(0, dtype=bool),
            margins=np.zeros((0, limits)),
        )
    margins = [b.violations if b.margins is None else b.margins for b in batches]
    return Results(
        genes=np.concatenate([b.genes for b in batches]),
        objectives=np.concatenate([b.objectives for b in batches]),
        violations=np.concatenate([b.violations for b in batches]),
        failed=np.concatenate([b.failed for b in batches]),
        margins=np.concatenate(margins),
    )
