"""Starts the loop of `loop.py` in a process of its own, here or at the other end of a command."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgenas.errors import DeviceError, explain
from edgenas.latency.runtimes import RuntimeName
from edgenas.measure.device import loop
from edgenas.reading.json_text import plain_text, plain_value

# Reads the program's length and source from standard input; the request follows on the same stream.
BOOTSTRAP = "import sys;i=sys.stdin.buffer;exec(compile(i.read(int(i.readline())),'loop','exec'))"
# The independent loop of issue 13 (60 runs back to back); other lengths were not compared.
_RUNS = 60
# A loop of a slow network ends after this time, with ten runs at least.
# Chosen, not measured: bounds the time of a validation.
_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    """One loop of back-to-back runs in a fresh process.

    Attributes:
        cpu_ms, wall_ms: Mean of the lower half of its runs: CPU time of the calling thread, and wall time.
        runs: Timed runs.
    """

    cpu_ms: float
    wall_ms: float
    runs: int

    def value_ms(self, clock: str) -> float:
        """Its latency by a clock (`thread_cpu` or `wall`)."""
        return self.cpu_ms if clock == "thread_cpu" else self.wall_ms


def run_loop(
    argv: Sequence[str],
    name: RuntimeName,
    data: bytes,
    *,
    threads: int,
    other: bytes,
    cpus: Sequence[int],
    timeout_s: float,
) -> Loop:
    """Run the loop by a command that starts Python with `BOOTSTRAP`.

    Args:
        argv: The command.
        name: The runtime.
        data: The model file.
        threads: Threads within one operation.
        other: A model that runs before every timed run (cold); empty for none.
        cpus: Processors to keep to; none for no restriction.
        timeout_s: The process is ended after this time.

    Raises:
        DeviceError: The process fails, does not end, or gives no answer.
    """
    source = Path(loop.__file__).read_bytes()
    request = {
        "runtime": name, "threads": threads, "runs": _RUNS, "seconds": _SECONDS, "cpus": list(cpus),
        "bytes": len(data), "other": len(other),
    }  # fmt: skip
    sent = b"%d\n" % len(source) + source + plain_text(request).encode() + b"\n" + data + other
    what = "a loop of back-to-back runs in a process of its own"
    try:
        done = subprocess.run(list(argv), input=sent, capture_output=True, timeout=timeout_s, check=False)
    except OSError as error:
        raise DeviceError(explain(f"cannot start {what}: {error.strerror or error}", got=argv[0])) from error
    except subprocess.TimeoutExpired as error:
        raise DeviceError(explain(f"{what} did not end within {timeout_s:g} s")) from error
    found = _answer(done.stdout)
    try:
        if found is not None:
            answer = Loop(cpu_ms=float(found["cpu_ms"]), wall_ms=float(found["wall_ms"]), runs=int(found["runs"]))
            if min(answer.cpu_ms, answer.wall_ms, answer.runs) > 0:
                return answer
    except (KeyError, TypeError, ValueError):
        pass
    said = done.stderr.decode(errors="replace").strip().splitlines()
    raise DeviceError(explain(f"{what} gave no answer", got=said[-1][:200] if said else f"exit code {done.returncode}"))


def _answer(output: bytes) -> Mapping[str, Any] | None:
    """Return the values of the line that is the answer; other lines are skipped."""
    for line in output.splitlines():
        _, mark, text = line.partition(loop.ANSWER.encode())
        if mark:
            try:
                found = plain_value(text)
            except ValueError:
                return None
            return found if isinstance(found, Mapping) else None
    return None
