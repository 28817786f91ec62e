"""Codes as the model reads them: one-hot columns and standardised features."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgenas.search.protocol import Floats, Genes, SpaceView


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Encoded:
    """N candidates, W one-hot columns over D genes, F features.

    Attributes:
        onehot: (N, W), 0 or 1, exactly D ones a row.
        features: (N, F), standardised.
    """

    onehot: Floats
    features: Floats

    def __len__(self) -> int:
        return len(self.onehot)

    def pick(self, index: Genes | slice) -> Encoded:
        """Take some of the rows."""
        return Encoded(onehot=self.onehot[index], features=self.features[index])


class Encoder:
    """Encodes canonical codes of one space.

    Features are standardised once, over a sample of the space. The few evaluated candidates are not used for this: a
    feature that is constant among them by chance would become huge elsewhere. Features that are constant, or equal to
    an earlier one up to scale, are left out.
    """

    def __init__(self, space: SpaceView, sample: Genes) -> None:
        """Fix the scale.

        Args:
            space: The space.
            sample: Canonical codes (S, D) over which features are standardised.
        """
        self._space = space
        self._cards = np.asarray(space.cardinalities)
        self.starts = np.r_[0, np.cumsum(self._cards)[:-1]]
        self.width = int(self._cards.sum())
        raw = np.asarray(space.features(sample), dtype=np.float64)
        mean, deviation = raw.mean(axis=0), raw.std(axis=0)
        scaled = (raw - mean) / np.where(deviation > 0, deviation, 1.0)
        self._kept = _distinct_columns(scaled, np.asarray(deviation > 1e-9 * (np.abs(mean) + 1e-9)))
        self._mean, self._deviation = mean[self._kept], deviation[self._kept]

    @property
    def feature_count(self) -> int:
        """F."""
        return len(self._kept)

    def __call__(self, genes: Genes) -> Encoded:
        """Encode canonical codes (N, D)."""
        onehot = np.zeros((len(genes), self.width))
        onehot[np.arange(len(genes))[:, None], genes + self.starts] = 1.0
        raw = np.asarray(self._space.features(genes), dtype=np.float64)[:, self._kept]
        return Encoded(onehot=onehot, features=(raw - self._mean) / self._deviation)


def _distinct_columns(scaled: Floats, useful: Genes) -> Genes:
    kept: list[int] = []
    for column in np.flatnonzero(useful):
        repeated = any(abs(float(np.mean(scaled[:, column] * scaled[:, k]))) > 1 - 1e-9 for k in kept)
        if not repeated:
            kept.append(int(column))
    return np.array(kept, dtype=np.int64)
