"""The front stage: measure networks of the front on the device, since the table only predicts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from edgenas.arch.notation import format_notation
from edgenas.errors import BudgetError, explain
from edgenas.pareto import nondominated
from edgenas.pipeline.core import artifacts
from edgenas.pipeline.core.artifacts import FRONT_FILE, SEARCH_FILE
from edgenas.pipeline.core.context import RunContext
from edgenas.pipeline.core.device_latency import measured_networks
from edgenas.pipeline.core.stage import Stage
from edgenas.pipeline.search.budget import within
from edgenas.pipeline.search.clock import clock_beside, clock_network, present_clock
from edgenas.pipeline.search.limits import SIZES, limits_of, target_document

NEAR = 0.9, 1.0
"""Shares of the budget between which a network uses it, by the table."""


def choose(
    evaluations: Sequence[Mapping[str, Any]],
    front: Sequence[int],
    count: int,
    *,
    budget_ms: float | None = None,
    near: int = 0,
    limits: Mapping[str, float] = MappingProxyType({}),
) -> list[int]:
    """Choose which networks of the front are measured.

    Networks that no other dominates in accuracy and latency come first, the most accurate before the others. Networks
    that are on the front only for their MACs fill the rest. Of two or more, the fastest is always one, so that one
    network remains if the device is slower than the table says. A single one is the most accurate within the budget by
    the table.

    An estimate's error may hide a network near the budget behind a smaller one. So the most accurate networks that use
    the budget are measured besides, whether they are on the front or not.

    Args:
        evaluations: Of the search.
        front: Indices of its front.
        count: How many of the front at most.
        budget_ms: The latency budget, None for none.
        near: How many networks that use the budget are wanted.
        limits: Largest allowed values of other metrics; those of the front keep them already.

    Returns:
        Indices, most accurate first.
    """
    chosen = _of_front(evaluations, front, count, budget_ms=budget_ms)
    if budget_ms is None or not near:
        return chosen
    wanted = _near(evaluations, chosen, near, budget_ms=budget_ms, limits=limits)
    return sorted({*chosen, *wanted}, key=lambda index: (-_accuracy(evaluations[index]), _latency(evaluations[index])))


def _near(
    evaluations: Sequence[Mapping[str, Any]],
    chosen: Sequence[int],
    count: int,
    *,
    budget_ms: float,
    limits: Mapping[str, float],
) -> list[int]:
    """Return as many of the most accurate networks near the budget as those chosen already lack."""
    low, high = (share * budget_ms for share in NEAR)
    lying = [
        index
        for index, entry in enumerate(evaluations)
        if "metrics" in entry and low <= _latency(entry) <= high and _meets(entry, limits)
    ]
    lying.sort(key=lambda index: (-_accuracy(evaluations[index]), _latency(evaluations[index])))
    taken = {evaluations[index]["digest"] for index in chosen}
    missing = count - sum(index in chosen for index in lying)
    others: dict[str, int] = {}
    for index in lying:
        if evaluations[index]["digest"] not in taken:
            others.setdefault(evaluations[index]["digest"], index)
    return list(others.values())[: max(0, missing)]


def _meets(entry: Mapping[str, Any], limits: Mapping[str, float]) -> bool:
    """Whether a network keeps all limits beside the latency budget."""
    return all(entry["metrics"][metric]["value"] <= most for metric, most in limits.items())


def _accuracy(entry: Mapping[str, Any]) -> float:
    return float(entry["metrics"]["accuracy"]["value"])


def _latency(entry: Mapping[str, Any]) -> float:
    return float(entry["metrics"]["latency_ms"]["value"])


def _of_front(
    evaluations: Sequence[Mapping[str, Any]], front: Sequence[int], count: int, *, budget_ms: float | None
) -> list[int]:
    accuracy = np.array([_accuracy(evaluations[index]) for index in front])
    latency = np.array([_latency(evaluations[index]) for index in front])
    useful = nondominated(np.column_stack([1 - accuracy, latency]))
    order = sorted(range(len(front)), key=lambda place: (not useful[place], -accuracy[place], latency[place]))
    fastest = int(np.argmin(latency))
    if count == 1:
        fitting = [place for place in order if budget_ms is None or latency[place] <= budget_ms]
        return [front[fitting[0] if fitting else fastest]]
    chosen = order[:count] if fastest in order[:count] else [*order[: count - 1], fastest]
    return [front[place] for place in sorted(chosen, key=lambda place: (-accuracy[place], latency[place]))]


def _inputs(context: RunContext) -> Mapping[str, Any]:
    return {
        "front": context.settings.front.model_dump(),
        "target": target_document(context.settings.target),
        "seed": context.settings.seed,
        **({"finalists": finalists} if (finalists := context.settings.train.finalists) > 1 else {}),
    }


def _run(context: RunContext) -> None:
    search = context.directory.read_json(SEARCH_FILE)
    evaluations = search["evaluations"]
    table_ms = search.get("budget_table_ms", search["budget_ms"])
    # A single network is taken by its estimate; finalists are judged again, so those near the budget get their chance.
    near = context.settings.train.finalists if context.settings.train.finalists > 1 else 0
    limits = limits_of(context.settings.target)
    chosen = choose(
        evaluations, search["front"], context.settings.front.measure, budget_ms=table_ms, near=near, limits=limits
    )
    target, reference = context.settings.target, clock_network(context)
    networks = [artifacts.space(context).decode(np.asarray(evaluations[index]["genes"])) for index in chosen]
    with context.progress("measure the front") as report:
        measured = measured_networks(
            networks,
            runtime=target.runtime,
            precision=target.precision,
            threads=target.threads,
            seed=context.seed("front"),
            reference=reference,
            progress=report,
        )
    clock = present_clock(context) if reference is None else clock_beside(context, measured[-1])
    # A budget in milliseconds stays what it is; a share is of the largest network as it is now.
    share = context.settings.target.budget_share
    budget_ms = search["budget_ms"] if share is None or table_ms is None else table_ms * clock.factor
    # Milliseconds of today have no error; those of a share have the clock's.
    budget_error = 0.0 if share is None else clock.error
    rows = []
    for index, network, latency in zip(chosen, networks, measured[: len(networks)], strict=True):
        entry, metrics = evaluations[index], evaluations[index]["metrics"]
        error_ms = math.hypot(latency.standard_error_ms, budget_error * latency.latency_ms)
        rows.append(
            {
                "digest": entry["digest"],
                "genes": entry["genes"],
                "notation": format_notation(network),
                "accuracy": metrics["accuracy"]["value"],
                "accuracy_standard_error": metrics["accuracy"]["standard_error"],
                "accuracy_source": metrics["accuracy"]["source"],
                "accuracy_unit": metrics["accuracy"]["unit"],
                "predicted_ms": metrics["latency_ms"]["value"] * clock.factor,
                "predicted_error_ms": (metrics["latency_ms"]["standard_error"] or 0.0) * clock.factor,
                "measured_ms": latency.latency_ms,
                "standard_error_ms": latency.standard_error_ms,
                "macs": int(metrics["macs"]["value"]),
                "params": int(metrics["params"]["value"]),
                **{metric: int(metrics[metric]["value"]) for metric in SIZES if metric in metrics},
                "within_budget": within(latency.latency_ms, error_ms, budget_ms),
            }
        )
    _require_one(rows, budget_ms)
    now = {"clock": clock.factor, "clock_error": clock.error, "at": clock.at}
    context.directory.write_json(FRONT_FILE, {"budget_ms": budget_ms, **now, "networks": rows})


def _require_one(networks: Sequence[Mapping[str, Any]], budget_ms: float | None) -> None:
    if any(entry["within_budget"] for entry in networks):
        return
    fastest = min(entry["measured_ms"] + entry["standard_error_ms"] for entry in networks)
    raise BudgetError(
        explain(
            f"none of the {len(networks)} networks measured on the device is within the budget",
            got=f"{budget_ms:.4g} ms",
            allowed=f"{fastest:.4g} ms or more, the fastest of them with its standard error",
            remedy="Raise target.budget_ms, or measure more of the front with --set front.measure=50.",
        )
    )


STAGE: Stage[RunContext] = Stage(
    name="front",
    title="measure the front on the device",
    needs=("data", "search"),
    outputs=(FRONT_FILE,),
    inputs=_inputs,
    run=_run,
    version=2,
)
