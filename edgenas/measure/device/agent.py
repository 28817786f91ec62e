"""The measuring agent: what touches a runtime and a clock, in one file that needs Python, numpy and a runtime.

`edgenas.measure.device.remote` sends this file to a device, feeds it with models and gets raw samples back;
statistics are computed where edgenas runs. Local measurements go through the same functions. It imports nothing of
edgenas, and runs on Python 3.9, for devices have old ones.

Over standard input and output: a request is a line of JSON, followed by `bytes` bytes where it says so; every request
has a `number`, and is answered by one line: `ANSWER` and JSON with that number, with `error` where it failed. It ends
when its input does.
"""

from __future__ import annotations

import importlib
import json
import math
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from glob import glob
from typing import Any

import numpy as np

try:
    import resource
except ImportError:  # only missing on Windows, where switches are then not counted
    resource = None  # type: ignore[assignment]

MARKER = "edgenas agent 3: answers follow"
# Every answer begins with this, so that it is told apart from what others print on the same stream.
ANSWER = "edgenas answer "
# While it measures, the agent says so often that it is alive: between two turns, never during one.
# Chosen, not measured: well below any time-out.
BEAT_SECONDS = 2.0
# Chosen, not measured: long against reading two clocks.
_MIN_SAMPLE_NS = 400_000
# Chosen, not measured: bounds the time of a turn.
_MOST_SAMPLES = 40
# A fact: ONNX Runtime's log level for errors.
_ERRORS_ONLY = 3
_ORT_TYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(uint8)": np.uint8,
    "tensor(int8)": np.int8,
}
# In order of preference. tflite-runtime 2.14 imports beside numpy 2 and then fails to make an interpreter.
_LITERT_PACKAGES = (("ai_edge_litert.interpreter", "ai-edge-litert"), ("tflite_runtime.interpreter", "tflite-runtime"))

Run = Callable[[], Any]
Raw = dict[str, Any]


# --- runtimes


def random_input(shape: tuple[int, ...], dtype: np.dtype, *, scale: float = 1.0) -> np.ndarray:
    """Return the fixed input that every measurement uses; latency does not depend on its values.

    Args:
        shape: Shape of the input, batch included.
        dtype: Its type; integers are spread over their whole range.
        scale: Standard deviation for floating point.
    """
    rng = np.random.default_rng(0)
    if np.issubdtype(dtype, np.integer):
        limits = np.iinfo(dtype)
        return rng.integers(limits.min, limits.max, size=shape, endpoint=True, dtype=dtype)
    return (rng.standard_normal(shape) * scale).astype(dtype)


