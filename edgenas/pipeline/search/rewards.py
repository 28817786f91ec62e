"""The reward of a run's reinforcement learning: accuracy with measured latency and MACs as one number."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from edgenas.errors import ConfigError, explain
from edgenas.types import Floats

if TYPE_CHECKING:
    from edgenas.config.sections.search import SearchSection
    from edgenas.config.sections.target import TargetSection
    from edgenas.pipeline.search.cost_model import CostModel
    from edgenas.space import SearchSpace

Reward = Callable[[Floats, Floats], Floats]


def reward_of(
    search: SearchSection, target: TargetSection, *, budget_ms: float | None, space: SearchSpace, costs: CostModel
) -> Reward | None:
    """Return the reward that a configuration names, from objectives (N, M) and margins (N, K) to rewards (N,).

    Latencies are those of the run's latency table (or of the device, where candidates are measured), in units of the
    budget. MACs are in units of `target.max_macs`, or else of the MACs of the largest network times the budget's share
    of that network's latency.

    Args:
        search: Names the reward and the objectives, whose columns it reads.
        target: With the limit of MACs, if any.
        budget_ms: T of the papers, ms.
        space: Of the candidates.
        costs: Their costs.

    Returns:
        None where none is named: strategies then follow the Pareto rank.

    Raises:
        ConfigError: The reward needs a budget or an objective that is not there.
    """
    from edgenas.search import reward as rewards

    name = search.reward
    if name is None:
        return None
    if budget_ms is None:
        raise ConfigError(
            explain(f"the reward {name} needs a latency to aim at", remedy="Set target.budget_ms or budget_share.")
        )
    needed = ("accuracy", "latency_ms", "macs") if name == "combined" else ("accuracy", "latency_ms")
    columns = [_column(metric, search.objectives, name) for metric in needed]
    if name == "combined":
        aim = _target_macs(target, budget_ms, space, costs)
        return lambda objectives, margins: rewards.combined(
            1 - objectives[:, columns[0]],
            objectives[:, columns[1]],
            objectives[:, columns[2]],
            target_ms=budget_ms,
            target_macs=aim,
        )
    # A study hands accuracy on as an error, 1 - accuracy, since searchers minimise.
    accuracy, latency = columns
    if name == "mnasnet_soft":
        return lambda found, margins: rewards.mnasnet_soft(
            1 - found[:, accuracy], found[:, latency], target_ms=budget_ms
        )
    if name == "mnasnet_hard":
        return lambda found, margins: rewards.mnasnet_hard(
            1 - found[:, accuracy], found[:, latency], target_ms=budget_ms
        )
    return lambda found, margins: rewards.tunas_absolute(
        1 - found[:, accuracy], found[:, latency], target_ms=budget_ms
    )


def _column(metric: str, objectives: Sequence[str], reward: str) -> int:
    if metric not in objectives:
        raise ConfigError(
            explain(
                f"the reward {reward} needs the objective {metric}",
                got=", ".join(objectives),
                remedy=f"Add {metric} to search.objectives.",
            )
        )
    return list(objectives).index(metric)


def _target_macs(target: TargetSection, budget_ms: float, space: SearchSpace, costs: CostModel) -> float:
    if target.max_macs is not None:
        return float(target.max_macs)
    largest = costs(space.largest()[None])
    return float(largest.macs[0]) * budget_ms / float(largest.latency_ms[0])
