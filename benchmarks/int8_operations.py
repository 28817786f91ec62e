"""What each kind of operation costs or saves in int8: latency with that kind left in floating point.

    python benchmarks/int8_operations.py --json OUT [--networks mobilenet_v3_large,efficientnet_b0,mobilenet_v2]

For every network and runtime: the fp32 file, the int8 file, the int8 file once more (the noise), and int8 files in
which one kind of operation stays in floating point. All are measured alternately in fresh sessions. A kind belongs in
floating point where that file is faster than the int8 file by more than the two equal int8 files differ.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from edgenas.arch import Graph, lower
from edgenas.arch.zoo import published
from edgenas.formats import encode, file_format_of, random_weights
from edgenas.measure import ModelFile, Protocol, measure_files

NETWORKS = ("mobilenet_v3_large", "efficientnet_b0", "mobilenet_v2")
_SQUEEZE_PARTS = ("squeeze_pool", "squeeze", "excite", "scale")


def kinds(graph: Graph) -> dict[str, list[str]]:
    """Names of the operations of every kind that could stay in floating point."""
    names: dict[str, list[str]] = {}
    for op in graph.ops:
        parts = op.name.split(".")
        if any(part in _SQUEEZE_PARTS for part in parts):
            names.setdefault("squeeze_excite", []).append(op.name)
        elif op.kind == "act" and op.activation in ("hard_swish", "silu"):
            names.setdefault(op.activation, []).append(op.name)
        elif op.kind == "add":
            names.setdefault("add", []).append(op.name)
        elif op.kind in ("pool", "fc") or op.name.startswith("head.hidden"):
            names.setdefault("classifier", []).append(op.name)
    return names


def judge(name: str, runtime: str, protocol: Protocol) -> dict[str, Any]:
    """Latencies of one network on one runtime, and the ratio of every variant to the int8 file, session by session."""
    graph = lower(published(name))
    weights = random_weights(graph, np.random.default_rng(0))
    file_format = file_format_of(runtime)
    files = {"fp32": encode(graph, weights, file_format=file_format)}
    for variant, float_ops in {"int8": [], "int8_again": [], **kinds(graph)}.items():
        files[variant] = encode(graph, weights, file_format=file_format, precision="int8", float_ops=float_ops)
    models = [ModelFile(name=variant, data=data, file_format=file_format) for variant, data in files.items()]
    found = {latency.name: latency for latency in measure_files(models, protocol=protocol)}
    entries = {}
    for variant, latency in found.items():
        pairs = zip(latency.samples, found["int8"].samples, strict=True)
        ratios = [ours.value_ns(protocol.clock) / base.value_ns(protocol.clock) for ours, base in pairs]
        entries[variant] = {
            "latency_ms": latency.latency_ms,
            "to_int8": float(np.median(ratios)),
            "to_int8_low": min(ratios),
            "to_int8_high": max(ratios),
        }
    return entries


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--networks", default=",".join(NETWORKS), help="names of the zoo, separated by commas")
    parser.add_argument("--runtimes", default="ort,litert", help="ort, litert")
    parser.add_argument("--sessions", type=int, default=5, help="fresh sessions for each file")
    arguments = parser.parse_args()
    protocol = Protocol(min_sessions=arguments.sessions, max_sessions=arguments.sessions)
    document: dict[str, Any] = json.loads(arguments.json.read_text()) if arguments.json.exists() else {}
    for name in arguments.networks.split(","):
        for runtime in arguments.runtimes.split(","):
            entries = judge(name, runtime, protocol)
            document.setdefault(name, {})[runtime] = entries
            for variant, entry in entries.items():
                print(
                    f"{name} {runtime} {variant}: {entry['latency_ms']:.3f} ms, {entry['to_int8']:.3f} of int8 "
                    f"({entry['to_int8_low']:.3f} to {entry['to_int8_high']:.3f})",
                    flush=True,
                )
            arguments.json.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
