"""Do the intervals of latency tables hold, however few networks they are made of? On devices whose truth is known.

    python benchmarks/latency_coverage.py --space tiny --json OUT

Makes synthetic devices (rates of work by kernel, a smooth efficiency, whims of single units), "measures" networks of a
covering design with noise, fits as a table is fitted, and prints for each number of networks how many held-out networks
lie in the announced interval, its half width, and the error. No runtime and no clock: it repeats to the last digit.
"""

from __future__ import annotations

import argparse
import json
import math
import os
from pathlib import Path
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

import numpy as np  # noqa: E402
from numpy.typing import NDArray  # noqa: E402

from edgenas.arch import lower  # noqa: E402
from edgenas.latency import Unit, graph_units  # noqa: E402
from edgenas.latency.model.crossval import cross_validate  # noqa: E402
from edgenas.latency.model.process import UnitFit  # noqa: E402
from edgenas.latency.model.work import group, position, work  # noqa: E402
from edgenas.measure.table.design import covering_design, held_out, space_units  # noqa: E402
from edgenas.space import SearchSpace, load  # noqa: E402

Array = NDArray[np.float64]
_NORMAL_90 = 1.645


def device_times(units: list[Unit], rng: np.random.Generator) -> Array:
    """Times (U,) of units on a made-up device."""
    amounts = np.array([work(unit) for unit in units])
    typical = np.where(amounts.any(axis=0), amounts.mean(axis=0), 1.0)
    rates = {name: rng.lognormal(0, 0.7, 7) / typical for name in sorted({group(unit) for unit in units})}
    waves, phases = 0.3 * rng.standard_normal((10, 4)), rng.uniform(0, 6, 4)
    smooth = 0.3 * np.array([np.sin(position(unit) @ waves + phases).mean() for unit in units])
    linear = np.array([float(work(unit) @ rates[group(unit)]) for unit in units])
    return 0.01 * linear * np.exp(smooth + 0.08 * rng.standard_normal(len(units)))


def counts_of(space: SearchSpace, codes: NDArray[np.int64], places: dict[str, int]) -> Array:
    """How often each network (n,) contains each unit (n, U)."""
    counts = np.zeros((len(codes), len(places)))
    for row, code in enumerate(codes):
        for unit, _ in graph_units(lower(space.decode(code))):
            counts[row, places[unit.key]] += 1
    return counts


def one(space: SearchSpace, networks: int, noise: float, device: int, tested: int) -> tuple[float, float, float]:
    """Share of networks inside their interval, its half width, mean absolute error."""
    rng = np.random.default_rng(device)
    units = list(space_units(space).values())
    times = device_times(units, rng)
    design = covering_design(space, networks, np.random.default_rng(device))
    codes = held_out(space, tested, np.random.default_rng(device + 1000), without=design.genes)
    places = {unit.key: place for place, unit in enumerate(units)}
    known, asked = counts_of(space, design.genes, places), counts_of(space, codes, places)
    ratios = (known @ times + 0.02) * np.exp(noise * rng.standard_normal(networks))
    truth = asked @ times + 0.02
    seen = np.flatnonzero(known.sum(axis=0)).tolist()
    fit = UnitFit([units[place] for place in seen], known[:, seen], ratios, noise=noise)
    left_out = cross_validate(units, known, ratios, drawn=design.drawn, noise=noise)
    relative = math.hypot(left_out.quantile(), noise)
    means, errors = fit.times(units)
    predicted = asked @ np.nan_to_num(means) + fit.constant + fit.per_unit * asked.sum(axis=1)
    unmeasured = np.where(known.sum(axis=0) > 0, 0.0, np.nan_to_num(errors))
    half = np.hypot(relative * predicted, _NORMAL_90 * np.sqrt(asked @ unmeasured**2))
    inside = np.abs(predicted - truth) <= half
    return float(inside.mean()), relative, float(np.abs(predicted / truth - 1).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--space", default="tiny")
    parser.add_argument("--networks", type=int, nargs="+", default=[8, 10, 16, 24, 40, 60, 100])
    parser.add_argument("--noise", type=float, nargs="+", default=[0.01, 0.03])
    parser.add_argument("--devices", type=int, default=8)
    parser.add_argument("--tested", type=int, default=100)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    space, rows = load(arguments.space), list[dict[str, Any]]()
    for networks in arguments.networks:
        for noise in arguments.noise:
            found = [one(space, networks, noise, device, arguments.tested) for device in range(arguments.devices)]
            inside, width, error = (100 * np.array(column) for column in zip(*found, strict=True))
            rows.append({
                "networks": networks, "noise_percent": 100 * noise, "coverage_percent": round(float(inside.mean()), 1),
                "least_coverage_percent": round(float(inside.min()), 1),
                "half_width_percent": round(float(width.mean()), 1),
                "mape_percent": round(float(error.mean()), 2),
            })  # fmt: skip
            print("  ".join(f"{key} {value}" for key, value in rows[-1].items()), flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps({"space": arguments.space, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
