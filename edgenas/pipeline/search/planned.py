"""The memory that a runtime plans, for whole populations: the largest of the parts of each network."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from edgenas.cost.planned import planned_bytes
from edgenas.types import Floats, Genes

if TYPE_CHECKING:
    from edgenas.deploy import FileSpec
    from edgenas.space import SearchSpace
    from edgenas.space.costs.contexts import BlockOps


def planned_memory(space: SearchSpace, file: FileSpec, runtime: str) -> Callable[[Genes], Floats]:
    """Return the function from networks (N, D) to an estimate (N,) of what is planned for them, bytes.

    It leaves out gaps between buffers, so it is at most the plan.

    Args:
        space: The space.
        file: The TFLite file that is planned.
        runtime: Whose plan; a name of `edgenas.formats.arena.ARENAS`.
    """
    from edgenas.space.costs.contexts import graph_alone
    from edgenas.space.costs.table import AdditiveTable

    lite, batch = runtime == "litert", max(1, file.batch)
    numbers = "int8" if file.precision == "int8" else "fp32"

    def peak(ops: BlockOps) -> tuple[int]:
        return (batch * planned_bytes(graph_alone(ops), numbers, in_place=lite, patches=lite),)

    table, definition = AdditiveTable.build(space, peak, reduction="max"), space.definition
    own = 1 if file.precision == "int8" and file.scheme == "int8_io" else 4
    sizes = batch * own * definition.in_channels * np.asarray(definition.resolution, dtype=np.float64) ** 2

    def memory(genes: Genes) -> Floats:
        values = table.total(genes)[:, 0].astype(np.float64)
        if not lite:
            return values
        # Nothing overwrites the image.
        return values + (sizes[genes[:, space.layout.resolution]] if len(sizes) > 1 else sizes[0])

    return memory
