"""How well estimators of quality rank networks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgenas.api.runs import Run, context_of
from edgenas.display import or_default
from edgenas.pipeline.commands.estimators import VALIDATION_FILE
from edgenas.types import ProgressFactory, Say

__all__ = ["VALIDATION_FILE", "validate_estimators"]


def validate_estimators(
    run: str | Path | Run,
    *,
    networks: int = 24,
    seeds: int = 2,
    progress: ProgressFactory | None = None,
    say: Say | None = None,
) -> dict[str, Any]:
    """Train networks of a run's space stand-alone and see how well each estimator ranks them, beside plain MACs.

    Finished trainings are kept in the run directory.

    Args:
        run: A run or its directory; its supernet is trained.
        networks: Networks to train, 9 or more; 47 (2 x 24 - 1) take over the trainings of 24.
        seeds: Trainings of each.
        progress: Makes a progress display for a title; a bar, or lines, if None.
        say: Prints a line for people; prints if None.

    Returns:
        Rank correlations with their intervals under `estimators`, the ceiling, notes. The run keeps it as
        `estimators.json`.

    Raises:
        StoreError: It is no run directory.
        InputError: Too few networks.
        TrainingError: A training cannot go on.
    """
    from edgenas.pipeline.commands.estimators import validate_run_estimators
    from edgenas.pipeline.core.lock import writing

    shown, told = or_default(progress, say)
    context = context_of(run, progress=shown, say=told)
    with writing(context.directory.path):
        return validate_run_estimators(context, networks=networks, seeds=seeds)
