"""One-shot strategies of a run: a learned distribution over networks proposes candidates.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from edgenas.config.sections.search import OneShotSection
from edgenas.errors import SearchError, explain
from edgenas.pipeline.core import artifacts
from edgenas.pipeline.core.artifacts import SUPERNET_FILE, TABLE_FILE
from edgenas.pipeline.core.context import RunContext
from edgenas.pipeline.core.directory import file_digest
from edgenas.pipeline.search.budget import looked_at
from edgenas.pipeline.search.cost_model import CostModel
from edgenas.pipeline.training.settings import supernet_settings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgenas.oneshot import OneShotResult, OneShotSettings
    from edgenas.oneshot.distribution import CostFunction
    from edgenas.supernet import Supernet

STATE = "one_shot"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Learned:
    """What a one-shot strategy found.

    Attributes:
        result: The distribution and its history.
        settings: How it was learned.
        cost: The cost that was compared with the target.
        document: For `search.json` and the report.
    """

    result: OneShotResult
    settings: OneShotSettings
    cost: CostFunction
    document: dict[str, Any]

    @property
    def goal(self) -> float | None:
        """The cost to hit; None under a penalty."""
        return self.settings.target if self.settings.cost_goal == "target" else None


def learn_distribution(
    context: RunContext, method: str, *, costs: CostModel, target: float, seed: int
) -> Learned:
    """Learn which networks of a run's space are the best at a cost. A killed learning is resumed.

    Args:
        context: Of the run; its supernet is trained.
        method: Name of a one-shot strategy.
        costs: Of the networks.
        target: Cost to hit, or the unit of a penalty; see `target_of`.
        seed: Of the learning.

    Raises:
        SearchError: The target is below what any network costs.
    """
    from edgenas.oneshot import search_one_shot

    section = context.settings.search.one_shot
    settings = _settings(section, context, method, target=target, seed=seed)
    cost = _cost_function(section, costs)
    if section.goal == "target":
        _require_reachable(target, cost, context, section)
    supernet = _start(section, context, seed)
    state = {
        **settings.to_dict(),
        "supernet": file_digest(context.directory.path / SUPERNET_FILE),
        "table": file_digest(context.directory.path / TABLE_FILE),
        "from_supernet": section.from_supernet,
    }
    with context.progress(f"learn a distribution ({method})") as report:
        result = search_one_shot(
            supernet,
            artifacts.images(context),
            settings,
            cost,
            preprocessing=artifacts.preprocessing(context),
            progress=report,
            checkpoint_dir=context.state_folder(f"{STATE}/{method}", state),
            device=context.compute_device,
        )
    for note in result.notes:
        context.say(f"  {note}")
    document = _document(context, section, settings, result)
    return Learned(result=result, settings=settings, cost=cost, document=document)


def target_of(context: RunContext, costs: CostModel, budget_ms: float | None) -> float:
    """Return the cost that a one-shot strategy of a run aims at.

    It is the section's target, or else the budget. From a latency budget the uncertainty of the table is subtracted,
    since a network exactly at the budget would be above it in half of the measurements.

    Args:
        context: Of the run.
        costs: Of the networks.
        budget_ms: The latency budget.

    Raises:
        SearchError: There is neither, and the goal is not a penalty.
    """
    section, max_macs = context.settings.search.one_shot, context.settings.target.max_macs
    if section.target is not None:
        return section.target
    if section.cost == "macs" and max_macs is not None:
        return float(max_macs)
    if section.cost == "latency_ms" and budget_ms is not None:
        return budget_ms * (1 - costs.relative)
    if section.goal == "penalty":
        return float(_cost_function(section, costs)(artifacts.space(context).largest()[None])[0])
    raise SearchError(
        explain(
            f"{context.settings.search.strategy} needs a cost to hit",
            got=f"search.one_shot.goal target of {section.cost} without a target",
            remedy="Set search.one_shot.target or a budget in the target section, or the goal penalty.",
        )
    )


def _require_reachable(target: float, cost: CostFunction, context: RunContext, section: OneShotSection) -> None:
    """Refuse a target below the cost of every network. Warn of a target above all."""
    found = cost(looked_at(artifacts.space(context), seed=context.seed("budget")))
    low, high = float(found.min()), float(found.max())
    if not target >= low:
        raise SearchError(
            explain(
                f"no network of the space {artifacts.space(context).name} costs as little as the one-shot target",
                got=f"{target:.4g} ({section.cost})",
                allowed=f"{low:.4g} to {high:.4g}",
                remedy="Set search.one_shot.target within that, or the goal penalty.",
            )
        )
    if target > high:
        context.say(f"  the one-shot target {target:.4g} ({section.cost}) is above every network, {high:.4g} at most")


def _cost_function(section: OneShotSection, costs: CostModel) -> CostFunction:
    def cost(genes: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.asarray(getattr(costs(genes), section.cost), dtype=np.float64)

    return cost


def _settings(
    section: OneShotSection, context: RunContext, method: str, *, target: float, seed: int
) -> OneShotSettings:
    from edgenas.oneshot import OneShotSettings

    shared = context.settings.supernet
    if section.epochs is not None:
        shared = shared.model_copy(update={"epochs": section.epochs})
    train = supernet_settings(shared, context, seed=seed).train
    return OneShotSettings(
        method=method,
        cost_goal=section.goal,
        target=target,
        cost_weight=section.weight,
        learning_rate=section.learning_rate,
        warm_up_share=0.0 if section.from_supernet else section.warm_up_share,
        train=train,
    )


def _start(section: OneShotSection, context: RunContext, seed: int) -> Supernet:
    """Return shared weights to learn with: a copy of the run's, or new ones."""
    import torch

    from edgenas.supernet import Supernet, load_supernet

    if section.from_supernet:
        return load_supernet(context.directory.path / SUPERNET_FILE, space=artifacts.space(context))[0]
    return Supernet(artifacts.space(context), generator=torch.Generator().manual_seed(seed))


def _document(
    context: RunContext, section: OneShotSection, settings: OneShotSettings, result: OneShotResult
) -> dict[str, Any]:
    best = artifacts.space(context).decode(result.best)
    return {
        "method": settings.method,
        "cost": section.cost,
        "goal": settings.cost_goal,
        "target": settings.target,
        "best": {"digest": best.digest, "genes": [int(gene) for gene in result.best], "cost": result.best_cost},
        "genes": list(artifacts.space(context).gene_names),
        "steps": result.steps,
        "seconds": round(result.seconds, 3),
        "history": [asdict(record) for record in result.history],
    }
