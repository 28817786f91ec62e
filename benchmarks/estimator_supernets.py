"""The supernets among the judged estimators: trained once, kept with what they cost."""

from __future__ import annotations

import argparse
import time
from dataclasses import replace

import torch
from estimator_plan import Plan, Variant
from estimator_tasks import JUDGED_IMAGES, say, show

from edgenas.data import Preprocessing
from edgenas.evaluate import Evaluator, InheritedEvaluator
from edgenas.supernet import Supernet, SupernetEvaluator, load_supernet, save_supernet, train_supernet


def supernet_estimators(plan: Plan, preprocessing: Preprocessing, options: argparse.Namespace) -> list[Evaluator]:
    """Train the supernets, or take up the finished ones."""
    found: list[Evaluator] = []
    for number, variant in enumerate(options.supernets):
        supernet, prepared, seconds = trained_supernet(variant, plan, preprocessing, options)
        evaluator = SupernetEvaluator(supernet, plan.seen, prepared, images=JUDGED_IMAGES)
        name = f"supernet_{variant.name}" if number else "supernet"
        found.append(InheritedEvaluator(evaluator, name=name, preparation_seconds=seconds))
        for count in options.calibrations if number == 0 else ():
            other = SupernetEvaluator(supernet, plan.seen, prepared, images=JUDGED_IMAGES, calibration=count)
            found.append(InheritedEvaluator(other, name=f"supernet_calibrated_{count}", preparation_seconds=seconds))
    return found


def trained_supernet(
    variant: Variant, plan: Plan, preprocessing: Preprocessing, options: argparse.Namespace
) -> tuple[Supernet, Preprocessing, float]:
    """Train one supernet; return it with its preprocessing and the seconds of processor time."""
    steps = plan.supernet_steps[variant.name]
    stem = f"{variant.stem}-{options.seed}"
    file = None if options.folder is None else options.folder / f"{stem}.safetensors"
    if file is not None and file.is_file():
        supernet, prepared = load_supernet(file, space=plan.space)
        return supernet, prepared, float(file.with_suffix(".json").read_text())
    supernet = Supernet(plan.space, generator=torch.Generator().manual_seed(options.seed))
    recipe = replace(plan.recipe, steps=steps, seed=options.seed)
    before, taken = time.process_time(), 0

    def count(done: int, total: int, what: str) -> None:
        nonlocal taken
        taken += 1
        show(done, total, what)

    result = train_supernet(
        supernet,
        plan.seen,
        variant.settings(recipe),
        preprocessing=preprocessing,
        progress=count,
        checkpoint_dir=None if options.folder is None else options.folder / stem,
    )
    # A training that was taken up took some of its steps before.
    seconds = (time.process_time() - before) * result.steps / max(taken, 1)
    say(f"supernet, {variant.name}: {result.steps} steps in {seconds:.0f} s, loss {result.history[-1].train_loss:.3f}")
    if file is not None:
        file.with_suffix(".json").write_text(f"{seconds:.1f}")
        save_supernet(file, supernet, result.preprocessing)
    return supernet, result.preprocessing, seconds
