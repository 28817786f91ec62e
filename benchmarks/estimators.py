"""How well does every estimate of quality order networks, beside their MACs, and what does it cost?

    python benchmarks/estimators.py --data digits --json OUT
    python benchmarks/estimators.py --data npz:DIR --minutes 60 --folder STATE --json OUT

Networks spread over the range of costs are trained stand-alone with two seeds; each estimator's order is held against
the mean accuracy of those trainings, on validation images that no estimator sees; test images are not looked at.
Prints the judge's table and writes everything as JSON: `estimators[name] = {spearman, spearman_low, spearman_high,
spearman_within_bands, kendall, gap_points, seconds_per_network}`, with `macs`, `params` and `seed_against_seed` (the
ceiling) among the names. The first of `--supernets` is called `supernet`; `predictor` is fitted on what it says of
other networks.

A budget in minutes (of one core) is parted: 45 % for the stand-alone trainings, 50 % for the supernets, the rest for
judging. How many steps that makes follows from a trial of each, so that supernets of any scheme cost the same; the
steps are kept in `--folder` with all finished work, so that a run can be taken up.
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

from edgenas.data import (
    ArraySplit,
    AugmentSettings,
    DataSettings,
    ImageData,
    Preprocessing,
    fit_preprocessing,
    load,
    parse_source,
)
from edgenas.evaluate import (
    SCORES,
    Evaluator,
    InheritedEvaluator,
    PredictorEvaluator,
    TrainedEvaluator,
    Validation,
    ZeroCostEvaluator,
    part_validation,
    stratified_networks,
    validate_estimators,
)
from edgenas.nn import build
from edgenas.space import SearchSpace, read, with_task
from edgenas.space import load as load_space
from edgenas.supernet import (
    SCHEMES,
    Supernet,
    SupernetEvaluator,
    SupernetSettings,
    load_supernet,
    save_supernet,
    train_supernet,
)
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
TRAINING_SHARE, SUPERNET_SHARE = 0.45, 0.5
JUDGED_IMAGES = 2000
PREDICTOR_NETWORKS = 100
TRIAL_STEPS = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One supernet to train.

    Attributes:
        name: As it was asked for: `cycle`, or `cycle*3` for three times the cost.
        scheme: Of the training.
        factor: Its cost over that of the others.
    """

    name: str
    scheme: str
    factor: float

    @classmethod
    def parse(cls, text: str) -> Variant:
        """Read `scheme` or `scheme*factor`."""
        scheme, _, factor = text.partition("*")
        if scheme not in SCHEMES:
            raise argparse.ArgumentTypeError(f"unknown scheme {scheme}; allowed: {', '.join(SCHEMES)}")
        return cls(name=text, scheme=scheme, factor=float(factor or 1))

    def settings(self, recipe: TrainSettings) -> SupernetSettings:
        """Return the settings of its training; a sandwich distils in the second half, as late as it helps."""
        return SupernetSettings(scheme=self.scheme, distil_after=0.5, train=recipe)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is run.

    Attributes:
        seen, truth: Images for estimators and for the truth.
        space: Networks.
        recipe: Of all trainings, but for their steps.
        steps: Of a stand-alone training.
        supernet_steps: By variant.
    """

    seen: ImageData
    truth: ImageData
    space: SearchSpace
    recipe: TrainSettings
    steps: int
    supernet_steps: dict[str, int]


def load_digits() -> tuple[ImageData, SearchSpace, TrainSettings]:
    """Handwritten digits with noise, 8 x 8; nothing here needs test images, so that validation has most."""
    data = load(DataSettings(source="digits", noise_std=0.1, validation_fraction=0.48, test_fraction=0.02))
    return data, load_space("tiny"), TrainSettings(epochs=None, steps=DIGITS_STEPS, learning_rate=1e-2)


def load_arrays(path: str, train_limit: int) -> tuple[ImageData, SearchSpace, TrainSettings]:
    """Array files in the form of CIFAR-10, 32 x 32."""
    limits = {"train_limit": train_limit, "validation_limit": 3 * JUDGED_IMAGES, "test_limit": 100}
    data = load(DataSettings(source="npz", path=path, **limits))
    space = for_images(read(SMALL_COLOUR), data)
    augment = AugmentSettings(crop_padding=2, flip=True)
    return data, space, TrainSettings(epochs=None, steps=1, learning_rate=5e-3, weight_decay=0.05, augment=augment)


def for_images(space: SearchSpace, data: ImageData) -> SearchSpace:
    """Return a space with the classes, channels and size of images."""
    return with_task(space, classes=len(data.classes), in_channels=data.channels, resolutions=[data.resolution])


def make_plan(options: argparse.Namespace) -> Plan:
    """Decide what is run, or read what was decided when the work was begun."""
    source, path = parse_source(options.data)
    if source == "digits":
        data, space, recipe = load_digits()
        truth_share = 0.5
    else:
        data, space, recipe = load_arrays(path or "", options.train_limit)
        truth_share = 2 / 3
    if options.space:
        space = for_images(load_space(options.space), data)
    seen, truth = part_validation(data, truth_share=truth_share)
    file = None if options.folder is None else options.folder / "steps.json"
    known = json.loads(file.read_text()) if file is not None and file.is_file() else {}
    steps = known.get("training") or training_steps(options, space, data, recipe, fixed=source == "digits")
    seconds = known.get("supernet_seconds") or supernet_seconds(options)
    supernets = dict(known.get("supernets", {}))
    for variant in options.supernets:
        if variant.name not in supernets:
            supernets[variant.name] = supernet_steps(variant, seconds, space, seen, recipe)
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({"training": steps, "supernet_seconds": seconds, "supernets": supernets}))
    return Plan(seen=seen, truth=truth, space=space, recipe=recipe, steps=steps, supernet_steps=supernets)


def training_steps(
    options: argparse.Namespace, space: SearchSpace, data: ImageData, recipe: TrainSettings, *, fixed: bool
) -> int:
    """Steps of a stand-alone training that spend its share of the budget, by a trial of five networks."""
    if options.steps or (fixed and options.minutes is None):
        return int(options.steps or DIGITS_STEPS)
    preprocessing = fit_preprocessing(data.train)
    trial = replace(recipe, steps=TRIAL_STEPS, evaluate_every=10**9)
    few = replace(data, validation=ArraySplit(images=data.test.read(np.arange(10)), labels=data.test.labels[:10]))
    before = time.process_time()
    networks = stratified_networks(space, 5, np.random.default_rng(0))
    for genes in networks:
        fit(build(space.decode(genes)), few, trial, preprocessing=preprocessing)
    per_step = (time.process_time() - before) / (TRIAL_STEPS * len(networks))
    wanted = options.minutes * 60 * TRAINING_SHARE / (options.networks * options.seeds)
    return max(20, round(wanted / per_step))


def supernet_seconds(options: argparse.Namespace) -> float:
    """Processor time that a supernet of factor 1 gets."""
    if options.supernet_seconds:
        return float(options.supernet_seconds)
    if options.minutes is None:
        return DIGITS_SUPERNET_SECONDS
    return float(options.minutes * 60 * SUPERNET_SHARE / max(1, sum(each.factor for each in options.supernets)))


def supernet_steps(
    variant: Variant, seconds: float, space: SearchSpace, data: ImageData, recipe: TrainSettings
) -> int:
    """Steps of a supernet that spend some seconds, by a trial spread over its schedule."""
    settings = variant.settings(replace(recipe, steps=2 * TRIAL_STEPS))
    # The first training of a process pays for what is set up once.
    train_supernet(Supernet(space), data, variant.settings(replace(recipe, steps=TRIAL_STEPS)))
    before = time.process_time()
    train_supernet(Supernet(space), data, settings)
    per_step = (time.process_time() - before) / (2 * TRIAL_STEPS)
    return max(20, round(seconds * variant.factor / per_step))


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
    stem = f"{variant.name.replace('*', '-')}-{options.seed}"
    file = None if options.folder is None else options.folder / f"{stem}.safetensors"
    if file is not None and file.is_file():
        supernet, prepared = load_supernet(file, space=plan.space)
        return supernet, prepared, float(file.with_suffix(".json").read_text())
    supernet = Supernet(plan.space, generator=torch.Generator().manual_seed(options.seed))
    recipe = replace(plan.recipe, steps=steps, seed=options.seed, averaging_decay=options.averaging)
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
        "data": options.data.partition(":")[0],
        "space": plan.space.name,
        "networks": len(validation.genes),
        "seeds": options.seeds,
        "train_images": len(plan.seen.train),
        "judged_images": min(JUDGED_IMAGES, len(plan.seen.validation)),
        "truth_images": len(plan.truth.validation),
        "training_steps": plan.steps,
        "supernet": options.supernets[0].name if options.supernets else None,
        "supernet_steps": plan.supernet_steps,
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
    print(f"\r{text:<70}" if sys.stderr.isatty() else text, flush=True)


def show(done: int, total: int, what: str) -> None:
    """Show progress on one line, where someone looks."""
    if sys.stderr.isatty():
        print(f"\r{what}: {done} of {total}          ", end="", file=sys.stderr, flush=True)


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
        default=[Variant.parse(name) for name in ("cycle", "single_path", "sandwich")],
        help="schemes, each with an optional factor to its cost: cycle*3,fair",
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
    parser.add_argument("--averaging", type=float, help="decay of the averaged supernet weights")
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
