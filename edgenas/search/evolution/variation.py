"""Crossover and mutation of whole populations of genes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from edgenas.search.protocol import Genes

Codes = TypeVar("Codes", bound=NDArray[Any])


def compact_type(cardinalities: Sequence[int]) -> type[np.unsignedinteger[Any]]:
    """The smallest unsigned integers that hold every gene."""
    most = max(cardinalities, default=1)
    return np.uint8 if most <= 256 else np.uint16 if most <= 65_536 else np.uint32


class Variation:
    """Uniform crossover and resetting mutation over categorical genes.

    Every random number of a population is drawn at once. Genes with a single choice are never mutated.
    """

    def __init__(self, cardinalities: Sequence[int]) -> None:
        self._cards = np.asarray(cardinalities, dtype=np.int64)
        self._free = np.flatnonzero(self._cards > 1)

    def cross(self, left: Codes, right: Codes, rng: np.random.Generator, *, chance: float) -> Codes:
        """Mix parents (N, D) gene by gene: with `chance` a child takes each gene from either parent, else from left."""
        n, genes = left.shape
        words = rng.integers(0, 2**64, size=(n * genes + 7) // 8, dtype=np.uint64)
        # The sign of a random byte says which parent; shifted down it is a mask of all bits or none.
        mask = (words.view(np.int8)[: n * genes].reshape(n, genes) >> 7).astype(left.dtype)
        if chance < 1.0:
            mask[rng.random(n) >= chance] = 0
        mask &= left ^ right
        mask ^= left
        return mask

    def mutate(self, genes: Codes, rng: np.random.Generator, *, mean: float = 1.0) -> Codes:
        """Change `mean` genes a candidate on average, each to another of its choices; works in place.

        Args:
            genes: (N, D); changed.
            rng: Source of randomness.
            mean: Expected number of mutations of a candidate; their number is binomial over the population.

        Returns:
            The same array.
        """
        n, free = len(genes), len(self._free)
        if free == 0 or n == 0:
            return genes
        total = int(rng.binomial(n * free, min(mean / free, 1.0)))
        spot = rng.integers(0, n * free, size=total)
        row, place = np.divmod(spot, free)
        return self._change(genes, row, self._free[place], rng)

    def mutate_one(self, genes: Genes, rng: np.random.Generator) -> Genes:
        """Change exactly one gene of every candidate (N, D) to another of its choices; works in place."""
        if len(self._free) == 0:
            return genes
        column = self._free[rng.integers(0, len(self._free), size=len(genes))]
        return self._change(genes, np.arange(len(genes)), column, rng)

    def neighbours(self, genes: Genes) -> Genes:
        """All codes that differ from one code (D,) in exactly one gene."""
        columns = np.repeat(self._free, self._cards[self._free] - 1)
        shift = np.concatenate([np.arange(1, c) for c in self._cards[self._free]] or [np.zeros(0, dtype=np.int64)])
        around = np.repeat(genes[None], len(columns), axis=0)
        rows = np.arange(len(columns))
        around[rows, columns] = (around[rows, columns] + shift) % self._cards[columns]
        return around

    def _change(self, genes: Codes, row: Genes, column: Genes, rng: np.random.Generator) -> Codes:
        cards = self._cards[column]
        shift = 1 + (rng.random(len(row)) * (cards - 1)).astype(np.int64)
        genes[row, column] = (genes[row, column] + shift) % cards
        return genes
