"""Is what edgenas says of a file before it ships true of the file that ships?

    python benchmarks/ship.py --json OUT [--only ram] [--micro PYTHON]

ram     Networks of three spaces, fp32 and int8: the memory that `shipped_arena` plans, against LiteRT's arena with its
        own kernels (addresses of all its tensors) and against what the allocator of TensorFlow Lite Micro records; and
        `shipped_bytes` against files written with other weights and other ranges, ONNX and TFLite. PYTHON is an
        interpreter that has the package `tflite-micro`; this one if left out. Where it is missing, LiteRT alone is
        compared.

With --json, parts that are not run keep what the file holds.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

import numpy as np  # noqa: E402

from edgenas.arch import Architecture, lower  # noqa: E402
from edgenas.deploy.recipe import FileSpec  # noqa: E402
from edgenas.deploy.shipping import (  # noqa: E402
    arena_draft,
    metadata_of,
    shipped_arena,
    shipped_bytes,
    shipped_contents,
)
from edgenas.formats import random_weights, write  # noqa: E402
from edgenas.formats.about import about_of  # noqa: E402
from edgenas.space import load  # noqa: E402

SPACES = ("tiny", "mobilenet_v3_small", "ofa_mobilenet_v3")
NETWORKS = 34
"""Of each space."""
FILES = (
    FileSpec(name="a.tflite", format="tflite"),
    FileSpec(name="b.tflite", format="tflite", precision="int8"),
    FileSpec(name="c.tflite", format="tflite", precision="int8", scheme="int8_io"),
    FileSpec(name="d.onnx", format="onnx"),
    FileSpec(name="e.onnx", format="onnx", precision="int8"),
)
LABELS = tuple(f"class {number}" for number in range(10))
PREPROCESSING = {"resolution": 224, "scale": 1 / 255, "mean": [0.5], "std": [0.25], "channel_order": "grey"}


def litert_arena(data: bytes, constants: set[int]) -> int:
    """Length of LiteRT's arena: from the first to the last address of all tensors that no constant fills."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    kind = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = Interpreter(model_content=data, num_threads=1, experimental_op_resolver_type=kind)
    interpreter.allocate_tensors()
    image = interpreter.get_input_details()[0]["index"]
    spans = []
    for entry in interpreter.get_tensor_details():
        if entry["index"] in constants:
            continue
        try:
            values = interpreter.tensor(entry["index"])()
        except ValueError:
            continue
        start = int(values.__array_interface__["data"][0])
        spans.append((start, start + values.nbytes, entry["index"] == image))
    groups: list[list[int]] = []
    for start, end, own in sorted(spans):
        # Tensors lie dense, aligned to 64 bytes; what lies further apart is another allocation.
        if not groups or start - groups[-1][1] > 64:
            groups.append([start, end, own])
        else:
            groups[-1][1:] = [max(groups[-1][1], end), groups[-1][2] or own]
    return next(end - start for start, end, own in groups if own)


def micro_arenas(paths: Sequence[Path], python: str) -> list[int] | None:
    """Whole arenas of TensorFlow Lite Micro; None where the package is missing."""
    text = "\n".join(map(str, paths))
    script = Path(__file__).with_name("micro_arena.py")
    done = subprocess.run([python, str(script)], input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"tflite-micro left out: {done.stderr.strip().splitlines()[-1]}")
        return None
    return [entry["total"] for entry in json.loads(done.stdout)]


def written(network: Architecture, file: FileSpec, seed: int) -> bytes:
    """Write the file of a network with random weights, as an export does."""
    graph, rng = lower(network), np.random.default_rng(seed)
    ranges = {op.name: (-float(rng.uniform(0.5, 9)), float(rng.uniform(0.5, 9))) for op in graph.ops}
    about = about_of(PREPROCESSING, LABELS)
    metadata = metadata_of(network, identity="f" * 64, preprocessing=PREPROCESSING, labels=LABELS, about=about)
    given = ranges if file.precision == "int8" else None
    weights = random_weights(graph, rng)
    contents = shipped_contents(network, graph, weights, file, metadata=metadata, ranges=given, about=about)
    return write(file.format, contents)


def ram(arguments: argparse.Namespace) -> dict[str, Any]:
    """Planned memory and predicted sizes against the runtimes and the files."""
    rows: list[dict[str, Any]] = []
    paths: list[Path] = []
    with tempfile.TemporaryDirectory() as folder:
        for name in SPACES:
            space = load(name)
            for code in space.canonical(space.sample(NETWORKS, np.random.default_rng(7))):
                network = space.decode(code)
                for file in FILES:
                    data = written(network, file, len(rows))
                    said = shipped_bytes(network, file, preprocessing=PREPROCESSING, labels=LABELS)
                    row: dict[str, Any] = {"space": name, "network": network.digest[:10], "file": file.format,
                                           "precision": file.precision, "scheme": file.scheme or "",
                                           "size_error": said - len(data)}  # fmt: skip
                    if file.format == "tflite":
                        tensors = arena_draft(network, file).file.tensors
                        constants = {number for number, tensor in enumerate(tensors) if tensor.buffer}
                        row["litert"] = shipped_arena(network, file, "litert"), litert_arena(data, constants)
                        row["tflite_micro"] = [shipped_arena(network, file, "tflite_micro")]
                        paths.append(Path(folder) / f"{len(rows)}.tflite")
                        paths[-1].write_bytes(data)
                    rows.append(row)
        micro = micro_arenas(paths, arguments.micro)
    for row, total in zip((row for row in rows if "litert" in row), micro or [], strict=False):
        row["tflite_micro"] = (*row["tflite_micro"], total)
    runtimes = ("litert", "tflite_micro") if micro else ("litert",)
    errors = {
        runtime: np.array([100 * (row[runtime][0] / row[runtime][1] - 1) for row in rows if runtime in row])
        for runtime in runtimes
    }
    found = {
        "networks": len({(row["space"], row["network"]) for row in rows}),
        "spaces": list(SPACES),
        "files": sum("litert" in row for row in rows),
        "worst_below_percent": round(max(0.0, -min(float(each.min()) for each in errors.values())), 3),
        "worst_above_percent": round(max(0.0, max(float(each.max()) for each in errors.values())), 3),
        "by_runtime": {
            runtime: {"lowest_percent": round(float(each.min()), 3), "highest_percent": round(float(each.max()), 3)}
            for runtime, each in errors.items()
        },
        "sizes": {"files": len(rows), "wrong": sum(row["size_error"] != 0 for row in rows)},
    }
    for runtime, each in found["by_runtime"].items():
        print(f"{runtime:13s} {each['lowest_percent']:+.3f} to {each['highest_percent']:+.3f} %")
    print(f"sizes: {found['sizes']['wrong']} of {found['sizes']['files']} files are not of the predicted size")
    return found


PARTS: Mapping[str, Callable[[argparse.Namespace], dict[str, Any]]] = {"ram": ram}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=sorted(PARTS), action="append", help="repeatable; all parts if left out")
    parser.add_argument("--micro", default=sys.executable, help="interpreter that has tflite-micro")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args(arguments)
    known = json.loads(given.json.read_text(encoding="utf-8")) if given.json and given.json.is_file() else {}
    found = {name: PARTS[name](given) for name in given.only or PARTS}
    for name, values in found.items():
        print(json.dumps({name: values}))
    if given.json:
        given.json.write_text(json.dumps({**known, **found}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
