"""A recurrent policy: an LSTM that emits the choices in order (Zoph 2017). The only user of torch in this room."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgenas.search.protocol import Floats, Genes, Mask, SpaceView
from edgenas.search.reinforce.policy import Policy
from edgenas.search.reinforce.synonyms import synonyms_by_prefix


def recurrent_policy(space: SpaceView, *, seed: int, width: int = 32) -> Policy:
    """Make an LSTM policy.

    It emits one gene after the other. Given the genes before, several choices may mean the same network; the LSTM's
    next input is the first of these. So later genes depend on the network and not on the arbitrary value of a gene
    without an effect. The probability of a network is then a product over genes: the probability of all choices of a
    gene that mean the same network.

    Args:
        space: Over whose codes, of D genes.
        seed: Seed of the weights; torch's own generator is left as it was.
        width: Units of the LSTM and of the embeddings.
    """
    import torch

    cards = tuple(int(c) for c in space.cardinalities)
    most, length = max(cards), len(cards)
    allowed = torch.tensor([[c < card for c in range(most)] for card in cards])

    class Net(torch.nn.Module):
        """Embedding of (gene, previous choice), LSTM cell, one linear head for all genes, masked to their choices."""

        def __init__(self) -> None:
            super().__init__()
            self.embed = torch.nn.Embedding(length * (most + 1), width)
            self.cell = torch.nn.LSTM(width, width, batch_first=True)
            self.head = torch.nn.Linear(width, most)
            for name, weight in self.named_parameters():
                torch.nn.init.zeros_(weight) if "head" in name else torch.nn.init.uniform_(weight, -0.1, 0.1)

        def forward(self, tokens: Any, state: Any = None) -> tuple[Any, Any]:
            hidden, state = self.cell(self.embed(tokens), state)
            return self.head(hidden), state

    class Recurrent:
        """See `Policy`."""

        def __init__(self) -> None:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                self._net = Net()
            self._optimiser = torch.optim.Adam(self._net.parameters(), lr=1e-3)
            self._entropy = float(np.log(cards).sum())

        def sample(self, n: int, rng: np.random.Generator) -> Genes:
            """Draw codes (n, D), choice by choice; the random numbers are numpy's."""
            genes = np.zeros((n, length), dtype=np.int64)
            previous, state = torch.zeros(n, dtype=torch.long), None
            with torch.no_grad():
                for gene in range(length):
                    logits, state = self._net((gene * (most + 1) + previous)[:, None], state)
                    masked = logits[:, 0].masked_fill(~allowed[gene], -torch.inf)
                    edges = masked.softmax(-1).double().cumsum(-1)[:, : cards[gene] - 1].numpy()
                    genes[:, gene] = (rng.random((n, 1)) > edges).sum(axis=1)
                    shown = synonyms_by_prefix(space, genes, gene).argmax(axis=1)
                    previous = torch.from_numpy(shown + 1)
            return genes

        def credit(self, genes: Genes) -> Mask:
            """See `Policy.credit`; the synonyms hold whatever the later genes are."""
            return np.stack([synonyms_by_prefix(space, genes, gene) for gene in range(length)], axis=1)

        def log_chance(self, genes: Genes, credit: Mask) -> Floats:
            """Log probability (N,)."""
            with torch.no_grad():
                return self._logs(credit)[0].double().numpy()

        def entropy(self) -> float:
            """Entropy of a code, nats: the sum over the choices that led to the last step's networks."""
            return self._entropy

        def objective(self, credit: Mask, weights: Floats, *, entropy_weight: float) -> tuple[Any, Any]:
            """What a step goes up, differentiable in the parameters, and the entropy in it."""
            logs, entropy = self._logs(credit)
            return (torch.from_numpy(weights).to(logs) * logs).mean() + entropy_weight * entropy, entropy

        def step(self, genes: Genes, credit: Mask, weights: Floats, *, rate: float, entropy_weight: float) -> None:
            """One Adam step."""
            for group in self._optimiser.param_groups:
                group["lr"] = rate
            value, entropy = self.objective(credit, weights, entropy_weight=entropy_weight)
            self._optimiser.zero_grad()
            (-value).backward()
            torch.nn.utils.clip_grad_norm_(self._net.parameters(), 5.0)
            self._optimiser.step()
            self._entropy = float(entropy.detach())

        def _logs(self, credit: Mask) -> tuple[Any, Any]:
            """Log probabilities (N,) of networks over all their codes, and the entropy of the choices on the way."""
            same = torch.from_numpy(np.ascontiguousarray(credit))
            shown = same.int().argmax(-1)
            before = torch.cat([torch.zeros(len(same), 1, dtype=torch.long), shown[:, :-1] + 1], dim=1)
            logits, _ = self._net(before + torch.arange(length) * (most + 1))
            logs = logits.masked_fill(~allowed, -1e9).log_softmax(-1)
            entropy = -(logs.exp() * logs).sum((1, 2)).mean()
            return logs.masked_fill(~same, -1e9).logsumexp(-1).sum(1), entropy

    return Recurrent()
