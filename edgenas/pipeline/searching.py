"""The search stage: ask, judge, tell; the same for random search as the baseline."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from edgenas.pipeline.budget import budget_in_ms, require_possible
from edgenas.pipeline.context import TABLE_FILE, RunContext
from edgenas.pipeline.costs import CostModel
from edgenas.pipeline.directory import file_digest
from edgenas.pipeline.judge import Judge, identify, objectives_of
from edgenas.pipeline.stage import Stage
from edgenas.study import Budget, Context, Evaluation, Failure, History, Limit, Outcome, Study

if TYPE_CHECKING:
    from edgenas.study.study import Progress as StudyProgress

SEARCH_FILE = "search.json"
BASELINE = "random"


def _context_of(context: RunContext) -> Context:
    """What an evaluation depends on beside the architecture: shared weights, recalibration, images, table."""
    text = json.dumps(
        {
            "supernet": file_digest(context.directory.path / "supernet/supernet.safetensors"),
            "recalibration_images": context.settings.supernet.recalibration_images,
        }
    )
    settings = hashlib.sha256(text.encode()).hexdigest()
    table = file_digest(context.directory.path / TABLE_FILE)
    return Context(evaluator="inherited", settings=settings, data=context.data.digest, device=table)


def _limits(context: RunContext, budget_ms: float | None) -> tuple[Limit, ...]:
    limits = []
    if budget_ms is not None:
        # A network whose prediction interval reaches into the budget may meet it when it is measured.
        limits.append(Limit(metric="latency_ms", at_most=budget_ms * (1 + context.table.interval.relative)))
    if context.settings.target.max_macs is not None:
        limits.append(Limit(metric="macs", at_most=float(context.settings.target.max_macs)))
    return tuple(limits)


def _walk(context: RunContext, study: Study, judge: Judge, strategy: str) -> History:
    """Run one strategy to the end of its budget."""
    from edgenas.search import STRATEGIES
    from edgenas.study import open_store

    settings = context.settings.search
    searcher = STRATEGIES[strategy](
        context.space,
        objectives=len(study.objectives),
        limits=len(study.all_limits),
        seed=context.seed(f"search {strategy}"),
        budget=settings.evaluations,
    )
    store = open_store(settings.store or context.directory.file("store.sqlite"))
    try:
        with context.progress(f"search ({strategy})") as report:

            def show(progress: StudyProgress) -> None:
                known = f"{progress.from_store} known" if progress.from_store else ""
                report(progress.evaluated, progress.planned, known)

            return study.run(searcher, judge, Budget(evaluations=settings.evaluations), store=store, progress=show)
    finally:
        store.close()


def _document(outcome: Outcome) -> dict[str, Any]:
    if isinstance(outcome, Failure):
        return {"failure": outcome.reason, "digest": outcome.digest}
    return {
        "digest": outcome.digest,
        "genes": list(outcome.genes),
        "metrics": {
            name: {"value": m.value, "standard_error": m.standard_error, "unit": m.unit, "source": m.source}
            for name, m in outcome.metrics
        },
        "fidelity": outcome.fidelity,
        "seconds": round(outcome.seconds, 4),
    }


def progress_curves(histories: Mapping[str, History]) -> dict[str, dict[str, list[float] | list[int]]]:
    """Hypervolume after each evaluation, as a share of the box that all histories span together.

    Args:
        histories: By name of the strategy.
    """
    from edgenas.pareto import hypervolume_curve

    every = np.concatenate([history.results.objectives[history.feasible] for history in histories.values()])
    low, high = every.min(axis=0), every.max(axis=0)
    width = np.where(high > low, high - low, 1.0)
    curves: dict[str, dict[str, list[float] | list[int]]] = {}
    for name, history in histories.items():
        scaled = (history.results.objectives - low) / width
        scaled[~history.feasible] = np.inf
        # A little beyond the worst value, so that the ends of the front count.
        curve = hypervolume_curve(scaled, np.full(len(low), 1.05)) / 1.05 ** len(low)
        curves[name] = {
            "evaluations": list(range(1, len(curve) + 1)),
            "hypervolume": [round(float(value), 6) for value in curve],
        }
    return curves


def _inputs(context: RunContext) -> Mapping[str, Any]:
    settings = context.settings
    return {
        "seed": settings.seed,
        "search": settings.search.model_dump(exclude={"store"}),
        "target": settings.target.model_dump(),
        "recalibration_images": settings.supernet.recalibration_images,
    }


def _run(context: RunContext) -> None:
    settings = context.settings.search
    costs = CostModel(context.space, context.table)
    budget_ms = budget_in_ms(context.settings.target, context.space, costs)
    if budget_ms is not None:
        require_possible(budget_ms, context.space, costs, seed=context.seed("budget"))
    study = Study(
        objectives=objectives_of(list(settings.objectives)),
        limits=_limits(context, budget_ms),
        context=_context_of(context),
        identify=identify(context.space),
    )
    judge = Judge(context.space, costs, context.evaluator)
    history = _walk(context, study, judge, settings.strategy)
    history.require_feasible()
    histories: dict[str, History] = {settings.strategy: history}
    if settings.baseline and settings.strategy != BASELINE:
        histories[BASELINE] = _walk(context, study, judge, BASELINE)
    context.directory.write_json(SEARCH_FILE, _summary(context, history, histories, budget_ms))


def _summary(
    context: RunContext, history: History, histories: Mapping[str, History], budget_ms: float | None
) -> dict[str, Any]:
    judged: Sequence[Outcome] = history.outcomes
    failures = [outcome.reason for outcome in judged if isinstance(outcome, Failure)]
    return {
        "space": context.space.name,
        "space_size": _readable(context.space.size),
        "strategy": context.settings.search.strategy,
        "objectives": list(context.settings.search.objectives),
        "limits": [limit.metric for limit in history.limits],
        "budget_ms": budget_ms,
        "judged": sum(isinstance(outcome, Evaluation) for outcome in judged),
        "failures": len(failures),
        "failure_reasons": sorted(set(failures)),
        "evaluations": [_document(outcome) for outcome in judged],
        "front": [int(index) for index in history.front()],
        "progress": progress_curves(histories),
    }


def _readable(count: int) -> str:
    return f"{count:,}" if count < 10**7 else f"{count:.1e}"


STAGE: Stage[RunContext] = Stage(
    name="search",
    title="search",
    needs=("data", "table", "supernet"),
    outputs=(SEARCH_FILE,),
    inputs=_inputs,
    run=_run,
)
