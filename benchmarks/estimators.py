"""How well does every estimate of quality order networks, beside their MACs, and what does it cost?

    python benchmarks/estimators.py --data digits --json OUT
    python benchmarks/estimators.py --data npz:DIR --minutes 60 --json OUT

Networks spread over the range of costs are trained stand-alone with two seeds; each estimator's order is held against
the mean test accuracy of those trainings. Prints the judge's table and writes everything as JSON:
`estimators[name] = {spearman, spearman_low, spearman_high, spearman_within_bands, kendall, gap_points,
seconds_per_network}`, with `macs`, `params` and `seed_against_seed` (the ceiling) among the names.

A budget in minutes is parted: 60 % for the stand-alone trainings (their steps follow from a trial of three networks),
30 % for the supernets, the rest for judging. Trainings are kept in `--folder`, so that a run can be taken up.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from edgenas.data import AugmentSettings, DataSettings, ImageData, Preprocessing, fit_preprocessing, load, parse_source
from edgenas.evaluate import (
    SCORES,
    Evaluator,
    InheritedEvaluator,
    TrainedEvaluator,
    Validation,
    ZeroCostEvaluator,
    stratified_networks,
    validate_estimators,
)
from edgenas.nn import build
from edgenas.space import SearchSpace, read, with_task
from edgenas.space import load as load_space
from edgenas.supernet import SCHEMES, Supernet, SupernetEvaluator, SupernetSettings, train_supernet
from edgenas.train import TrainSettings, fit

SMALL_COLOUR = """
name: small_colour
description: Colour images of 32 x 32; small networks that differ in more than their size.
resolution: 32
divisor: 4
width: [0.5, 0.75, 1.0]
stem: {channels: 16, stride: 2, activation: relu}
head: {conv: 96, activation: hard_swish}
defaults: {depth: [1, 2, 3], kernel: [3, 5], expansion: [2, 3, 4], activation: relu}
stages:
  - {out: 12}
  - {out: 24, stride: 2}
  - {out: 48, stride: 2, activation: hard_swish}
"""

DIGITS_STEPS = 300
DIGITS_SUPERNET_SECONDS = 25.0
TRAINING_SHARE, SUPERNET_SHARE = 0.6, 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is run.

    Attributes:
        data, space: Images and networks.
        recipe: Of stand-alone trainings.
        supernet: Recipe of supernets; `seconds` each.
    """

    data: ImageData
    space: SearchSpace
    recipe: TrainSettings
    supernet: TrainSettings


def plan_digits(options: argparse.Namespace) -> Plan:
    """Handwritten digits with noise, 8 x 8."""
    data = load(DataSettings(source="digits", noise_std=0.1, validation_fraction=0.25, test_fraction=0.25))
    recipe = TrainSettings(epochs=None, steps=DIGITS_STEPS, learning_rate=1e-2)
    seconds = DIGITS_SUPERNET_SECONDS if options.minutes is None else options.minutes * 60 * SUPERNET_SHARE
    supernet = replace(recipe, steps=None, seconds=seconds / (1 if options.minutes is None else len(options.schemes)))
    return Plan(data=data, space=load_space(options.space or "tiny"), recipe=recipe, supernet=supernet)


def plan_arrays(options: argparse.Namespace, path: str) -> Plan:
    """Array files in the form of CIFAR-10, 32 x 32."""
    limits = {"train_limit": options.train_limit, "validation_limit": 2000, "test_limit": 5000}
    data = load(DataSettings(source="npz", path=path, **limits))
    space = load_space(options.space) if options.space else read(SMALL_COLOUR)
    space = with_task(space, classes=len(data.classes), in_channels=data.channels, resolutions=[data.resolution])
    minutes = 60.0 if options.minutes is None else options.minutes
    augment = AugmentSettings(crop_padding=2, flip=True)
    recipe = TrainSettings(epochs=None, steps=1, learning_rate=5e-3, weight_decay=0.05, augment=augment)
    per_training = minutes * 60 * TRAINING_SHARE / (options.networks * options.seeds)
    steps = options.steps or max(20, round(per_training / trial_step_seconds(space, data, recipe)))
    seconds = minutes * 60 * SUPERNET_SHARE / len(options.schemes)
    return Plan(
        data=data,
        space=space,
        recipe=replace(recipe, steps=steps),
        supernet=replace(recipe, steps=None, seconds=seconds),
    )


def trial_step_seconds(space: SearchSpace, data: ImageData, recipe: TrainSettings) -> float:
    """Time of a step of stand-alone training, mean over networks of the range of costs."""
    preprocessing = fit_preprocessing(data.train)
    trial = replace(recipe, steps=12, evaluate_every=10**9)
    seconds = []
    for genes in stratified_networks(space, 5, np.random.default_rng(0)):
        small = replace(data, validation=replace(data.validation, **_first(data.validation, 64)))  # type: ignore[type-var]
        found = fit(build(space.decode(genes)), small, trial, preprocessing=preprocessing)
        seconds.append(found.seconds / found.steps)
    return float(np.mean(seconds))


def _first(split: Any, count: int) -> dict[str, Any]:
    return {"images": split.images[:count], "labels": split.labels[:count]}


