"""Costs of whole populations at once, against costing one network after the other, on one core.

    python benchmarks/population_costs.py --space ofa_mobilenet_v3 --json population_costs.json

Prints networks a second of CPU time for both ways, their ratio, and whether the results are equal to the unit. With
`--table FILE` (a latency table of the space, shipped or own) the predicted latencies too, equal to the last bit.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

# One core: set before numpy starts its threads.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

import numpy as np  # noqa: E402

from edgenas.arch import lower  # noqa: E402
from edgenas.cost import macs, params, peak_activation_bytes  # noqa: E402
from edgenas.latency import SpaceLatency, open_table, predict  # noqa: E402
from edgenas.space import AdditiveTable, SearchSpace, load, macs_and_params, population_costs  # noqa: E402
from edgenas.types import Genes  # noqa: E402


def rate(work: Callable[[], object], networks: int, repeats: int) -> float:
    """Networks a second of CPU time, the median of some repeats after a warm one."""
    work()
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    return networks / float(np.median(seconds))


def one_by_one(space: SearchSpace, codes: Genes) -> list[tuple[int, int]]:
    """MACs and parameters of each network from its own graph."""
    graphs = (lower(space.decode(code)) for code in codes)
    return [(macs(graph), params(graph)) for graph in graphs]


def latency_rates(file: str, space: SearchSpace, codes: Genes, *, single: int, repeats: int) -> dict[str, object]:
    """Rates of predicting latencies by a table, at once and one by one."""
    table = open_table(file)
    start = time.process_time()
    latencies = SpaceLatency(table, space)
    build = time.process_time() - start
    few = codes[:single]
    found = latencies.predict(few)
    apart = [predict(table, space.decode(code)) for code in few]
    at_once = rate(lambda: latencies.predict(codes), len(codes), repeats)
    one = rate(lambda: [predict(table, space.decode(code)) for code in few], single, 3)
    return {
        "latency_table": file,
        "latency_build_seconds": round(build, 4),
        "latency_per_second": round(at_once),
        "latency_one_by_one_per_second": round(one),
        "latency_ratio": round(at_once / one),
        "latency_equal": found.latency_ms.tolist() == [alone.latency_ms for alone in apart]
        and found.low_ms.tolist() == [alone.low_ms for alone in apart]
        and found.high_ms.tolist() == [alone.high_ms for alone in apart],
    }


def run(name: str, *, networks: int, single: int, seed: int, repeats: int) -> dict[str, object]:
    """Run the comparison on one space."""
    space = load(name)
    codes = space.sample(networks, np.random.default_rng(seed))
    start = time.process_time()
    AdditiveTable.build(space, macs_and_params)
    build = time.process_time() - start
    costs = population_costs(space)
    few = codes[:single]
    together = costs.macs_and_params(few)
    peaks = [peak_activation_bytes(lower(space.decode(code))) for code in few]
    at_once = rate(lambda: costs.macs_and_params(codes), networks, repeats)
    apart = rate(lambda: one_by_one(space, few), single, 3)
    return {
        "space": name,
        "networks": networks,
        "build_seconds": round(build, 4),
        "networks_per_second": round(at_once),
        "one_by_one_per_second": round(apart),
        "ratio": round(at_once / apart),
        "peak_memory_per_second": round(rate(lambda: costs.peak_activation_bytes(codes), networks, repeats)),
        "features_per_second": round(rate(lambda: space.features(codes), networks, repeats)),
        "canonical_per_second": round(rate(lambda: space.canonical(codes), networks, repeats)),
        "equal": together.tolist() == [list(pair) for pair in one_by_one(space, few)]
        and costs.peak_activation_bytes(few).tolist() == peaks,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; return 1 where the two ways differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--space", action="append", help="preset or YAML file; may be given several times")
    parser.add_argument("--networks", type=int, default=200_000)
    parser.add_argument("--single", type=int, default=500, help="networks for the one-by-one way and the check")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--table", help="a latency table of the space: a file, or the name of a shipped one")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args(arguments)
    names = given.space or ["ofa_mobilenet_v3"]
    if given.table and len(names) > 1:
        parser.error("--table is of one space: give one --space")
    results = [
        run(name, networks=given.networks, single=given.single, seed=given.seed, repeats=given.repeats)
        for name in names
    ]
    if given.table:
        space = load(names[0])
        codes = space.sample(given.networks, np.random.default_rng(given.seed))
        results[0] |= latency_rates(given.table, space, codes, single=given.single, repeats=given.repeats)
    for result in results:
        print("\n".join(f"{key:>24}  {value:,}" if isinstance(value, int) and not isinstance(value, bool)
                        else f"{key:>24}  {value}" for key, value in result.items()), end="\n\n")
    if given.json:
        given.json.write_text(json.dumps({"spaces": results}, indent=2) + "\n", encoding="utf-8")
    return 0 if all(result["equal"] and result.get("latency_equal", True) for result in results) else 1


if __name__ == "__main__":
    raise SystemExit(main())
