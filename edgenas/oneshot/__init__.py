"""One-shot search: a distribution over networks, learned together with shared weights.

Torch is imported when needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgenas.lazy import lazy_names
from edgenas.oneshot.methods import OneShotMethod
from edgenas.oneshot.settings import OneShotSettings

if TYPE_CHECKING:
    from edgenas.oneshot.distribution import GeneDistribution
    from edgenas.oneshot.proposer import DistributionSearcher
    from edgenas.oneshot.search import OneShotRecord, OneShotResult, search_one_shot

__all__ = [
    "DistributionSearcher",
    "GeneDistribution",
    "OneShotMethod",
    "OneShotRecord",
    "OneShotResult",
    "OneShotSettings",
    "search_one_shot",
]

_LAZY = {
    "DistributionSearcher": "proposer",
    "GeneDistribution": "distribution",
    "OneShotRecord": "search",
    "OneShotResult": "search",
    "search_one_shot": "search",
}

__getattr__ = lazy_names(__name__, _LAZY)
