"""Which scheme of training a supernet makes the best runs: how accurate is the network that a run delivers?

    python benchmarks/scheme_runs.py --config configs/quickstart.yaml --folder STATE --json OUT

For each scheme, budget of processor time and seed, as a run does it: a supernet is trained, networks within a budget of
MACs are searched with its inherited accuracies, and the most accurate of them is trained on from the supernet's
weights; only then the test images are looked at. Budgets are shares of the processor time that the configuration's
epochs take with `cycle`; how many epochs of another scheme cost as much follows from short trials. Costs are counted,
not measured, so nothing depends on what else the machine does.

A seed has images, noise, first weights and search of its own, the same for every scheme, so schemes are compared
seed by seed. Prints for each scheme and budget the mean test accuracy of the delivered networks (over the budgets of
MACs), its mean difference to `cycle` with the standard error over seeds, and the same for the test accuracy of these
networks with inherited weights, and trained without them (`--alone`).
Finished parts are kept in STATE, and a killed one is taken up.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from edgenas.config import load
from edgenas.config.settings import RunSettings
from edgenas.pipeline.commands.run import run_some
from edgenas.pipeline.core import artifacts
from edgenas.pipeline.core.artifacts import load_evaluator
from edgenas.pipeline.core.context import RunContext
from edgenas.pipeline.core.open_run import open_run
from edgenas.pipeline.search.candidate_judge import identify, objectives_of
from edgenas.pipeline.stages import DATA, SUPERNET
from edgenas.pipeline.training.network import train_member
from edgenas.pipeline.training.settings import supernet_settings
from edgenas.search import STRATEGIES
from edgenas.space import population_costs
from edgenas.study import Budget, Evaluation, Limit, Metric, Study
from edgenas.supernet import SCHEMES, Supernet, train_supernet
from edgenas.train import evaluate

REFERENCE = "cycle"
TRIAL_STEPS, TRIAL_ROUNDS = 24, 7
DISTIL_AFTER = "supernet.distil_after=0.5"
"""A sandwich distils in the second half, as late as it helps; other schemes do not look at it."""

Document = dict[str, Any]


@contextmanager
def quiet(title: str) -> Iterator[Callable[[int, int, str], None]]:
    """Show no progress."""
    yield lambda done, total, what: None


def silent(text: str) -> None:
    """Say nothing."""


class Bench:
    """What every part shares."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.epochs = self.settings("plan", 0).supernet.epochs

    def settings(self, name: str, seed: int, *overrides: str) -> RunSettings:
        """Read the configuration with some values replaced."""
        own = [f"output={self.options.folder}", f"name={name}", f"seed={seed}", "threads=1", "compute=cpu"]
        return load(Path(self.options.config), [*self.options.overrides, DISTIL_AFTER, *overrides, *own])

    def costs(self) -> dict[str, float]:
        """Processor time of an epoch by scheme, relative to `REFERENCE`; found once by trials that take turns."""
        file = self.options.folder / "costs.json"
        known: dict[str, float] = json.loads(file.read_text()) if file.is_file() else {}
        missing = [scheme for scheme in self.options.schemes if scheme not in known]
        if not missing:
            return known
        settings = self.settings("plan", 0)
        context = open_run(run_some((DATA,), settings, progress=quiet, say=silent), progress=quiet, say=silent)
        seconds: dict[str, list[float]] = {scheme: [] for scheme in dict.fromkeys([REFERENCE, *missing])}
        for turn in range(TRIAL_ROUNDS + 1):
            for scheme in seconds:
                section = settings.supernet.model_copy(update={"scheme": scheme})
                plan = supernet_settings(section, seed=turn, workers=1)
                plan = replace(plan, train=replace(plan.train, epochs=None, steps=TRIAL_STEPS))
                net = Supernet(artifacts.space(context))
                before = time.process_time()
                train_supernet(net, artifacts.images(context), plan, preprocessing=artifacts.preprocessing(context))
                # The first turn pays for what is set up once.
                seconds[scheme] += [time.process_time() - before] if turn else []
        found = known | {
            scheme: statistics.median(a / b for a, b in zip(each, seconds[REFERENCE], strict=True))
            for scheme, each in seconds.items()
        }
        file.write_text(json.dumps(found))
        return found

    def part(self, scheme: str, factor: float, seed: int) -> Document:
        """Do one run, or read what it gave."""
        name = f"{scheme}-{factor:g}-{seed}"
        file: Path = self.options.folder / f"{name}.json"
        if not file.is_file():
            epochs = max(1, round(self.epochs * factor / self.costs()[scheme]))
            settings = self.settings(name, seed, f"supernet.scheme={scheme}", f"supernet.epochs={epochs}")
            begun = any((self.options.folder / name).glob("supernet/*"))
            before = time.process_time()
            directory = run_some((DATA, SUPERNET), settings, progress=quiet, say=silent)
            seconds = time.process_time() - before
            context = open_run(directory, progress=quiet, say=silent)
            targets = [self.deliver(context, share) for share in self.options.shares]
            found = {"epochs": epochs, "cpu_seconds": None if begun else seconds, "targets": targets}
            if self.options.alone == factor:
                for target in targets:
                    target["alone"] = train_and_test(alone(context), np.array(target["genes"]))
            file.write_text(json.dumps(found), encoding="utf-8")
            shutil.rmtree(directory / "cache", ignore_errors=True)
        document: Document = json.loads(file.read_text(encoding="utf-8"))
        return document

    def deliver(self, context: RunContext, share: float) -> Document:
        """Search under a budget of MACs, and train what is found as the configuration says."""
        space, counts = artifacts.space(context), population_costs(artifacts.space(context))
        limit = share * float(counts.macs(space.largest()[None])[0])

        def judge(genes: np.ndarray) -> Iterator[Evaluation]:
            inherited, macs = artifacts.evaluator(context).evaluate(genes), counts.macs(genes)
            for row, code in enumerate(genes):
                metrics = {
                    "accuracy": Metric(value=float(inherited.accuracy[row]), standard_error=0.0, unit="1",
                                       source="inherited"),
                    "macs": Metric(value=float(macs[row]), standard_error=0.0, unit="MAC", source="proxy"),
                }  # fmt: skip
                yield Evaluation(
                    digest=space.decode(code).digest, genes=tuple(int(gene) for gene in code),
                    metrics=tuple(metrics.items()), seconds=0.0,
                )  # fmt: skip

        study = Study(
            objectives=objectives_of(["accuracy", "macs"]),
            limits=(Limit(metric="macs", at_most=limit),),
            identify=identify(space),
        )
        evaluations = context.settings.search.evaluations
        searcher = STRATEGIES[context.settings.search.strategy](
            space, objectives=2, limits=1, seed=context.seed(f"search {share}"), budget=evaluations,
            known_objectives={1: lambda genes: counts.macs(genes).astype(np.float64)},
            known_margins={0: lambda genes: counts.macs(genes) / limit - 1},
        )  # fmt: skip
        history = study.run(searcher, judge, Budget(evaluations=evaluations))
        errors, macs = history.results.objectives.T
        best = min(np.flatnonzero(macs <= limit), key=lambda row: (errors[row], macs[row]))
        genes = history.results.genes[best]
        return {
            "share": share,
            "genes": [int(gene) for gene in genes],
            "macs": int(macs[best]),
            "inherited_validation": 1 - float(errors[best]),
            "inherited": inherited_test_accuracy(context, genes),
            "final": train_and_test(context, genes),
        }


