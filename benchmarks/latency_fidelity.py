"""How wrong latency tables are: ours, the sum of standalone blocks, and a fit on MACs, on the same held-out networks.

    python benchmarks/latency_fidelity.py --space ofa_mobilenet_v3 --runtime ort --precision fp32 --json OUT
    python benchmarks/latency_fidelity.py --all --json OUT --tables FOLDER     the ten rows of docs/latency.md

Builds a table here, measures networks that were not used to build it, and prints for each method the mean absolute
error (percent), the share of networks within 5 % and 10 %, Kendall's tau, how many lie in their 90 % interval, and the
seconds it took to build (wall time, and CPU time, which other users of the machine do not lengthen). Rows of several
runs lie side by side in one `--json` file. `--all` runs the rows that the file does not have yet, so it can be stopped
and given again; a table that it builds for a shipped space is written, validated, to its place under `--tables`.

There are two truths. `protocol` is what the table's own protocol measures of the held-out networks. `back_to_back` is
another procedure, loops in fresh processes, for a tenth of them.

Variants: `--variant unseen` builds with some resolutions and widths and tests others; `--variant free` frees
squeeze-excite and activation of every stage besides the space's own choices.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

import numpy as np  # noqa: E402
from numpy.typing import NDArray  # noqa: E402
from scipy.stats import kendalltau  # noqa: E402

from edgenas import atomic  # noqa: E402
from edgenas.arch import Graph, Op, TensorShape, lower  # noqa: E402
from edgenas.arch.notation import parse_notation  # noqa: E402
from edgenas.cost import macs  # noqa: E402
from edgenas.formats import encode, random_weights  # noqa: E402
from edgenas.latency import LatencyTable, SpaceLatency, shipped_name, write_table  # noqa: E402
from edgenas.latency.units import SourcedOps, by_block  # noqa: E402
from edgenas.measure import (  # noqa: E402
    Protocol,
    build_table,
    runtime,  # noqa: E402
)
from edgenas.measure.protocol.timing import load_per_core  # noqa: E402
from edgenas.measure.protocol.visit import Bench, Target  # noqa: E402
from edgenas.measure.table.design import covering_design, held_out  # noqa: E402
from edgenas.measure.table.loops import loop_rows, measured_loops  # noqa: E402
from edgenas.measure.table.validate import inside_intervals, target_of, truth_for, validation_of  # noqa: E402
from edgenas.space import SearchSpace, load  # noqa: E402

Array = NDArray[np.float64]


class Clock:
    """Wall and CPU seconds of a part of the run."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def read(self) -> dict[str, float]:
        return {
            "build_seconds": round(time.perf_counter() - self._wall, 1),
            "build_cpu_seconds": round(time.process_time() - self._cpu, 1),
        }


def errors(predicted: Array, measured: Array) -> dict[str, float]:
    """Figures of merit of predictions (n,) against measurements (n,)."""
    error = predicted / measured - 1
    return {
        "mape_percent": round(100 * float(np.abs(error).mean()), 2),
        "within_5_percent": round(100 * float((np.abs(error) <= 0.05).mean()), 1),
        "within_10_percent": round(100 * float((np.abs(error) <= 0.10).mean()), 1),
        "kendall_tau": round(float(kendalltau(predicted, measured).statistic), 3),
        "bias_percent": round(100 * float(error.mean()), 2),
    }


def standalone(block: SourcedOps) -> Graph:
    """Return a network of one block alone, closed by a global pool and one logit where it has none."""
    inside = {op.name for op, _ in block}
    source = next(op for _, sources in block for op in sources if op.name not in inside)
    ops = [Op(kind="input", name="image", shape=source.shape)]
    ops += [replace(op, inputs=tuple(n if n in inside else "image" for n in op.inputs)) for op, _ in block]
    if ops[-1].kind != "fc":
        last = ops[-1]
        shape = TensorShape(last.shape.channels, 1, 1)
        ops.append(Op(kind="pool", name="close", inputs=(last.name,), shape=shape, block=last.block))
        ops.append(Op(kind="fc", name="logit", inputs=("close",), shape=TensorShape(1, 1, 1), block=last.block))
    return Graph(ops=tuple(ops), norm_eps=1e-3)