def ort_session(data: bytes, *, threads: int, profile_prefix: str = "") -> Any:
    """Return ONNX Runtime's session of a file, with all optimisations; raises what ONNX Runtime raises."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    # ENABLE_ALL includes the blocked layout that users get by default; it is 2.6 times faster than EXTENDED.
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = _ERRORS_ONLY
    if profile_prefix:
        options.enable_profiling = True
        options.profile_file_prefix = profile_prefix
    return ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def ort_feed(session: Any) -> dict[str, np.ndarray]:
    """Make the inputs of a session; symbolic axes (a dynamic batch) become 1.

    Raises:
        ValueError: An input of a type that no network here has.
    """
    feed = {}
    for entry in session.get_inputs():
        if entry.type not in _ORT_TYPES:
            raise ValueError(f"cannot make an input of type {entry.type} for {entry.name!r}")
        shape = tuple(axis if isinstance(axis, int) and axis > 0 else 1 for axis in entry.shape)
        feed[entry.name] = random_input(shape, np.dtype(_ORT_TYPES[entry.type]))
    return feed


def litert_class() -> tuple[Any, str]:
    """Return the interpreter class and the name of its package; raises ImportError where there is none."""
    for module, package in _LITERT_PACKAGES:
        try:
            return importlib.import_module(module).Interpreter, package
        except ImportError:
            continue
    raise ImportError("neither ai-edge-litert nor tflite-runtime is installed")


@contextmanager
def _quiet_stderr():  # type: ignore[no-untyped-def]  # Iterator[None] of a generator that Python 3.9 cannot subscript
    """Silence file descriptor 2: the interpreter's C++ side announces its delegate for every model it loads."""
    saved, sink = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(sink, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(sink)


def litert_interpreter(data: bytes, *, threads: int) -> Any:
    """Return LiteRT's interpreter of a file with its input set; raises what LiteRT raises."""
    interpreter, _ = litert_class()
    with _quiet_stderr():
        loaded = interpreter(model_content=bytes(data), num_threads=threads)
        loaded.allocate_tensors()
    for entry in loaded.get_input_details():
        shape = tuple(int(axis) for axis in entry["shape"])
        loaded.set_tensor(entry["index"], random_input(shape, np.dtype(entry["dtype"])))
    return loaded


def version_of(runtime: str) -> str:
    """Version of an installed runtime, `tflite-runtime VERSION` for the older one; raises ImportError."""
    if runtime == "ort":
        import onnxruntime

        return str(onnxruntime.__version__)
    from importlib.metadata import PackageNotFoundError, version

    package = litert_class()[1]
    try:
        found = version(package)
    except PackageNotFoundError:
        found = "unknown"
    return found if package == "ai-edge-litert" else f"{package} {found}"


def ort_bound(session: Any) -> Run:
    """Return what runs a session on fixed inputs into outputs that lie ready, without Python's conversions.

    `session.run` checks and converts a dictionary and makes new arrays: 5 us a run that belong to no network.

    Raises:
        ValueError: An input of a type that no network here has.
    """
    binding = session.io_binding()
    for name, value in ort_feed(session).items():
        binding.bind_cpu_input(name, value)
    for entry in session.get_outputs():
        binding.bind_output(entry.name, "cpu")
    return lambda: session.run_with_iobinding(binding)


def _open(runtime: str, data: bytes, threads: int) -> Run:
    if runtime == "ort":
        return ort_bound(ort_session(data, threads=threads))
    run: Run = litert_interpreter(data, threads=threads).invoke
    return run


# --- the clock


def low_half_mean(values: np.ndarray) -> float:
    """Mean of the lower half of the values (at least one)."""
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    return float(ordered[: max(1, (len(ordered) + 1) // 2)].mean())


def involuntary_switches() -> int:
    """Involuntary context switches of this thread so far; 0 where the system does not count them."""
    if resource is None or not hasattr(resource, "RUSAGE_THREAD"):
        return 0
    return resource.getrusage(resource.RUSAGE_THREAD).ru_nivcsw


def inner_runs(duration_ns: float) -> int:
    """Runs per sample for a network that takes `duration_ns`: 1 from 0.4 ms up."""
    return max(1, math.ceil(_MIN_SAMPLE_NS / max(1.0, duration_ns)))


def burst(run: Run, *, runs: int, inner: int) -> Raw:
    """Time back-to-back runs: `wall_ns` and `cpu_ns` (runs,) per run, `switches`, `inner`.

    Args:
        run: Runs a warm network once.
        runs: Samples to take.
        inner: Runs per sample, so that a sample is long against the cost of reading the clocks.
    """
    wall, cpu = time.perf_counter_ns, time.thread_time_ns
    wall_ns, cpu_ns = np.empty(runs), np.empty(runs)
    switches = involuntary_switches()
    for sample in range(runs):
        cpu_start, wall_start = cpu(), wall()
        for _ in range(inner):
            run()
        wall_ns[sample], cpu_ns[sample] = wall() - wall_start, cpu() - cpu_start
    switches = involuntary_switches() - switches
    return {"wall_ns": wall_ns / inner, "cpu_ns": cpu_ns / inner, "switches": switches, "inner": inner}


def settle_runs(duration_ns: float, settle: Sequence[Sequence[float]]) -> int:
    """Samples that a network does not count after other networks ran, until the next one changes nothing.

    Args:
        duration_ns: Of one run of the network.
        settle: (milliseconds of a run, samples) of networks for which this was measured, in any order; between two of
            them it is interpolated over the logarithm of the time, and beyond them it is that of the last one.
    """
    known = sorted((math.log(max(1e-9, pair[0])), pair[1]) for pair in settle)
    times, samples = [pair[0] for pair in known], [pair[1] for pair in known]
    return int(math.ceil(float(np.interp(math.log(max(1.0, duration_ns) / 1e6), times, samples)) - 1e-9))


class Network:
    """A loaded network and how fast it is. It is warmed once; afterwards it settles again at every turn."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.duration_ns = 0.0

    @property
    def inner(self) -> int:
        """Runs per sample."""
        return inner_runs(self.duration_ns)

    def warm(self, runs: int) -> None:
        """Run a fresh network until it is warm, and time it; nothing where that was done before.

        Args:
            runs: Least number of runs; a fast network gets more, for 2 ms in all.
        """
        if self.duration_ns:
            return
        first = max(1.0, float(burst(self.run, runs=1, inner=1)["cpu_ns"][0]))
        for _ in range(int(min(200, 2_000_000 // first))):
            self.run()
        self.duration_ns = max(1.0, low_half_mean(burst(self.run, runs=max(1, runs - 1), inner=1)["cpu_ns"]))

    def samples_for(self, turn_ms: float, *, least: int) -> int:
        """Samples that take a time in all, `least` and 40 at most."""
        return max(least, min(_MOST_SAMPLES, int(1e6 * turn_ms / (self.inner * self.duration_ns))))

    def is_slow(self, burst_ms: float) -> bool:
        """Whether a single run takes longer than a burst may (0: never)."""
        return burst_ms > 0 and self.duration_ns > 1e6 * burst_ms


def join(parts: Sequence[Raw]) -> Raw:
    """Put the samples of several bursts of one network together."""
    return {
        "wall_ns": np.concatenate([part["wall_ns"] for part in parts]),
        "cpu_ns": np.concatenate([part["cpu_ns"] for part in parts]),
        "switches": sum(part["switches"] for part in parts),
        "inner": parts[0]["inner"],
    }


def alternate(
    networks: Sequence[Network],
    *,
    mode: str,
    runs: int,
    warmup: int,
    orders: Sequence[Sequence[int]],
    settle: Sequence[Sequence[float]],
    burst_ms: float = 0.0,
    turn_ms: float = 0.0,
    beat: Callable[[], None] = lambda: None,
) -> list[Raw]:
    """Measure several networks alternately.

    Args:
        networks: Fresh, or left over from another call.
        mode: `hot`: turns of back-to-back runs, of which those count that follow the network's own; `cold`: single
            runs, each after a run of another network, so that caches are cold for it.
        runs: Samples per turn that count (hot).
        warmup: Runs of a fresh network before the first sample.
        orders: Which networks take turns in each round.
        settle: Samples at the beginning of a turn that do not count (hot), by time of a run; see `settle_runs`.
        burst_ms: A network slower than this has half as many samples per turn that count (hot). 0 for no such network.
        turn_ms: A fast network has more samples per turn that count (hot), for this time in all.
        beat: Called before each network takes its turn.
    """
    for network in networks:
        beat()
        network.warm(warmup)
    parts: list[list[Raw]] = [[] for _ in networks]
    for order in orders:
        for index in order:
            beat()
            network = networks[index]
            if mode == "cold":
                parts[index].append(burst(network.run, runs=1, inner=1))
                continue
            # The caches hold the network before. The first runs bring this one back, and a user's loop has none such.
            for _ in range(settle_runs(network.duration_ns, settle) * network.inner):
                network.run()
            counted = (runs + 1) // 2 if network.is_slow(burst_ms) else network.samples_for(turn_ms, least=runs)
            parts[index].append(burst(network.run, runs=counted, inner=network.inner))
    return [join(part) for part in parts]


# --- the machine


def cores() -> int:
    """Processors that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else (os.cpu_count() or 1)


def load_per_core() -> float:
    """Load average of the last minute, over the processors this process may use; 0 where unknown."""
    return os.getloadavg()[0] / cores() if hasattr(os, "getloadavg") else 0.0


def stolen(seconds: float) -> float:
    """Compute for a moment; return the share of wall time during which this thread did not run, in [0, 1]."""
    block = np.ones(4096)
    start, start_cpu = time.perf_counter(), time.thread_time()
    while time.perf_counter() - start < seconds:
        block *= 1.0
    elapsed, used = time.perf_counter() - start, time.thread_time() - start_cpu
    return max(0.0, 1 - used / elapsed)


def _read(patterns: Sequence[str]) -> dict[str, str]:
    """Text of the files that there are, by path."""
    found = {}
    for path in (path for pattern in patterns for path in sorted(glob(pattern))):
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                found[path] = file.read()
        except OSError:
            continue
    return found


def _processor() -> str:
    if platform.system() != "Darwin":
        return platform.processor()
    command = ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def allowed() -> list[int]:
    """Return the numbers of the processors that this process may use; empty where the system does not tell."""
    affinity = getattr(os, "sched_getaffinity", None)
    return sorted(affinity(0)) if affinity else []


def pin(cpus: Sequence[int]) -> None:
    """Keep all threads of this process on some processors; raises what the system raises."""
    if not hasattr(os, "sched_setaffinity"):
        raise OSError("this system cannot keep a process on some processors")
    try:
        threads = [int(name) for name in os.listdir("/proc/self/task")]
    except OSError:
        threads = [0]
    for thread in threads:
        os.sched_setaffinity(thread, cpus)


def _memory_mib() -> int:
    if "SC_PHYS_PAGES" not in getattr(os, "sysconf_names", {}):
        return 0
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20


def _versions() -> dict[str, str]:
    found = {}
    for runtime in ("ort", "litert"):
        try:
            found[runtime] = version_of(runtime)
        except ImportError:
            continue
    return found


# --- the service


class Service:
    """Answers requests. Networks lie in named slots; opening a file replaces what was in its slots."""

    def __init__(self, beat: Callable[[], None] = lambda: None) -> None:
        """Prepare.

        Args:
            beat: Called often while networks are measured.
        """
        self._slots: dict[str, Network] = {}
        self._beat = beat

    def answer(self, request: dict[str, Any], data: bytes) -> dict[str, Any]:
        """Do what a request asks (`describe`, `pin`, `busy`, `open` or `alternate`)."""
        do = request["do"]
        if do == "describe":
            return {
                "machine": platform.machine(), "processor": _processor(), "facts": _read(request["facts"]),
                "cores": cores(), "allowed": allowed(), "memory_mib": _memory_mib(), "versions": _versions(),
            }  # fmt: skip
        if do == "pin":
            pin(request["cpus"])
            return {}
        if do == "busy":
            return {"load_per_core": load_per_core(), "stolen": stolen(request["seconds"])}
        if do == "open":
            for slot in request["slots"]:
                self._slots[slot] = Network(_open(request["runtime"], data, request["threads"]))
            return {}
        if do == "alternate":
            found = alternate(
                [self._slots[slot] for slot in request["slots"]],
                mode=request["mode"], runs=request["runs"], warmup=request["warmup"], orders=request["orders"],
                settle=request["settle"], burst_ms=request["burst_ms"], turn_ms=request["turn_ms"], beat=self._beat,
            )  # fmt: skip
            return {"samples": [{**raw, **{k: raw[k].tolist() for k in ("wall_ns", "cpu_ns")}} for raw in found]}
        raise ValueError(f"unknown request {do!r}")


def serve() -> None:
    """Answer requests from standard input until it ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a runtime prints shall not lie among the answers
    last = [time.monotonic()]

    def write(line: str) -> None:
        answers.write(line + "\n")
        answers.flush()
        last[0] = time.monotonic()

    def beat() -> None:
        if time.monotonic() - last[0] > BEAT_SECONDS:
            write(ANSWER + json.dumps({"alive": True}, allow_nan=False))

    service = Service(beat)
    # A shell that greets every login has said so by now: what stands before this line is no answer.
    write(MARKER)
    while True:
        line = sys.stdin.buffer.readline()
        if not line.endswith(b"\n"):
            return
        try:
            request = json.loads(line)
            number, data = request["number"], sys.stdin.buffer.read(request.get("bytes", 0))
        except (ValueError, KeyError, TypeError, AttributeError):
            # Where the next request begins is not known any more.
            write(ANSWER + json.dumps({"error": f"no request: {line[:80]!r}"}, allow_nan=False))
            return
        try:
            answer = service.answer(request, data)
        except Exception as error:  # whatever a runtime raises is told to the other side, which judges it
            first = (str(error).splitlines() or [""])[0]
            answer = {"error": f"{type(error).__name__}: {first}"}
        write(ANSWER + json.dumps({"number": number, **answer}, allow_nan=False))


if __name__ == "__main__":
    serve()
