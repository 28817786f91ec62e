"""The winner with one choice changed: it shows why this network was chosen and not a similar one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgenas.pipeline.search.cost_model import CostModel

if TYPE_CHECKING:
    from edgenas.space import SearchSpace
    from edgenas.supernet import SupernetEvaluator

MOST = 24


def neighbours(
    space: SearchSpace,
    genes: NDArray[np.int64],
    costs: CostModel,
    accuracy: SupernetEvaluator | None,
) -> tuple[list[dict[str, Any]], float | None]:
    """Judge the networks that differ from one in a single choice.

    Args:
        space: The space.
        genes: The network, (D,), canonical.
        costs: Costs of the space.
        accuracy: Judges with the shared weights; None where the run has none, and only costs are compared.

    Returns:
        One entry a change (the choice, and the relative or absolute change of accuracy, latency, MACs), and the
        standard error of an accuracy, None without shared weights.
    """
    changed, names = [], []
    for gene, choices in enumerate(space.gene_choices):
        for value in range(len(choices)):
            other = genes.copy()
            other[gene] = value
            other = space.canonical(other[None])[0]
            # A gene without an effect on this network changes nothing.
            if abs(value - int(genes[gene])) == 1 and not np.array_equal(other, genes):
                changed.append(other)
                names.append(f"{space.gene_names[gene]}: {choices[int(genes[gene])]} to {choices[value]}")
    if not changed:
        return [], 0.0
    keep = np.unique(np.linspace(0, len(changed) - 1, min(MOST, len(changed))).astype(int))
    population = np.stack([genes, *(changed[index] for index in keep)])
    found = costs(population)
    judged = None if accuracy is None else accuracy.evaluate(population)
    rows = [
        {
            "change": names[index],
            "accuracy_change": None if judged is None else float(judged.accuracy[row] - judged.accuracy[0]),
            "latency_change": float(found.latency_ms[row] / found.latency_ms[0] - 1),
            "macs_change": float(found.macs[row] / found.macs[0] - 1),
        }
        for row, index in enumerate(keep, start=1)
    ]
    return rows, None if judged is None else float(judged.standard_error[0])