def block_name(block: SourcedOps) -> str:
    """Text that is equal for equal blocks wherever they stand."""
    parts = [(op.kind, op.shape, op.kernel, op.stride, op.activation, sources[0].shape) for op, sources in block]
    return repr(parts)


def standalone_sums(target: Target, table: LatencyTable, graphs: Sequence[Graph]) -> Array:
    """Measure every block of the networks by itself and add up: what the known tools do. In reference ratios."""
    settle = target.protocol.settle
    protocol = Protocol(bursts=1, runs=6, settle=settle, warmup=2, min_sessions=1, max_sessions=1)
    quick = replace(target, protocol=protocol)
    bench = Bench(quick, parse_notation(table.reference.notation))
    known: dict[str, float] = {}
    sums = []
    for graph in graphs:
        total = 0.0
        for block in by_block(graph):
            name = block_name(block)
            if name not in known:
                alone = standalone(block)
                data = encode(
                    alone,
                    random_weights(alone, np.random.default_rng(0)),
                    file_format=runtime(target.runtime).file_format,
                    precision=target.precision,
                )
                visit = bench.visit_file(data)
                known[name] = visit.latency_ms / visit.reference_ms
            total += known[name]
        sums.append(total)
    return np.array(sums)


def macs_fit(table: LatencyTable, space: SearchSpace, known: Array, graphs: Sequence[Graph]) -> Array:
    """Least relative squares on MACs and a constant, from the table's own training measurements, in ratios."""
    codes = covering_design(space, table.build.networks, np.random.default_rng(table.build.seed)).genes

    def amounts(networks: Sequence[Graph]) -> Array:
        return np.array([[macs(graph) / 1e8, 1.0] for graph in networks])

    train = amounts([lower(space.decode(code)) for code in codes])
    weights, *_ = np.linalg.lstsq(train / known[:, None], np.ones(len(known)), rcond=None)
    return amounts(graphs) @ weights


def training_ratios(path: Path, codes: NDArray[np.int64]) -> Array:
    """Median measured ratio of each network of the design, from the build's file of samples."""
    found: dict[tuple[int, ...], list[float]] = {}
    for line in path.read_text(encoding="utf-8").splitlines()[1:]:
        entry = json.loads(line)
        if "genes" not in entry:
            continue
        ratio = entry["latency_ms"] / entry["reference_ms"]
        found.setdefault(tuple(entry["genes"]), []).append(ratio)
    return np.array([np.median(found[tuple(int(gene) for gene in code)]) for code in codes])


def spaces(name: str, variant: str) -> tuple[SearchSpace, SearchSpace]:
    """Return the space to build for and the space to test in."""
    space = load(name)
    definition = space.definition
    if variant == "plain":
        return space, space
    if variant == "unseen":
        train = replace(definition, name=f"{name}-train", resolution=(128, 176, 224), width=(0.75, 1.0, 1.25))
        test = replace(definition, name=f"{name}-unseen", resolution=(144, 160, 192, 208), width=(0.85, 1.1))
        return SearchSpace(definition=train), SearchSpace(definition=test)
    stages = tuple(
        replace(stage, squeeze_excite=(0.0, 0.25), activation=("relu", "hard_swish"),
                stage_wide=(*stage.stage_wide, "squeeze_excite", "activation"))
        for stage in definition.stages
    )  # fmt: skip
    free = SearchSpace(definition=replace(definition, name=f"{name}-free", stages=stages))
    return free, free


SHOWN = ("bias_percent", "bias_error_percent", "mape_percent", "coverage_percent", "protocol_percent")


