"""Policies over the choices of a network: what a reinforcement searcher needs of them, and the factorised one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from edgenas.search.protocol import Floats, Genes


class Policy(Protocol):
    """A distribution over codes with trainable parameters."""

    def sample(self, n: int, rng: np.random.Generator) -> Genes:
        """Draw codes (n, D)."""
        ...

    def log_chance(self, genes: Genes) -> Floats:
        """Log probability (N,) of codes (N, D)."""
        ...

    def entropy(self) -> float:
        """Mean entropy of a choice, in nats."""
        ...

    def step(self, genes: Genes, weights: Floats, *, rate: float, entropy_weight: float) -> None:
        """One Adam step up the gradient of mean(weights * log chance) + entropy_weight * entropy."""
        ...


class Factorised:
    """Independent softmax choices, one a gene (as in Bender 2020), trained by Adam with beta1 = 0 as there."""

    def __init__(self, cardinalities: Sequence[int]) -> None:
        self._cards = np.asarray(cardinalities)
        self._logits = np.where(np.arange(self._cards.max()) < self._cards[:, None], 0.0, -np.inf)
        self._square = np.zeros_like(self._logits)
        self._steps = 0

    @property
    def chances(self) -> Floats:
        """(D, C), rows sum to 1; 0 beyond a gene's choices."""
        powers = np.exp(self._logits - self._logits.max(axis=1, keepdims=True))
        return powers / powers.sum(axis=1, keepdims=True)

    def sample(self, n: int, rng: np.random.Generator) -> Genes:
        """Draw codes (n, D)."""
        edges = np.cumsum(self.chances, axis=1)[:, :-1]
        return (rng.random((n, len(self._cards), 1)) > edges).sum(axis=2)

    def log_chance(self, genes: Genes) -> Floats:
        """Log probability (N,)."""
        with np.errstate(divide="ignore"):
            logs = np.log(self.chances)
        return np.asarray(logs[np.arange(len(self._cards)), genes].sum(axis=1))

    def entropy(self) -> float:
        """Mean entropy of a choice, in nats."""
        p = self.chances
        return float(-(p * np.log(np.maximum(p, 1e-300))).sum(axis=1).mean())

    def step(self, genes: Genes, weights: Floats, *, rate: float, entropy_weight: float) -> None:
        """One Adam step (Williams 1992 gives the gradient of the log chance of a softmax: indicator minus chance)."""
        p = self.chances
        choices = np.arange(p.shape[1])
        hot = (genes[:, :, None] == choices).astype(np.float64)
        gradient = (weights[:, None, None] * (hot - p)).mean(axis=0)
        logs = np.log(np.maximum(p, 1e-300))
        gradient -= entropy_weight * p * (logs - (p * logs).sum(axis=1, keepdims=True))
        self._steps += 1
        self._square = 0.999 * self._square + 0.001 * gradient**2
        unbiased = self._square / (1.0 - 0.999**self._steps)
        move = rate * gradient / (np.sqrt(unbiased) + 1e-8)
        self._logits = np.where(np.isfinite(self._logits), self._logits + move, self._logits)
