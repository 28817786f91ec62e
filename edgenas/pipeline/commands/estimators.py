"""How well the estimators of a run rank networks: stored with the run, shown in its report."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from edgenas.pipeline.core import artifacts
from edgenas.pipeline.core.artifacts import SUPERNET_FILE, load_evaluator, require_supernet
from edgenas.pipeline.core.artifacts import SUPERNET_TRAINING_FILE as TRAINING_FILE
from edgenas.pipeline.core.context import RunContext
from edgenas.pipeline.core.directory import file_digest
from edgenas.pipeline.core.worker_count import workers_of
from edgenas.pipeline.training.settings import train_settings
from edgenas.pipeline.training.teacher import teacher_for

VALIDATION_FILE = "estimators.json"


def validate_run_estimators(context: RunContext, *, networks: int, seeds: int) -> dict[str, Any]:
    """Train networks of a run's space stand-alone and compare all estimators with them.

    The stand-alone networks are evaluated on one half of the run's validation images; estimators see the other half.
    Test images are not looked at. Finished trainings are kept in the run directory, so a killed validation resumes
    there.

    Args:
        context: Of the run.
        networks: Networks to train, stratified by cost.
        seeds: Trainings of each.

    Returns:
        The document that was stored, with flat entries for each estimator.

    Raises:
        InputError: Too few networks, or the run has no shared weights.
    """
    from edgenas.evaluate import (
        SCORES,
        Evaluator,
        InheritedEvaluator,
        PredictorEvaluator,
        TrainedEvaluator,
        ZeroCostEvaluator,
        part_validation,
        shortened,
        validate_estimators,
    )

    require_supernet(context)
    device, space, workers = context.compute_device, artifacts.space(context), workers_of(context)
    seen, truth = part_validation(artifacts.images(context), seed=context.seed("estimators images"))
    # The stand-alone networks start from random weights, so that they are independent of the supernet.
    recipe = train_settings(context.settings.train, context, seed=context.seed("estimators"))
    folder = context.directory.file("estimators/training").parent
    teacher = teacher_for(context.settings.train.teacher, classes=seen.classes)
    trained = TrainedEvaluator(
        space, truth, recipe, artifacts.preprocessing(context), folder=folder, teacher=teacher, device=device,
        workers=workers,
    )
    short = TrainedEvaluator(
        space,
        seen,
        replace(shortened(recipe), seed=context.seed("estimators short")),
        artifacts.preprocessing(context),
        folder=folder,
        name="short_training",
        teacher=teacher,
        device=device,
        workers=workers,
    )
    spent = context.directory.read_json(TRAINING_FILE)["seconds"]
    inherited = InheritedEvaluator(load_evaluator(context, data=seen), preparation_seconds=spent)
    estimators: list[Evaluator] = [
        inherited,
        PredictorEvaluator.fit(
            inherited,
            space,
            networks=context.settings.search.predictor_networks,
            rng=np.random.default_rng(context.seed("estimators predictor")),
        ),
        short,
        *(ZeroCostEvaluator(name, space, seen, artifacts.preprocessing(context), device=device) for name in SCORES),
    ]
    with context.progress("validate estimators") as report:
        found = validate_estimators(
            space,
            estimators,
            trained,
            networks=networks,
            seeds=seeds,
            first_seed=context.seed("estimators"),
            rng=np.random.default_rng(context.seed("estimators networks")),
            workers=workers,
            progress=report,
        )
    document = {**found.to_dict(), "images": {"seen": len(seen.validation), "truth": len(truth.validation)}}
    document["estimators"] = [flat_entry(entry) for entry in document["estimators"]]
    # A report shows these results only if the run still has the same supernet.
    document["supernet"] = file_digest(context.directory.path / SUPERNET_FILE)
    context.directory.write_json(VALIDATION_FILE, document)
    return document


def flat_entry(entry: dict[str, Any]) -> dict[str, Any]:
    """Flatten one estimator's entry: reports and tables read its agreement at the top level."""
    agreement = entry.pop("agreement")
    return {**entry, **agreement}
