"""Search by ask and tell: random, evolution, surrogate models, reinforcement learning."""

from edgenas.lazy import make_callable
from edgenas.search.base import AskTell, Random
from edgenas.search.evolution.nsga2 import NSGA2
from edgenas.search.protocol import CostFunction, Result, Results, Searcher, SpaceView
from edgenas.search.strategies import STRATEGIES, Strategy, rewarded, walking
from edgenas.search.task import Task

__all__ = [
    "NSGA2",
    "STRATEGIES",
    "AskTell",
    "CostFunction",
    "Random",
    "Result",
    "Results",
    "Searcher",
    "SpaceView",
    "Strategy",
    "Task",
    "rewarded",
    "walking",
]

# The job of that name in the Python interface: `edgenas.search(...)`.
make_callable(__name__, "edgenas.api.search")
