"""Do the intervals of latency tables hold? On made-up devices of an independent law (`synthetic_devices.py`).

    python benchmarks/latency_coverage.py --json benchmarks/results/latency_coverage.json

For each preset, number of networks, noise and step of the clock it draws devices, "measures" a covering design as a
build does (one visit a network, two of the probes), fits and announces as a build does, and prints how many held-out
networks have their true latency in the announced interval. Beside the mean half width stands the least that a device
allows: the 90 % quantile of the true errors. A cell is repeated with new devices until its standard error is below
`--error` points. After a step of the clock the probes are measured again, and predictions are brought to that moment as
`check` does it. No runtime and no clock: it repeats to the last digit.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

import numpy as np  # noqa: E402
from numpy.typing import NDArray  # noqa: E402

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks.synthetic_devices import Device, Networks  # noqa: E402
from edgenas.arch import lower  # noqa: E402
from edgenas.latency import Unit, graph_units  # noqa: E402
from edgenas.latency.model.crossval import cross_validate  # noqa: E402
from edgenas.latency.model.process import UnitFit  # noqa: E402
from edgenas.measure.table.design import Design, covering_design, held_out, space_units  # noqa: E402
from edgenas.measure.table.fit import interval_of  # noqa: E402
from edgenas.space import SearchSpace, load  # noqa: E402

Array = NDArray[np.float64]
PRESETS = ("tiny", "edge_lite", "efficientnet", "ofa_mobilenet_v3")
NETWORKS = (4, 8, 16, 40, 100, 200)
NOISES = (0.005, 0.015, 0.04)
_STEP = 1.3
_NORMAL_90 = 1.6448536269514722
_LEAST_TABLES = 8
_CHECK_VISITS = 2
# Networks that tell how unsteady a fit is.
_OTHERS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Networks of a space, with their units (n, U) for a table and their kernels for a device."""

    counts: Array
    networks: Networks


@dataclass(frozen=True, slots=True, kw_only=True)
class Announced:
    """What one table said, and what was true, of m held-out networks: errors and half widths, relative."""

    error: Array
    half: Array

    @property
    def coverage(self) -> float:
        """Share of networks whose true latency lies in the interval."""
        return float((np.abs(self.error) <= self.half).mean())


class Bench:
    """A space with held-out networks, and designs of several sizes."""

    def __init__(self, name: str, *, tested: int) -> None:
        self.space: SearchSpace = load(name)
        self.units: list[Unit] = list(space_units(self.space).values())
        self._places = {unit: place for place, unit in enumerate(self.units)}
        self._held_out = held_out(self.space, tested + _OTHERS, np.random.default_rng(99))
        self.tested = self.describe(self._held_out[:tested])
        self.others = self.describe(self._held_out[tested:]).counts

    def describe(self, codes: NDArray[np.int64]) -> Measured:
        """Units and kernels of networks (n, D)."""
        graphs = [lower(self.space.decode(code)) for code in codes]
        counts = np.zeros((len(graphs), len(self.units)))
        for row, graph in enumerate(graphs):
            for unit, _ in graph_units(graph):
                counts[row, self._places[unit]] += 1
        return Measured(counts=counts, networks=Networks.of(graphs))

    def designs(self, networks: int, number: int) -> list[tuple[Design, Measured]]:
        """Designs of a table of some networks, with different seeds."""
        found = [covering_design(self.space, networks, np.random.default_rng(seed)) for seed in range(number)]
        return [(design, self.describe(design.genes)) for design in found]

    def table(
        self, design: Design, measured: Measured, device: Device, noise: float, steps: Sequence[float], seed: int
    ) -> list[Announced]:
        """Build a table of a device, and hold it against the truth at each step of the clock."""
        rng = np.random.default_rng([seed, round(1e4 * noise)])
        own, truth = device.latencies(measured.networks), device.latencies(self.tested.networks)
        unit = float(np.median(truth))
        often = np.ones(len(own))
        often[list(design.probes)] = 2.0
        visits = [value / unit * _noisy(rng, noise, int(count)) for value, count in zip(own, often, strict=True)]
        ratios = np.array([np.median(found) for found in visits])
        pairs = [np.log(found[1] / found[0]) for found in visits if len(found) > 1]
        seen_noise = math.sqrt(float(np.mean(np.square(pairs))) / 2)
        mean_noise = seen_noise / math.sqrt(float(often.mean()))
        seen = measured.counts.any(axis=0)
        units = [self.units[place] for place in np.flatnonzero(seen).tolist()]
        fit = UnitFit(units, measured.counts[:, seen], ratios, noise=mean_noise, visits=often)
        left_out = cross_validate(
            self.units, measured.counts, ratios, drawn=design.drawn, others=self.others, noise=mean_noise, visits=often
        )
        relative = interval_of(left_out, seen_noise).relative
        predicted, estimated = self._predict(fit, seen)
        found = []
        for step in steps:
            # The reference of a build is one network among all; its error is that of the median of its many visits.
            now, clock_error = 1.0, 0.0
            later = device if step == 1.0 else device.at_clock(step)
            if step != 1.0:
                then, after = ratios[list(design.probes)], later.latencies(measured.networks)[list(design.probes)]
                told = np.log(after / unit / then) + np.mean(
                    np.log([_noisy(rng, noise, len(then)) for _ in range(_CHECK_VISITS)]), axis=0
                )
                now, clock_error = float(np.exp(told.mean())), _clock_error(told)
            error = now * predicted / (later.latencies(self.tested.networks) / unit) - 1
            half = np.sqrt(relative**2 + _NORMAL_90**2 * (clock_error**2 + (estimated / predicted) ** 2))
            # Both sides count in the prediction; the error is relative to the truth.
            found.append(Announced(error=error, half=half * (1 + error)))
        return found

    def _predict(self, fit: UnitFit, seen: NDArray[np.bool_]) -> tuple[Array, Array]:
        """Predictions for the held-out networks, and the standard error that units without a measurement add."""
        counts = self.tested.counts
        used = np.flatnonzero(counts.any(axis=0))
        times, errors = fit.times([self.units[place] for place in used.tolist()])
        rows = counts[:, used]
        predicted = rows @ times + fit.constant + fit.per_unit * rows.sum(axis=1)
        return predicted, np.sqrt(rows @ np.where(seen[used], 0.0, errors) ** 2)


