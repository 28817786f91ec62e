"""Small spaces and evaluations for the tests of searchers."""

from __future__ import annotations

import numpy as np

from benchmarks.tables import IdentityGroups, TabularSpace
from edgenas.search import Results


def layered_space(groups: tuple[tuple[int, ...], ...] = ((0, 1), (2, 3, 4)), choices: int = 3) -> TabularSpace:
    """Layers of which some may be identities: fewer networks than codes."""
    genes = sum(len(g) for g in groups)
    codes = np.indices((choices,) * genes).reshape(genes, -1).T
    return TabularSpace((choices,) * genes, codes, IdentityGroups(cardinality=choices, groups=groups))


class WideSpace:
    """A space of 4**30 codes that nobody can list; the last gene is dead where the first is 0."""

    cardinalities = (4,) * 30
    size = 4**30

    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        return rng.integers(0, 4, size=(n, 30))

    def canonical(self, genes: np.ndarray) -> np.ndarray:
        out = genes.copy()
        out[genes[:, 0] == 0, -1] = 0
        return out

    def features(self, genes: np.ndarray) -> np.ndarray:
        return genes.sum(axis=1, keepdims=True).astype(float)


def judge(genes: np.ndarray, *, objectives: int, limits: int, failing: bool = False, constant: bool = False) -> Results:
    """A deterministic evaluation with trade-offs, and failures where wanted."""
    n, size = genes.shape
    weight = np.cos(np.arange(size * objectives)).reshape(size, objectives)
    load = genes.sum(axis=1, keepdims=True) / size
    values = 3.0 + np.tanh(genes @ weight / size) + load * np.linspace(-1, 1, objectives)
    if constant:
        values[:] = 2.5
    failed = (genes @ np.arange(1, size + 1)) % 4 == 1 if failing else np.zeros(n, dtype=bool)
    values[failed] = np.nan
    margins = np.repeat(load - 0.8, limits, axis=1)
    margins[failed] = np.nan
    return Results(genes=genes, objectives=values, violations=np.maximum(margins, 0), failed=failed, margins=margins)


def all_codes(space: TabularSpace) -> np.ndarray:
    """Every code of a space that is a full product."""
    return np.indices(space.cardinalities).reshape(len(space.cardinalities), -1).T
