"""Predictions of one output, on the scale on which it is modelled. Letters: P candidates."""

from __future__ import annotations

from dataclasses import dataclass

from edgenas.search.gp.warp import Warp
from edgenas.search.protocol import Floats, Genes, Mask


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Predicted:
    """Independent normal predictions of one output for P candidates, on the scale of its warp.

    Attributes:
        mean: (P,).
        deviation: (P,), > 0.
        warp: The scale.
    """

    mean: Floats
    deviation: Floats
    warp: Warp

    def pick(self, index: Mask | Genes) -> Predicted:
        """Take some of the candidates."""
        return Predicted(mean=self.mean[index], deviation=self.deviation[index], warp=self.warp)

    def optimistic(self, deviations: float) -> Floats:
        """A low value (P,) on the own scale."""
        return self.warp.backward(self.mean - deviations * self.deviation)
