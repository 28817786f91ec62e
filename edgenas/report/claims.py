"""Sentences of a report that depend on the run. Each is derived from the run's values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SUPERNET = "supernet/supernet.safetensors"


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetClaim:
    """The statement of a report about the budget.

    Attributes:
        budget_ms: The budget, None where there is none.
        latency_ms: Measured latency of the file, the larger one of the measurements that count.
        upper_ms: The same with one standard error added.
        error_ms: Standard error of that measurement.
    """

    budget_ms: float | None
    latency_ms: float
    upper_ms: float
    error_ms: float

    @property
    def met(self) -> bool:
        """Whether the budget is met; False without a budget."""
        return self.budget_ms is not None and self.upper_ms <= self.budget_ms

    @property
    def words(self) -> str:
        """The claim, with its margin."""
        if self.budget_ms is None:
            return "no budget was set"
        if self.met:
            return f"budget, met with {self.budget_ms - self.upper_ms:.4f} ms to spare beyond one standard error"
        return f"budget, MISSED by {self.upper_ms - self.budget_ms:.4f} ms with one standard error"


def budget_claim(front: Mapping[str, Any], winner: Mapping[str, Any]) -> BudgetClaim:
    """Compare the measured file with the budget.

    Args:
        front: `front.json`.
        winner: `winner.json`; of an older version it knows one measurement only.
    """
    both = winner.get("file_latency") or {}
    judged = both.get("judged", ("first", "again"))
    found = [(both[name]["latency_ms"], both[name]["standard_error_ms"]) for name in judged if name in both]
    if not found:
        own = [file for file in winner["files"] if file["name"] == winner["file"]]
        found = [(winner["file_latency_ms"], (own[0]["latency_spread_ms"] if own else None) or 0.0)]
    latency, error = max(found, key=sum)
    # A share of another network's latency is brought to the moment of the measurement that counts.
    budget_ms = both.get("budget_ms", front["budget_ms"])
    return BudgetClaim(budget_ms=budget_ms, latency_ms=latency, upper_ms=latency + error, error_ms=error)


def baseline_claim(search: Mapping[str, Any]) -> str:
    """Say what the curves of a search are compared with. Only searches that were run are named.

    Args:
        search: `search.json`.
    """
    others = [name for name in search["progress"] if name != search["strategy"]]
    if not others:
        return "Nothing was run to compare it with."
    names = " and ".join("random search" if name == "random" else name for name in others)
    return (
        f"For comparison: {names}, at equal cost, with the same estimator and the same table; one search of each, so a "
        "small lead may be chance."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What candidates of a search were judged by.

    Attributes:
        estimator: Its name; "" where the shared weights judged.
        source: Of its values, such as "inherited", "trained", "score".
        unit: "1" for accuracies in [0, 1], "" for scores.
    """

    estimator: str
    source: str
    unit: str

    @property
    def title(self) -> str:
        """The head of a column of such values."""
        if self.source == "inherited":
            return "inherited accuracy"
        return f"accuracy ({self.estimator})" if self.unit == "1" else f"score ({self.estimator})"

    @property
    def words(self) -> str:
        """What the values are and are not."""
        if self.source == "inherited":
            return "Inherited accuracy: with the supernet's weights on validation images; it ranks networks and is no"
        if self.unit != "1":
            return f"Score of the estimator {self.estimator} ({self.source}): it ranks networks, is no accuracy and no"
        by = f"by the estimator {self.estimator} ({self.source})"
        return f"Accuracy: on validation images, {by}; it ranks networks and is no"

    def text(self, value: float) -> str:
        """Write a value."""
        return f"{100 * value:.1f} %" if self.unit == "1" else f"{value:.4g}"


def estimate_of(search: Mapping[str, Any]) -> Estimate:
    """Return what the candidates of a search were judged by.

    Args:
        search: `search.json`; older ones do not name source and unit of an accuracy.
    """
    metrics = [entry["metrics"]["accuracy"] for entry in search["evaluations"] if "metrics" in entry]
    first = metrics[0] if metrics else {}
    name = search.get("estimator", "")
    source = first.get("source", "trained" if name else "inherited")
    return Estimate(estimator=name, source=source, unit=first.get("unit", "1"))


def estimators_are_current(estimators: Mapping[str, Any], stages: Mapping[str, Any]) -> bool:
    """Whether the judgements of estimators are of the supernet that the run has now.

    Args:
        estimators: `estimators.json`; older ones do not say of which supernet they are.
        stages: `stages.json`.
    """
    now = stages.get("supernet", {}).get("outputs", {}).get(SUPERNET)
    return now is not None and estimators.get("supernet") == now
