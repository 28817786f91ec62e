"""The estimator that a run's configuration names, if the supernet does not judge."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

from edgenas.pipeline.core import artifacts
from edgenas.pipeline.core.context import RunContext
from edgenas.pipeline.core.worker_count import workers_of
from edgenas.pipeline.training.settings import train_settings
from edgenas.train.registry import without_newer_defaults

if TYPE_CHECKING:
    from edgenas.evaluate.quality import Quality

_SEED = "search estimator"
_STATE = "search-estimator"


def quality_of(context: RunContext) -> Quality | None:
    """Return what judges the candidates of a run; None where the supernet does."""
    from edgenas.evaluate.quality import Quality
    from edgenas.evaluate.registry import EstimatorTask

    own = own_settings(context)
    if own is None:
        return None
    return Quality(
        EstimatorTask(
            name=context.settings.search.estimator,
            space=artifacts.space(context),
            data=artifacts.images(context),
            preprocessing=artifacts.preprocessing(context),
            training=train_settings(context.settings.train, context, seed=context.seed(_SEED)),
            device=context.compute_device,
            workers=workers_of(context),
            folder=context.state_folder(f"{_STATE}/state", {**own, "data": artifacts.images(context).digest}),
        )
    )


def forget_state(context: RunContext) -> None:
    """Remove what an estimator kept for an interrupted search."""
    shutil.rmtree(context.directory.path / _STATE, ignore_errors=True)


def own_settings(context: RunContext) -> dict[str, Any] | None:
    """Return the settings that the values of a run's estimator depend on; None if the supernet judges."""
    from edgenas.evaluate.registry import ESTIMATORS

    name = context.settings.search.estimator
    if ESTIMATORS[name].needs_supernet:
        return None
    train = without_newer_defaults(context.settings.train.model_dump(exclude={"from_supernet", "teacher"}))
    origin = ESTIMATORS.origin(name)
    # The values of a package's estimator are those of its version.
    return {"train": train, "seed": context.seed(_SEED), **({} if origin == "edgenas" else {"package": origin})}
