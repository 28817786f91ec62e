"""A space whose networks have several codes each: dead genes, and two values that mean the same."""

from __future__ import annotations

import numpy as np


class DepthSpace:
    """Gene 0 is a depth of 1 to 3; genes 1 to 3 belong to three blocks; of gene 3 the last two values round alike."""

    cardinalities = (3, 3, 3, 3)
    size = 3 + 9 + 18

    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        return rng.integers(0, 3, size=(n, 4))

    def canonical(self, genes: np.ndarray) -> np.ndarray:
        out = genes.copy()
        out[:, 3] = np.minimum(out[:, 3], 1)
        for block in (1, 2, 3):
            out[genes[:, 0] + 1 < block, block] = 0
        return out

    def features(self, genes: np.ndarray) -> np.ndarray:
        return self.canonical(genes).astype(float)

    def codes(self) -> np.ndarray:
        return np.indices(self.cardinalities).reshape(4, -1).T

    def networks(self) -> np.ndarray:
        return np.unique(self.canonical(self.codes()), axis=0)
