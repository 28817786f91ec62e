"""Policies over the choices of a network: what a reinforcement searcher needs of them, and the factorised one.

Letters: N networks, D genes, C choices at most.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from edgenas.search.factorised import draw, entropies, softmax
from edgenas.search.protocol import Floats, Genes, Mask, SpaceView
from edgenas.search.reinforce.synonyms import synonyms


class Policy(Protocol):
    """A distribution over networks with trainable parameters."""

    def sample(self, n: int, rng: np.random.Generator) -> Genes:
        """Draw codes (n, D)."""
        ...

    def credit(self, genes: Genes) -> Mask:
        """Return which choices (N, D, C) of canonical codes (N, D) mean the same network; see `synonyms`."""
        ...

    def log_chance(self, genes: Genes, credit: Mask) -> Floats:
        """Log probability (N,) of the networks of canonical codes (N, D), with what `credit` says of them."""
        ...

    def entropy(self) -> float:
        """Entropy of a code, nats: the sum over its choices."""
        ...

    def step(self, genes: Genes, credit: Mask, weights: Floats, *, rate: float, entropy_weight: float) -> None:
        """One Adam step up the gradient of mean(weights * log chance) + entropy_weight * entropy."""
        ...


class Factorised:
    """Independent softmax choices, one a gene (as in Bender 2020), trained by Adam with beta1 = 0 as there.

    Attributes:
        logits: (D, C); minus infinity beyond a gene's choices.
    """

    def __init__(self, space: SpaceView) -> None:
        """Begin with equal chances.

        Args:
            space: Over whose codes.
        """
        self._space = space
        cards = np.asarray(space.cardinalities)
        self.logits: Floats = np.where(np.arange(cards.max()) < cards[:, None], 0.0, -np.inf)
        self._square = np.zeros_like(self.logits)
        self._steps = 0

    @property
    def chances(self) -> Floats:
        """(D, C), rows sum to 1; 0 beyond a gene's choices."""
        return softmax(self.logits)

    def sample(self, n: int, rng: np.random.Generator) -> Genes:
        """Draw codes (n, D)."""
        return draw(self.chances, self._space.cardinalities, n, rng)

    def credit(self, genes: Genes) -> Mask:
        """See `Policy.credit`: the other genes as they are."""
        return synonyms(self._space, genes)

    def log_chance(self, genes: Genes, credit: Mask) -> Floats:
        """Log probability (N,): the sum over genes of the log probability of all choices that mean the same network."""
        with np.errstate(divide="ignore"):
            return np.asarray(np.log((self.chances * credit).sum(axis=2)).sum(axis=1))

    def entropy(self) -> float:
        """Entropy of a code, nats: the sum over its choices."""
        return float(entropies(self.chances).sum())

    def gradient(self, credit: Mask, weights: Floats, *, entropy_weight: float) -> Floats:
        """Gradient (D, C) in the logits of mean(weights * log chance) + entropy_weight * entropy.

        Of log sum_{c in S} p_c, with S the choices that mean the same, it is p_c / sum_S p - p_c within S and -p_c
        outside. With one choice in S that is the indicator minus the chance (Williams 1992); with all choices, as of a
        gene that the network does not use, it is 0.

        Args:
            credit: (N, D, C), of `credit`.
            weights: (N,).
            entropy_weight: Weight of the entropy.
        """
        p = self.chances
        # Summed over networks first, so that the credit is the only array of N x D x C numbers.
        within = np.einsum("n,ndc->dc", weights, credit / np.maximum((credit * p).sum(axis=2, keepdims=True), 1e-300))
        gradient = (p * within - p * weights.sum()) / len(weights)
        logs = np.log(np.where(p > 0, p, 1.0))
        return np.asarray(gradient - entropy_weight * p * (logs - (p * logs).sum(axis=1, keepdims=True)))

    def step(self, genes: Genes, credit: Mask, weights: Floats, *, rate: float, entropy_weight: float) -> None:
        """One Adam step up the gradient (Kingma 2015, with beta1 = 0 and beta2 = 0.999)."""
        gradient = self.gradient(credit, weights, entropy_weight=entropy_weight)
        self._steps += 1
        self._square = 0.999 * self._square + 0.001 * gradient**2
        unbiased = self._square / (1.0 - 0.999**self._steps)
        move = rate * gradient / (np.sqrt(unbiased) + 1e-8)
        self.logits = np.where(np.isfinite(self.logits), self.logits + move, self.logits)
