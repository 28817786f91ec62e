"""Search by ask and tell: random, evolution, surrogate models, reinforcement learning."""

from edgenas.search.base import AskTell, Random
from edgenas.search.nsga2 import NSGA2
from edgenas.search.protocol import CostFunction, Result, Results, Searcher, SpaceView
from edgenas.search.strategies import REWARDED, STRATEGIES, Strategy
from edgenas.search.structure import Cell, IdentityGroups, Structure
from edgenas.search.tabular import Table, TabularSpace, read_table
from edgenas.search.task import Task

__all__ = [
    "NSGA2",
    "REWARDED",
    "STRATEGIES",
    "AskTell",
    "Cell",
    "CostFunction",
    "IdentityGroups",
    "Random",
    "Result",
    "Results",
    "Searcher",
    "SpaceView",
    "Strategy",
    "Structure",
    "Table",
    "TabularSpace",
    "Task",
    "read_table",
]
