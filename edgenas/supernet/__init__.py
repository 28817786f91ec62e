"""Weight sharing: a supernet of any search space, its training, its members. Torch is imported when first needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgenas.lazy import lazy_names
from edgenas.supernet.oneshot_settings import METHODS, OneShotSettings
from edgenas.supernet.settings import SCHEMES, SupernetSettings

if TYPE_CHECKING:
    from edgenas.supernet.distribution import GeneDistribution
    from edgenas.supernet.evaluator import Inherited, SupernetEvaluator
    from edgenas.supernet.files import load_supernet, save_supernet
    from edgenas.supernet.member import Member
    from edgenas.supernet.oneshot import OneShotRecord, OneShotResult, search_one_shot
    from edgenas.supernet.proposer import DistributionSearcher
    from edgenas.supernet.supernet import Supernet
    from edgenas.supernet.training import SupernetEpoch, SupernetResult, train_supernet

__all__ = [
    "METHODS",
    "SCHEMES",
    "DistributionSearcher",
    "GeneDistribution",
    "Inherited",
    "Member",
    "OneShotRecord",
    "OneShotResult",
    "OneShotSettings",
    "Supernet",
    "SupernetEpoch",
    "SupernetEvaluator",
    "SupernetResult",
    "SupernetSettings",
    "load_supernet",
    "save_supernet",
    "search_one_shot",
    "train_supernet",
]

_TORCH_NAMES = {
    "DistributionSearcher": "proposer",
    "GeneDistribution": "distribution",
    "OneShotRecord": "oneshot",
    "OneShotResult": "oneshot",
    "search_one_shot": "oneshot",
    "Inherited": "evaluator",
    "Member": "member",
    "Supernet": "supernet",
    "SupernetEpoch": "training",
    "SupernetEvaluator": "evaluator",
    "SupernetResult": "training",
    "load_supernet": "files",
    "save_supernet": "files",
    "train_supernet": "training",
}

__getattr__ = lazy_names(__name__, _TORCH_NAMES)
