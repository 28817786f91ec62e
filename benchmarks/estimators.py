"""How well does every estimate of quality order networks, beside their MACs, and what does it cost?

    python benchmarks/estimators.py --data digits --json OUT
    python benchmarks/estimators.py --data npz:DIR --minutes 60 --folder STATE --json OUT

Networks spread over the range of costs are trained stand-alone with two seeds; each estimator's order is held against
the mean accuracy of those trainings, on validation images that no estimator sees; test images are not looked at.
Prints the judge's table and writes everything as JSON: `estimators[name] = {spearman, spearman_low, spearman_high,
spearman_within_bands, kendall, gap_points, seconds_per_network, over_macs, over_macs_within_bands}`, with `macs`,
`params` and `seed_against_seed` (the ceiling) among the names. The first of `--supernets` is called `supernet`;
`predictor` is fitted on what it says of other networks; `short_training` is a ninth of a training, with a seed of its
own.

A budget in minutes (of one core) is parted: 45 % for the stand-alone trainings, 50 % for the supernets, the rest for
judging. How many steps that makes follows from a trial of each, so that supernets of any scheme cost the same; the
steps are kept in `--folder` with all finished work, so that a run can be taken up. 47 networks contain the 24 of
another run with the same folder.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from estimator_plan import Plan, Variant, make_plan
from estimator_supernets import supernet_estimators, trained_supernet
from estimator_tables import as_json, table
from estimator_tasks import JUDGED_IMAGES, SMALL_COLOUR, say, show

from edgenas.data import fit_preprocessing
from edgenas.evaluate import (
    SCORES,
    PredictorEvaluator,
    TrainedEvaluator,
    ZeroCostEvaluator,
    shortened,
    stratified_networks,
    validate_estimators,
)

# What other benchmarks take from here.
__all__ = ["JUDGED_IMAGES", "SMALL_COLOUR", "Plan", "Variant", "make_plan", "say", "trained_supernet"]

PREDICTOR_NETWORKS = 100
SHORT_SEED = 1000
"""Of the short trainings: not one of the truth."""


def read_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="digits", help="digits, or npz:DIR")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--minutes", type=float, help="whole budget; digits: a fixed small one")
    parser.add_argument("--networks", type=int, default=24)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument(
        "--supernets",
        type=lambda text: [Variant.parse(part) for part in text.split(",") if part],
        default=[Variant.parse(name) for name in ("cycle", "single_path", "sandwich", "progressive")],
        help="schemes, each with what is added and a factor to its cost: cycle*3,fair,progressive+averaged",
    )
    parser.add_argument(
        "--calibrations",
        type=lambda text: [int(part) for part in text.split(",")],
        default=[],
        help="judge the first supernet also with statistics of so many images instead of 512",
    )
    parser.add_argument("--space", help="preset or YAML file")
    parser.add_argument("--steps", type=int, help="of a stand-alone training; from the budget where left out")
    parser.add_argument("--supernet-seconds", type=float, help="of processor time; from the budget where left out")
    parser.add_argument("--train-limit", type=int, default=12_000)
    parser.add_argument("--folder", type=Path, help="where finished work is kept")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    if options.minutes is None and not options.data.startswith("digits"):
        options.minutes = 60.0
    return options


def main() -> None:
    """Run the benchmark."""
    options = read_options()
    torch.set_num_threads(options.threads)
    started = time.perf_counter()
    plan = make_plan(options)
    preprocessing = fit_preprocessing(plan.truth.train)
    recipe = replace(plan.recipe, steps=plan.steps)
    trained = TrainedEvaluator(plan.space, plan.truth, recipe, preprocessing, folder=options.folder)
    say(f"{plan.space.name}: {options.networks} networks, {plan.steps} steps each, {options.seeds} seeds")
    say(f"steps of supernets: {plan.supernet_steps}")
    if options.folder is not None:
        networks = stratified_networks(plan.space, options.networks, np.random.default_rng(options.seed))
        for number in range(options.seeds):
            for genes in networks:
                trained.train(genes, seed=number)
    estimators = supernet_estimators(plan, preprocessing, options)
    if estimators:
        rng = np.random.default_rng((options.seed, 1))
        estimators.append(PredictorEvaluator.fit(estimators[0], plan.space, networks=PREDICTOR_NETWORKS, rng=rng))
    short = replace(shortened(recipe), seed=SHORT_SEED)
    estimators.append(
        TrainedEvaluator(plan.space, plan.seen, short, preprocessing, folder=options.folder, name="short_training")
    )
    estimators += [ZeroCostEvaluator(name, plan.space, plan.seen, preprocessing) for name in SCORES]
    validation = validate_estimators(
        plan.space,
        estimators,
        trained,
        networks=options.networks,
        seeds=options.seeds,
        rng=np.random.default_rng(options.seed),
        progress=show,
    )
    seconds = time.perf_counter() - started
    say(table(validation))
    say(f"{seconds:.0f} s in all")
    if options.json is not None:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(as_json(validation, plan, options, seconds), indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