def supernet_estimators(plan: Plan, preprocessing: Preprocessing, options: argparse.Namespace) -> list[Evaluator]:
    """Train one supernet per scheme."""
    found: list[Evaluator] = []
    for scheme in options.schemes:
        supernet = Supernet(plan.space, generator=torch.Generator().manual_seed(options.seed))
        recipe = replace(plan.supernet, seed=options.seed, averaging_decay=options.averaging)
        settings = SupernetSettings(scheme=scheme, train=recipe)
        result = train_supernet(supernet, plan.data, settings, preprocessing=preprocessing, progress=show)
        loss = result.history[-1].train_loss
        say(f"supernet, {scheme}: {result.steps} steps in {result.seconds:.0f} s, last loss {loss:.3f}")
        evaluator = SupernetEvaluator(supernet, plan.data, result.preprocessing)
        name = "supernet" if scheme == options.schemes[0] else f"supernet_{scheme}"
        found.append(InheritedEvaluator(evaluator, name=name, preparation_seconds=result.seconds))
    return found


def as_json(validation: Validation, plan: Plan, options: argparse.Namespace, seconds: float) -> dict[str, Any]:
    """Arrange what was found in the form that the documentation promises."""
    found: dict[str, Any] = {}
    for judged in validation.estimators:
        ranks = judged.agreement
        found[judged.name] = {
            "spearman": ranks.spearman,
            "spearman_low": ranks.spearman_low,
            "spearman_high": ranks.spearman_high,
            "spearman_within_bands": ranks.spearman_within_bands,
            "kendall": ranks.kendall,
            "gap_points": judged.gap_points,
            "seconds_per_network": judged.seconds_per_network,
            "preparation_seconds": judged.preparation_seconds,
            "verdict": judged.verdict,
        }
    found["seed_against_seed"] = {
        "spearman": validation.ceiling,
        "spearman_within_bands": validation.ceiling_within_bands,
        "spearman_of_mean": validation.ceiling_of_mean,
        "seconds_per_network": validation.training_seconds,
    }
    return {
        "data": options.data,
        "space": plan.space.name,
        "networks": len(validation.genes),
        "seeds": options.seeds,
        "schemes": list(options.schemes),
        "training_steps": plan.recipe.steps,
        "supernet_seconds": plan.supernet.seconds,
        "machine": platform.processor() or platform.machine(),
        "torch": torch.__version__,
        "seconds": seconds,
        "estimators": found,
        "validation": validation.to_dict(),
    }


def table(validation: Validation) -> str:
    """Lay the judge's table out as text."""
    head = f"{'estimator':24} {'rho':>6} {'95 % interval':>15} {'in bands':>9} {'tau':>6} {'gap':>7} {'s / net':>9}"
    lines = [head]
    for judged in validation.estimators:
        ranks = judged.agreement
        interval = f"{ranks.spearman_low:.2f} to {ranks.spearman_high:.2f}"
        gap = "" if judged.gap_points is None else f"{judged.gap_points:+.1f}"
        lines.append(
            f"{judged.name:24} {ranks.spearman:6.2f} {interval:>15} {ranks.spearman_within_bands:9.2f}"
            f" {ranks.kendall:6.2f} {gap:>7} {judged.seconds_per_network:9.4f}"
        )
    if validation.ceiling is not None:
        lines.append(
            f"{'seed against seed':24} {validation.ceiling:6.2f} {'':>15} {validation.ceiling_within_bands:9.2f}"
            f" {'':>6} {'':>7} {validation.training_seconds:9.4f}"
        )
    lines += [judged.verdict for judged in validation.estimators if judged.over_macs is not None]
    return "\n".join([*lines, *validation.notes])


def say(text: str) -> None:
    """Print a line over the progress line."""
    print(f"\r{text:<70}", flush=True)


def show(done: int, total: int, what: str) -> None:
    """Show progress on one line, where someone looks."""
    if sys.stderr.isatty():
        print(f"\r{what}: {done} of {total}          ", end="", file=sys.stderr, flush=True)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="digits", help="digits, or npz:DIR")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--minutes", type=float, help="whole budget; digits: a fixed small one")
    parser.add_argument("--networks", type=int, default=24)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--schemes", type=lambda text: text.split(","), default=["cycle", "single_path", "sandwich"])
    parser.add_argument("--space", help="preset or YAML file")
    parser.add_argument("--steps", type=int, help="of a stand-alone training; from the budget where left out")
    parser.add_argument("--train-limit", type=int, default=20_000)
    parser.add_argument("--averaging", type=float, help="decay of the averaged supernet weights")
    parser.add_argument("--folder", type=Path, help="where finished trainings are kept")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    unknown = sorted(set(options.schemes) - set(SCHEMES))
    if unknown:
        parser.error(f"unknown scheme {unknown[0]}; allowed: {', '.join(SCHEMES)}")
    torch.set_num_threads(options.threads)
    started = time.perf_counter()
    source, path = parse_source(options.data)
    plan = plan_digits(options) if source == "digits" else plan_arrays(options, path or "")
    preprocessing = fit_preprocessing(plan.data.train)
    trained = TrainedEvaluator(
        plan.space, plan.data, plan.recipe, preprocessing, judge_test=True, folder=options.folder
    )
    say(f"{plan.space.name}: {options.networks} networks, {plan.recipe.steps} steps each, {options.seeds} seeds")
    estimators = supernet_estimators(plan, preprocessing, options)
    estimators += [ZeroCostEvaluator(name, plan.space, plan.data, preprocessing) for name in SCORES]
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