def show(name: str, figures: dict[str, Any]) -> None:
    print(f"{name:16s} " + "  ".join(f"{key} {value}" for key, value in figures.items()), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--space", default="ofa_mobilenet_v3")
    parser.add_argument("--runtime", choices=("ort", "litert"), default="ort")
    parser.add_argument("--precision", choices=("fp32", "fp16", "int8"), default="fp32")
    parser.add_argument("--variant", choices=("plain", "unseen", "free"), default="plain")
    parser.add_argument("--networks", type=int, default=80, help="held-out networks")
    parser.add_argument("--train-networks", type=int, default=100, help="networks to build from")
    parser.add_argument("--visits", type=int, default=2, help="fresh sessions per held-out network, at least")
    parser.add_argument("--target-error", type=float, default=0.01, help="a less certain network is visited again")
    parser.add_argument("--seconds", type=float, default=60.0, help="time for the build beyond which no pass begins")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--standalone", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--table", type=Path, help="keep the table, validated, in this file")
    parser.add_argument("--samples", type=Path, help="keep the build's samples in this file")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--all", action="store_true", help="the ten rows, those that --json does not have yet")
    parser.add_argument("--tables", type=Path, help="with --all: folder for the tables that are shipped")
    arguments = parser.parse_args()
    if not arguments.all:
        one_row(arguments)
        return
    if not arguments.json:
        parser.error("--all needs --json, where the rows that are done are found again")
    for row in ROWS:
        settings = argparse.Namespace(**{**vars(arguments), **row})
        if "truth" in known_rows(arguments.json).get(row_name(settings), {}):
            print(f"done before: {row_name(settings)}")
            continue
        settings.samples = arguments.json.with_suffix(f".{row_name(settings).replace(' ', '-')}.samples.jsonl")
        one_row(settings)
        settings.samples.unlink(missing_ok=True)


_OFA = {"space": "ofa_mobilenet_v3", "networks": 80, "target_error": 0.02, "standalone": False}
_TINY = {"space": "tiny", "networks": 60, "train_networks": 80, "standalone": True}
ROWS: tuple[dict[str, Any], ...] = (
    *({**_TINY, "runtime": name, "precision": precision} for name in ("ort", "litert")
      for precision in ("fp32", "int8")),
    {**_OFA, "runtime": "ort", "precision": "fp32", "standalone": True},
    {**_OFA, "runtime": "litert", "precision": "fp32"},
    {**_OFA, "runtime": "ort", "precision": "int8"},
    {**_OFA, "runtime": "litert", "precision": "int8"},
    {**_OFA, "runtime": "ort", "precision": "fp32", "variant": "unseen", "networks": 60},
    {**_OFA, "runtime": "ort", "precision": "fp32", "variant": "free", "train_networks": 160, "seconds": 120.0},
)  # fmt: skip
"""The settings of the rows of docs/latency.md, the fast ones first."""


def row_name(arguments: argparse.Namespace) -> str:
    """Name of a row in the file of results."""
    ending = "" if arguments.variant == "plain" else f"-{arguments.variant}"
    return f"{arguments.space}{ending} {arguments.runtime} {arguments.precision}"


