"""Do one-shot RL and gradient search hit a latency, and are they worth it beside searches that only judge?

    python benchmarks/one_shot.py --config configs/quickstart.yaml --folder STATE --json OUT

The first stages of the run make table and supernet (in STATE). Then, for each method, target and seed: a distribution
is learned from the run's supernet, some of its draws near the target are judged by the run's supernet, and the best of
them by validation is the network that is found. Random search at the target judges networks that the table says are
near it for the same processor time. Random search, NSGA-II and the surrogate search, over accuracy and latency without
a target, get the processor time of all targets together.

Prints, by method: how far the found network's table latency is from the target (and that of the distribution's own best
network); its accuracy on test images with the run's supernet and trained alone; and the hypervolume of all that was
judged. Nothing is chosen by test images.
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

from edgenas.config import load
from edgenas.nn import build
from edgenas.pareto import hypervolume
from edgenas.pipeline import images, one_shot, sharing, tables
from edgenas.pipeline.context import RunContext
from edgenas.pipeline.costs import CostModel
from edgenas.pipeline.judge import Judge, objectives_of
from edgenas.pipeline.reopen import open_run
from edgenas.pipeline.run import run_some
from edgenas.pipeline.training import train_settings
from edgenas.search import STRATEGIES
from edgenas.study import Budget, Study
from edgenas.supernet import DistributionSearcher
from edgenas.train import evaluate, fit

METHODS = ("tunas", "darts", "gumbel")
STRATEGY_NAMES = ("random", "nsga2", "surrogate")
NEAR = 0.05

Genes = np.ndarray
Document = dict[str, Any]


@contextmanager
def quiet(title: str) -> Any:
    """Show no progress."""
    yield lambda done, total, what: None


class Bench:
    """One run's space, supernet and table, and what is asked of them."""

    def __init__(self, context: RunContext, options: argparse.Namespace) -> None:
        self.context, self.options = context, options
        self.costs = CostModel(context.space, context.table)
        self.largest_ms = float(self.latency(context.space.largest()[None])[0])

    def latency(self, genes: Genes) -> np.ndarray:
        """Table latency (N,) of networks, ms."""
        return self.costs(genes).latency_ms

    def judge(self, genes: Genes) -> np.ndarray:
        """Inherited validation accuracy (N,) with the run's supernet; remembers nothing between searches."""
        return sharing.load_evaluator(self.context).evaluate(genes).accuracy

    @cached_property
    def judge_seconds(self) -> float:
        """Processor time to judge one network."""
        genes = self.context.space.sample(20, np.random.default_rng(1))
        evaluator = sharing.load_evaluator(self.context)
        evaluator.evaluate(genes[:2])
        before = time.process_time()
        evaluator.evaluate(genes[2:])
        return (time.process_time() - before) / (len(genes) - 2)

    def kept(self, name: str, make: Callable[[], Document]) -> Document:
        """Return a finished part, or make and keep it."""
        file = self.options.folder / "parts" / f"{name}.json"
        if not file.is_file():
            found = make()
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(found))
        document: Document = json.loads(file.read_text())
        return document

    def learn(self, method: str, share: float, seed: int) -> Document:
        """Learn a distribution at a target; judge its best network and draws near the target."""
        target = share * self.largest_ms
        before = time.process_time()
        learned = one_shot.learn_distribution(
            self.context, method, costs=self.costs, target=target, seed=self.context.seed(f"{method} {seed}")
        )
        searcher = DistributionSearcher(
            learned.result.distribution, objectives=2, limits=0, seed=seed, budget=self.options.finalists,
            first=learned.result.best, cost=learned.cost, target=target,
        )  # fmt: skip
        genes = searcher.ask(self.options.finalists)
        accuracy = self.judge(genes)
        seconds = time.process_time() - before
        latency = self.latency(genes)
        off = np.abs(latency / target - 1)
        best = pick(genes, np.where(off <= max(NEAR, off.min()), accuracy, 0.0), latency, target)
        return {
            "target_ms": target,
            "learned_ms": learned.result.best_cost,
            "expected_ms": learned.result.history[-1].expected_cost,
            "entropy": learned.result.history[-1].entropy,
            "steps": learned.result.steps,
            "cpu_seconds": seconds,
            "judged": points(accuracy, latency),
            "found": best,
            "found_ms": float(self.latency(np.array(best)[None])[0]),
        }

    def random_at(self, share: float, seed: int, cpu_seconds: float) -> Document:
        """Judge networks drawn near a target for some processor time; the table sorts the others out for nothing."""
        target, rng = share * self.largest_ms, np.random.default_rng((seed, 7))
        count = max(1, round(cpu_seconds / self.judge_seconds))
        space = self.context.space
        pool = np.unique(space.canonical(space.sample(100_000, rng)), axis=0)
        near = rng.permutation(pool[np.abs(self.latency(pool) / target - 1) <= NEAR])[:count]
        accuracy, latency = self.judge(near), self.latency(near)
        best = pick(near, accuracy, latency, target)
        return {"target_ms": target, "judged_networks": len(near), "judged": points(accuracy, latency), "found": best,
                "found_ms": float(self.latency(np.array(best)[None])[0])}  # fmt: skip

    def strategy(self, name: str, seed: int, cpu_seconds: float) -> Document:
        """Search accuracy and latency without a target for some processor time; say what it has at each target."""
        count = max(8, round(cpu_seconds / self.judge_seconds))
        study = Study(objectives=objectives_of(["accuracy", "latency_ms"]))
        searcher = STRATEGIES[name](self.context.space, objectives=2, limits=0, seed=seed, budget=count)
        judge = Judge(self.context.space, self.costs, sharing.load_evaluator(self.context))
        before = time.process_time()
        history = study.run(searcher, judge, Budget(evaluations=count))
        seconds = time.process_time() - before
        genes = history.results.genes
        accuracy, latency = 1 - history.results.objectives[:, 0], history.results.objectives[:, 1]
        found = [pick(genes, accuracy, latency, share * self.largest_ms) for share in self.options.targets]
        return {"judged_networks": count, "cpu_seconds": seconds, "judged": points(accuracy, latency), "found": found}

    def worth(self, genes: list[int]) -> Document:
        """Test accuracy of a network with the run's supernet, and trained alone."""
        context, row = self.context, np.array(genes, dtype=np.int64)
        swapped = replace(context.data, validation=context.data.test)
        evaluator = sharing.load_evaluator(context, data=swapped)
        architecture = context.space.decode(row)
        alone = []
        for seed in range(self.options.train_seeds):
            settings = train_settings(context.settings.train, seed=seed, workers=1)
            module = build(architecture, generator=torch.Generator().manual_seed(seed))
            fit(module, context.data, replace(settings, evaluate_every=10**9), preprocessing=context.preprocessing)
            alone.append(evaluate(module, context.data.test, context.preprocessing).value)
        return {"inherited": float(evaluator.evaluate(row[None]).accuracy[0]), "alone": alone}

    def known_worth(self, genes: list[int]) -> Document:
        """`worth`, computed once for a network."""
        digest = self.context.space.decode(np.array(genes, dtype=np.int64)).digest
        return self.kept(f"worth-{digest}-{self.options.train_seeds}", lambda: self.worth(genes))


