"""The estimator that a run's configuration names, if the supernet does not judge."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgenas.pipeline.core import artifacts
from edgenas.pipeline.core.context import RunContext
from edgenas.pipeline.training.settings import train_settings

if TYPE_CHECKING:
    from edgenas.evaluate.registry import JudgeOne
    from edgenas.study.values import Source

_SEED = "search estimator"


def judge_of(context: RunContext) -> tuple[JudgeOne, Source] | None:
    """Return what judges one candidate of a run and the source of its numbers; None if the supernet judges.
    """
    from edgenas.evaluate.registry import ESTIMATORS, EstimatorTask

    row = ESTIMATORS[context.settings.search.estimator]
    if row.make is None:
        return None
    task = EstimatorTask(
        space=artifacts.space(context),
        data=artifacts.images(context),
        preprocessing=artifacts.preprocessing(context),
        training=train_settings(context.settings.train, seed=context.seed(_SEED), workers=context.threads),
        device=context.compute_device,
    )
    return row.make(task), row.source


def own_settings(context: RunContext) -> dict[str, Any] | None:
    """Return the settings that the values of a run's estimator depend on; None if the supernet judges."""
    from edgenas.evaluate.registry import ESTIMATORS

    if ESTIMATORS[context.settings.search.estimator].make is None:
        return None
    train = context.settings.train.model_dump(exclude={"from_supernet", "teacher"})
    return {"train": train, "seed": context.seed(_SEED)}
