"""A run's strategies on predicted accuracies: they search thousands of candidates, and the supernet judges the best."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from edgenas.pipeline.search.cost_model import CostModel
from edgenas.study import Limit, Study
from edgenas.study.results import Results
from edgenas.types import Floats, Genes

if TYPE_CHECKING:
    from edgenas.evaluate import GuidedSearcher



def translator(study: Study, costs: CostModel) -> tuple[int, Callable[[Genes, Floats], Results]]:
    """Return the column of accuracy, and the function from predicted errors to all objectives and limits.

    Latency by the table and counts are exact for any candidate, so accuracy alone is predicted.

    Args:
        study: Objectives, accuracy among them, and limits on latency and MACs.
        costs: Of the networks.
    """
    names = [objective.metric for objective in study.objectives]

    def translate(genes: Genes, errors: Floats) -> Results:
        found = costs(genes)
        columns = [
            errors if name == "accuracy" else np.asarray(getattr(found, name), dtype=np.float64) for name in names
        ]
        margins = _margins(study.all_limits, found, len(genes))
        return Results(
            genes=genes,
            objectives=np.column_stack(columns),
            violations=np.maximum(margins, 0.0),
            failed=np.zeros(len(genes), dtype=bool),
            margins=margins,
        )

    return names.index("accuracy"), translate


def _margins(limits: Sequence[Limit], costs: Any, count: int) -> Floats:
    margins = np.zeros((count, len(limits)))
    for column, limit in enumerate(limits):
        assert limit.at_most is not None
        margins[:, column] = (getattr(costs, limit.metric) - limit.at_most) / (abs(limit.at_most) or 1.0)
    return margins


def predictor_document(searcher: GuidedSearcher) -> dict[str, Any]:
    """Say what the predictor did and how right it was, for `search.json`."""
    checked = searcher.checked
    document: dict[str, Any] = {"rounds": [asdict(each) for each in searcher.rounds], "checked": len(checked)}
    if len(checked) >= 3:
        predicted, low, high, judged = checked.T
        document["mean_error_points"] = float(100 * np.mean(judged - predicted))
        document["rmse_points"] = float(100 * np.sqrt(np.mean((judged - predicted) ** 2)))
        document["coverage_of_90"] = float(np.mean((judged >= low) & (judged <= high)))
    return document
