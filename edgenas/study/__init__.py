"""Studies: the goals of a search, its results, and their store."""

from typing import TYPE_CHECKING

from edgenas.lazy import lazy_names
from edgenas.study.results import Result, Results
from edgenas.study.study import Evaluate, History, Identify, Progress, Study
from edgenas.study.values import Budget, Context, Evaluation, Failure, Limit, Metric, Objective, Outcome

if TYPE_CHECKING:
    from edgenas.study.store import Store, open_store

__all__ = [
    "Budget",
    "Context",
    "Evaluate",
    "Evaluation",
    "Failure",
    "History",
    "Identify",
    "Limit",
    "Metric",
    "Objective",
    "Outcome",
    "Progress",
    "Result",
    "Results",
    "Store",
    "Study",
    "open_store",
]

# SQLAlchemy takes a fifth of a second to import, and searchers do not need it.
__getattr__ = lazy_names(__name__, {"Store": "store", "open_store": "store"})
