"""A user's loop: one model file in a fresh process, run back to back and timed. The truth of a validation.

It shares no code with the measuring protocol and imports nothing but a runtime and numpy, so that it cannot repeat the
protocol's mistakes. It is one file, sent to remote devices as it is, and runs on Python 3.9.

Standard input: a line of JSON (`runtime`, `threads`, `runs`, `seconds`, `cpus`, `bytes`, `other`), `bytes` bytes of the
model, `other` bytes of another model that runs before every timed run (cold; 0 for none). Standard output: one line,
`ANSWER` and JSON: `cpu_ms` and `wall_ms`, each the mean of the lower half of all runs, and `runs`.
"""

import json
import os
import sys
import time

import numpy as np

ANSWER = "edgenas loop "


def opened(runtime, data, threads):  # type: ignore[no-untyped-def]
    """Load a model with a fixed input; return what runs it once, without the conversions of Python bindings."""
    rng = np.random.default_rng(1)

    def image(shape, dtype):  # type: ignore[no-untyped-def]
        if np.issubdtype(dtype, np.integer):
            return rng.integers(0, 100, size=shape).astype(dtype)
        return rng.random(shape).astype(dtype)

    if runtime == "ort":
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads, options.log_severity_level = threads, 1, 3
        session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        binding, types = session.io_binding(), {"float": "float32", "float16": "float16"}
        for entry in session.get_inputs():
            kind = entry.type[7:-1]
            shape = [size if isinstance(size, int) and size > 0 else 1 for size in entry.shape]
            binding.bind_cpu_input(entry.name, image(shape, np.dtype(types.get(kind, kind))))
        for entry in session.get_outputs():
            binding.bind_output(entry.name, "cpu")
        return lambda: session.run_with_iobinding(binding)
    if runtime == "litert":
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError:
            from tflite_runtime.interpreter import Interpreter
        interpreter = Interpreter(model_content=data, num_threads=threads)
        interpreter.allocate_tensors()
        for entry in interpreter.get_input_details():
            interpreter.set_tensor(entry["index"], image(entry["shape"], np.dtype(entry["dtype"])))
        return interpreter.invoke
    # A runtime that a package adds measures on this machine only; nothing else knows how to open its files.
    from edgenas.measure.engines.registry import runtime as added

    return added(runtime).open(data, threads=threads).run


def lower_half(values):  # type: ignore[no-untyped-def]
    """Mean of the lower half, milliseconds from nanoseconds."""
    return sum(sorted(values)[: (len(values) + 1) // 2]) / ((len(values) + 1) // 2) / 1e6


def main() -> None:
    """Read the request, run the loop, print the answer."""
    stream = sys.stdin.buffer
    asked = json.loads(stream.readline())
    if asked["cpus"]:
        os.sched_setaffinity(0, asked["cpus"])
    model, other = stream.read(asked["bytes"]), stream.read(asked["other"])
    run = opened(asked["runtime"], model, asked["threads"])
    between = opened(asked["runtime"], other, asked["threads"]) if other else None
    # A fast network is run several times between two looks at the clock.
    start = time.perf_counter()
    run()
    run()
    run()
    repeat = 1 if between else max(1, int(3 * 0.0004 / max(time.perf_counter() - start, 1e-6)))
    cpu: list[float] = []
    wall: list[float] = []
    end = time.perf_counter() + asked["seconds"]
    while len(cpu) < asked["runs"] and (len(cpu) < 10 or time.perf_counter() < end):
        if between:
            between()
        cpu_start, wall_start = time.thread_time_ns(), time.perf_counter_ns()
        for _ in range(repeat):
            run()
        wall.append((time.perf_counter_ns() - wall_start) / repeat)
        cpu.append((time.thread_time_ns() - cpu_start) / repeat)
    found = {"cpu_ms": lower_half(cpu), "wall_ms": lower_half(wall), "runs": repeat * len(cpu)}
    print("\n" + ANSWER + json.dumps(found, allow_nan=False), flush=True)


if __name__ == "__main__":
    main()
