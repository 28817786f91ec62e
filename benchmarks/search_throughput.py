"""Candidates a second on one core when an evaluation is a table look-up, beside pymoo; a full search of a large space.

python benchmarks/search_throughput.py --json OUT
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from edgenas.search import NSGA2, STRATEGIES, Results, Task
from edgenas.search.predictor import AccuracyPredictor, encode
from edgenas.space import SearchSpace, load, population_costs

ROUNDS = 3


def objectives_of(genes: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Two objectives of codes (N, D) by look-up: (N, 2)."""
    return np.stack(
        [weights[0, np.arange(genes.shape[1]), genes].sum(1), weights[1, np.arange(genes.shape[1]), genes].sum(1)], 1
    )


def rate(run: Callable[[], int]) -> float:
    """Median candidates per CPU second."""
    rates = []
    for _ in range(ROUNDS):
        started = time.process_time()
        count = run()
        rates.append(count / (time.process_time() - started))
    return float(np.median(rates))


def drive(space: SearchSpace, weights: np.ndarray, *, candidates: int, population: int, limit: bool) -> int:
    """Run NSGA-II by ask and tell; with `limit`, one objective under a limit on the other."""
    task = Task(space=space, objectives=1 if limit else 2, limits=1 if limit else 0, seed=0, budget=candidates)
    searcher = NSGA2(task, population=population)
    done = 0
    while done < candidates:
        genes = searcher.ask(population)
        found = objectives_of(genes, weights)
        margins = found[:, 1:] if limit else np.zeros((len(genes), 0))
        searcher.tell(
            Results(
                genes=genes, objectives=found[:, :1] if limit else found, violations=np.maximum(margins, 0),
                failed=np.zeros(len(genes), dtype=bool), margins=margins,
            )
        )  # fmt: skip
        done += len(genes)
    return done


def pymoo(space: SearchSpace, weights: np.ndarray, *, candidates: int, population: int) -> int:
    """NSGA-II of pymoo on integer variables with rounding, its fastest form here."""
    from pymoo.algorithms.moo.nsga2 import NSGA2 as Peer
    from pymoo.core.problem import Problem
    from pymoo.operators.crossover.ux import UX
    from pymoo.operators.mutation.pm import PM
    from pymoo.operators.repair.rounding import RoundingRepair
    from pymoo.operators.sampling.rnd import IntegerRandomSampling
    from pymoo.optimize import minimize

    class Table(Problem):
        def __init__(self) -> None:
            upper = np.array(space.cardinalities) - 1
            super().__init__(n_var=len(upper), n_obj=2, xl=0, xu=upper, vtype=int)

        def _evaluate(self, x: np.ndarray, out: dict, *args: object, **kwargs: object) -> None:
            out["F"] = objectives_of(x.astype(np.int64), weights)

    algorithm = Peer(
        pop_size=population, sampling=IntegerRandomSampling(), crossover=UX(),
        mutation=PM(repair=RoundingRepair(), vtype=float),
    )  # fmt: skip
    minimize(Table(), algorithm, ("n_eval", candidates), seed=0, verbose=False)
    return candidates


def perceptron(space: SearchSpace, count: int) -> int:
    """A 400 x 3 perceptron on the one-hot code, as once-for-all's predictor is."""
    rng = np.random.default_rng(0)
    width = sum(space.cardinalities)
    layers = [
        rng.normal(size=shape).astype(np.float32) / 20 for shape in ((width, 400), (400, 400), (400, 400), (400, 1))
    ]
    starts = np.cumsum([0, *space.cardinalities[:-1]])
    genes = space.sample(count, rng)
    for start in range(0, count, 4096):
        # The first layer on a one-hot code is a sum of rows.
        part = genes[start : start + 4096]
        hidden = np.zeros((len(part), 400), np.float32)
        for gene in range(part.shape[1]):
            hidden += layers[0][starts[gene] + part[:, gene]]
        for weight in layers[1:]:
            hidden = np.maximum(hidden, 0) @ weight
    return count


def full_search(space: SearchSpace, candidates: int = 50_000, population: int = 1000) -> float:
    """Seconds of CPU for a search by predictor and cost table: accuracy under a limit on MACs."""
    rng = np.random.default_rng(0)
    known = space.canonical(space.sample(300, rng))
    costs = population_costs(space)
    accuracy = np.log(costs.macs(known).astype(float)) + 0.05 * rng.normal(size=len(known))
    predictor = AccuracyPredictor.fit(encode(space, known), accuracy)
    limit = float(np.median(costs.macs(known)))
    started = time.process_time()
    searcher = STRATEGIES["nsga2"](space, objectives=1, limits=1, seed=0, budget=candidates)
    done = 0
    while done < candidates:
        genes = searcher.ask(population)
        margins = (costs.macs(genes)[:, None] - limit) / limit
        searcher.tell(
            Results(
                genes=genes, objectives=-predictor.mean(encode(space, genes))[:, None],
                violations=np.maximum(margins, 0), failed=np.zeros(len(genes), dtype=bool), margins=margins,
            )
        )  # fmt: skip
        done += len(genes)
    return time.process_time() - started


def main() -> None:
    """Run, print, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--space", default="ofa_mobilenet_v3")
    parser.add_argument("--candidates", type=int, default=100_000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    space = load(options.space)
    weights = np.random.default_rng(0).normal(size=(2, len(space.cardinalities), max(space.cardinalities)))
    found = {
        "nsga2": rate(lambda: drive(space, weights, candidates=options.candidates, population=1000, limit=False)),
        "constrained_evolution": rate(
            lambda: drive(space, weights, candidates=options.candidates, population=1000, limit=True)
        ),
        "mlp_predictor": rate(lambda: perceptron(space, 50_000)),
    }
    if importlib.util.find_spec("pymoo"):
        found["pymoo_nsga2"] = rate(lambda: pymoo(space, weights, candidates=20_000, population=1000))
    for name, value in found.items():
        print(f"{name:24s} {value:12,.0f} candidates a second")
    seconds = float(np.median([full_search(space) for _ in range(ROUNDS)]))
    print(f"full search of {space.name}, 50,000 candidates with predictor and table: {seconds:.2f} s")
    if options.json:
        options.json.write_text(
            json.dumps({"candidates_per_second": found, "full_search_seconds": seconds}, indent=1) + "\n"
        )


if __name__ == "__main__":
    main()
