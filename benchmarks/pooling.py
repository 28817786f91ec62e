"""Ways to average a large map over its pixels on each runtime: error against float64, and CPU time.

    python benchmarks/pooling.py [--sizes 300,150,131] [--json OUT]

As one operation, both runtimes add up all pixels in plain float32. The alternatives average rows, columns or tiles of
equal size first, so that the result is the same mean. ONNX files begin with a depthwise identity, since ONNX Runtime
then pools in its blocked layout, as in every network; its time is in all of their figures.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edgenas.formats.tflite_schema import KEEP_DIMS_OPTIONS, VALID, Code, Options, TfliteFile
from edgenas.measure.engines.litert import interpreter_class
from edgenas.measure.engines.ort import OrtRuntime

CHANNELS = 64
# AVERAGE_POOL_2D and the tag of its options in TFLite's schema; no file of ours needs them.
_AVERAGE_POOL, _POOL_TAG = 1, 5
_RUNS = 15


def tile(extent: int) -> int:
    """Largest divisor of an extent that is at most its root."""
    return max(size for size in range(1, extent + 1) if extent % size == 0 and size * size <= extent)


def windows(size: int) -> dict[str, tuple[int, int]]:
    """Height and width of what is averaged first."""
    return {"rows": (1, size), "columns": (size, 1), "tiles": (tile(size), tile(size))}


def onnx_file(size: int, way: str) -> bytes:
    """A depthwise identity and a mean over all pixels."""
    kernel = numpy_helper.from_array(np.ones((CHANNELS, 1, 1, 1), np.float32), "kernel")
    nodes = [helper.make_node("Conv", ["image", "kernel"], ["values"], group=CHANNELS, kernel_shape=[1, 1])]
    if way == "reduce_mean":
        nodes.append(helper.make_node("ReduceMean", ["values"], ["mean"], axes=[2, 3], keepdims=1))
    else:
        source = "values"
        if way in windows(size):
            window = list(windows(size)[way])
            nodes.append(helper.make_node("AveragePool", ["values"], ["parts"], kernel_shape=window, strides=window))
            source = "parts"
        nodes.append(helper.make_node("GlobalAveragePool", [source], ["mean"]))
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, CHANNELS, size, size])
    mean = helper.make_tensor_value_info("mean", TensorProto.FLOAT, [1, CHANNELS, 1, 1])
    graph = helper.make_graph(nodes, "pooling", [image], [mean], [kernel])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def tflite_file(size: int, way: str) -> bytes:
    """A mean over all pixels; `mean_*` first takes the mean of an axis, others an average pool."""
    file = TfliteFile()
    source, output = file.tensor("image", [1, size, size, CHANNELS], "float32"), file.tensor(
        "mean", [1, 1, 1, CHANNELS], "float32"
    )  # fmt: skip

    def mean(values: int, axes: list[int], target: int) -> int:
        name = f"axes.{target}"
        return file.operator(
            Code.MEAN, [values, file.constant(name, np.array(axes, np.int32))], target, KEEP_DIMS_OPTIONS
        )

    values = source
    if way.startswith("mean_"):
        axis = 2 if way == "mean_rows" else 1
        shape = [1, size, 1, CHANNELS] if axis == 2 else [1, 1, size, CHANNELS]
        values = mean(source, [axis], file.tensor("parts", shape, "float32"))
    elif way in windows(size):
        height, width = windows(size)[way]
        numbers = ((1, width), (2, height), (3, width), (4, height))
        options = Options(_POOL_TAG, ((0, "int8", VALID), *((slot, "int32", number) for slot, number in numbers)))
        parts = file.tensor("parts", [1, size // height, size // width, CHANNELS], "float32")
        values = file.operator(_AVERAGE_POOL, [source], parts, options)  # type: ignore[arg-type]
    mean(values, [1, 2], output)
    return file.pack(inputs={"image": source}, outputs={"mean": output}, metadata={})


def timed(run: Callable[[], Any]) -> float:
    """CPU time of one run, milliseconds: mean of the lower half."""
    times = []
    for _ in range(_RUNS):
        started = time.thread_time()
        run()
        times.append(time.thread_time() - started)
    return 1e3 * float(np.mean(sorted(times)[: _RUNS // 2]))


def judge(runtime: str, size: int, way: str, image: NDArray[np.float32]) -> dict[str, float]:
    """Error and time of one way."""
    if runtime == "ort":
        session = OrtRuntime().native(onnx_file(size, way), threads=1)
        found, run = session.run(None, {"image": image})[0], lambda: session.run(None, {"image": image})
    else:
        interpreter = interpreter_class()[0](model_content=tflite_file(size, way), num_threads=1)
        interpreter.allocate_tensors()
        channels_last = np.ascontiguousarray(image.transpose(0, 2, 3, 1))
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], channels_last)
        interpreter.invoke()
        found, run = interpreter.get_tensor(interpreter.get_output_details()[0]["index"]), interpreter.invoke
    expected = image.astype(np.float64).mean((2, 3)).ravel()
    error = float(np.abs(found.ravel() - expected).max() / np.abs(expected).max())
    return {"error": error, "cpu_ms": timed(run)}


def main() -> None:
    """Try every way, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="300,150,131", help="heights and widths, pixels")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    ways = {
        "ort": ("one_step", "rows", "columns", "tiles", "reduce_mean"),
        "litert": ("one_step", "mean_rows", "mean_columns", "rows", "columns", "tiles"),
    }
    document: dict[str, Any] = {}
    for size in (int(text) for text in arguments.sizes.split(",")):
        image = np.random.default_rng(0).normal(1, 1, (1, CHANNELS, size, size)).astype(np.float32)
        for runtime, names in ways.items():
            for way in names:
                found = judge(runtime, size, way, image)
                document.setdefault(str(size), {}).setdefault(runtime, {})[way] = found
                print(f"{size} {runtime} {way}: error {found['error']:.1e}, {found['cpu_ms']:.3f} ms", flush=True)
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
