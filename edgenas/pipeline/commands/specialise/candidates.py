"""Candidate networks for another device: those the run knows and those of a new search, filtered and measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgenas.errors import BudgetError, InputError, explain
from edgenas.pareto import nondominated
from edgenas.pipeline.commands.specialise.device_table import is_here
from edgenas.pipeline.commands.specialise.result import RESULT_FILE, Found
from edgenas.pipeline.core import artifacts
from edgenas.pipeline.core.artifacts import SEARCH_FILE, SUPERNET_FILE
from edgenas.pipeline.core.context import RunContext
from edgenas.pipeline.core.device_latency import measured_networks
from edgenas.pipeline.core.directory import RunDirectory, file_digest
from edgenas.pipeline.search.budget import within
from edgenas.pipeline.search.candidate_judge import Judge, identify, objectives_of
from edgenas.pipeline.search.cost_model import CostModel
from edgenas.study import Budget, Context, Evaluation, Limit, Study

if TYPE_CHECKING:
    from edgenas.latency import LatencyTable
    from edgenas.supernet import SupernetEvaluator

SEARCH_SECONDS = 20.0
"""The search stops after this time even with evaluations left, so that the whole takes less than a minute."""


def known_networks(source: RunContext, costs: CostModel) -> list[Found]:
    """Networks that the run judged, with their costs on the other device."""
    if not source.directory.has(SEARCH_FILE):
        return []
    entries = [entry for entry in source.directory.read_json(SEARCH_FILE)["evaluations"] if "genes" in entry]
    # Values of another estimator are not comparable with those of the supernet for new networks.
    entries = [entry for entry in entries if entry["metrics"]["accuracy"].get("source", "inherited") == "inherited"]
    return _costed([(tuple(entry["genes"]), entry["metrics"]["accuracy"]["value"]) for entry in entries], costs)


def networks_of(folders: Sequence[Path], source: RunContext, costs: CostModel) -> list[Found]:
    """Networks that were judged for other devices. Their accuracy does not depend on the device.

    Args:
        folders: Of earlier specialisations of the same run.
        source: The run.
        costs: By the table of this device.

    Raises:
        InputError: A folder is of another supernet.
        StoreError: There is no specialisation in it.
    """
    supernet, found = file_digest(source.directory.path / SUPERNET_FILE), []
    for folder in folders:
        document = RunDirectory(path=folder).read_json(RESULT_FILE)
        if document.get("supernet") != supernet:
            raise InputError(
                explain(f"{folder} is a specialisation of another run", got=document.get("source"),
                        allowed=str(source.directory.path))
            )  # fmt: skip
        found += [(tuple(entry["genes"]), entry["accuracy"]) for entry in document["networks"]]
    return _costed(found, costs)


def _costed(networks: Sequence[tuple[tuple[int, ...], float]], costs: CostModel) -> list[Found]:
    if not networks:
        return []
    latency = costs(np.asarray([genes for genes, _ in networks], np.int64)).latency_ms
    return [
        Found(genes=genes, accuracy=accuracy, predicted_ms=float(ms))
        for (genes, accuracy), ms in zip(networks, latency, strict=True)
    ]


def searched_networks(
    source: RunContext,
    table: LatencyTable,
    costs: CostModel,
    evaluator: SupernetEvaluator,
    budget_ms: float,
    data_digest: str,
    evaluations: int,
) -> list[Found]:
    """Search on the other device's table for at most `SEARCH_SECONDS`."""
    from edgenas.search import STRATEGIES

    study = Study(
        objectives=objectives_of(["accuracy", "latency_ms"]),
        limits=(Limit(metric="latency_ms", at_most=budget_ms * (1 + table.relative)),),
        context=Context(evaluator="inherited", settings="", data=data_digest, device=""),
        identify=identify(artifacts.space(source)),
    )
    searcher = STRATEGIES["nsga2"](
        artifacts.space(source),
        objectives=len(study.objectives),
        limits=len(study.all_limits),
        seed=source.seed("specialise"),
        budget=evaluations,
    )
    with source.progress("search for the other device") as report:
        history = study.run(
            searcher,
            Judge(artifacts.space(source), costs, evaluator),
            Budget(evaluations=evaluations, seconds=SEARCH_SECONDS),
            progress=lambda state: report(state.evaluated, state.planned, "networks"),
        )
    found = []
    for outcome in history.outcomes:
        if isinstance(outcome, Evaluation):
            metrics = dict(outcome.metrics)
            found.append(
                Found(
                    genes=outcome.genes,
                    accuracy=metrics["accuracy"].value,
                    predicted_ms=metrics["latency_ms"].value,
                )
            )
    return found


def candidates(found: Sequence[Found], budget_ms: float, table: LatencyTable) -> list[Found]:
    """Networks that may meet the budget and are not dominated, most accurate first.

    If this machine is the device, a prediction may exceed the budget by half its interval, since the network is
    measured. If not, the whole interval must lie within the budget.

    Raises:
        BudgetError: There is none; says how fast the fastest is.
    """
    relative = table.relative
    limit = budget_ms * (1 + relative / 2) if is_here(table) else budget_ms / (1 + relative)
    fitting = [entry for entry in dict.fromkeys(found) if entry.predicted_ms <= limit]
    if not fitting:
        fastest = min(entry.predicted_ms for entry in found)
        raise BudgetError(
            explain("no network that was judged meets the budget", got=f"{budget_ms:.4g} ms",
                    allowed=f"{fastest:.4g} ms or more, the fastest of {len(found)}",
                    remedy="Raise --budget, or judge more networks with --evaluations.")
        )  # fmt: skip
    points = np.array([[1 - entry.accuracy, entry.predicted_ms] for entry in fitting])
    useful = [entry for entry, keep in zip(fitting, nondominated(points), strict=True) if keep]
    return sorted(useful, key=lambda entry: (-entry.accuracy, entry.predicted_ms))


def measured_within(
    source: RunContext, table: LatencyTable, candidates: Sequence[Found], budget_ms: float
) -> list[Found]:
    """Measure candidates on this device, and keep those within the budget.

    Raises:
        BudgetError: None is; says how fast the fastest is.
    """
    info = table.runtime
    with source.progress("measure") as report:
        measured = measured_networks(
            [artifacts.space(source).decode(np.asarray(entry.genes)) for entry in candidates],
            runtime=info.runtime, precision=info.precision, threads=info.threads,
            seed=source.seed("specialise"), progress=report,
        )  # fmt: skip
    found = [
        replace(entry, measured_ms=latency.latency_ms)
        for entry, latency in zip(candidates, measured, strict=True)
        if within(latency.latency_ms, latency.standard_error_ms, budget_ms)
    ]
    if not found:
        fastest = min(latency.latency_ms + latency.standard_error_ms for latency in measured)
        raise BudgetError(
            explain(f"none of the {len(measured)} networks measured meets the budget", got=f"{budget_ms:.4g} ms",
                    allowed=f"{fastest:.4g} ms or more", remedy="Raise --budget, or measure more with --measure.")
        )  # fmt: skip
    return found
