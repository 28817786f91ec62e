"""How many distinct networks each strategy needs, on tables of networks that somebody trained or measured for real.

    python benchmarks/search_quality.py --table NPZ [--table NPZ ...] --seeds 20 --json OUT

A table is an .npz with a description in JSON beside it or in `benchmarks/tables/` under the same name (see
`edgenas.search.read_table`). Side by side in one run: edgenas with the package's defaults, pymoo's NSGA2 with
categorical operators, Optuna's NSGAIISampler and TPESampler, and BoTorch's noisy expected hypervolume improvement (the
extra `bench`). Only distinct networks count: a network that is proposed again, in whichever code, costs nothing.

Hypervolume is measured from two references. That of the accurate end (75th percentile of the first objective, 1.1 times
the cost of the network that is best in it) is what a user of a budget wants; `surrogate` and `pareto_local_search` know
this region by their own rule, and their peers do not. That of the whole front lies behind every row of the table.
Finished searches are kept beside OUT, so a killed benchmark goes on where it was.
"""

from __future__ import annotations

import argparse
import functools
import importlib.util
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from search_peers import PEERS, Problem
from tables import Table, read_table

from edgenas.pareto import hypervolume_curve
from edgenas.search import STRATEGIES, Results

LEVELS = (95, 98, 99)
COUNTS = (50, 100, 200, 300, 500)
REGRET_COUNTS = (40, 100, 200)
BATCH = 1
MODEL_BASED = ("surrogate", "optuna_tpe")
# Seeds and evaluations of what takes up to seconds an evaluation: fewer than the others get.
SLOW = {"optuna_tpe": (5, 250), "botorch_nehvi": (3, 50), "reinforce_lstm": (5, 200)}
# A strategy that proposes what it knows again costs nothing but time; TPE does so ever more, at 30 ms each.
PROPOSALS = {"optuna_tpe": 3}
OURS = ("random", "nsga2", "ageing", "pareto_local_search", "surrogate")
OURS_CONSTRAINED = (
    "random", "ageing", "pareto_local_search", "surrogate", "surrogate_known_cost", "reinforce", "reinforce_lstm", "ppo"
)  # fmt: skip


class Recorder:
    """Looks a table up and writes down every distinct network, until there are enough."""

    def __init__(self, table: Table, limit: float | None, most: int, proposals: int) -> None:
        self.table, self.limit, self.most, self.proposals = table, limit, most, proposals
        self.rows: list[int] = []
        self._seen: set[int] = set()
        self.asked = 0

    @property
    def done(self) -> bool:
        return len(self.rows) >= self.most or self.asked >= self.proposals

    def __call__(self, genes: np.ndarray) -> np.ndarray:
        """Objectives (N, M) of codes (N, D); NaN where a reading is unusable."""
        for row in self.table.space.rows(genes):
            self.asked += 1
            if int(row) not in self._seen and len(self.rows) < self.most:
                self._seen.add(int(row))
                self.rows.append(int(row))
        return self.table.look_up(genes)


def run_ours(name: str, recorder: Recorder, seed: int) -> None:
    """Run a strategy of edgenas, as anybody would: its factory, its defaults."""
    table, limit = recorder.table, recorder.limit
    objectives = len(table.objective_names) if limit is None else 1
    limits = 0 if limit is None else 1
    strategy, known = name.removesuffix("_known_cost"), {}
    if strategy != name:
        assert limit is not None
        known = {0: lambda genes: (table.look_up(genes)[:, 1] - limit) / limit}
    searcher = STRATEGIES[strategy](
        table.space, objectives=objectives, limits=limits, seed=seed, budget=recorder.most, known_margins=known
    )
    while not recorder.done:
        genes = searcher.ask(BATCH)
        if len(genes) == 0:
            break
        found = recorder(genes)
        failed = np.isnan(found).any(axis=1)
        margins = np.zeros((len(genes), 0)) if limit is None else (found[:, 1:2] - limit) / limit
        searcher.tell(
            Results(
                genes=genes,
                objectives=found if limit is None else found[:, :1],
                violations=np.maximum(margins, 0),
                failed=failed,
                margins=margins,
            )
        )