def _noisy(rng: np.random.Generator, noise: float, count: int) -> Array:
    return np.exp(noise * rng.standard_normal(count))


def _clock_error(told: Array) -> float:
    """Relative standard error of a clock that several probes tell (their number,), as `check` states it."""
    return float(told.std(ddof=1)) / math.sqrt(len(told))


def cell(
    bench: Bench, designs: Sequence[tuple[Design, Measured]], noise: float, *, steps: Sequence[float], most: int,
    least_error: float,
) -> list[list[Announced]]:  # fmt: skip
    """Tables of new devices until the coverage of each step is known to `least_error`; a list for each step."""
    found: list[list[Announced]] = [[] for _ in steps]
    for seed in range(most):
        design, measured = designs[seed % len(designs)]
        for kept, said in zip(
            found, bench.table(design, measured, Device.drawn(seed), noise, steps, seed), strict=True
        ):
            kept.append(said)
        if seed + 1 >= _LEAST_TABLES and max(standard_error(kept) for kept in found) < least_error:
            break
    return found


def standard_error(tables: Sequence[Announced]) -> float:
    """Of the mean coverage of tables."""
    return float(np.std([said.coverage for said in tables], ddof=1)) / math.sqrt(len(tables))


def row_of(tables: Sequence[Announced]) -> dict[str, Any]:
    """The figures of one cell."""
    errors = [np.abs(said.error) for said in tables]
    return {
        "tables": len(tables),
        "coverage_percent": round(100 * float(np.mean([said.coverage for said in tables])), 1),
        "standard_error": round(100 * standard_error(tables), 1),
        "least_coverage_percent": round(100 * min(said.coverage for said in tables), 1),
        "half_width_percent": round(100 * float(np.mean([said.half.mean() for said in tables])), 2),
        "oracle_width_percent": round(100 * float(np.mean([np.quantile(error, 0.9) for error in errors])), 2),
        "mape_percent": round(100 * float(np.mean([error.mean() for error in errors])), 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--presets", nargs="+", default=list(PRESETS))
    parser.add_argument("--networks", type=int, nargs="+", default=list(NETWORKS))
    parser.add_argument("--noise", type=float, nargs="+", default=list(NOISES))
    parser.add_argument("--tested", type=int, default=120)
    parser.add_argument("--most", type=int, default=120, help="tables of a cell")
    parser.add_argument("--error", type=float, default=1.5, help="standard error of a cell's coverage, points")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    steps, rows = (1.0, _STEP), list[dict[str, Any]]()
    for name in arguments.presets:
        bench = Bench(name, tested=arguments.tested)
        for networks in arguments.networks:
            designs = bench.designs(networks, 8 if networks <= 16 else 3)
            for noise in arguments.noise:
                start = time.perf_counter()
                found = cell(
                    bench, designs, noise, steps=steps, most=arguments.most, least_error=arguments.error / 100
                )
                for step, tables in zip(steps, found, strict=True):
                    what = {"preset": name, "networks": networks, "noise_percent": 100 * noise, "clock": step}
                    rows.append({**what, **row_of(tables)})
                    print("  ".join(f"{key} {value}" for key, value in rows[-1].items()), end="", flush=True)
                    print(f"  ({time.perf_counter() - start:.0f} s)", flush=True)
                if arguments.json:
                    arguments.json.write_text(json.dumps({"rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
