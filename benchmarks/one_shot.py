"""Do one-shot RL and gradient search hit a latency, and are they worth it beside searches that only judge?

    python benchmarks/one_shot.py --config configs/quickstart.yaml --folder STATE --json OUT
    python benchmarks/one_shot.py --config benchmarks/one_shot_cifar10.yaml --set data.path=DIR --folder STATE ...

The first stages of the run make table and supernet (in STATE). Then every method gets the same processor time for each
target and seed (`--seconds`). One-shot methods learn a distribution from the run's supernet (`--epochs`) and judge its
draws near the target in what is left; the best of them by validation is the network that is found. Random search at the
target judges networks that the table says are near it for the whole time. Random search, NSGA-II and the surrogate
search, over accuracy and latency without a target, get the time of all targets together. All judge with the run's
supernet.

Prints, by method: how far the found network's table latency is from the target (and that of the distribution's own best
network); its accuracy on test images with the run's supernet and, for the targets of `--alone`, trained alone; and the
hypervolume of all that was judged. Nothing is chosen by test images.
Processor time counts, so that other jobs on the machine do not; finished parts are kept in STATE.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from one_shot_summary import STRATEGY_NAMES, Document, summarise, table

from edgenas.config import load
from edgenas.data import ArraySplit
from edgenas.data.subset import chosen_images
from edgenas.nn import build
from edgenas.oneshot import DistributionSearcher
from edgenas.pipeline.commands.run import run_some
from edgenas.pipeline.core import artifacts
from edgenas.pipeline.core.artifacts import load_evaluator
from edgenas.pipeline.core.context import RunContext
from edgenas.pipeline.core.open_run import open_run
from edgenas.pipeline.search import one_shot
from edgenas.pipeline.search.candidate_judge import Judge, objectives_of
from edgenas.pipeline.search.cost_model import CostModel
from edgenas.pipeline.stages import DATA, LATENCY_TABLE, SUPERNET
from edgenas.pipeline.training.settings import train_settings
from edgenas.search import STRATEGIES
from edgenas.study import Budget, Study
from edgenas.supernet import SupernetEvaluator
from edgenas.train import evaluate, fit

METHODS = ("tunas", "gumbel", "darts")
NEAR = 0.05
POOL = 100_000
FEWEST = 8
JUDGED_AT_ONCE = 8

Genes = np.ndarray


@contextmanager
def quiet(title: str) -> Any:
    """Show no progress."""
    yield lambda done, total, what: None


class Bench:
    """One run's space, supernet and table, and what is asked of them."""

    def __init__(self, context: RunContext, options: argparse.Namespace) -> None:
        self.context, self.options = context, options
        self.costs = CostModel(artifacts.space(context), artifacts.table(context))
        self.largest_ms = float(self.latency(artifacts.space(context).largest()[None])[0])

    def latency(self, genes: Genes) -> np.ndarray:
        """Table latency (N,) of networks, ms."""
        return self.costs(genes).latency_ms

    def evaluator(self) -> SupernetEvaluator:
        """Load the run's supernet; a new one for every search, which remembers nothing of others."""
        images = replace(artifacts.images(self.context), validation=self.judged_images)
        return load_evaluator(self.context, data=images)

    @cached_property
    def judged_images(self) -> ArraySplit:
        """The validation images that every network is judged on."""
        split = artifacts.images(self.context).validation
        chosen = chosen_images(split, self.options.judged_images)
        return ArraySplit(images=split.read(chosen), labels=split.labels[chosen])

    @cached_property
    def judge_seconds(self) -> float:
        """Processor time to judge one network, kept so that a benchmark that is taken up goes on with the same."""
        return float(self.kept("judge_seconds", self._measure_judge)["seconds"])

    @property
    def most(self) -> int:
        """Networks that could be judged for a target if nothing else took time."""
        return max(FEWEST, round(1.5 * self.options.seconds / self.judge_seconds))

    def _measure_judge(self) -> Document:
        genes = artifacts.space(self.context).sample(20, np.random.default_rng(1))
        evaluator = self.evaluator()
        evaluator.evaluate(genes[:2])
        before = time.process_time()
        evaluator.evaluate(genes[2:])
        return {"seconds": (time.process_time() - before) / (len(genes) - 2)}

    def kept(self, name: str, make: Callable[[], Document]) -> Document:
        """Return a finished part, or make and keep it."""
        file = self.options.folder / "parts" / f"{name}.json"
        if not file.is_file():
            found = make()
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(found))
            print(f"{name}: {found.get('cpu_seconds', 0):.0f} s", flush=True)
        document: Document = json.loads(file.read_text())
        return document

    def learn(self, method: str, share: float, seed: int) -> Document:
        """Learn a distribution at a target; judge its best network and draws near the target while there is time."""
        target, before = share * self.largest_ms, time.process_time()
        learned = one_shot.learn_distribution(
            self.context, method, costs=self.costs, target=target, seed=self.context.seed(f"{method} {seed}")
        )
        last = learned.result.history[-1]
        learning = time.process_time() - before
        searcher = DistributionSearcher(
            learned.result.distribution, objectives=2, limits=0, seed=seed, budget=self.most,
            first=learned.result.best, cost=learned.cost, target=target,
        )  # fmt: skip
        judged = self.judge_while(searcher.ask(self.most), before)
        return {
            **self.found(*judged, target, strict=True),
            "learned_ms": learned.result.best_cost,
            "expected_ms": last.expected_cost,
            "entropy": last.entropy,
            "steps": learned.result.steps,
            "learning_seconds": learning,
            "cpu_seconds": time.process_time() - before,
        }

    def random_at(self, share: float, seed: int) -> Document:
        """Judge networks drawn near a target; the table sorts the others out for nothing."""
        target, rng, before = share * self.largest_ms, np.random.default_rng((seed, 7)), time.process_time()
        space = artifacts.space(self.context)
        pool = np.unique(space.canonical(space.sample(POOL, rng)), axis=0)
        near = rng.permutation(pool[np.abs(self.latency(pool) / target - 1) <= NEAR])
        judged = self.judge_while(near, before)
        return {**self.found(*judged, target, strict=True), "cpu_seconds": time.process_time() - before}

    def judge_while(self, genes: Genes, started: float) -> tuple[Genes, np.ndarray]:
        """Judge networks in order until the processor time of a target is spent, but a few at least."""
        evaluator, accuracy = self.evaluator(), np.empty(0)
        for start in range(0, len(genes), JUDGED_AT_ONCE):
            if start >= FEWEST and time.process_time() - started >= self.options.seconds:
                break
            accuracy = np.append(accuracy, evaluator.evaluate(genes[start : start + JUDGED_AT_ONCE]).accuracy)
        return genes[: len(accuracy)], accuracy

    def found(self, genes: Genes, accuracy: np.ndarray, target: float, *, strict: bool) -> Document:
        """Describe what was judged, and the network that a target finds in it.

        `strict`: the search was to come near the target; otherwise a network below it will do, too.
        """
        latency = self.latency(genes)
        off = np.abs(latency / target - 1)
        fits = off <= max(NEAR, off.min()) if strict else latency <= target * (1 + NEAR)
        best = int(np.argmax(np.where(fits, accuracy, -1.0)) if fits.any() else np.argmin(latency))
        return {
            "target_ms": target,
            "judged": points(accuracy, latency),
            "found": [int(gene) for gene in genes[best]],
            "found_ms": float(latency[best]),
        }

    def strategy(self, name: str, seed: int) -> Document:
        """Search accuracy and latency without a target for the time of all; say what it has at each target."""
        shares = self.options.targets
        count = max(FEWEST, round(self.options.seconds * len(shares) / self.judge_seconds))
        study = Study(objectives=objectives_of(["accuracy", "latency_ms"]))
        searcher = STRATEGIES[name](artifacts.space(self.context), objectives=2, limits=0, seed=seed, budget=count)
        before = time.process_time()
        judge = Judge(artifacts.space(self.context), self.costs, self.evaluator())
        history = study.run(searcher, judge, Budget(evaluations=count))
        seconds = time.process_time() - before
        genes, accuracy = history.results.genes, 1 - history.results.objectives[:, 0]
        found = [self.found(genes, accuracy, share * self.largest_ms, strict=False)["found"] for share in shares]
        return {"cpu_seconds": seconds, "judged": points(accuracy, self.latency(genes)), "found": found}

    def inherited(self, genes: list[int]) -> float:
        """Test accuracy of a network with the run's supernet."""
        row = np.array(genes, dtype=np.int64)

        def make() -> Document:
            swapped = replace(artifacts.images(self.context), validation=artifacts.images(self.context).test)
            evaluator = load_evaluator(self.context, data=swapped)
            return {"accuracy": float(evaluator.evaluate(row[None]).accuracy[0])}

        return float(self.kept(f"inherited-{artifacts.space(self.context).decode(row).digest}", make)["accuracy"])

    def alone(self, genes: list[int]) -> float:
        """Test accuracy of a network trained alone with the run's recipe."""
        context = self.context
        architecture = artifacts.space(context).decode(np.array(genes, dtype=np.int64))

        def make() -> Document:
            before = time.process_time()
            settings = replace(train_settings(context.settings.train, seed=0, workers=1), evaluate_every=10**9)
            module = build(architecture, generator=torch.Generator().manual_seed(0))
            fit(module, artifacts.images(context), settings, preprocessing=artifacts.preprocessing(context))
            accuracy = evaluate(module, artifacts.images(context).test, artifacts.preprocessing(context)).value
            return {"accuracy": accuracy, "cpu_seconds": time.process_time() - before}

        return float(self.kept(f"alone-{architecture.digest}", make)["accuracy"])


