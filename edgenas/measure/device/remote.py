"""A remote device behind a command such as `ssh`. The agent is sent there, gets models, and returns raw samples."""

from __future__ import annotations

import json
import os
import select
import shlex
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from edgenas.errors import DeviceError, InputError, explain
from edgenas.latency.device import DeviceInfo, RuntimeName, described_device
from edgenas.measure.device import agent
from edgenas.measure.protocol.timing import Business, Protocol, Samples, rounds, samples_of

# Reads the agent's length and source from standard input; the requests follow on the same stream.
_BOOTSTRAP = "import sys;i=sys.stdin.buffer;exec(compile(i.read(int(i.readline())),'agent','exec'))"
_BUSY_SECONDS = 0.3
_GREETING_BYTES = 1 << 20
# Time that an agent may take to end after its input has ended, since it may be in the middle of a run.
_GRACE_SECONDS = 5.0


class RemoteDevice:
    """A device behind a command that runs one shell line there, such as `ssh user@host`.

    Use it as a context: leaving it ends the agent. Nothing is left on the device.
    """

    def __init__(self, command: str, *, python: str = "python3", timeout_s: float = 120.0) -> None:
        """Say how the device is reached; nothing is started yet.

        Args:
            command: Takes a shell line as its last argument: `ssh user@host`, `docker exec -i NAME sh -c`, `sh -c`.
            python: Python on the device, 3.9 or later, with numpy and the runtime.
            timeout_s: A request without an answer for this long means that the device went away.

        Raises:
            InputError: The command is empty or not quoted well.
        """
        try:
            self._argv = shlex.split(command)
        except ValueError as error:
            raise InputError(explain(f"cannot read the device's command: {error}", got=repr(command))) from error
        if not self._argv:
            raise InputError(explain("the device's command is empty", allowed="such as `ssh user@host`"))
        self._command, self._python, self._timeout_s = command, python, timeout_s
        self._process: subprocess.Popen[bytes] | None = None
        self._rest = b""
        self._facts: dict[str, Any] | None = None
        self._lost = False

    def __enter__(self) -> Self:
        """Start the agent.

        Raises:
            DeviceError: The command cannot be run, or no agent answers.
        """
        self._stderr = tempfile.TemporaryFile()
        line = f"{shlex.quote(self._python)} -c {shlex.quote(_BOOTSTRAP)}"
        try:
            self._process = subprocess.Popen(
                [*self._argv, line], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._stderr, bufsize=0
            )
        except OSError as error:
            raise DeviceError(explain(f"cannot run {self._argv[0]!r}: {error.strerror or error}")) from error
        source = Path(agent.__file__).read_bytes()
        try:
            self._send(b"%d\n" % len(source) + source)
            self._skip_greeting()
            self._facts = self._ask({"do": "describe"})
        except DeviceError:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the agent."""
        self.close()

    def close(self) -> None:
        """End the agent; a second call does nothing."""
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None and process.stdout is not None
        process.stdin.close()  # the agent ends with its input
        try:
            process.wait(timeout=0.1 if self._lost else _GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
        self._stderr.close()

    def info(self) -> DeviceInfo:
        """Describe the device's processor."""
        facts = self._known()
        names = ("machine", "cpuinfo", "processor", "cores", "memory_mib")
        return described_device(**{name: facts[name] for name in names})

    def version(self, name: RuntimeName) -> str:
        """Version of a runtime on the device.

        Raises:
            DeviceError: It is not installed there.
        """
        versions = self._known()["versions"]
        if name not in versions:
            found = ", ".join(f"{key} {value}" for key, value in versions.items()) or "none"
            raise DeviceError(
                explain(f"the device at {self._command!r} has no runtime {name!r} for {self._python}", got=found)
            )
        return str(versions[name])

    def busy(self) -> Business:
        """Say how busy the device is."""
        found = self._ask({"do": "busy", "seconds": _BUSY_SECONDS})
        return Business(load_per_core=found["load_per_core"], stolen=found["stolen"])

    def load(self, slots: Sequence[str], name: RuntimeName, data: bytes, *, threads: int) -> None:
        """Send a model file once and load it there; see `Device.load`."""
        self.version(name)
        request = {"do": "open", "slots": list(slots), "runtime": name, "threads": threads, "bytes": len(data)}
        self._ask(request, data)

    def alternate(self, slots: Sequence[str], protocol: Protocol, rng: np.random.Generator) -> list[Samples]:
        """Measure the networks in some slots alternately; the orders of the rounds are drawn here."""
        orders = rounds(len(slots), protocol, rng)
        found = self._ask(
            {"do": "alternate", "slots": list(slots), "mode": protocol.mode, "runs": protocol.runs,
             "warmup": protocol.warmup, "orders": orders, "burst_ms": protocol.burst_ms}
        )  # fmt: skip
        return [samples_of(raw) for raw in found["samples"]]

    def _known(self) -> dict[str, Any]:
        if self._facts is None:
            raise DeviceError(explain(f"the device at {self._command!r} is not connected"))
        return self._facts

    def _ask(self, request: Mapping[str, Any], data: bytes = b"") -> dict[str, Any]:
        self._send(json.dumps(request).encode() + b"\n" + data)
        line = self._line()
        try:
            answer: dict[str, Any] = json.loads(line)
        except json.JSONDecodeError as error:
            raise self._gone(f"answered {line[:80]!r}") from error
        if "error" in answer:
            raise DeviceError(explain(f"the device at {self._command!r} refuses to {request['do']}: {answer['error']}"))
        return answer

    def _send(self, data: bytes) -> None:
        if self._process is None:
            raise self._gone("is not connected")
        assert self._process.stdin is not None
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._process.stdin.fileno(), view) :]
        except OSError as error:
            raise self._gone("went away") from error

    def _skip_greeting(self) -> None:
        """Skip what a login prints before the agent's first line."""
        seen, said = 0, b""
        while not (line := self._line(said)).rstrip().endswith(agent.MARKER.encode()):
            seen, said = seen + len(line), line
            if seen > _GREETING_BYTES:
                raise self._gone(f"answered {line[:80]!r} and no agent")

    def _line(self, said: bytes = b"") -> bytes:
        assert self._process is not None and self._process.stdout is not None
        stream = self._process.stdout.fileno()
        while b"\n" not in self._rest:
            if not select.select([stream], [], [], self._timeout_s)[0]:
                silent = f"for {self._timeout_s:.0f} s"
                raise self._gone(
                    f"answered {said[:80]!r}, and nothing more {silent}" if said else f"did not answer {silent}"
                )
            part = os.read(stream, 1 << 16)
            if not part:
                raise self._gone(f"answered {(self._rest or said)[:80]!r}" if self._rest or said else "went away")
            self._rest += part
        line, self._rest = self._rest.split(b"\n", 1)
        return line

    def _gone(self, what: str) -> DeviceError:
        """The error for a lost device, with the last line that its side printed."""
        self._lost = True
        said = ""
        if self._process is not None:
            self._stderr.seek(0)
            lines = self._stderr.read().decode(errors="replace").strip().splitlines()
            said = f"; the last it said: {lines[-1]}" if lines else ""
        return DeviceError(explain(f"the device at {self._command!r} {what}{said}"))
