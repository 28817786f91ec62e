"""Do two builds of one table agree, and does a build survive a neighbour that keeps a core busy?

    python benchmarks/latency_repeatability.py TABLE_A --space ofa_mobilenet_v3 --json OUT

TABLE_A is a validated table of this machine, built some time ago. The script builds it again with the same settings and
prints the differences between the predictions of both for the networks of TABLE_A's validation; then once more while a
busy loop that it starts keeps one core busy. A build that refuses the busy machine says so; `--force` measures there
anyway. Errors are against the latencies that TABLE_A's validation measured. "ratio" is relative to each table's own
reference network, "ms" includes the drift of the clock between the builds.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

import numpy as np  # noqa: E402
from numpy.typing import NDArray  # noqa: E402

from edgenas.errors import DeviceError  # noqa: E402
from edgenas.latency import LatencyTable, SpaceLatency, open_table, write_table  # noqa: E402
from edgenas.measure import build_table, business  # noqa: E402
from edgenas.measure.table.validate import held_out_networks, require_here, target_of  # noqa: E402
from edgenas.space import SearchSpace, load  # noqa: E402

Array = NDArray[np.float64]


@contextmanager
def busy_core() -> Iterator[None]:
    """Keep one core busy with a process of its own, and end that process."""
    loop = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        time.sleep(1.0)
        yield
    finally:
        loop.kill()
        loop.wait()


def build_again(
    table: LatencyTable, space: SearchSpace, arguments: argparse.Namespace, *, force: bool
) -> LatencyTable:
    """Build a table with the settings of another one."""
    target = target_of(table)
    start = time.perf_counter()

    def progress(done: int, total: int, what: str) -> None:
        if done % 20 == 0 or done == total:
            print(f"  {what}: {done} of {total}, {time.perf_counter() - start:.0f} s", flush=True)

    return build_table(
        space, runtime=target.runtime, precision=target.precision, threads=target.protocol.threads,
        mode=target.protocol.mode, scheme=target.scheme, networks=table.build.networks, seconds=arguments.seconds,
        seed=table.build.seed, force=force, progress=progress,
    )  # fmt: skip


def ratios(table: LatencyTable, space: SearchSpace, codes: NDArray[np.int64]) -> Array:
    """Predictions of networks (n,) relative to the table's reference."""
    return SpaceLatency(table, space).latency_ms(codes) / table.reference.latency_ms


def percent(value: float) -> float:
    return round(100 * float(value), 2)


def compare(first: LatencyTable, second: LatencyTable, space: SearchSpace, codes: NDArray[np.int64]) -> dict[str, Any]:
    """Figures of a second table beside a first one."""
    assert first.validation is not None
    truth = np.array(first.validation.measured_ms) / first.reference.latency_ms
    one, two = ratios(first, space, codes), ratios(second, space, codes)
    clock = second.reference.latency_ms / first.reference.latency_ms
    apart = np.abs(two / one - 1)
    return {
        "median_difference_percent": percent(np.median(apart)),
        "worst_difference_percent": percent(apart.max()),
        "median_difference_ms_percent": percent(np.median(np.abs(two * clock / one - 1))),
        "clock_percent": percent(clock - 1),
        "mape_percent": percent(np.abs(two / truth - 1).mean()),
        "within_5_percent": round(100 * float((np.abs(two / truth - 1) <= 0.05).mean()), 1),
        "visit_noise_percent": percent(second.interval.visit_noise),
        "build_seconds": second.build.seconds,
        "switches": second.build.switches,
        "load_per_core": second.build.load_per_core,
    }


def while_busy(again: Callable[[bool], LatencyTable], *, force: bool) -> tuple[LatencyTable | None, dict[str, Any]]:
    """Build while one core is busy.

    Args:
        again: Builds; its argument says whether on a busy machine too.
        force: Build although the machine was refused.

    Returns:
        The table, None where it was refused; and what was seen.
    """
    with busy_core():
        before = business()
        seen: dict[str, Any] = {"load_per_core_before": round(before.load_per_core, 2),
                                "stolen_percent": percent(before.stolen), "refused": ""}  # fmt: skip
        try:
            return again(False), seen
        except DeviceError as error:
            seen["refused"] = str(error)
            print(f"  refused: {error}", flush=True)
        return (again(True) if force else None), seen


def show(name: str, figures: dict[str, Any]) -> None:
    print(f"{name:14s} " + "  ".join(f"{key} {value}" for key, value in figures.items()), flush=True)


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Build twice and compare; prints as it goes."""
    first, space = open_table(arguments.table), load(arguments.space)
    require_here(first)
    checked = first.validation
    if checked is None:
        raise SystemExit(f"{arguments.table} has no validation: run `edgenas latency validate` on it first")
    codes = held_out_networks(first, space, checked.networks, checked.seed)
    own = ratios(first, space, codes) * first.reference.latency_ms
    if not np.allclose(own, checked.predicted_ms, rtol=1e-4):
        raise SystemExit(f"the networks of {arguments.table}'s validation cannot be drawn again from its seed")
    results: dict[str, Any] = {"table": arguments.table.name, "networks": len(codes),
                               "first": {"mape_percent": checked.mape_percent}}  # fmt: skip
    show("first", results["first"])

    def again(force: bool) -> LatencyTable:
        return build_again(first, space, arguments, force=force)

    second = again(arguments.force)
    results["second"] = compare(first, second, space, codes)
    show("second", results["second"])
    if arguments.second:
        write_table(second, arguments.second)
    if arguments.busy:
        table, seen = while_busy(again, force=arguments.force)
        results["busy"] = seen | (compare(first, table, space, codes) if table is not None else {})
        show("busy core", results["busy"])
        if table is not None:
            results["busy"]["mape_ratio"] = round(
                results["busy"]["mape_percent"] / results["second"]["mape_percent"], 2
            )
            print(f"MAPE with a busy core / without: {results['busy']['mape_ratio']}")
    return results


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path, help="a validated table of this machine")
    parser.add_argument("--space", default="ofa_mobilenet_v3")
    parser.add_argument("--seconds", type=float, default=60.0, help="time for a build beyond which no pass begins")
    parser.add_argument("--busy", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--force", action="store_true", help="measure on a machine that is too busy, too")
    parser.add_argument("--second", type=Path, help="keep the second table in this file")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args(arguments)
    result = run(given)
    if given.json:
        given.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
