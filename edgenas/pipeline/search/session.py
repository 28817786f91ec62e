"""Parts that all searches of a run share: the study, the judge of candidates, the budget, the searchers."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgenas.arch import Architecture
from edgenas.pipeline.core import artifacts
from edgenas.pipeline.core.artifacts import STORE_FILE, TABLE_FILE
from edgenas.pipeline.core.context import RunContext
from edgenas.pipeline.core.directory import file_digest
from edgenas.pipeline.core.worker_count import workers_of
from edgenas.pipeline.search.budget import budget_in_ms, require_possible
from edgenas.pipeline.search.candidate_judge import Judge, MeasureLatency, identify, objectives_of
from edgenas.pipeline.search.clock import Clock
from edgenas.pipeline.search.cost_model import CostModel
from edgenas.pipeline.search.estimating import own_settings, quality_of
from edgenas.pipeline.search.file_sizes import size_model, sized_by
from edgenas.pipeline.search.known import genes_of, known_outcomes
from edgenas.pipeline.search.limits import limits_of
from edgenas.pipeline.search.predicted import translator
from edgenas.pipeline.search.retrying import RetryingStore
from edgenas.pipeline.search.rewards import reward_of
from edgenas.reading.json_text import plain_text
from edgenas.study import Budget, Context, Evaluation, History, Limit, Study

if TYPE_CHECKING:
    from edgenas.evaluate import GuidedSearcher
    from edgenas.search import CostFunction, Searcher
    from edgenas.study.store import Store
    from edgenas.study.study import Progress as StudyProgress

BASELINE = "random"


def _context_of(context: RunContext) -> Context:
    """What an evaluation depends on beside the architecture: shared weights, recalibration, images, table."""
    name, measured = context.settings.search.estimator, context.settings.search.latency == "measured"
    table = file_digest(context.directory.path / TABLE_FILE)
    own = own_settings(context)
    if own is not None:
        text = plain_text({**own, **({"latency": "measured"} if measured else {}), **sized_by(context)}, sort_keys=True)
        settings = hashlib.sha256(text.encode()).hexdigest()
        return Context(evaluator=name, settings=settings, data=artifacts.images(context).digest, device=table)
    text = plain_text(
        {
            "supernet": file_digest(context.directory.path / "supernet/supernet.safetensors"),
            "recalibration_images": context.settings.supernet.recalibration_images,
            **_judged_on_some(context),
            **({"latency": "measured"} if context.settings.search.latency == "measured" else {}),
            **sized_by(context),
        }
    )
    settings = hashlib.sha256(text.encode()).hexdigest()
    table = file_digest(context.directory.path / TABLE_FILE)
    return Context(evaluator="inherited", settings=settings, data=artifacts.images(context).digest, device=table)


def _judged_on_some(context: RunContext) -> dict[str, int]:
    """Return how many validation images judge, where these are not all."""
    count = context.settings.search.judge_images
    return {"judge_images": count} if count < len(artifacts.images(context).validation) else {}


def _limits(context: RunContext, costs: CostModel, budget_ms: float | None) -> tuple[Limit, ...]:
    limits = []
    if budget_ms is not None:
        # A network whose prediction interval reaches below the budget may meet it when it is measured.
        slack = costs.relative if context.settings.search.latency == "table" else 0.0
        limits.append(Limit(metric="latency_ms", at_most=budget_ms * (1 + slack)))
    limits += [Limit(metric=metric, at_most=most) for metric, most in limits_of(context.settings.target).items()]
    return tuple(limits)


def _batch(context: RunContext) -> dict[str, int]:
    """Return how many candidates are asked for at a time, where the estimator says how many it compares."""
    from edgenas.evaluate.registry import ESTIMATORS

    batch = ESTIMATORS[context.settings.search.estimator].batch
    return {} if batch is None else {"batch": batch}


def _measure(context: RunContext) -> MeasureLatency:
    """Return what measures one candidate on the device, as the file that would ship."""
    from edgenas.pipeline.core.device_latency import measured_networks

    target = context.settings.target

    def measure(network: Architecture) -> tuple[float, float]:
        (found,) = measured_networks(
            [network], runtime=target.runtime, precision=target.precision, threads=target.threads
        )
        return found.latency_ms, found.standard_error_ms

    return measure


class Searching:
    """Parts that all searches of a run share: the study, the judge, the budget."""

    def __init__(self, context: RunContext, *, clock: Clock | None = None) -> None:
        """Prepare; the supernet is loaded and the table spread over the space.

        Args:
            context: Of the run.
            clock: How much slower the machine is now than the table says; the table's own moment if None. Its error
                enters the interval of every predicted latency, since a budget in milliseconds is one of now.

        Raises:
            BudgetError: No network can meet the limits.
            ConfigError: A reward is named that lacks its budget or an objective.
        """
        self._context = context
        now = clock or Clock()
        self._costs = costs = CostModel(
            artifacts.space(context), artifacts.table(context), clock_error=now.error, sizes=size_model(context)
        )
        self.learned: dict[str, Any] | None = None
        self.guided: GuidedSearcher | None = None
        self.known = 0
        self._tried: set[str] = set()
        target, space = context.settings.target, artifacts.space(context)
        self.budget_ms = budget_in_ms(target, space, costs, clock=now.factor)
        require_possible(target, space, costs, seed=context.seed("budget"), clock=now.factor)
        self.study = Study(
            objectives=objectives_of(list(context.settings.search.objectives)),
            limits=_limits(context, costs, self.budget_ms),
            context=_context_of(context),
            identify=identify(artifacts.space(context)),
            **_batch(context),
        )
        self._reward = reward_of(
            context.settings.search, context.settings.target, budget_ms=self.budget_ms,
            space=artifacts.space(context), costs=costs,
        )
        measure = _measure(context) if context.settings.search.latency == "measured" else None
        quality = quality_of(context)
        self._judge = Judge(
            artifacts.space(context), costs, artifacts.evaluator(context) if quality is None else quality,
            measure=measure, limits=self.study.limits, workers=None if quality is None else workers_of(context),
        )

    def _searcher(self, strategy: str, seed: int) -> Searcher:
        from edgenas.evaluate.registry import ESTIMATORS
        from edgenas.search import STRATEGIES

        settings = self._context.settings.search
        if STRATEGIES[strategy].one_shot:
            return self._learned_searcher(strategy, seed)
        if strategy != BASELINE and ESTIMATORS[settings.estimator].guided:
            return self._guided_searcher(strategy, seed)
        return self._plain_searcher(strategy, seed, settings.evaluations)

    def _plain_searcher(self, strategy: str, seed: int, budget: int) -> Searcher:
        from edgenas.search import STRATEGIES

        values = {k: self._known(objective.metric) for k, objective in enumerate(self.study.objectives)}
        factory = STRATEGIES[strategy]
        return factory(
            artifacts.space(self._context),
            objectives=len(values),
            limits=len(self.study.all_limits),
            seed=seed,
            budget=budget,
            known_objectives={k: cost for k, cost in values.items() if cost},
            known_margins=self._known_margins(),
            reward=self._reward if factory.follows_reward else None,
        )

    def _known_margins(self) -> dict[int, CostFunction]:
        found = {k: self._known(limit.metric, limit.at_most) for k, limit in enumerate(self.study.all_limits)}
        return {k: cost for k, cost in found.items() if cost}

    def _known(self, metric: str, at_most: float | None = None) -> CostFunction | None:
        """Return a cost that is known without an evaluation, or its margin to a limit; None if it must be evaluated."""
        if metric == "accuracy" or (metric == "latency_ms" and self._context.settings.search.latency == "measured"):
            return None

        def cost(genes: NDArray[np.int64]) -> NDArray[np.float64]:
            values = np.asarray(getattr(self._costs(genes), metric), dtype=np.float64)
            return values if at_most is None else values / at_most - 1

        return cost

    def _guided_searcher(self, strategy: str, seed: int) -> Searcher:
        """Return a searcher whose strategy runs on predicted candidates and whose best ones are judged."""
        from edgenas.evaluate import GuidedSearcher

        settings = self._context.settings.search
        column, translate = translator(self.study, self._costs)
        self.guided = GuidedSearcher(
            artifacts.space(self._context),
            inner=lambda own, count: self._plain_searcher(strategy, own, count),
            translate=translate,
            column=column,
            networks=settings.predictor_networks,
            candidates=settings.predictor_candidates,
            objectives=len(self.study.objectives),
            limits=len(self.study.all_limits),
            known_margins=self._known_margins(),
            seed=seed,
            budget=settings.evaluations,
        )
        return self.guided

    def _learned_searcher(self, method: str, seed: int) -> Searcher:
        """Learn a distribution over networks, and return a searcher that proposes its draws."""
        from edgenas.oneshot import DistributionSearcher
        from edgenas.pipeline.search.one_shot import learn_distribution, target_of

        target = target_of(self._context, self._costs, self.budget_ms)
        learned = learn_distribution(self._context, method, costs=self._costs, target=target, seed=seed)
        self.learned = learned.document
        return DistributionSearcher(
            learned.result.distribution,
            objectives=len(self.study.objectives),
            limits=len(self.study.all_limits),
            known_margins=self._known_margins(),
            seed=seed,
            budget=self._context.settings.search.evaluations,
            first=learned.result.best,
            cost=learned.cost,
            target=learned.goal,
        )

    def walk(self, strategy: str, *, seed: int, warm: bool = False) -> History:
        """Run one strategy to the end of its budget. Networks in the store are not judged again.

        Args:
            strategy: Its name.
            seed: Of the strategy.
            warm: Start it from what the store knows, where the settings say so. Then that comes first in the history;
                `known` says how many they are.

        Raises:
            SearchError: There is no such strategy.
        """
        from edgenas.search import STRATEGIES
        from edgenas.study import open_store

        context, settings = self._context, self._context.settings.search
        STRATEGIES.require(strategy)
        searcher = self._searcher(strategy, seed)
        store = open_store(settings.store or context.directory.file(STORE_FILE), say=context.say)
        budget = Budget(evaluations=settings.evaluations)
        try:
            known = self._start_from_known(searcher, store) if warm else None
            with context.progress(f"search ({strategy})") as report:

                def show(progress: StudyProgress) -> None:
                    words = [f"{progress.from_store} known"] if progress.from_store else []
                    words += [f"{progress.failed} failed"] if progress.failed else []
                    report(progress.evaluated, progress.planned, ", ".join(words))

                view = RetryingStore(store, self._tried) if settings.retry_failures else store
                found = self.study.run(searcher, self._judge, budget, store=view, progress=show)
            return found if known is None else found.after(known)
        finally:
            store.close()

    def _start_from_known(self, searcher: Searcher, store: Store) -> History | None:
        """Tell a searcher what the store knows; what worked as a history, None where nothing did."""
        outcomes = known_outcomes(self._context, self.study.context, store)
        worked = [outcome for outcome in outcomes if isinstance(outcome, Evaluation)]
        self.known = len(worked)
        if outcomes:
            searcher.warm_start(self.study.results(genes_of(outcomes), outcomes))
        if not worked:
            return None
        results = self.study.results(genes_of(worked), worked)
        return History.of(self.study.objectives, self.study.all_limits, [results], worked, from_store=len(worked))
