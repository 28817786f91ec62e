"""A learned distribution over the networks of a space: one categorical per gene. Letters: D genes, N networks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from edgenas.search.factorised import draw, entropies
from edgenas.space import SearchSpace
from edgenas.types import Floats, Genes

CostFunction = Callable[[Genes], Floats]
"""From codes (N, D) to costs (N,): table latency in milliseconds, MACs."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GenePair:
    """Two networks and the relaxed choice between them.

    Attributes:
        first: (D,), drawn from the distribution.
        second: (D,), another choice of every gene that has one.
        odds: (D,) log odds of the first over the second, differentiable.
    """

    first: Genes
    second: Genes
    odds: Tensor


class GeneDistribution(nn.Module):
    """Independent categoricals, one per gene; uniform at first.

    Attributes:
        space: The space.
        logits: (D, K) with K the largest number of choices; `-inf` where a gene has fewer.
    """

    def __init__(self, space: SearchSpace) -> None:
        super().__init__()
        self.space = space
        counts = torch.tensor(space.cardinalities)
        self.logits = nn.Parameter(torch.zeros(len(counts), int(counts.max())))
        self.register_buffer("absent", torch.arange(int(counts.max()))[None] >= counts[:, None])

    def log_probabilities(self) -> Tensor:
        """Log probabilities (D, K); -inf for choices that a gene does not have."""
        absent = self.get_buffer("absent")
        return functional.log_softmax(self.logits.masked_fill(absent, float("-inf")), 1)

    def probabilities(self) -> Floats:
        """Probabilities (D, K) as they are now."""
        found: Floats = self.log_probabilities().detach().exp().double().cpu().numpy()
        return found

    def entropy(self) -> float:
        """Mean entropy of the genes, as a share of the uniform distribution's: 1 at first, 0 when decided."""
        most = np.log(np.maximum(self.space.cardinalities, 2))
        return float(np.mean(entropies(self.probabilities()) / most))

    def sample(self, n: int, rng: np.random.Generator) -> Genes:
        """Draw networks (n, D)."""
        return draw(self.probabilities(), self.space.cardinalities, n, rng)

    def log_prob(self, networks: Genes, *, genes: Sequence[int] | None = None) -> Tensor:
        """Log probabilities (N,) of networks (N, D), differentiable.

        Args:
            networks: (N, D).
            genes: Indices of those that count; all if None.
        """
        index = torch.from_numpy(np.asarray(networks, np.int64)).to(self.logits.device)
        logs = self.log_probabilities()
        chosen = logs[torch.arange(len(logs), device=logs.device)[None], index]
        return (chosen if genes is None else chosen[:, list(genes)]).sum(1)

    def gumbel_pair(self, noise: Tensor, temperature: float) -> GenePair:
        """Draw two networks that differ in every gene, with the log odds of the first over the second.

        After adding Gumbel noise, the choice with the largest value is a draw, and the one with the second largest
        value is a draw among the others. ProxylessNAS draws its two paths like this (Cai 2019, section 3.2.1). The odds
        are those of the Gumbel-softmax over these two (Jang 2017; FBNet, Wu 2019, eq. 6).

        Args:
            noise: (D, K) Gumbel noise.
            temperature: Of the relaxation.
        """
        values = self.log_probabilities() + noise
        order = values.detach().argsort(1, descending=True)
        first, second = order[:, 0], order[:, min(1, values.shape[1] - 1)]
        # A gene with one choice has no second one; the first is taken again.
        second = torch.where(self.get_buffer("absent").gather(1, second[:, None])[:, 0], first, second)
        odds = (values.gather(1, first[:, None]) - values.gather(1, second[:, None]))[:, 0] / temperature
        return GenePair(first=_genes(first), second=_genes(second), odds=odds)

    def expectation(self, values: Callable[[Genes], Floats], draws: int, rng: np.random.Generator) -> Tensor:
        """Expected value of a function of networks. Its gradient is the score-function estimate (Williams 1992).

        Costs of whole populations are cheap, so the mean of thousands of draws replaces the expectation. The cost need
        not be additive, and any function of it works.

        Args:
            values: From codes (N, D) to (N,).
            draws: N.
            rng: Draws them.
        """
        genes = self.sample(draws, rng)
        found = torch.from_numpy(values(genes)).to(self.logits)
        centred = found - found.mean()
        surrogate = (centred * self.log_prob(genes)).mean()
        return found.mean() + surrogate - surrogate.detach()

    def best(self, rng: np.random.Generator, *, cost: CostFunction | None = None, target: float | None = None) -> Genes:
        """Return the likeliest network (D,), or the likeliest of many draws whose cost is closest to a target.

        Args:
            rng: Draws candidates.
            cost: Of networks.
            target: Wanted cost; candidates within 1 % of it count as equal.
        """
        mode = self.probabilities().argmax(1).astype(np.int64)
        if cost is None or target is None:
            return mode
        candidates = np.concatenate([mode[None], self.sample(8192, rng)])
        distance = np.maximum(np.abs(cost(candidates) / target - 1), 0.01)
        near = candidates[distance <= distance.min() + 1e-12]
        with torch.no_grad():
            likely = self.log_prob(near)
        best: Genes = near[int(likely.argmax())]
        return best


def _genes(choices: Tensor) -> Genes:
    return choices.cpu().numpy().astype(np.int64)
