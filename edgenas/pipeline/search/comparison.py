"""Several strategies at equal cost on a run's space, with its estimator and table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from edgenas.pipeline.core import artifacts
from edgenas.pipeline.core.context import RunContext
from edgenas.pipeline.search.clock import is_timed, measured_clock
from edgenas.pipeline.search.hypervolume import shared_curves
from edgenas.pipeline.search.session import Searching
from edgenas.report.plots import write_comparison_plot
from edgenas.study import History

COMPARISON_FILE = "comparison.json"
PLOT_FILE = "comparison.png"


def compare(context: RunContext, strategies: Sequence[str], *, seeds: int) -> dict[str, Any]:
    """Run strategies on equal budgets and compare their hypervolume.

    Strategies share judged networks through the store, so the time grows only with distinct networks. The compared cost
    is the number of networks that a strategy asked for.

    Args:
        context: Of the run; its first three stages are done.
        strategies: Names.
        seeds: Searches of each.

    Returns:
        The document that was stored: for each strategy median and quartiles of the hypervolume, as a share of the box
        that all searches span together, after each evaluation.
    """
    searching = Searching(context, clock=measured_clock(context) if is_timed(context) else None)
    histories = {
        name: [searching.walk(name, seed=context.seed(f"compare {name} {number}")) for number in range(seeds)]
        for name in strategies
    }
    every = [history for several in histories.values() for history in several]
    if every and not any(history.shown.any() for history in every):
        every[0].require_feasible()
    document = {
        "space": artifacts.space(context).name,
        "objectives": list(context.settings.search.objectives),
        "evaluations": context.settings.search.evaluations,
        "seeds": seeds,
        "strategies": summarise(histories),
    }
    context.directory.write_json(COMPARISON_FILE, document)
    write_comparison_plot(document, context.directory.file(PLOT_FILE))
    return document


def summarise(histories: dict[str, list[History]]) -> dict[str, dict[str, list[float]]]:
    """Median and quartiles of the hypervolume over seeds, by strategy, after each evaluation.

    Args:
        histories: By strategy, one of each seed.
    """
    curves = iter(shared_curves(history for several in histories.values() for history in several))
    found = {}
    for name, several in histories.items():
        own = [next(curves) for _ in several]
        shortest = min(len(curve) for curve in own)
        stack = np.stack([curve[:shortest] for curve in own])
        quartiles = np.percentile(stack, (25, 50, 75), axis=0).round(6)
        found[name] = {key: row.tolist() for key, row in zip(("low", "median", "high"), quartiles, strict=True)}
    return found
