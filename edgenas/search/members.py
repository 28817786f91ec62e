"""Finding members of a space: all of a small space, else unseen ones by bounded sampling."""

from __future__ import annotations

import math
from typing import cast

import numpy as np

from edgenas.errors import SearchError, explain
from edgenas.search.evolution.variation import Variation
from edgenas.search.protocol import Genes, Mask, SpaceView
from edgenas.search.seen import Keys, SeenCodes
from edgenas.search.task import Task

LISTED_SIZE = 200_000
"""Spaces of at most this many raw codes are listed."""

_DRAWS_PER_ROUND = 4
_ROUNDS = 8
_TIGHT = 0.1
_REPAIRS = 8


def admitted(space: SpaceView, genes: Genes) -> Mask:
    """Mark the codes (N, D) that lie in the space; all do unless the space says otherwise."""
    admits = getattr(space, "admits", None)
    if admits is None:
        return np.ones(len(genes), dtype=bool)
    return cast(Mask, admits(genes))


def listable(space: SpaceView, *, most: int = LISTED_SIZE) -> bool:
    """Whether a space lists itself, or has at most `most` raw codes (it may have far fewer networks)."""
    return hasattr(space, "members") or math.prod(space.cardinalities) <= most


def listed_members(space: SpaceView, *, most: int = LISTED_SIZE) -> Genes | None:
    """List the distinct canonical codes (S, D) of a space with at most `most` raw codes; None for a larger one."""
    members = getattr(space, "members", None)
    if members is not None:
        return np.unique(space.canonical(members()), axis=0)
    if not listable(space, most=most):
        return None
    grid = np.indices(space.cardinalities).reshape(len(space.cardinalities), -1).T
    return np.unique(space.canonical(np.ascontiguousarray(grid, dtype=np.int64)), axis=0)


class Newcomers:
    """Remembers proposed canonical codes, and finds new members that meet the known limits.

    A space of at most `LISTED_SIZE` codes is walked in one random order, so it is exhausted exactly. A larger one is
    sampled with a bound, and `acceptance` says which share of the draws was new. If few draws meet the known limits,
    draws are repaired: single genes change at random as long as the violation of the limits does not grow.
    """

    def __init__(self, task: Task, rng: np.random.Generator) -> None:
        space = task.space
        if not space.cardinalities or min(space.cardinalities) < 1:
            raise SearchError(explain("a space needs genes of at least one choice each", got=space.cardinalities))
        self.task, self.space, self.rng, self.seen = task, space, rng, SeenCodes(space.cardinalities)
        self.drawn = self.accepted = 0
        self._walk: Genes | None = None
        self._step = 0
        self._listed = listable(space)
        self._tight = False
        self._variation = Variation(space.cardinalities)
        self._chooses = hasattr(space, "admits") or bool(task.known_margins)

    @property
    def acceptance(self) -> float:
        """Share of randomly drawn members that were new; 1 before any draw."""
        return self.accepted / self.drawn if self.drawn else 1.0

    def keys(self, genes: Genes) -> Keys:
        """Keys (N,) of canonical codes (N, D)."""
        return self.seen.keys(genes)

    def allowed(self, genes: Genes) -> Mask:
        """Mark the codes (N, D) that lie in the space and meet the known limits."""
        good = admitted(self.space, genes)
        if self.task.known_margins:
            inside = np.flatnonzero(good)
            good[inside] = self.task.allows(genes[inside])
        return good

    def take(self, genes: Genes, n: int) -> Genes:
        """Take the first n of canonical codes that are new and allowed, and remember them."""
        keys = self.keys(genes)
        index = np.flatnonzero(~self.seen.contains(keys))
        if self._chooses:
            index = index[self.allowed(genes[index])]
        chosen = index[:0]
        while len(chosen) < n and len(index):
            # Only as many are claimed as may be taken. The others may be proposed later.
            some, index = index[: n - len(chosen)], index[n - len(chosen) :]
            chosen = np.concatenate([chosen, some[self.seen.claim(keys[some])]])
        return genes.take(chosen, axis=0)

    def random(self, n: int) -> Genes:
        """Take n random new members; fewer only if the space is exhausted (or seems so, if it is not listed).

        Raises:
            SearchError: No member meets the known limits, or none could be found.
        """
        if self._listed:
            return self._next_listed(n)
        found: list[Genes] = []
        missing = n
        for _ in range(_ROUNDS):
            draws = self.space.canonical(self.space.sample(max(_DRAWS_PER_ROUND * missing, 64), self.rng))
            if self.task.known_margins:
                self._tight = self._tight or float(self.task.allows(draws).mean()) < _TIGHT
                draws = self._repaired(draws, missing) if self._tight else draws
            taken = self.take(draws, missing)
            self.drawn, self.accepted = self.drawn + len(draws), self.accepted + len(taken)
            found.append(taken)
            missing -= len(taken)
            if missing == 0:
                break
        return np.concatenate(found)

    def _next_listed(self, n: int) -> Genes:
        if self._walk is None:
            members = listed_members(self.space)
            assert members is not None
            allowed = self.allowed(members)
            if not allowed.any():
                raise self._impossible(members)
            members = members[allowed]
            self._walk = members[self.rng.permutation(len(members))]
        found: list[Genes] = []
        missing = n
        while missing and self._step < len(self._walk):
            part = self._walk[self._step : self._step + 2 * missing + 64]
            index = np.flatnonzero(~self.seen.contains(self.keys(part)))[:missing]
            self._step += int(index[-1]) + 1 if len(index) == missing else len(part)
            self.seen.claim(self.keys(part[index]))
            found.append(part[index])
            missing -= len(index)
        return np.concatenate(found) if found else self._walk[:0]

    def _repaired(self, genes: Genes, enough: int) -> Genes:
        """Change canonical codes (N, D) until they meet the known limits; return at least `enough` if possible.
        """
        violation = self.task.known_violation(genes)
        for _ in range(_REPAIRS * sum(self.space.cardinalities)):
            over = np.flatnonzero(~(violation <= 0))
            if len(genes) - len(over) >= enough:
                break
            moved = self.space.canonical(self._variation.mutate_one(genes[over], self.rng))
            reached = self.task.known_violation(moved)
            better = admitted(self.space, moved) & ((reached <= violation[over]) | np.isnan(violation[over]))
            genes[over[better]], violation[over[better]] = moved[better], reached[better]
        met = violation <= 0
        if not met.any():
            raise self._impossible(genes)
        return genes[met]

    def _impossible(self, genes: Genes) -> SearchError:
        best = int(np.argmin(np.nan_to_num(self.task.known_violation(genes), nan=np.inf)))
        over = {k: float(margin(genes[best : best + 1])[0]) for k, margin in self.task.known_margins.items()}
        broken = ", ".join(f"limit {k} by {100 * by:.3g} %" for k, by in over.items() if not by <= 0)
        return SearchError(
            explain(
                "no network that meets the known limits was found",
                got=f"the nearest breaks {broken}",
                remedy="Loosen the limits, or take a space with smaller networks.",
            )
        )
