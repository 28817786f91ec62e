"""How true is `peak_activation_bytes`? Against what LiteRT and ONNX Runtime allocate for the same networks.

    python benchmarks/memory_fidelity.py --space ofa_mobilenet_v3 --networks 40 --json OUT

What is measured, per network and precision (one image, one thread, weights never included):

    litert_arena      LiteRT's arena with its built-in kernels (no delegate): the span of addresses of all tensors that
                      do not lie in the model file, image and kernels' scratch included
    litert_xnnpack    LiteRT with XNNPACK, as latencies are measured: bytes by which the heap grows (glibc's mallinfo2)
                      when the batch is resized from 1 to 2, less the growth of the interpreter's own arena: XNNPACK's
                      workspace per image
    ort_requested     ONNX Runtime: bytes that the first run asks of the arena at once, each activation by itself
                      (memory statistics of the profiler)
    ort_planned       the one block that later runs ask for instead, laid out from the first run's pattern
    ort_held          bytes by which the arena grows through three runs: rounded up to powers of two, and nothing where
                      loading the model left enough

Prints for each the ratio measured / peak_activation_bytes (median, least, largest), the mean absolute error of
peak_activation_bytes, the same after one common factor, and rank correlations.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

import numpy as np  # noqa: E402
from numpy.typing import NDArray  # noqa: E402
from scipy.stats import kendalltau, spearmanr  # noqa: E402

from edgenas.arch import Graph, lower  # noqa: E402
from edgenas.cost import peak_activation_bytes  # noqa: E402
from edgenas.formats import encode, random_weights  # noqa: E402
from edgenas.measure import runtime  # noqa: E402
from edgenas.measure.engines.ort import OrtRuntime, OrtSession  # noqa: E402
from edgenas.space import load  # noqa: E402

# Tensors of an arena lie dense, aligned to this many bytes; what lies further apart is another allocation.
_GAP_BYTES = 64


def file_of(graph: Graph, file_format: str, precision: str) -> bytes:
    weights = random_weights(graph, np.random.default_rng(0))
    return encode(graph, weights, file_format=file_format, precision=precision)  # type: ignore[arg-type]


# --- LiteRT


def interpreter_of(data: bytes, *, delegate: bool) -> Any:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    kind = OpResolverType.AUTO if delegate else OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    loaded = Interpreter(model_content=data, num_threads=1, experimental_op_resolver_type=kind)
    loaded.allocate_tensors()
    return loaded


def tensor_spans(interpreter: Any) -> list[tuple[int, int]]:
    """First and last address of every tensor that has memory."""
    spans = []
    for entry in interpreter.get_tensor_details():
        try:
            values = interpreter.tensor(entry["index"])()
        except ValueError:  # inside a delegate: no memory of its own
            continue
        start = int(values.__array_interface__["data"][0])
        spans.append((start, start + values.nbytes))
    return sorted(spans)


def arena_bytes(interpreter: Any) -> int:
    """Length of the arena: the group of neighbouring tensors that holds the network's input."""
    image = interpreter.tensor(interpreter.get_input_details()[0]["index"])()
    inside = int(image.__array_interface__["data"][0])
    groups: list[list[int]] = []
    for start, end in tensor_spans(interpreter):
        if groups and start - groups[-1][1] <= _GAP_BYTES:
            groups[-1][1] = max(groups[-1][1], end)
        else:
            groups.append([start, end])
    return next(end - start for start, end in groups if start <= inside < end)