def known_rows(path: Path) -> dict[str, Any]:
    """Rows of the file of results."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def one_row(arguments: argparse.Namespace) -> None:
    """Run one row and put it into the file of results."""
    result = run(arguments, progress_printer())
    if arguments.json:
        rows = {**known_rows(arguments.json), row_name(arguments): result}
        atomic.write_text(arguments.json, json.dumps(rows, indent=1) + "\n")


def progress_printer() -> Callable[[int, int, str], None]:
    start = time.perf_counter()

    def progress(done: int, total: int, what: str) -> None:
        if done % 20 == 0 or done == total:
            print(f"  {what}: {done} of {total}, {time.perf_counter() - start:.0f} s", flush=True)

    return progress


def run(arguments: argparse.Namespace, progress: Callable[[int, int, str], None]) -> dict[str, Any]:
    """Build, measure, compare; prints as it goes."""
    space, test_space = spaces(arguments.space, arguments.variant)
    samples = arguments.samples or Path(tempfile.mkdtemp()) / "samples.jsonl"
    if not arguments.all:
        samples.unlink(missing_ok=True)
    load_before, clock = load_per_core(), Clock()
    table = build_table(
        space, runtime=arguments.runtime, precision=arguments.precision, networks=arguments.train_networks,
        seconds=arguments.seconds, seed=arguments.seed, samples=samples, force=True, progress=progress,
    )  # fmt: skip
    built = clock.read()
    design = covering_design(space, arguments.train_networks, np.random.default_rng(arguments.seed))
    known = training_ratios(samples, design.genes)
    same = design.genes if test_space is space else None
    codes = held_out(test_space, arguments.networks, np.random.default_rng(arguments.seed + 1_000_003), without=same)
    graphs = [lower(test_space.decode(code)) for code in codes]
    bench = Bench(target_of(table), parse_notation(table.reference.notation), seed=arguments.seed)
    measured = truth_for(
        table, bench, [test_space.decode(code) for code in codes], visits=arguments.visits,
        target_error=arguments.target_error, progress=progress,
    )  # fmt: skip
    truth = measured.ratios
    scale = table.reference.latency_ms
    predicted = SpaceLatency(table, test_space, interpolate=arguments.variant == "unseen").predict(codes)
    inside = inside_intervals(predicted, truth * scale, measured.errors, level=table.interval.level)
    ours = errors(predicted.latency_ms / scale, truth)
    # By the reference network alone, without the probes.
    alone = errors(predicted.latency_ms / scale, truth * measured.scale)
    ours |= {"mape_by_reference_alone_percent": alone["mape_percent"]}
    ours |= {"interval_coverage_percent": round(100 * float(inside.mean()), 1), **built}
    chosen = loop_rows(predicted.latency_ms)
    loops = measured_loops(
        table, bench, [test_space.decode(codes[row]) for row in chosen], predicted.latency_ms[chosen] / scale,
        scale=measured.scale, progress=progress,
    )  # fmt: skip
    back_to_back = {name: value for name, value in asdict(loops).items() if name != "runs"}
    print(f"\n{test_space.name} {arguments.runtime} {arguments.precision}, {len(codes)} held-out networks of "
          f"{truth.min() * scale:.3g}-{truth.max() * scale:.3g} ms")  # fmt: skip
    show("edgenas", ours)
    show("by loops", {name: back_to_back[name] for name in SHOWN})
    methods: dict[str, Any] = {"edgenas": ours}
    methods["macs"] = errors(macs_fit(table, space, known, graphs), truth)
    show("fit on MACs", methods["macs"])
    if arguments.standalone:
        clock = Clock()
        methods["standalone_sum"] = errors(standalone_sums(target_of(table), table, graphs), truth) | clock.read()
        show("standalone sum", methods["standalone_sum"])
    validated = table.validated(validation_of(predicted, measured, table, seed=arguments.seed, loops=loops))
    for fault in validated.faults:
        print(f"WARNING: {fault}")
    if arguments.table:
        write_table(validated, arguments.table)
    if arguments.tables and arguments.variant == "plain":
        write_table(validated, arguments.tables / shipped_name(validated))
    return {
        "space": test_space.name, "runtime": asdict(table.runtime), "device": asdict(table.device),
        "networks": len(codes), "train_networks": arguments.train_networks, "train_visits": table.build.visits,
        "visits": round(len(measured.all) / len(codes), 2), "visit_noise_percent": round(100 * measured.noise, 2),
        "truth_noise_percent": round(100 * float(np.sqrt((measured.errors**2).mean())), 2),
        "warnings": list(table.build.warnings),
        "truth": {"protocol": ours, "back_to_back": back_to_back},
        "settling": [asdict(record) for record in table.build.settling], "floor_ms": table.build.floor_ms,
        "begun": table.build.begun, "ended": table.build.ended,
        "reference_ms": round(scale, 4), "load_per_core_before": round(load_before, 2),
        "load_per_core_after": round(load_per_core(), 2), "interval": asdict(validated.interval), "methods": methods,
        "visit_ratios": [
            [round(visit.latency_ms / visit.reference_ms, 5) for visit in visits] for visits in measured.visits
        ],
        "predicted_ms": [round(float(value), 5) for value in predicted.latency_ms],
        "measured_ms": [round(float(value), 5) for value in truth * scale],
    }  # fmt: skip


if __name__ == "__main__":
    main()
