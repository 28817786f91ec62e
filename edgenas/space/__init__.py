"""Search spaces: choices as integer genes, read from YAML, and whole populations costed at once."""

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
    "Definition",
    "HeadChoice",
    "SearchSpace",
    "SqueezeRule",
    "StageChoices",
    "StemChoice",
    "dump",
    "load",
    "read",
    "with_task",
]
