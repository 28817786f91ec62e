"""Search spaces: networks as integer genes, with what the genes say about cost and structure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgenas.markup import html_table
from edgenas.space.codes.coded import CodedSpace
from edgenas.space.costs.extremes import fewest, most
from edgenas.space.costs.features import feature_names, feature_table
from edgenas.text import printable
from edgenas.types import Genes


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchSpace(CodedSpace):
    """The space of networks that the rest of edgenas uses: `CodedSpace` with extremes and features."""

    def features(self, genes: ArrayLike) -> NDArray[np.float64]:
        """Structural features (N, F) of codes (N, D), named by `feature_names`."""
        return feature_table(self).features(genes)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Name of each feature (F)."""
        return feature_names(self)

    def largest(self) -> Genes:
        """Return the canonical code (D,) of the network with the most MACs. Among equals the last choices win."""
        return most(self)

    def smallest(self) -> Genes:
        """Return the canonical code (D,) of the network with the fewest MACs. Among equals the first choices win."""
        return fewest(self)

    def __repr__(self) -> str:
        name, networks = printable(self.name), _count(self.size)
        return f"SearchSpace({name}, {networks} networks, {self._images()}, {self.digest[:10]})"

    def _repr_html_(self) -> str:
        rows = [
            (name, ", ".join(str(choice) for choice in choices))
            for name, choices in zip(self.gene_names, self.gene_choices, strict=True)
        ]
        title = f"{self.name}: {_count(self.size)} networks for {self._images()}"
        return html_table(("gene", "choices"), rows, title=title)

    def _images(self) -> str:
        sizes = " or ".join(str(size) for size in self.definition.resolution)
        return f"{sizes} pixels, {self.definition.in_channels} channel(s), {self.definition.classes} classes"


def _count(networks: int) -> str:
    return f"{networks:,}" if networks < 10**7 else f"{networks:.1e}"