def points(accuracy: np.ndarray, latency: np.ndarray) -> list[tuple[float, float]]:
    """Pair (accuracy, latency) of what was judged."""
    return [(round(float(a), 5), round(float(b), 7)) for a, b in zip(accuracy, latency, strict=True)]


def measure(bench: Bench) -> dict[str, Document]:
    """Run everything that is not known yet, by `method-target-seed` and `strategy-seed`."""
    options, parts = bench.options, {}
    for seed in range(options.seeds):
        for share in options.targets:
            for method in options.methods:
                name = f"{method}-{share}-{seed}"
                parts[name] = bench.kept(name, lambda m=method, t=share, s=seed: bench.learn(m, t, s))  # type: ignore[misc]
            name = f"random_at_target-{share}-{seed}"
            parts[name] = bench.kept(name, lambda t=share, s=seed: bench.random_at(t, s))  # type: ignore[misc]
    for seed in range(options.strategy_seeds):
        for strategy in STRATEGY_NAMES:
            name = f"{strategy}-{seed}"
            parts[name] = bench.kept(name, lambda n=strategy, s=seed: bench.strategy(n, s))  # type: ignore[misc]
    return parts


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", required=True)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--folder", type=Path, required=True, help="the run and finished parts")
    parser.add_argument("--targets", type=floats, default=[0.4, 0.5, 0.65])
    parser.add_argument("--methods", type=names, default=list(METHODS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--strategy-seeds", type=int, help="of searches without a target; as many if left out")
    parser.add_argument("--seconds", type=float, default=10.0, help="processor time of a target")
    parser.add_argument("--epochs", type=int, default=10, help="of a distribution's learning")
    parser.add_argument("--judged-images", type=int, default=1000, help="validation images of a judgement, at most")
    parser.add_argument("--alone", type=floats, default=[], help="targets whose found networks are trained alone")
    parser.add_argument("--set", dest="overrides", action="append", default=[], help="a key of the configuration")
    options = parser.parse_args()
    options.strategy_seeds = options.seeds if options.strategy_seeds is None else options.strategy_seeds
    ours = [f"output={options.folder}", f"search.one_shot.epochs={options.epochs}", "threads=1"]
    settings = load(Path(options.config), [*options.overrides, *ours])
    directory = run_some((DATA, LATENCY_TABLE, SUPERNET), settings, progress=quiet, say=print)
    bench = Bench(open_run(directory, progress=quiet, say=print), options)
    document = summarise(
        measure(bench), methods=options.methods, targets=options.targets, seeds=options.seeds,
        strategy_seeds=options.strategy_seeds, alone_targets=options.alone,
        inherited=bench.inherited, alone=bench.alone,
    )  # fmt: skip
    print(table(document))
    if options.json is not None:
        about = {
            "config": Path(options.config).stem, "space": artifacts.space(bench.context).name,
            "largest_ms": bench.largest_ms,
            "seconds": options.seconds, "epochs": options.epochs, "judge_seconds": bench.judge_seconds,
        }  # fmt: skip
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps({**about, **document}, indent=1))


def names(text: str) -> list[str]:
    """Parse names with commas between; none are none."""
    return [part for part in text.split(",") if part]


def floats(text: str) -> list[float]:
    """Parse numbers with commas between."""
    return [float(part) for part in text.split(",") if part]


if __name__ == "__main__":
    main()