def one_search(name: str, table: Table, limit: float | None, seed: int, most: int) -> dict[str, Any]:
    """Run one search; returns the distinct rows in order, and the CPU time each evaluation cost."""
    recorder = Recorder(table, limit, most, PROPOSALS.get(name, 20) * most)
    started = time.process_time()
    if name in PEERS:
        problem = Problem(
            cardinalities=table.space.cardinalities, evaluate=recorder, limit=limit, done=lambda: recorder.done
        )
        PEERS[name](problem, seed)
    else:
        run_ours(name, recorder, seed)
    spent = time.process_time() - started
    return {"rows": recorder.rows, "cpu_ms_per_evaluation": 1000 * spent / max(1, len(recorder.rows))}


def hypervolume_of(table: Table, rows: list[int], *, whole: bool) -> np.ndarray:
    """Hypervolume in percent of the best after each distinct network, from one of the table's two references."""
    reference = table.whole_reference if whole else table.reference
    best = table.whole_hypervolume if whole else table.best_hypervolume
    return 100 * hypervolume_curve(table.objectives[rows], reference) / best


def quality(table: Table, runs: list[dict[str, Any]], *, whole: bool) -> dict[str, Any]:
    """Medians over seeds of one strategy, from one of the table's two references."""
    curves = [hypervolume_of(table, run["rows"], whole=whole) for run in runs]
    return {
        "hypervolume_percent": median_at(curves, COUNTS),
        "evaluations_to": {
            str(level): finite(float(np.median([first(curve >= level - 1e-9) for curve in curves])))
            for level in LEVELS
        },
    }


def regret_of(table: Table, limit: float, rows: list[int]) -> np.ndarray:
    """Points between the best network under the limit and the best found, after each distinct network."""
    allowed = table.objectives[:, 1] <= limit
    best = np.nanmin(table.objectives[allowed, 0])
    values = np.where(table.objectives[rows, 1] <= limit, table.objectives[rows, 0], np.inf)
    return np.minimum.accumulate(np.where(np.isnan(values), np.inf, values)) - best


def first(condition: np.ndarray) -> float:
    """Number of evaluations until a condition holds for the first time; infinite where it never does."""
    found = np.flatnonzero(condition)
    return float(found[0] + 1) if len(found) else float("inf")


def median_at(curves: list[np.ndarray], counts: tuple[int, ...]) -> dict[str, float]:
    """Medians after so many evaluations; a search that exhausted the space keeps its last value."""
    longest = max(len(curve) for curve in curves)
    return {
        str(count): round(float(np.median([curve[min(count, len(curve)) - 1] for curve in curves])), 4)
        for count in counts
        if count <= longest
    }


def finite(value: float) -> float | None:
    """JSON has no infinity."""
    return value if np.isfinite(value) else None


class Kept:
    """Finished searches in a file of JSON lines."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._found: dict[str, dict[str, Any]] = {}
        if path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                entry = json.loads(line)
                self._found[entry.pop("key")] = entry

    def get(self, key: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        if key not in self._found:
            self._found[key] = make()
            with self._path.open("a") as stream:
                stream.write(json.dumps({"key": key, **self._found[key]}) + "\n")
        return self._found[key]


def searches(kept: Kept, name: str, table: Table, limit: float | None, seeds: int, most: int) -> list[dict[str, Any]]:
    """One search of each seed, those that are not kept being run now."""
    problem = f"{table.name}/{name}" if limit is None else f"{table.name}<={limit:g}/{name}"
    suffix = f"/{most}" if limit is None else ""
    return [
        kept.get(f"{problem}/{seed}{suffix}", functools.partial(one_search, name, table, limit, seed, most))
        for seed in range(seeds)
    ]


def describe(npz: Path) -> Path:
    """Where the description of a table lies."""
    beside, ours = npz.with_suffix(".json"), Path(__file__).parent / "tables" / f"{npz.stem}.json"
    return beside if beside.exists() else ours


def problems(paths: list[Path]) -> Iterator[tuple[Table, tuple[float, ...]]]:
    """Yield every problem of the tables with the limits on its second objective."""
    for path in paths:
        text = json.loads(describe(path).read_text())
        for table in read_table(path, describe(path)):
            entry = text.get("problems", {}).get(table.name, text)
            yield table, tuple(entry.get("limits_on_second", ()))


def words(found: dict[str, Any]) -> str:
    """One reference's numbers of one strategy as a part of a line."""
    values = " ".join(f"{value:6.2f}" for value in found["hypervolume_percent"].values())
    reached = " / ".join("-" if value is None else f"{value:g}" for value in found["evaluations_to"].values())
    return f"{values:34s} {reached:22s}"


