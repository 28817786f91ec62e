"""Which scheme of training a supernet orders networks best, at equal cost?

    python benchmarks/schemes.py --data digits --folder STATE --json OUT
    python benchmarks/schemes.py --data npz:DIR --minutes 60 --folder STATE --json OUT

Every scheme trains supernets at several budgets of processor time with several seeds, and each supernet's order is held
against the same stand-alone trainings, as in `benchmarks/estimators.py`, whose images, networks and recipes are used.
Prints for each scheme and budget the mean rho over seeds with its range, rho within bands of cost, and the gap.
Finished trainings and supernets are kept in `--folder`. `--schedule` tries other shares of the phases of progressive
shrinking, and `--first-supernet-seed` other seeds than those that are reported; each in a folder of its own.
"""

from __future__ import annotations

import argparse
import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from estimators import (
    JUDGED_IMAGES,
    Plan,
    Variant,
    make_plan,
    say,
    trained_supernet,
)

from edgenas.data import Preprocessing, fit_preprocessing
from edgenas.evaluate import TrainedEvaluator, cost_bands, spearman, stratified_networks
from edgenas.space import population_costs
from edgenas.supernet import SCHEMES, SupernetEvaluator
from edgenas.supernet.training import schemes

Document = dict[str, Any]


def truth_of(plan: Plan, preprocessing: Preprocessing, options: argparse.Namespace) -> tuple[np.ndarray, np.ndarray]:
    """Train the networks alone; return their genes (N, D) and accuracies (N, S)."""
    genes = stratified_networks(plan.space, options.networks, np.random.default_rng(options.seed))
    trained = TrainedEvaluator(
        plan.space, plan.truth, replace(plan.recipe, steps=plan.steps), preprocessing, folder=options.folder
    )
    accuracy = [[trained.train(row, seed=seed).validation_accuracy for seed in range(options.seeds)] for row in genes]
    return genes, np.array(accuracy)


def within_bands(values: np.ndarray, truth: np.ndarray, bands: np.ndarray) -> float:
    """Mean rho within bands of cost."""
    return float(np.nanmean([spearman(values[bands == band], truth[bands == band]) for band in np.unique(bands)]))


def judge_variant(
    variant: Variant, plan: Plan, preprocessing: Preprocessing, options: argparse.Namespace,
    genes: np.ndarray, truth: np.ndarray, bands: np.ndarray,
) -> Document:  # fmt: skip
    """Train and judge the supernets of one scheme and budget."""
    found: list[tuple[float, float, float]] = []
    seconds = []
    for seed in range(options.first_supernet_seed, options.first_supernet_seed + options.supernet_seeds):
        own = copy.copy(options)
        own.seed = seed
        supernet, prepared, spent = trained_supernet(variant, plan, preprocessing, own)
        evaluator = SupernetEvaluator(supernet, plan.seen, prepared, images=JUDGED_IMAGES)
        values = evaluator.evaluate(genes).accuracy
        gap = float(100 * (values - truth).mean())
        found.append((spearman(values, truth), within_bands(values, truth, bands), gap))
        seconds.append(spent)
    rho, inside, gaps = np.array(found).T
    return {
        "scheme": variant.scheme,
        "factor": variant.factor,
        "steps": plan.supernet_steps[variant.name],
        "cpu_seconds": float(np.mean(seconds)),
        "spearman": [float(value) for value in rho],
        "spearman_mean": float(rho.mean()),
        "spearman_within_bands": [float(value) for value in inside],
        "spearman_within_bands_mean": float(inside.mean()),
        "gap_points": float(gaps.mean()),
    }


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="digits", help="digits, or npz:DIR")
    parser.add_argument("--folder", type=Path, required=True, help="where finished work is kept")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--schemes", type=lambda text: text.split(","), default=list(SCHEMES))
    parser.add_argument("--factors", type=lambda text: [float(x) for x in text.split(",")], default=[0.25, 0.5, 1.0])
    parser.add_argument("--supernet-seeds", type=int, default=2)
    parser.add_argument("--first-supernet-seed", type=int, default=0)
    parser.add_argument("--schedule", type=lambda text: tuple(float(x) for x in text.split(",")),
                        default=(schemes.WARM_UP_SHARE, schemes.PHASE_SHARE),
                        help="shares of warm-up and phase of progressive: 0.1,0.05")  # fmt: skip
    parser.add_argument("--networks", type=int, default=24)
    parser.add_argument("--seeds", type=int, default=2, help="of the stand-alone trainings")
    parser.add_argument("--minutes", type=float, help="as in benchmarks/estimators.py, on its schemes at factor 1")
    options = parser.parse_args()
    variants = [Variant.parse(f"{scheme}*{factor:g}") for factor in options.factors for scheme in options.schemes]
    fixed = {"space": None, "steps": None, "supernet_seconds": None, "train_limit": 12_000, "averaging": None}
    vars(options).update(supernets=variants, seed=0, **fixed)
    torch.set_num_threads(1)
    schemes.WARM_UP_SHARE, schemes.PHASE_SHARE = options.schedule
    plan = make_plan(options)
    preprocessing = fit_preprocessing(plan.truth.train)
    genes, accuracy = truth_of(plan, preprocessing, options)
    truth, macs = accuracy.mean(1), population_costs(plan.space).macs(genes).astype(np.float64)
    bands = cost_bands(macs, 3)
    baseline = {"spearman": spearman(macs, truth), "spearman_within_bands": within_bands(macs, truth, bands)}
    ceiling = spearman(accuracy[:, 0], accuracy[:, 1]) if options.seeds > 1 else None
    say(f"MACs: rho {baseline['spearman']:.2f}, in bands {baseline['spearman_within_bands']:.2f}; ceiling {ceiling}")
    say(f"{'scheme':12} {'CPU s':>6} {'steps':>6} {'rho':>6} {'range':>14} {'in bands':>9} {'gap':>7}")
    rows = []
    for variant in variants:
        row = judge_variant(variant, plan, preprocessing, options, genes, truth, bands)
        rows.append(row)
        span = f"{min(row['spearman']):.2f} to {max(row['spearman']):.2f}"
        say(
            f"{row['scheme']:12} {row['cpu_seconds']:6.0f} {row['steps']:6} {row['spearman_mean']:6.2f} {span:>14}"
            f" {row['spearman_within_bands_mean']:9.2f} {row['gap_points']:+7.1f}"
        )
    if options.json is not None:
        about = {
            "data": options.data.partition(":")[0], "space": plan.space.name, "networks": len(genes),
            "seeds": options.seeds, "supernet_seeds": options.supernet_seeds, "macs": baseline, "ceiling": ceiling,
            "first_supernet_seed": options.first_supernet_seed, "schedule": options.schedule, "rows": rows,
        }  # fmt: skip
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(about, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