def pick(genes: Genes, accuracy: np.ndarray, latency: np.ndarray, target: float) -> list[int]:
    """Return the most accurate network that is near the target or below; the fastest where there is none."""
    fits = latency <= target * (1 + NEAR)
    if not fits.any():
        return [int(gene) for gene in genes[int(np.argmin(latency))]]
    return [int(gene) for gene in genes[int(np.argmax(np.where(fits, accuracy, -1.0)))]]


def points(accuracy: np.ndarray, latency: np.ndarray) -> list[tuple[float, float]]:
    """Pair (accuracy, latency) of what was judged."""
    return [(round(float(a), 5), round(float(b), 7)) for a, b in zip(accuracy, latency, strict=True)]


def measure(bench: Bench) -> Document:
    """Run everything that is not known yet."""
    options = bench.options
    learned: Document = {}
    for method in options.methods:
        for share in options.targets:
            for seed in range(options.seeds):
                name = f"{method}-{share}-{seed}"
                learned[name] = bench.kept(name, lambda m=method, t=share, s=seed: bench.learn(m, t, s))  # type: ignore[misc]
                found = learned[name]
                print(f"{name}: {found['learned_ms'] / found['target_ms'] - 1:+.2%} of the target, "
                      f"{found['cpu_seconds']:.0f} s", flush=True)  # fmt: skip
    seconds = float(np.mean([entry["cpu_seconds"] for entry in learned.values()]))
    baseline = {
        f"random_at_target-{share}-{seed}": bench.kept(
            f"random_at_target-{share}-{seed}", lambda t=share, s=seed: bench.random_at(t, s, seconds)  # type: ignore[misc]
        )
        for share in options.targets
        for seed in range(options.seeds)
    }
    searches = {
        f"{name}-{seed}": bench.kept(
            f"{name}-{seed}", lambda n=name, s=seed: bench.strategy(n, s, seconds * len(options.targets))  # type: ignore[misc]
        )
        for name in STRATEGY_NAMES
        for seed in range(options.seeds)
    }
    return {"learned": learned, "random_at_target": baseline, "searches": searches, "seconds": seconds}


