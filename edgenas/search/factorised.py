"""Independent choices, one a gene: the arithmetic of a factorised distribution. Letters: D genes, C choices."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgenas.types import Floats, Genes


def softmax(logits: Floats) -> Floats:
    """Chances (D, C) of logits (D, C); rows sum to 1, and minus infinity has chance 0."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def draw(chances: Floats, cardinalities: Sequence[int], n: int, rng: np.random.Generator) -> Genes:
    """Draw codes (n, D), one uniform number a gene.

    Args:
        chances: (D, C), 0 beyond a gene's choices.
        cardinalities: Choices of each gene.
        n: How many.
        rng: Source of all randomness.
    """
    edges = np.cumsum(chances, axis=1)
    found = (rng.random((n, len(edges), 1)) > edges[None]).sum(axis=2)
    return np.minimum(found, np.asarray(cardinalities) - 1).astype(np.int64)


def entropies(chances: Floats) -> Floats:
    """Entropy (D,) of each gene, nats."""
    return np.asarray(-(chances * np.log(np.where(chances > 0, chances, 1.0))).sum(axis=1))
