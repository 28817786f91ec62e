"""What is trained for the judge of estimators, and for how many steps: a budget of processor time, parted by trials."""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass, replace

import numpy as np
from estimator_tasks import DIGITS_STEPS, for_images, load_arrays, load_digits

from edgenas.data import ArraySplit, ImageData, fit_preprocessing, parse_source
from edgenas.evaluate import part_validation, stratified_networks
from edgenas.nn import build
from edgenas.space import SearchSpace
from edgenas.space import load as load_space
from edgenas.supernet import SCHEMES, Supernet, SupernetSettings, train_supernet
from edgenas.train import TrainSettings, fit

DIGITS_SUPERNET_SECONDS = 25.0
TRAINING_SHARE, SUPERNET_SHARE = 0.45, 0.5
TRIAL_STEPS = 24
AVERAGING_DECAY = 0.999
TEACHER_WEIGHT = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One supernet to train.

    Attributes:
        name: As it was asked for: `cycle`, `cycle*3` for three times the cost, `progressive+averaged+taught`.
        scheme: Of the training.
        averaged: Whether the average of the shared weights is kept, not the last ones.
        taught: Whether the largest member teaches after the warm-up (progressive only).
        factor: Its cost over that of the others.
    """

    name: str
    scheme: str
    averaged: bool = False
    taught: bool = False
    factor: float

    @classmethod
    def parse(cls, text: str) -> Variant:
        """Read `scheme[+averaged][+taught][*factor]`."""
        head, _, factor = text.partition("*")
        scheme, *more = head.split("+")
        if scheme not in SCHEMES:
            raise argparse.ArgumentTypeError(f"unknown scheme {scheme}; allowed: {', '.join(SCHEMES)}")
        if not set(more) <= {"averaged", "taught"}:
            raise argparse.ArgumentTypeError(f"unknown addition in {text}; allowed: averaged, taught")
        return cls(
            name=text, scheme=scheme, averaged="averaged" in more, taught="taught" in more, factor=float(factor or 1)
        )

    @property
    def stem(self) -> str:
        """Of the names of its files."""
        return self.name.replace("*", "-")

    def settings(self, recipe: TrainSettings) -> SupernetSettings:
        """Return the settings of its training; a sandwich distils in the second half, as late as it helps."""
        train = replace(recipe, averaging_decay=AVERAGING_DECAY if self.averaged else None)
        weight = TEACHER_WEIGHT if self.taught else 0.0
        return SupernetSettings(scheme=self.scheme, distil_after=0.5, teacher_weight=weight, train=train)  # type: ignore[arg-type]


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
    # The first training of a process pays for what is set up once.
    train_supernet(Supernet(space), data, variant.settings(replace(recipe, steps=TRIAL_STEPS)))
    before = time.process_time()
    train_supernet(Supernet(space), data, variant.settings(replace(recipe, steps=2 * TRIAL_STEPS)))
    per_step = (time.process_time() - before) / (2 * TRIAL_STEPS)
    return max(20, round(seconds * variant.factor / per_step))
