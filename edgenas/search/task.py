"""The task of a searcher: its space, its objectives and limits, its seed, and what is known without an evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from edgenas.errors import SearchError, explain
from edgenas.search.protocol import CostFunction, Floats, Genes, Mask, SpaceView


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Task:
    """A search task. Letters: N candidates, D genes, M objectives, K limits.

    Attributes:
        space: Where to search.
        objectives: M, at least 1.
        limits: K.
        seed: All randomness of the searcher comes from it.
        budget: How many evaluations are planned; sizes populations. More or fewer may be asked for.
        known_objectives: Objectives, by index, that are exact without an evaluation: from codes (N, D) to values (N,).
            A model need not learn them. Strategies without a model ignore them.
        known_margins: Margins to limits, by index, that are exact without an evaluation: from codes (N, D) to values
            (N,). A margin is cost / limit - 1, so it is <= 0 if the limit is met. No strategy proposes a network that
            breaks one.
    """

    space: SpaceView
    objectives: int
    limits: int = 0
    seed: int
    budget: int
    known_objectives: Mapping[int, CostFunction] = field(default_factory=dict)
    known_margins: Mapping[int, CostFunction] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.objectives < 1 or self.limits < 0 or self.budget < 1:
            raise SearchError(
                explain(
                    "a searcher needs at least one objective, no negative number of limits and a budget",
                    got=f"objectives={self.objectives}, limits={self.limits}, budget={self.budget}",
                )
            )
        for what, known, count in (
            ("objective", self.known_objectives, self.objectives),
            ("limit", self.known_margins, self.limits),
        ):
            wrong = [index for index in known if not 0 <= index < count]
            if wrong:
                raise SearchError(
                    explain(f"a known {what} is none of the search", got=wrong, allowed=f"indices below {count}")
                )

    def known_violation(self, genes: Genes) -> Floats:
        """Total violation (N,) of the known limits by codes (N, D); 0 if all are met, NaN if that is unknown."""
        total = np.zeros(len(genes))
        for margin in self.known_margins.values():
            total += np.maximum(margin(genes), 0.0)
        return total

    def allows(self, genes: Genes) -> Mask:
        """Mark the codes (N, D) that meet the known limits."""
        if not self.known_margins:
            return np.ones(len(genes), dtype=bool)
        return np.asarray(self.known_violation(genes) <= 0)
