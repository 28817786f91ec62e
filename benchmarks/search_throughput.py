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

ROUNDS = 5
WIDTH, CHUNK = 400, 500


class LookUp:
    """Two additive costs of codes by look-up: one value a gene and choice, both costs fetched at once."""

    def __init__(self, space: SearchSpace) -> None:
        cards = np.asarray(space.cardinalities)
        self._starts = np.cumsum(cards) - cards
        values = np.random.default_rng(0).normal(size=(int(cards.sum()), 2))
        # A complex number carries a pair through one gather.
        self._pairs = values.view(np.complex128)[:, 0]

    def __call__(self, genes: np.ndarray) -> np.ndarray:
        """Costs (N, 2) of codes (N, D)."""
        return self._pairs.take(genes + self._starts).sum(axis=1).view(np.float64).reshape(-1, 2)


def rate(run: Callable[[], int]) -> float:
    """Median candidates per CPU second."""
    rates = []
    for _ in range(ROUNDS):
        started = time.process_time()
        count = run()
        rates.append(count / (time.process_time() - started))
    return float(np.median(rates))


def drive(
    space: SearchSpace,
    look_up: LookUp,
    *,
    candidates: int,
    population: int,
    limit: bool,
    predictor: Perceptron | None = None,
) -> int:
    """Run NSGA-II by ask and tell; with `limit`, one objective under a limit on the other.

    The predictor, where there is one, gives the first objective.
    """
    task = Task(space=space, objectives=1 if limit else 2, limits=1 if limit else 0, seed=0, budget=candidates)
    searcher = NSGA2(task, population=population)
    done = 0
    while done < candidates:
        genes = searcher.ask(population)
        found = look_up(genes)
        if predictor is not None:
            found[:, 0] = predictor(genes)
        margins = found[:, 1:] if limit else np.zeros((len(genes), 0))
        searcher.tell(
            Results(
                genes=genes, objectives=found[:, :1] if limit else found, violations=np.maximum(margins, 0),
                failed=np.zeros(len(genes), dtype=bool), margins=margins,
            )
        )  # fmt: skip
        done += len(genes)
    return done


def pymoo(space: SearchSpace, look_up: LookUp, *, candidates: int, population: int) -> int:
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
            out["F"] = look_up(x.astype(np.int64))

    algorithm = Peer(
        pop_size=population, sampling=IntegerRandomSampling(), crossover=UX(),
        mutation=PM(repair=RoundingRepair(), vtype=float),
    )  # fmt: skip
    minimize(Table(), algorithm, ("n_eval", candidates), seed=0, verbose=False)
    return candidates


class Perceptron:
    """Three layers of 400 on the one-hot code, as once-for-all's accuracy predictor has; random weights."""

    def __init__(self, space: SearchSpace) -> None:
        rng, cards = np.random.default_rng(0), np.asarray(space.cardinalities)
        shapes = (int(cards.sum()), WIDTH), (WIDTH, WIDTH), (WIDTH, WIDTH), (WIDTH, 1)
        self._layers = [rng.normal(size=shape).astype(np.float32) / 20 for shape in shapes]
        self._starts = np.cumsum(cards) - cards
        self._code = np.empty((CHUNK, shapes[0][0]), np.float32)
        self._hidden = np.empty((2, CHUNK, WIDTH), np.float32)

    def __call__(self, genes: np.ndarray) -> np.ndarray:
        """Prediction (N,) for codes (N, D), in chunks whose layers stay in the cache."""
        return np.concatenate([self._chunk(genes[start : start + CHUNK]) for start in range(0, len(genes), CHUNK)])

    def _chunk(self, genes: np.ndarray) -> np.ndarray:
        count = len(genes)
        code, (hidden, other) = self._code[:count], self._hidden[:, :count]
        code[:] = 0
        code[np.arange(count)[:, None], genes + self._starts] = 1
        np.dot(code, self._layers[0], out=hidden)
        for weight in self._layers[1:-1]:
            np.maximum(hidden, 0, out=hidden)
            hidden, other = np.dot(hidden, weight, out=other), hidden
        np.maximum(hidden, 0, out=hidden)
        return (hidden @ self._layers[-1])[:, 0]


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
    look_up, predictor = LookUp(space), Perceptron(space)
    found = {
        "nsga2": rate(lambda: drive(space, look_up, candidates=options.candidates, population=1000, limit=False)),
        "constrained_evolution": rate(
            lambda: drive(space, look_up, candidates=options.candidates, population=1000, limit=True)
        ),
        "mlp_predictor": rate(
            lambda: drive(
                space, look_up, candidates=options.candidates, population=1000, limit=True, predictor=predictor
            )
        ),
    }
    if importlib.util.find_spec("pymoo"):
        found["pymoo_nsga2"] = rate(lambda: pymoo(space, look_up, candidates=20_000, population=1000))
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
