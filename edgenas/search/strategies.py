"""The registry of strategies that need nothing but a space. Heavy modules are imported when one is made."""

from __future__ import annotations

from edgenas.search.base import Random
from edgenas.search.nsga2 import NSGA2
from edgenas.search.protocol import Factory, Searcher, SpaceView


def surrogate(space: SpaceView, *, objectives: int, limits: int, seed: int, budget: int) -> Searcher:
    """Make a `Surrogate` with its defaults; SciPy is loaded here."""
    from edgenas.search.surrogate import Surrogate

    return Surrogate(space, objectives=objectives, limits=limits, seed=seed, budget=budget)


STRATEGIES: dict[str, Factory] = {
    "random": Random,
    "nsga2": NSGA2,
    "surrogate": surrogate,
}
