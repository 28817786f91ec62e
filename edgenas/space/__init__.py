"""Search spaces: choices as integer genes, read from YAML, and whole populations costed at once."""

from edgenas.space.costs.contexts import BlockOps, PartContext, distinct_blocks, distinct_parts
from edgenas.space.costs.counts import PopulationCosts, macs_and_params, peak_elements, population_costs
from edgenas.space.costs.table import AdditiveTable
from edgenas.space.definition import (
    FIELDS,
    KINDS,
    Definition,
    HeadChoice,
    SqueezeRule,
    StageChoices,
    StemChoice,
)
from edgenas.space.files import PRESETS, dump, load, read, with_task
from edgenas.space.space import SearchSpace

__all__ = [
    "FIELDS",
    "KINDS",
    "PRESETS",
    "AdditiveTable",
    "BlockOps",
    "Definition",
    "HeadChoice",
    "PartContext",
    "PopulationCosts",
    "SearchSpace",
    "SqueezeRule",
    "StageChoices",
    "StemChoice",
    "distinct_blocks",
    "distinct_parts",
    "dump",
    "load",
    "macs_and_params",
    "peak_elements",
    "population_costs",
    "read",
    "with_task",
]
