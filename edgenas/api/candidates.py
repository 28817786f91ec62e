"""Networks that a search judged, as values for users."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from edgenas.api.folder import Folder
from edgenas.arch import Architecture
from edgenas.markup import html_table
from edgenas.study import Metric

if TYPE_CHECKING:
    from edgenas.space import SearchSpace


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Candidate:
    """A network that a search judged.

    Attributes:
        architecture: The network.
        genes: Its code in the space that was searched, (D,).
        metrics: `accuracy`, `latency_ms`, `macs` and `params` by name, each with its standard error and its source:
            inherited from shared weights, trained, predicted by a table, measured. `accuracy` is what the estimator
            gave: in [0, 1] where its unit is "1", else a score that only orders networks.
        folder: Where the search kept its shared weights.
        measured_ms: Latency of its file on the device, ms; None where it was not measured.
    """

    architecture: Architecture
    genes: tuple[int, ...]
    metrics: Mapping[str, Metric]
    folder: Folder = field(repr=False)
    measured_ms: float | None = None

    @property
    def accuracy(self) -> float:
        """Accuracy on validation images as it was judged, in [0, 1]; a score where the unit of the metric is ""."""
        return self.metrics["accuracy"].value

    @property
    def judged(self) -> str:
        """What the estimator gave, as a text with its source."""
        found = self.metrics["accuracy"]
        value = f"{100 * found.value:.2f} %" if found.unit == "1" else f"{found.value:.4g}"
        return f"{value} ({found.source})"

    @property
    def latency_ms(self) -> float:
        """Measured latency where there is one, else as it was judged, ms."""
        return self.metrics["latency_ms"].value if self.measured_ms is None else self.measured_ms

    @property
    def macs(self) -> int:
        """Multiply-accumulates."""
        return int(self.metrics["macs"].value)

    @property
    def params(self) -> int:
        """Parameters."""
        return int(self.metrics["params"].value)

    @property
    def notation(self) -> str:
        """The network in short."""
        from edgenas.arch.notation import format_notation

        return format_notation(self.architecture)

    def __repr__(self) -> str:
        kind = self.metrics["latency_ms"].source if self.measured_ms is None else "measured"
        return (
            f"Candidate({self.judged}, {self.latency_ms:.4g} ms "
            f"{kind}, {self.macs:,} MACs, {self.architecture.digest[:10]})"
        )

    def _repr_html_(self) -> str:
        return candidates_html([self], title="")


def candidate_of(entry: Mapping[str, Any], space: SearchSpace, folder: Folder) -> Candidate:
    """Read a network from an evaluation of `search.json` or an entry of `front.json`.

    Args:
        entry: The document.
        space: The space that was searched.
        folder: Of the search.
    """
    metrics = entry["metrics"] if "metrics" in entry else _metrics_of_front(entry)
    return Candidate(
        architecture=space.decode(np.asarray(entry["genes"])),
        genes=tuple(entry["genes"]),
        metrics={name: Metric(**values) for name, values in metrics.items()},
        folder=folder,
        measured_ms=entry.get("measured_ms"),
    )


def _metrics_of_front(entry: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Bring an entry of `front.json` to the form of the search's evaluations."""
    return {
        "accuracy": {
            "value": entry["accuracy"],
            "standard_error": entry["accuracy_standard_error"],
            "unit": entry.get("accuracy_unit", "1"),
            "source": entry.get("accuracy_source", "inherited"),
        },
        "latency_ms": {"value": entry["predicted_ms"], "unit": "ms", "source": "predicted"},
        "macs": {"value": float(entry["macs"]), "unit": "MAC", "source": "proxy"},
        "params": {"value": float(entry["params"]), "unit": "parameter", "source": "proxy"},
    }


def best_of(candidates: Sequence[Candidate], budget_ms: float | None) -> Candidate:
    """Return the most accurate network within a budget, of equal ones the faster.

    Args:
        candidates: At least one.
        budget_ms: Largest latency, ms. Where every network is above it (a front reaches a little beyond its budget,
            as far as predictions may be wrong), the fastest is returned.
    """
    within = [entry for entry in candidates if budget_ms is None or entry.latency_ms <= budget_ms]
    if not within:
        return min(candidates, key=lambda entry: entry.latency_ms)
    return min(within, key=lambda entry: (-entry.accuracy, entry.latency_ms))


def candidates_html(candidates: Sequence[Candidate], *, title: str, best: Candidate | None = None) -> str:
    """Return networks as an HTML table, one a row.

    Args:
        candidates: The rows.
        title: A line above.
        best: One that is marked.
    """
    rows = [
        (
            "best" if entry is best else "",
            entry.judged,
            f"{entry.metrics['latency_ms'].value:.4f} ({entry.metrics['latency_ms'].source})",
            "" if entry.measured_ms is None else f"{entry.measured_ms:.4f}",
            f"{entry.macs:,}",
            f"{entry.params:,}",
            entry.notation,
        )
        for entry in candidates
    ]
    columns = ("", "accuracy", "latency, ms", "measured, ms", "MACs", "params", "network")
    return html_table(columns, rows, title=title)
