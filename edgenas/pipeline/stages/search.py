"""The search stage: ask, judge, tell; the same for random search as the baseline."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from edgenas.pipeline.core import artifacts
from edgenas.pipeline.core.artifacts import SEARCH_FILE
from edgenas.pipeline.core.context import RunContext
from edgenas.pipeline.core.stage import Stage
from edgenas.pipeline.search.clock import Clock, clock_of, forget_clock, is_timed
from edgenas.pipeline.search.estimating import forget_state, own_settings
from edgenas.pipeline.search.hypervolume import shared_curves
from edgenas.pipeline.search.known import forget_known
from edgenas.pipeline.search.limits import target_document
from edgenas.pipeline.search.one_shot import STATE
from edgenas.pipeline.search.predicted import predictor_document
from edgenas.pipeline.search.session import BASELINE, Searching
from edgenas.study import Evaluation, Failure, History, Outcome

if TYPE_CHECKING:
    pass


_MOST_SEARCHES = 3
"""Most searches on a machine whose clock keeps changing. The front is measured afterwards in any case."""


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
    """Hypervolume after each evaluation, by strategy; see `shared_curves`.

    Args:
        histories: By name of the strategy.
    """
    return {
        name: {
            "evaluations": list(range(1, len(curve) + 1)),
            "hypervolume": [round(float(value), 6) for value in curve],
        }
        for name, curve in zip(histories, shared_curves(histories.values()), strict=True)
    }


def _inputs(context: RunContext) -> Mapping[str, Any]:
    settings = context.settings
    # A key of a newer version, left at its default, must not change the fingerprint of finished searches.
    search = settings.search
    unused = [] if search.retry_failures else ["retry_failures"]
    unused += ["warm_start"] if search.warm_start == "none" else []
    unused += ["judge_images"] if search.judge_images == type(search)().judge_images else []
    return {
        "seed": settings.seed,
        "search": search.model_dump(exclude={"store", *unused}),
        "target": target_document(settings.target),
        **({} if (own := own_settings(context)) is None else {"estimator": own}),
        "recalibration_images": settings.supernet.recalibration_images,
    }


def _run(context: RunContext) -> None:
    timed = is_timed(context)
    for look in range(_MOST_SEARCHES):
        clock = clock_of(context, look) if timed else Clock()
        summary = _searched(context, clock)
        now = clock_of(context, look + 1) if timed else Clock()
        moved = now.factor / clock.factor
        if abs(moved - 1) <= artifacts.table(context).relative or not moves_with_clock(context):
            break
        again = look + 1 < _MOST_SEARCHES
        context.say(
            f"  the machine takes {100 * moved:.0f} % of the time that it took before the search"
            f"{': searching again for the budget as it is now' if again else ''}"
        )
    share = context.settings.target.budget_share
    budget = summary["budget_table_ms"]
    if budget is not None:
        summary["budget_ms"] = context.settings.target.budget_ms if share is None else budget * now.factor
    told = {"clock": clock.factor, "clock_now": now.factor, "clock_now_error": now.error, "clock_now_at": now.at}
    context.directory.write_json(SEARCH_FILE, {**summary, **told})
    context.once("clock", lambda: now)
    forget_clock(context)
    forget_known(context)
    forget_state(context)


def moves_with_clock(context: RunContext) -> bool:
    """Whether the budget in the table's time depends on the clock. It does if given in milliseconds, not as a share."""
    return context.settings.target.budget_ms is not None


def _searched(context: RunContext, clock: Clock) -> dict[str, Any]:
    settings, searching = context.settings.search, Searching(context, clock=clock)
    history = searching.walk(settings.strategy, seed=context.seed(f"search {settings.strategy}"), warm=True)
    _say_failures(context, history)
    history.require_feasible()
    histories: dict[str, History] = {settings.strategy: history}
    if settings.baseline and settings.strategy != BASELINE:
        histories[BASELINE] = searching.walk(BASELINE, seed=context.seed(f"search {BASELINE}"))
    about: dict[str, Any] = {} if searching.learned is None else {"one_shot": searching.learned}
    if searching.guided is not None:
        about["predictor"] = predictor_document(searching.guided)
    summary = _summary(context, history, histories, searching.budget_ms)
    if settings.warm_start != "none":
        about["known"] = searching.known
        summary = _without_known(summary, settings.strategy, searching.known)
    if searching.learned is not None:
        shutil.rmtree(context.directory.path / STATE)
    return {**summary, **about}


def _without_known(summary: dict[str, Any], strategy: str, known: int) -> dict[str, Any]:
    """Count and draw only what the search judged itself; what it started from stays among the evaluations."""
    curve = summary["progress"][strategy]
    own = {
        "evaluations": list(range(1, len(curve["evaluations"]) - known + 1)),
        "hypervolume": curve["hypervolume"][known:],
    }
    return {**summary, "judged": summary["judged"] - known, "progress": {**summary["progress"], strategy: own}}


def _say_failures(context: RunContext, history: History) -> None:
    failures = Counter(outcome.reason for outcome in history.outcomes if isinstance(outcome, Failure))
    for reason, count in failures.most_common(3):
        context.say(f"  {count} of {len(history)} candidates failed: {reason}")


def _summary(
    context: RunContext, history: History, histories: Mapping[str, History], budget_ms: float | None
) -> dict[str, Any]:
    judged: Sequence[Outcome] = history.outcomes
    failures = [outcome.reason for outcome in judged if isinstance(outcome, Failure)]
    return {
        "space": artifacts.space(context).name,
        "space_size": _readable(artifacts.space(context).size),
        "strategy": context.settings.search.strategy,
        **({} if own_settings(context) is None else {"estimator": context.settings.search.estimator}),
        **({} if artifacts.needs_supernet(context.settings) else {"supernet": False}),
        "objectives": list(context.settings.search.objectives),
        "limits": [limit.metric for limit in history.limits],
        "budget_ms": budget_ms,
        "budget_table_ms": budget_ms,
        "judged": sum(isinstance(outcome, Evaluation) for outcome in judged),
        "failures": len(failures),
        "failure_reasons": [{"reason": reason, "count": count} for reason, count in Counter(failures).most_common()],
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
    version=2,
)