def alone(context: RunContext) -> RunContext:
    """Return the run with trainings that start from random weights."""
    settings = context.settings
    train = settings.train.model_copy(update={"from_supernet": False})
    return RunContext(settings.model_copy(update={"train": train}), context.directory, progress=quiet, say=silent)


def train_and_test(context: RunContext, genes: np.ndarray) -> float:
    """Train a network as a run does; return its test accuracy."""
    digest = artifacts.space(context).decode(genes).digest
    trained = train_member(context, genes, digest)
    for folder in context.directory.path.glob(f"train/{digest[:12]}-*"):
        shutil.rmtree(folder)
    return float(evaluate(trained.module, trained.data.test, trained.preprocessing).value)


def inherited_test_accuracy(context: RunContext, genes: np.ndarray) -> float:
    """Test accuracy with the supernet's weights as they are: what `edgenas specialise` ships."""
    swapped = replace(artifacts.images(context), validation=artifacts.images(context).test)
    return float(load_evaluator(context, data=swapped).evaluate(genes[None]).accuracy[0])


def mean_and_error(values: np.ndarray) -> tuple[float, float | None]:
    """Mean over seeds and its standard error; no error of a single seed."""
    error = float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else None
    return float(values.mean()), error


def summarise(parts: dict[tuple[str, float, int], Document], options: argparse.Namespace) -> list[Document]:
    """One row for each scheme and budget, and one for each scheme over all budgets; accuracies in percent."""

    def of(scheme: str, factor: float, key: str) -> np.ndarray:
        """(S,) one value a seed, mean over the budgets of MACs."""
        runs = [parts[scheme, factor, seed]["targets"] for seed in options.seeds]
        return 100 * np.array([np.mean([target[key] for target in run]) for run in runs])

    rows: list[Document] = []
    for scheme in options.schemes:
        differences = []
        for factor in options.factors:
            final = of(scheme, factor, "final")
            differences.append(final - of(REFERENCE, factor, "final"))
            difference, error = mean_and_error(differences[-1])
            inherited = of(scheme, factor, "inherited")
            inherited_difference, inherited_error = mean_and_error(inherited - of(REFERENCE, factor, "inherited"))
            seconds = [parts[scheme, factor, seed]["cpu_seconds"] for seed in options.seeds]
            row: Document = {
                "scheme": scheme,
                "factor": factor,
                "epochs": parts[scheme, factor, options.seeds[0]]["epochs"],
                "cpu_seconds": float(np.mean([each for each in seconds if each is not None] or [np.nan])),
                "final": float(final.mean()),
                "difference": difference,
                "difference_error": error,
                "inherited": float(inherited.mean()),
                "inherited_difference": inherited_difference,
                "inherited_difference_error": inherited_error,
            }
            if options.alone == factor:
                other = of(scheme, factor, "alone")
                row["alone"] = float(other.mean())
                row["alone_difference"], row["alone_difference_error"] = mean_and_error(
                    other - of(REFERENCE, factor, "alone")
                )
            rows.append(row)
        if len(options.factors) > 1:
            difference, error = mean_and_error(np.mean(differences, axis=0))
            rows.append({"scheme": scheme, "factor": None, "difference": difference, "difference_error": error})
    return rows


