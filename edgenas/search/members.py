"""Finding members of a space: all of them where it is small, else unseen ones by bounded sampling."""

from __future__ import annotations

import math
from typing import cast

import numpy as np

from edgenas.errors import SearchError, explain
from edgenas.search.protocol import Genes, Mask, SpaceView
from edgenas.search.seen import Keys, SeenCodes

LISTED_SIZE = 200_000
"""Spaces of at most this many raw codes are listed."""

_DRAWS_PER_ROUND = 4
_ROUNDS = 8


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
    """Remembers which canonical codes were proposed, and finds members that were not.

    A space of at most `LISTED_SIZE` codes is walked in one random order, so it is exhausted exactly. A larger one is
    sampled with a bound, and `acceptance` says which share of the draws was new.
    """

    def __init__(self, space: SpaceView, rng: np.random.Generator) -> None:
        if not space.cardinalities or min(space.cardinalities) < 1:
            raise SearchError(explain("a space needs genes of at least one choice each", got=space.cardinalities))
        self.space, self.rng, self.seen = space, rng, SeenCodes(space.cardinalities)
        self.drawn = self.accepted = 0
        self._walk: Genes | None = None
        self._step = 0
        self._listed = listable(space)

    @property
    def acceptance(self) -> float:
        """Share of randomly drawn members that were new; 1 before any draw."""
        return self.accepted / self.drawn if self.drawn else 1.0

    def keys(self, genes: Genes) -> Keys:
        """Keys (N,) of canonical codes (N, D)."""
        return self.seen.keys(genes)

    def take(self, genes: Genes, n: int) -> Genes:
        """Take the first n of canonical codes that are new and lie in the space, and remember them."""
        keys = self.keys(genes)
        index = self.seen.fresh(keys)
        if hasattr(self.space, "admits"):
            index = index[admitted(self.space, genes[index])]
        index = index[:n]
        self.seen.add(keys[index])
        return genes[index]

    def random(self, n: int) -> Genes:
        """Take n random new members; fewer only where the space is exhausted (or seems so, if it is not listed)."""
        if self._listed:
            return self._next_listed(n)
        found: list[Genes] = []
        missing = n
        for _ in range(_ROUNDS):
            draws = self.space.canonical(self.space.sample(max(_DRAWS_PER_ROUND * missing, 64), self.rng))
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
            self._walk = members[self.rng.permutation(len(members))]
        rest = self._walk[self._step :]
        keys = self.keys(rest)
        index = self.seen.fresh(keys)[:n]
        self._step += int(index[-1]) + 1 if len(index) == n else len(rest)
        self.seen.add(keys[index])
        return rest[index]
