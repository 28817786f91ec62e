"""A kernel over choices with a length for every gene and feature: the surrogate's.

With one-hot columns o, D genes and standardised features a,

    k(x, z) = s1 * (sum_j [x_j = z_j]) / D                                 additive effects of single choices
            + s2 * exp(-sum_j l_j [x_j != z_j])                            interactions of choices, one length a gene
            + s3 * exp(-sum_f q_f (a_f(x) - a_f(z))^2)                     smooth effects of structure

plus noise. All pairwise sums are matrix products of scaled columns, so that a gradient costs O(N^2 (W + F)) and no
(D, N, N) array is formed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgenas.search.gp.encoding import Encoded
from edgenas.search.gp.fitting import JITTER
from edgenas.search.protocol import Floats, Genes

_SCALES = 4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class KernelLayout:
    """Where the parameters of the kernel stand in one vector of logarithms.

    Attributes:
        genes: D.
        features: F.
        starts: (D,), first one-hot column of each gene.
    """

    genes: int
    features: int
    starts: Genes

    @property
    def prior_mean(self) -> Floats:
        """Means (4 + D + F,) of the priors; the lengths shrink with the number of genes and features."""
        lengths = np.full(self.genes, np.log(1.0 / self.genes))
        relevance = np.full(self.features, np.log(0.12 / max(self.features, 1)))
        return np.concatenate([[0.0, np.log(0.3), np.log(0.5), np.log(1e-2)], lengths, relevance])

    @property
    def prior_deviation(self) -> Floats:
        """Standard deviations of the priors."""
        return np.r_[np.full(_SCALES, 2.0), np.full(self.genes + self.features, 0.8)]

    @property
    def bounds(self) -> list[tuple[float, float]]:
        """Bounds of the search for parameters."""
        return [(-6.0, 4.0)] * 3 + [(-11.0, 1.0)] + [(-7.0, 2.0)] * self.genes + [(-9.0, 3.0)] * self.features

    def column_lengths(self, theta: Floats, width: int) -> Floats:
        """Inverse length (W,) of every one-hot column."""
        counts = np.diff(np.r_[self.starts, width])
        return np.repeat(np.exp(theta[_SCALES : _SCALES + self.genes]), counts)

    def relevance(self, theta: Floats) -> Floats:
        """Inverse squared length (F,) of every feature."""
        return np.exp(theta[_SCALES + self.genes :])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scaled:
    """Candidates scaled by the parameters of a kernel, ready for products."""

    onehot: Floats
    weighted: Floats
    features: Floats
    squares: Floats

    def pick(self, index: Genes | slice) -> Scaled:
        """Take some of the rows."""
        return Scaled(
            onehot=self.onehot[index],
            weighted=self.weighted[index],
            features=self.features[index],
            squares=self.squares[index],
        )


def scale(layout: KernelLayout, theta: Floats, x: Encoded) -> Scaled:
    """Scale candidates by the parameters."""
    weighted = x.onehot * np.sqrt(layout.column_lengths(theta, x.onehot.shape[1]))
    features = x.features * np.sqrt(layout.relevance(theta))
    return Scaled(onehot=x.onehot, weighted=weighted, features=features, squares=(features**2).sum(axis=1))


def cross(layout: KernelLayout, theta: Floats, left: Scaled, right: Scaled) -> Floats:
    """Kernel (N, P) between candidates, without noise."""
    s1, s2, s3 = np.exp(theta[:3])
    total = np.exp(theta[_SCALES : _SCALES + layout.genes]).sum()
    out = left.weighted @ right.weighted.T
    out -= total
    np.exp(out, out=out)
    out *= s2
    smooth = left.features @ right.features.T
    smooth *= 2.0
    smooth -= left.squares[:, None]
    smooth -= right.squares
    np.minimum(smooth, 0.0, out=smooth)
    np.exp(smooth, out=smooth)
    smooth *= s3
    out += smooth
    # The rest is a matrix product again. Adding it in place is cheaper than forming it separately.
    out += (left.onehot * (s1 / layout.genes)) @ right.onehot.T
    return out


def prior_variance(theta: Floats) -> float:
    """k(x, x) without noise."""
    return float(np.exp(theta[:3]).sum())


def noise(theta: Floats) -> float:
    """Variance of the noise, with the jitter."""
    return float(np.exp(theta[3])) + JITTER


class ChoiceKernel:
    """The covariance of some candidates with themselves, for `edgenas.search.gp.fitting`."""

    def __init__(self, layout: KernelLayout, x: Encoded) -> None:
        """Compute what does not depend on the parameters.

        Args:
            layout: Where the parameters stand.
            x: N candidates.
        """
        self._layout, self._x = layout, x
        self._linear = x.onehot @ x.onehot.T / layout.genes
        self.prior_mean, self.prior_deviation, self.bounds = layout.prior_mean, layout.prior_deviation, layout.bounds

    def covariance(self, theta: Floats) -> Floats:
        """The covariance (N, N) with noise on its diagonal."""
        layout = self._layout
        s1, s2, s3, variance = np.exp(theta[:_SCALES])
        scaled = scale(layout, theta, self._x)
        hamming = scaled.weighted @ scaled.weighted.T
        hamming -= np.exp(theta[_SCALES : _SCALES + layout.genes]).sum()
        np.exp(hamming, out=hamming)
        hamming *= s2
        smooth = scaled.features @ scaled.features.T
        smooth *= 2.0
        smooth -= scaled.squares[:, None]
        smooth -= scaled.squares
        np.exp(smooth, out=smooth)
        smooth *= s3
        matrix = s1 * self._linear
        matrix += hamming
        matrix += smooth
        matrix[np.diag_indices(len(matrix))] += variance + JITTER
        self._hamming, self._smooth = hamming, smooth
        return matrix

    def gradient(self, theta: Floats, slope: Floats) -> Floats:
        """See `edgenas.search.gp.fitting.Kernel`; overwrites what `covariance` kept."""
        layout, x, hamming, smooth = self._layout, self._x, self._hamming, self._smooth
        s1, _, _, variance = np.exp(theta[:_SCALES])
        lengths, relevance = np.exp(theta[_SCALES : _SCALES + layout.genes]), layout.relevance(theta)
        hamming *= slope
        smooth *= slope
        total = float(hamming.sum())
        scales = [s1 * float((slope * self._linear).sum()), total, float(smooth.sum()), variance * np.trace(slope)]
        agreeing = np.add.reduceat((x.onehot * (hamming @ x.onehot)).sum(axis=0), layout.starts)
        spread = smooth.sum(axis=1) @ x.features**2 - (x.features * (smooth @ x.features)).sum(axis=0)
        return np.concatenate([scales, -lengths * (total - agreeing), -2.0 * relevance * spread])