def table(rows: list[Document]) -> str:
    """Lay the rows out as text."""
    lines = [
        f"{'scheme':12} {'budget':>7} {'epochs':>7} {'CPU s':>6} {'final':>7} {'to ' + REFERENCE:>16}"
        f" {'inherited':>9} {'to ' + REFERENCE:>16} {'alone':>7} {'to ' + REFERENCE:>16}"
    ]
    for row in rows:
        difference = signed(row["difference"], row["difference_error"])
        if row["factor"] is None:
            lines.append(f"{row['scheme']:12} {'all':>7} {'':7} {'':6} {'':7} {difference:>16}")
            continue
        inherited = signed(row["inherited_difference"], row["inherited_difference_error"])
        other = f"{row['alone']:7.2f} {signed(row['alone_difference'], row['alone_difference_error']):>16}" \
            if "alone" in row else ""  # fmt: skip
        lines.append(
            f"{row['scheme']:12} {row['factor']:7g} {row['epochs']:7} {row['cpu_seconds']:6.0f} {row['final']:7.2f}"
            f" {difference:>16} {row['inherited']:9.2f} {inherited:>16} {other}"
        )
    return "\n".join(lines)


def signed(value: float, error: float | None) -> str:
    """A difference with its standard error."""
    return f"{value:+.2f}" + ("" if error is None else f" +- {error:.2f}")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", required=True)
    parser.add_argument("--folder", type=Path, required=True, help="finished parts")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--schemes", type=lambda text: text.split(","), default=list(SCHEMES))
    parser.add_argument("--factors", type=lambda text: [float(x) for x in text.split(",")], default=[0.25, 1.0])
    parser.add_argument("--shares", type=lambda text: [float(x) for x in text.split(",")], default=[0.25, 0.5],
                        help="of the MACs of the largest network that a run may spend")  # fmt: skip
    parser.add_argument("--seeds", type=lambda text: [int(x) for x in text.split(",")], default=list(range(5)))
    parser.add_argument("--alone", type=float, help="at this budget, train what is found from random weights too")
    parser.add_argument("--set", dest="overrides", action="append", default=[], help="a key of the configuration")
    options = parser.parse_args()
    if REFERENCE not in options.schemes:
        parser.error(f"--schemes needs {REFERENCE}, which the others are compared with")
    options.folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    bench, parts = Bench(options), {}
    for seed in options.seeds:
        for factor in options.factors:
            for scheme in options.schemes:
                parts[scheme, factor, seed] = found = bench.part(scheme, factor, seed)
                accuracies = ", ".join(f"{100 * target['final']:.2f}" for target in found["targets"])
                print(f"{scheme} * {factor:g}, seed {seed}: {accuracies}", flush=True)
    rows = summarise(parts, options)
    print(table(rows))
    if options.json is not None:
        about = {
            "config": Path(options.config).stem, "set": options.overrides, "schemes": options.schemes,
            "factors": options.factors, "shares": options.shares, "seeds": options.seeds, "costs": bench.costs(),
            "rows": rows,
        }  # fmt: skip
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(about, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
