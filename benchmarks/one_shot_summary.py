"""What benchmarks/one_shot.py found, as rows and as a table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from edgenas.pareto import hypervolume

STRATEGY_NAMES = ("random", "nsga2", "surrogate")
RANDOM_AT = "random_at_target"
MARGIN = 1.05
"""Of the reference point, in units of the box around all that was judged."""

Document = dict[str, Any]
Worth = Callable[[list[int]], float]


def summarise(
    parts: Mapping[str, Document],
    *,
    methods: Sequence[str],
    targets: Sequence[float],
    seeds: int,
    strategy_seeds: int,
    alone_targets: Sequence[float],
    inherited: Worth,
    alone: Worth,
) -> Document:
    """Put one row together for each method.

    Args:
        parts: By `method-target-seed` (learned, random at the target) or `strategy-seed`.
        methods: One-shot methods.
        targets: Shares of the largest network's latency.
        seeds, strategy_seeds: How many of searches at a target, and of those without.
        alone_targets: Those of the targets whose networks are trained alone.
        inherited, alone: Accuracy of a network on test images, with the run's supernet and trained alone.
    """
    names = (*methods, RANDOM_AT, *STRATEGY_NAMES)
    counts = {name: strategy_seeds if name in STRATEGY_NAMES else seeds for name in names}
    runs = {name: [_run(parts, name, targets, seed) for seed in range(counts[name])] for name in names}
    every = np.array([point for own in runs.values() for run in own for point in run["judged"]])
    rows = []
    for name, own in runs.items():
        networks = [[run["found"][place] for run in own] for place in range(len(targets))]
        # Strategies that know no target are not trained alone: what they have there is below it or above.
        chosen = [] if name in STRATEGY_NAMES else [place for place, t in enumerate(targets) if t in alone_targets]
        rows.append(
            {
                "method": name,
                "seeds": len(own),
                **_errors(own, targets),
                "inherited_test_accuracy": [[inherited(genes) for genes in found] for found in networks],
                "alone_test_accuracy": {
                    str(targets[place]): [alone(genes) for genes in networks[place]] for place in chosen
                },
                "hypervolume": [_volume(np.array(run["judged"]), every) for run in own],
                "judged_networks": mean(len(run["judged"]) for run in own),
                "learning_share": mean(run["learning_seconds"] / run["cpu_seconds"] for run in own),
                "cpu_seconds": mean(run["cpu_seconds"] for run in own),
            }
        )
    return {"targets": list(targets), "seeds": seeds, "rows": rows}


def _run(parts: Mapping[str, Document], name: str, targets: Sequence[float], seed: int) -> Document:
    """Join the searches for all targets of one method and seed."""
    if name in STRATEGY_NAMES:
        return {**parts[f"{name}-{seed}"], "entries": [], "learning_seconds": 0.0}
    entries = [parts[f"{name}-{target}-{seed}"] for target in targets]
    return {
        "entries": entries,
        "found": [entry["found"] for entry in entries],
        "judged": [point for entry in entries for point in entry["judged"]],
        "cpu_seconds": sum(entry["cpu_seconds"] for entry in entries),
        "learning_seconds": sum(entry.get("learning_seconds", 0.0) for entry in entries),
    }


def _errors(runs: Sequence[Document], targets: Sequence[float]) -> Document:
    """Median distances from each target, of found networks and of the distribution's own best."""
    found = {}
    for name, key in (("latency_error", "found_ms"), ("latency_error_of_mode", "learned_ms")):
        if runs[0]["entries"] and key in runs[0]["entries"][0]:
            entries = [[run["entries"][place] for run in runs] for place in range(len(targets))]
            found[name] = [
                float(np.median([abs(entry[key] / entry["target_ms"] - 1) for entry in here])) for here in entries
            ]
    return found


def _volume(cloud: np.ndarray, every: np.ndarray) -> float:
    """Hypervolume of points (N, 2: accuracy, latency), as a share of the box around all points."""
    low, high = every.min(0), every.max(0)
    scaled = np.column_stack([high[0] - cloud[:, 0], cloud[:, 1] - low[1]]) / (high - low)
    return float(hypervolume(scaled, np.array([MARGIN, MARGIN])) / MARGIN**2)


def mean(values: Iterable[float]) -> float:
    """Return the mean of an iterable."""
    return float(np.mean(list(values)))


def table(document: Document) -> str:
    """Lay the rows out as a Markdown table."""
    lines = [
        f"targets: {', '.join(f'{share:g}' for share in document['targets'])} of the largest network's latency; "
        f"{document['seeds']} seeds",
        "| method | seeds | off target | accuracy, test | mean (range) | alone (range) | hypervolume (range) | networks"
        " | CPU s |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in document["rows"]:
        accuracy = 100 * np.array(row["inherited_test_accuracy"])
        alone = [100 * value for values in row["alone_test_accuracy"].values() for value in values]
        cells = (
            row["method"],
            str(row["seeds"]),
            ", ".join(f"{100 * value:.1f} %" for value in row.get("latency_error", [])),
            " / ".join(f"{value:.2f}" for value in accuracy.mean(1)),
            spread(accuracy.mean(0)),
            spread(alone) if alone else "",
            spread(row["hypervolume"]),
            f"{row['judged_networks']:.0f}",
            f"{row['cpu_seconds']:.0f}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def spread(values: Sequence[float] | np.ndarray) -> str:
    """Return the mean of values and their range."""
    return f"{np.mean(values):.2f} ({np.min(values):.2f} to {np.max(values):.2f})"
