"""The registry of strategies that need nothing but a space. Heavy modules are imported when one is made."""

from __future__ import annotations

from edgenas.search.base import Random
from edgenas.search.nsga2 import NSGA2
from edgenas.search.protocol import Factory

STRATEGIES: dict[str, Factory] = {
    "random": Random,
    "nsga2": NSGA2,
}
