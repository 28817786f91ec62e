"""Weight sharing: a supernet of any search space, its training, its members. Torch is imported when first needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgenas.lazy import lazy_names
from edgenas.supernet.registry import SCHEMES, Scheme
from edgenas.supernet.settings import SupernetSettings

if TYPE_CHECKING:
    from edgenas.supernet.files import load_supernet, save_supernet
    from edgenas.supernet.judging.evaluator import Inherited, SupernetEvaluator
    from edgenas.supernet.judging.member import Member
    from edgenas.supernet.supernet import Supernet
    from edgenas.supernet.training.trainer import SupernetEpoch, SupernetResult, train_supernet

__all__ = [
    "Inherited",
    "Member",
    "SCHEMES",
    "Scheme",
    "Supernet",
    "SupernetEpoch",
    "SupernetEvaluator",
    "SupernetResult",
    "SupernetSettings",
    "load_supernet",
    "save_supernet",
    "train_supernet",
]

_LAZY = {
    "Inherited": "judging.evaluator",
    "Member": "judging.member",
    "Supernet": "supernet",
    "SupernetEpoch": "training.trainer",
    "SupernetEvaluator": "judging.evaluator",
    "SupernetResult": "training.trainer",
    "load_supernet": "files",
    "save_supernet": "files",
    "train_supernet": "training.trainer",
}

__getattr__ = lazy_names(__name__, _LAZY)
