"""Structural features of whole populations, for predictors and surrogates."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgenas.arch.architecture import Block
from edgenas.space.axes import AXES, Feature, Varied
from edgenas.space.codes.coded import CodedSpace
from edgenas.space.costs.contexts import PartContext
from edgenas.space.costs.counts import population_costs
from edgenas.space.costs.table import AdditiveTable
from edgenas.space.definition import FIELDS, StageChoices


def _stage_features(stage: StageChoices) -> tuple[Feature, ...]:
    """The features that are summed over the blocks of a stage: only those that its choices can change."""
    places = {stage.like(position) for position in range(max(2, *stage.depth))}
    free = {field for field in FIELDS for place in places if len(stage.choices(field, position=place)) > 1}
    deep = len(stage.depth) > 1 or "skip" in stage.kind
    varied = Varied(stage=stage, deep=deep, free=free)
    found = [feature for axis in AXES.values() for feature in axis.features(varied)]
    return (("depth", 1, lambda block, channels: 1), *found) if deep else tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FeatureTable:
    """Features of a space's networks.

    Attributes:
        space: The space.
        sums: Table of the features that are sums over blocks; None where there is none.
        scales: What each of them is divided by.
    """

    space: CodedSpace
    sums: AdditiveTable | None
    scales: NDArray[np.float64]

    def features(self, genes: ArrayLike) -> NDArray[np.float64]:
        """Return the features (N, F) of codes (N, D), equal for equal networks.

        Raises:
            SpaceError: A code does not lie in the space.
        """
        codes = self.space.validated(genes)
        definition, layout = self.space.definition, self.space.layout
        columns = [np.log(population_costs(self.space).macs_and_params(codes))]
        for gene, choices in ((layout.resolution, definition.resolution), (layout.width, definition.width)):
            if len(choices) > 1:
                columns.append(np.asarray(choices, dtype=np.float64)[codes[:, gene]][:, None])
        for place, stage in zip(layout.stages, definition.stages, strict=True):
            if len(stage.out) > 1:
                columns.append(np.asarray(stage.out, dtype=np.float64)[codes[:, place.out]][:, None])
        if self.sums is not None:
            columns.append(self.sums.total(codes) / self.scales)
        return np.concatenate(columns, axis=1)


def feature_names(space: CodedSpace) -> tuple[str, ...]:
    """Name of each feature (F), such as `log_macs` and `stages.2.kernel_expansion`."""
    definition = space.definition
    names = ["log_macs", "log_params"]
    names += [name for name in ("resolution", "width") if len(getattr(definition, name)) > 1]
    names += [f"stages.{index}.out" for index, stage in enumerate(definition.stages) if len(stage.out) > 1]
    for index, stage in enumerate(definition.stages):
        names += [f"stages.{index}.{name}" for name, _, _ in _stage_features(stage)]
    return tuple(names)


@lru_cache(maxsize=16)
def feature_table(space: CodedSpace) -> FeatureTable:
    """Return the features of a space's networks: sums by stage, and the logarithms of MACs and parameters."""
    stages = [_stage_features(stage) for stage in space.definition.stages]
    starts = np.cumsum([0, *(len(stage) for stage in stages)]).tolist()

    def values(context: PartContext) -> list[int]:
        row = [0] * starts[-1]
        if isinstance(context.part, Block) and context.stage is not None:
            for place, (_, _, value) in enumerate(stages[context.stage], start=starts[context.stage]):
                row[place] = value(context.part, context.in_channels)
        return row

    scales = np.array([scale for stage in stages for _, scale, _ in stage], dtype=np.float64)
    sums = AdditiveTable.from_contexts(space, values) if len(scales) else None
    return FeatureTable(space=space, sums=sums, scales=scales)
