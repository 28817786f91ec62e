"""Search spaces: networks as integer genes, with what the genes say about cost and structure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgenas.space.codes.coded import CodedSpace
from edgenas.space.costs.features import feature_names, feature_table


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchSpace(CodedSpace):
    """A space of networks as the rest of edgenas sees it: `CodedSpace` with structural features."""

    def features(self, genes: ArrayLike) -> NDArray[np.float64]:
        """Structural features (N, F) of codes (N, D), named by `feature_names`."""
        return feature_table(self).features(genes)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Name of each feature (F)."""
        return feature_names(self)
