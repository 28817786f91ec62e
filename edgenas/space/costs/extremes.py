"""The networks of a space with the most and the fewest multiply-accumulates."""

from __future__ import annotations

from functools import lru_cache
from itertools import product

import numpy as np

from edgenas.space.codes.coded import CodedSpace
from edgenas.space.costs.counts import population_costs
from edgenas.types import Genes

_MOST_COMBINATIONS = 20_000
"""Combinations of one group of genes that are costed at once; a larger group is varied two genes at a time."""


@lru_cache(maxsize=32)
def extremes(space: CodedSpace) -> tuple[bytes, bytes]:
    """Return the canonical codes with the fewest and the most MACs, as bytes of int64; see `fewest` and `most`."""
    return _climb(space, sign=-1).tobytes(), _climb(space, sign=1).tobytes()


def fewest(space: CodedSpace) -> Genes:
    """Return the canonical code (D,) of a network with the fewest MACs."""
    return np.frombuffer(extremes(space)[0], dtype=np.int64).copy()


def most(space: CodedSpace) -> Genes:
    """Return the canonical code (D,) of a network with the most MACs."""
    return np.frombuffer(extremes(space)[1], dtype=np.int64).copy()


def _climb(space: CodedSpace, *, sign: int) -> Genes:
    """Vary one group of genes after the other until none changes anything.

    Blocks of a network share only the channels and sizes between them, and these only make a block larger. So the best
    choices of one block do not depend on those of the others. A group is therefore the genes of one block, those of a
    stage without its blocks, or those of the whole network. The start is the code with the last (or first) value of
    every choice. A code that is only as good as the present one does not replace it.
    """
    costs = population_costs(space)
    best = space.last_choices() if sign > 0 else space.first_choices()
    value, groups = sign * int(costs.macs(best[None])[0]), _groups(space)
    while True:
        before = value
        for group in groups:
            others = _varied(space, best, group)
            found = sign * costs.macs(others)
            index = int(found.argmax())
            if found[index] > value:
                best, value = others[index], int(found[index])
        if value == before:
            return np.asarray(space.canonical(best[None])[0])


def _groups(space: CodedSpace) -> list[list[int]]:
    """Genes of each block, of each stage without its blocks, and of the whole network."""
    found: dict[str, list[int]] = {}
    for gene, name in enumerate(space.gene_names):
        found.setdefault(name.rpartition(".")[0], []).append(gene)
    return list(found.values())


def _varied(space: CodedSpace, code: Genes, genes: list[int]) -> Genes:
    """Return the code (M, D) under every combination of some genes, or of any two where there are too many.
    """
    counts = [space.cardinalities[gene] for gene in genes]
    if int(np.prod(counts, dtype=np.float64)) <= _MOST_COMBINATIONS:
        choices = np.array(list(product(*map(range, counts))), dtype=np.int64)
        found = np.repeat(code[None], len(choices), axis=0)
        found[:, genes] = choices
        return found
    pairs = [(one, other) for place, one in enumerate(genes) for other in genes[place + 1 :]]
    return np.concatenate([_varied(space, code, list(pair)) for pair in pairs])
