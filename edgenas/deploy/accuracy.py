"""Comparison of a file with torch on the same images, with intervals."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgenas.errors import ExportError, explain

# Two-sided 95 % of the normal distribution.
_Z = 1.959964


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A share or a difference of shares with its 95 % interval."""

    value: float
    low: float
    high: float

    def to_dict(self) -> dict[str, float]:
        """Return plain values for JSON."""
        return {"value": self.value, "low": self.low, "high": self.high}


def share(hits: int, count: int) -> Interval:
    """Share of hits with Wilson's score interval (Wilson 1927).

    Args:
        hits: Right answers.
        count: Images, at least 1.
    """
    value = hits / count
    centre = (value + _Z**2 / (2 * count)) / (1 + _Z**2 / count)
    half = _Z / (1 + _Z**2 / count) * math.sqrt(value * (1 - value) / count + _Z**2 / (4 * count**2))
    return Interval(value=value, low=max(0.0, centre - half), high=min(1.0, centre + half))


def paired_drop(before: NDArray[np.bool_], after: NDArray[np.bool_]) -> Interval:
    """Accuracy lost on the same images; the interval is for paired answers (Agresti and Min 2005).

    Args:
        before: Whether the reference was right, (N,).
        after: Whether the file was right, (N,).
    """
    count = len(before)
    lost, gained = int((before & ~after).sum()), int((after & ~before).sum())
    # Half an answer is added to each of the four cells, so that two equal files do not get an interval of width 0.
    adjusted, first, second = count + 2, lost + 0.5, gained + 0.5
    centre = (first - second) / adjusted
    half = _Z / adjusted * math.sqrt(first + second - (first - second) ** 2 / adjusted)
    return Interval(value=(lost - gained) / count, low=centre - half, high=centre + half)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A file compared with torch on the same images.

    Attributes:
        accuracy: Of the file.
        drop: Accuracy of torch less that of the file.
        top1_agreement: Share of images to which both give the same class.
        max_error: Largest difference of a logit, divided by the largest logit.
        images: How many.
    """

    accuracy: Interval
    drop: Interval
    top1_agreement: float
    max_error: float
    images: int

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "accuracy": self.accuracy.to_dict(),
            "drop": self.drop.to_dict(),
            "top1_agreement": self.top1_agreement,
            "max_error": self.max_error,
            "images": self.images,
        }


def _require_finite(logits: NDArray[np.float32], of: str) -> None:
    broken = int((~np.isfinite(logits)).any(1).sum())
    if broken:
        raise ExportError(
            explain(
                f"the logits of {of} are not finite",
                got=f"NaN or infinity for {broken} of {len(logits)} images",
                remedy="Values overflow: train with weight decay, or choose another precision.",
            )
        )


def compare(logits: NDArray[np.float32], reference: NDArray[np.float32], labels: NDArray[np.int64]) -> Comparison:
    """Compare a file's logits with torch's.

    Args:
        logits: Of the file, (N, K).
        reference: Of torch, (N, K).
        labels: True classes, (N,).

    Raises:
        ExportError: Some logits are not finite, or they are not of as many images and classes as torch's. Such a file
            is broken, whatever its accuracy.
    """
    if logits.shape != reference.shape:
        raise ExportError(
            explain("the file gives logits of another shape than torch", got=logits.shape, allowed=reference.shape)
        )
    _require_finite(logits, "the file")
    _require_finite(reference, "torch")
    found, expected = logits.argmax(1), reference.argmax(1)
    scale = float(np.abs(reference).max()) or 1.0
    return Comparison(
        accuracy=share(int((found == labels).sum()), len(labels)),
        drop=paired_drop(expected == labels, found == labels),
        top1_agreement=float((found == expected).mean()),
        max_error=float(np.abs(logits - reference).max()) / scale,
        images=len(labels),
    )
