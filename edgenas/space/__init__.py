"""Search spaces: choices as integer genes, read from YAML, and whole populations costed at once."""

from edgenas.space.around import around, smaller_resolutions
from edgenas.space.costs.contexts import BlockOps, PartContext, distinct_blocks, distinct_parts
from edgenas.space.costs.counts import PopulationCosts, macs_and_params, peak_elements, population_costs
from edgenas.space.costs.table import AdditiveTable
from edgenas.space.definition import (
    FIELDS,
    Definition,
    HeadChoice,
    SqueezeRule,
    StageChoices,
    StemChoice,
)
from edgenas.space.files import PRESETS, dump, load, read, with_task
from edgenas.space.kinds import SPACE_KINDS, SpaceKind
from edgenas.space.space import SearchSpace

__all__ = [
    "FIELDS",
    "PRESETS",
    "AdditiveTable",
    "BlockOps",
    "Definition",
    "HeadChoice",
    "PartContext",
    "PopulationCosts",
    "SPACE_KINDS",
    "SearchSpace",
    "SpaceKind",
    "SqueezeRule",
    "StageChoices",
    "StemChoice",
    "around",
    "distinct_blocks",
    "distinct_parts",
    "dump",
    "load",
    "macs_and_params",
    "peak_elements",
    "population_costs",
    "read",
    "smaller_resolutions",
    "with_task",
]