class _MallInfo(ctypes.Structure):
    """glibc's `struct mallinfo2`."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks",
                     "keepcost")
    ]  # fmt: skip


def heap_reader() -> Callable[[], int] | None:
    """Return a function that gives the bytes in use on the heap, or None where glibc (2.33 or later) is missing."""
    library = ctypes.CDLL(None)
    if not hasattr(library, "mallinfo2"):
        return None
    library.mallinfo2.restype = _MallInfo

    def used() -> int:
        found = library.mallinfo2()
        return int(found.uordblks + found.hblkhd)

    return used


def xnnpack_bytes(data: bytes, used: Callable[[], int]) -> int:
    """Workspace of XNNPACK for one image, from the growth of the heap between batch 1 and batch 2."""
    interpreter = interpreter_of(data, delegate=True)
    interpreter.invoke()
    own = arena_bytes(interpreter)
    gc.collect()  # the interpreters of earlier networks lie in cycles: they shall not be freed in between
    before = used()
    entry = interpreter.get_input_details()[0]
    interpreter.resize_tensor_input(entry["index"], [2, *entry["shape"][1:]])
    interpreter.allocate_tensors()
    interpreter.invoke()
    after = used()
    return after - before - (arena_bytes(interpreter) - own)


# --- ONNX Runtime


def ort_bytes(data: bytes) -> dict[str, int]:
    """Read the arena from the memory statistics in ONNX Runtime's profile."""
    runs = 3
    with tempfile.TemporaryDirectory() as folder:
        native = OrtRuntime().native(data, profile_prefix=str(Path(folder) / "profile"))
        session = OrtSession(native)
        for _ in range(runs):
            session.run()
        events = json.loads(Path(native.end_profiling()).read_text(encoding="utf-8"))
    nodes = [event["args"] for event in events if event["cat"] == "Node" and "mem_bytes_in_use" in event["args"]]
    if not nodes:
        raise SystemExit("this ONNX Runtime's profiler has no memory statistics (1.32 has)")
    first, last = nodes[: len(nodes) // runs], nodes[-(len(nodes) // runs) :]

    def before(node: dict[str, str], amount: str, change: str) -> int:
        return int(node[amount]) - int(node[change])

    requested = ("mem_bytes_requested_in_use", "mem_requested_in_use_delta")
    weights = before(first[0], *requested)
    return {
        "ort_requested": max(int(node[requested[0]]) for node in first) - weights,
        "ort_planned": before(last[0], *requested) - weights,
        "ort_held": int(last[-1]["mem_arena_held"]) - before(first[0], "mem_arena_held", "mem_arena_held_delta"),
    }


# --- comparison


def error_percent(predicted: NDArray[np.float64], measured: NDArray[np.int64]) -> float | None:
    """Mean absolute error relative to what was measured; None where something measured is 0."""
    return round(100 * float(np.abs(predicted / measured - 1).mean()), 2) if measured.all() else None


def figures(predicted: NDArray[np.int64], measured: NDArray[np.int64]) -> dict[str, float | None]:
    """Errors and rank correlation of peaks (n,) against measured bytes (n,)."""
    ratio = measured / predicted
    return {
        "ratio_median": round(float(np.median(ratio)), 3),
        "ratio_min": round(float(ratio.min()), 3),
        "ratio_max": round(float(ratio.max()), 3),
        "mape_percent": error_percent(predicted.astype(np.float64), measured),
        "mape_scaled_percent": error_percent(float(np.median(ratio)) * predicted, measured),
        "kendall_tau": round(float(kendalltau(predicted, measured).statistic), 3),
        "spearman": round(float(spearmanr(predicted, measured).statistic), 3),
    }


def run(space_name: str, precision: str, networks: int, seed: int) -> dict[str, Any]:
    """Measure some networks of a space in one precision."""
    space, used = load(space_name), heap_reader()
    if used is None:
        print("litert_xnnpack left out: it needs glibc 2.33 or later")
    rows: list[dict[str, int]] = []
    for code in space.sample(networks, np.random.default_rng(seed)):
        graph = lower(space.decode(code))
        tflite = file_of(graph, "tflite", precision)
        row = {
            "peak_activation_bytes": peak_activation_bytes(graph, precision),
            "litert_arena": arena_bytes(interpreter_of(tflite, delegate=False)),
        }
        if used is not None:
            row["litert_xnnpack"] = xnnpack_bytes(tflite, used)
        rows.append(row | ort_bytes(file_of(graph, "onnx", precision)))
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    peaks = columns.pop("peak_activation_bytes")
    return {
        "space": space_name,
        "precision": precision,
        "networks": len(rows),
        "versions": {name: runtime(name).version() for name in ("ort", "litert")},
        "peak_bytes_min": int(peaks.min()),
        "peak_bytes_max": int(peaks.max()),
        "measures": {name: figures(peaks, values) for name, values in columns.items()},
        "rows": rows,
    }


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--space", default="ofa_mobilenet_v3")
    parser.add_argument("--precision", choices=("fp32", "int8"), action="append", help="repeatable; both if left out")
    parser.add_argument("--networks", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args(arguments)
    results = [run(given.space, name, given.networks, given.seed) for name in given.precision or ("fp32", "int8")]
    for result in results:
        print(f"\n{result['space']} {result['precision']}, {result['networks']} networks, peak_activation_bytes "
              f"{result['peak_bytes_min']:,} to {result['peak_bytes_max']:,}, {result['versions']}")  # fmt: skip
        for name, found in result["measures"].items():
            print(f"{name:16s} " + "  ".join(f"{key} {value}" for key, value in found.items()))
    if given.json:
        given.json.write_text(json.dumps({"results": results}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