def summarise(bench: Bench, found: Document) -> list[Document]:
    """One row for each method: error of latency, accuracies, hypervolume, cost."""
    options = bench.options
    seeds, places = range(options.seeds), list(enumerate(options.targets))
    clouds: dict[tuple[str, int], list[tuple[float, float]]] = {}
    networks: dict[tuple[str, int, int], list[int]] = {}
    for seed in seeds:
        for method in (*options.methods, "random_at_target"):
            parts = found["learned"] if method in options.methods else found["random_at_target"]
            entries = [parts[f"{method}-{share}-{seed}"] for share in options.targets]
            clouds[method, seed] = [tuple(point) for entry in entries for point in entry["judged"]]  # type: ignore[misc]
            networks |= {(method, seed, place): entry["found"] for place, entry in enumerate(entries)}
        for name in STRATEGY_NAMES:
            entry = found["searches"][f"{name}-{seed}"]
            clouds[name, seed] = [tuple(point) for point in entry["judged"]]  # type: ignore[misc]
            networks |= {(name, seed, place): genes for place, genes in enumerate(entry["found"])}
    every = np.array([point for cloud in clouds.values() for point in cloud])
    low, high = every.min(0), every.max(0)
    rows = []
    for method in (*options.methods, "random_at_target", *STRATEGY_NAMES):
        volumes = []
        for seed in seeds:
            cloud = np.array(clouds[method, seed])
            scaled = np.column_stack([(high[0] - cloud[:, 0]), (cloud[:, 1] - low[1])]) / (high - low)
            volumes.append(float(hypervolume(scaled, np.array([1.05, 1.05])) / 1.05**2))
        worth = {key: bench.known_worth(networks[method, *key]) for key in ((s, p) for s in seeds for p, _ in places)}
        row: Document = {
            "method": method,
            "inherited_test_accuracy": [mean(worth[s, p]["inherited"] for s in seeds) for p, _ in places],
            "alone_test_accuracy": [
                mean(np.mean(worth[s, p]["alone"]) for s in seeds) for p, _ in places if options.train_seeds
            ],
            "hypervolume": volumes,
            "hypervolume_median": float(np.median(volumes)),
        }
        if method in options.methods:
            entries = {(s, p): found["learned"][f"{method}-{t}-{s}"] for s in seeds for p, t in places}
            for name, key in (("latency_error", "found_ms"), ("latency_error_of_mode", "learned_ms")):
                errors = {place: abs(entry[key] / entry["target_ms"] - 1) for place, entry in entries.items()}
                row[name] = [float(np.median([errors[s, p] for s in seeds])) for p, _ in places]
            row["cpu_seconds"] = mean(entry["cpu_seconds"] for entry in entries.values()) * len(places)
        elif method in STRATEGY_NAMES:
            row["cpu_seconds"] = mean(found["searches"][f"{method}-{s}"]["cpu_seconds"] for s in seeds)
        else:
            row["cpu_seconds"] = found["seconds"] * len(places)
        rows.append(row)
    return rows


def mean(values: Any) -> float:
    """Return the mean of an iterable."""
    return float(np.mean(list(values)))


def table(rows: list[Document], targets: list[float]) -> str:
    """Lay the rows out as text."""
    heads = ("off target", "inherited, test", "alone, test")
    lines = [
        f"targets: {', '.join(f'{share:g}' for share in targets)} of the largest network's latency",
        f"{'method':18} {' '.join(f'{head:>22}' for head in heads)} {'hypervolume':>12} {'CPU s':>7}",
    ]
    for row in rows:
        error = " ".join(f"{100 * value:5.2f} %" for value in row.get("latency_error", []))
        inherited, alone = (
            " ".join(f"{100 * value:6.2f}" for value in row[key])
            for key in ("inherited_test_accuracy", "alone_test_accuracy")
        )
        lines.append(f"{row['method']:18} {error:>22} {inherited:>22} {alone:>22} {row['hypervolume_median']:12.4f}"
                     f" {row['cpu_seconds']:7.0f}")  # fmt: skip
    return "\n".join(lines)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", required=True)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--folder", type=Path, required=True, help="the run and finished parts")
    parser.add_argument("--targets", type=lambda t: [float(x) for x in t.split(",")], default=[0.4, 0.5, 0.65])
    parser.add_argument("--methods", type=lambda t: t.split(","), default=list(METHODS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=40, help="of a distribution's learning")
    parser.add_argument("--finalists", type=int, default=24, help="draws near the target that are judged")
    parser.add_argument("--train-seeds", type=int, default=1, help="trainings of a found network alone; may be 0")
    parser.add_argument("--set", dest="overrides", action="append", default=[], help="a key of the configuration")
    options = parser.parse_args()
    ours = [f"output={options.folder}", f"search.one_shot.epochs={options.epochs}", "threads=1"]
    settings = load(Path(options.config), [*options.overrides, *ours])
    directory = run_some((images.STAGE, tables.STAGE, sharing.STAGE), settings, progress=quiet, say=print)
    bench = Bench(open_run(directory, progress=quiet, say=print), options)
    found = measure(bench)
    rows = summarise(bench, found)
    print(table(rows, options.targets))
    print(f"{bench.judge_seconds:.3f} s to judge a network; {options.seeds} seeds")
    if options.json is not None:
        about = {
            "config": Path(options.config).stem, "space": bench.context.space.name, "targets": options.targets,
            "largest_ms": bench.largest_ms, "seeds": options.seeds, "epochs": options.epochs,
            "finalists": options.finalists, "judge_seconds": bench.judge_seconds, "rows": rows,
        }  # fmt: skip
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(about, indent=1))


if __name__ == "__main__":
    main()