def main() -> None:
    """Run, print tables, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--table", type=Path, action="append", required=True, help="an .npz; repeatable")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--evaluations", type=int, default=500, help="of the model-free strategies")
    parser.add_argument("--model-evaluations", type=int, default=250, help="of the model-based ones")
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--only", help="comma-separated strategies")
    options = parser.parse_args()
    kept = Kept(options.json.with_suffix(".searches.jsonl"))
    peers = [name for name in PEERS if importlib.util.find_spec(name.partition("_")[0])]
    wanted = set(options.only.split(",")) if options.only else None
    result: dict[str, Any] = {"seeds": options.seeds, "tables": {}, "constrained": {}}
    for table, limits in problems(options.table):
        result["tables"][table.name] = {}
        print(f"\n{table.name}: hypervolume % after {COUNTS}, networks to {LEVELS} %; accurate end | whole front")
        for name in (*OURS, *peers):
            if wanted and name not in wanted:
                continue
            most = options.model_evaluations if name in MODEL_BASED else options.evaluations
            seeds, most = SLOW.get(name, (options.seeds, most))
            runs = searches(kept, name, table, None, min(seeds, options.seeds), most)
            entry = {
                "accurate_end": quality(table, runs, whole=False),
                "whole_front": quality(table, runs, whole=True),
                "seeds": len(runs),
                "cpu_ms_per_evaluation": round(float(np.median([run["cpu_ms_per_evaluation"] for run in runs])), 3),
            }
            result["tables"][table.name][name] = entry
            print(f"  {name:20s} {words(entry['accurate_end'])} | {words(entry['whole_front'])}", flush=True)
        for limit in limits:
            constrained(options, table, limit, kept, [peer for peer in peers if peer == "optuna_tpe"], wanted, result)
    options.json.write_text(json.dumps(result, indent=1) + "\n")


def constrained(
    options: argparse.Namespace,
    table: Table,
    limit: float,
    kept: Kept,
    peers: list[str],
    wanted: set[str] | None,
    result: dict[str, Any],
) -> None:
    """One objective under a limit on the other."""
    print(f"\n{table.name}, {table.objective_names[1]} <= {limit:g}: regret after {REGRET_COUNTS}; to the optimum")
    found = result["constrained"].setdefault(f"{table.name}<={limit:g}", {})
    for name in (*OURS_CONSTRAINED, *peers):
        if wanted and name not in wanted:
            continue
        most = max(REGRET_COUNTS)
        seeds, _ = SLOW.get(name, (options.seeds, most))
        runs = searches(kept, name, table, limit, min(seeds, options.seeds), most)
        curves = [regret_of(table, limit, run["rows"]) for run in runs]
        optimum = float(np.median([first(curve <= 1e-9) for curve in curves]))
        found[name] = {
            "regret_points": {key: finite(value) for key, value in median_at(curves, REGRET_COUNTS).items()},
            "evaluations_to_optimum": finite(optimum),
        }
        values = " ".join(f"{curve:7.3f}" for curve in median_at(curves, REGRET_COUNTS).values())
        print(f"  {name:22s} {values}   {'-' if not np.isfinite(optimum) else f'{optimum:g}'}", flush=True)


if __name__ == "__main__":
    main()
