"""The connection to an agent behind a command: it sends requests and reads answers, each with a time limit."""

from __future__ import annotations

import contextlib
import os
import re
import select
import shlex
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgenas.errors import DeviceError, explain
from edgenas.interrupt import out_of_reach
from edgenas.measure.device import agent
from edgenas.reading.json_text import plain_text, plain_value

# Reads the agent's length and source from standard input; the requests follow on the same stream.
_BOOTSTRAP = "import sys;i=sys.stdin.buffer;exec(compile(i.read(int(i.readline())),'agent','exec'))"
# Most bytes that a login may print before the agent's first line.
# Chosen, not measured: a limit against streams that never end.
_GREETING_BYTES = 1 << 20
# Most bytes that other programs may print between two answers, on the same stream.
# Chosen, not measured: a limit against streams that never end.
_STRAY_BYTES = 1 << 16
# Longest line that an agent writes: the samples of a visit take some kilobytes.
# Chosen, not measured: a limit against streams that never end.
_LINE_BYTES = 1 << 26
# Chosen, not measured: bytes of one read or write.
_CHUNK = 1 << 16
# Time that an agent may take to end after its input has ended, since it may be in the middle of a run.
# Chosen, not measured: longer than a run of a usual network.
_GRACE_SECONDS = 5.0


class Connection:
    """An agent that was started by a command."""

    def __init__(self, argv: Sequence[str], *, python: str, name: str, timeout_s: float) -> None:
        """Start the agent.

        Args:
            argv: Words of a command that takes a shell line as its last argument.
            python: Python on the device.
            name: How messages call the device.
            timeout_s: Time without any reading or writing after which the device counts as gone.

        Raises:
            DeviceError: The command cannot be run, or no agent answers.
        """
        self._name, self._timeout_s = name, timeout_s
        self._rest, self._number, self._lost = b"", 0, False
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115  # `close` closes it
        line = f"{quoted(python)} -c {shlex.quote(_BOOTSTRAP)}"
        try:
            with out_of_reach():
                self._process = subprocess.Popen(
                    [*argv, line], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._stderr, bufsize=0
                )
        except OSError as error:
            self._stderr.close()
            raise DeviceError(explain(f"cannot run {argv[0]!r}: {error.strerror or error}")) from error
        assert self._process.stdin is not None and self._process.stdout is not None
        self._input, self._output = self._process.stdin, self._process.stdout
        os.set_blocking(self._input.fileno(), False)
        source = Path(agent.__file__).read_bytes()
        try:
            self._send(b"%d\n" % len(source) + source)
            self._skip_greeting()
        except DeviceError:
            self.close()
            raise

    def close(self) -> None:
        """End the agent; a second call does nothing."""
        if self._output.closed:
            return
        with contextlib.suppress(OSError):
            self._input.close()  # the agent ends with its input
        try:
            self._process.wait(timeout=0.1 if self._lost else _GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._output.close()
        self._stderr.close()

    def ask(self, request: Mapping[str, Any], data: bytes = b"") -> dict[str, Any]:
        """Send a request, and return the agent's answer to it.

        Args:
            request: Its name is `do`.
            data: What follows the line of the request.

        Raises:
            DeviceError: The device went away, answers nonsense, or refuses.
        """
        self._number += 1
        self._send(plain_text({**request, "number": self._number}).encode() + b"\n" + data)
        answer = self._answer()
        if "error" in answer:
            raise DeviceError(explain(f"the device at {self._name!r} refuses to {request['do']}: {answer['error']}"))
        return answer

    def nonsense(self, request: str) -> DeviceError:
        """Return the error for an answer without the expected values."""
        return self._gone(f"gave an answer to {request!r} that no agent of this version gives")

    def _answer(self) -> dict[str, Any]:
        """Read the answer to the last request. Other output is skipped, up to a limit."""
        mark, size = agent.ANSWER.encode(), 0
        stray: list[bytes] = []
        while True:
            line = self._line(b"".join(stray[-1:]))
            _, found, text = line.partition(mark)
            if found:
                answer = _parsed(text)
                if answer is None:
                    raise self._gone(f"gave a damaged answer, {line[:80]!r}")
                if "error" in answer or answer.get("number") == self._number:
                    return answer
                if answer.get("alive"):
                    continue
            stray.append(line)
            size += len(line) + 1
            if size > _STRAY_BYTES:
                raise self._gone(f"printed {size:,} bytes that are no answer, from {stray[0][:80]!r} to {line[:80]!r}")

    def _skip_greeting(self) -> None:
        """Skip what a login prints before the agent's first line."""
        seen, said = 0, b""
        while not (line := self._line(said)).rstrip().endswith(agent.MARKER.encode()):
            seen, said = seen + len(line) + 1, line
            if seen > _GREETING_BYTES:
                raise self._gone(f"answered {line[:80]!r} and no agent")

    def _send(self, data: bytes) -> None:
        """Write all of it. Incoming output is read meanwhile, so that the two sides do not wait for each other."""
        view, end, source, sink = memoryview(data), self._deadline(), self._output.fileno(), self._input.fileno()
        reading = [source]
        while view:
            ready, writable, _ = select.select(reading, [sink], [], max(0.0, end - time.monotonic()))
            if ready and not self._read():
                reading = []  # its end is told where the answer is read
            if writable:
                try:
                    view = view[os.write(sink, view[:_CHUNK]) :]
                except BlockingIOError:
                    continue
                except OSError as error:
                    raise self._gone("went away") from error
                end = self._deadline()
            elif time.monotonic() >= end:
                raise self._gone(f"did not take what was sent for {self._timeout_s:g} s")

    def _line(self, said: bytes = b"") -> bytes:
        """Return the next line, without its end; `said` is the line before, for the error."""
        end = self._deadline()
        while b"\n" not in self._rest:
            if not select.select([self._output], [], [], max(0.0, end - time.monotonic()))[0]:
                silent = f"for {self._timeout_s:g} s"
                told = self._rest or said
                raise self._gone(
                    f"answered {told[:80]!r}, and nothing more {silent}" if told else f"did not answer {silent}"
                )
            if not self._read():
                told = self._rest or said
                raise self._gone(f"answered {told[:80]!r} and went away" if told else "went away")
        line, self._rest = self._rest.split(b"\n", 1)
        return line

    def _read(self) -> bool:
        """Read what has come in; return whether the stream is still open."""
        part = os.read(self._output.fileno(), _CHUNK)
        self._rest += part
        if len(self._rest) > _LINE_BYTES:
            raise self._gone(f"printed {len(self._rest):,} bytes that are no answer, from {self._rest[:80]!r}")
        return bool(part)

    def _deadline(self) -> float:
        return time.monotonic() + self._timeout_s

    def _gone(self, what: str) -> DeviceError:
        """The error for a lost device, with the last line that its side printed."""
        self._lost = True
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=0.05)  # what it says last is then in the file
        self._stderr.seek(0)
        lines = self._stderr.read().decode(errors="replace").strip().splitlines()
        said = f"; the last it said: {lines[-1]}" if lines else ""
        return DeviceError(explain(f"the device at {self._name!r} {what}{said}"))


def quoted(path: str) -> str:
    """Quote a path for a shell; a `~` or `~user` at its beginning stays a home directory."""
    # The slash stays outside of the quotes: a shell takes `~'/x'` for a name.
    home = re.match(r"~[A-Za-z0-9._-]*(/|$)", path)
    if home is None:
        return shlex.quote(path)
    rest = path[home.end() :]
    return home.group() + (shlex.quote(rest) if rest else "")


def _parsed(text: bytes) -> dict[str, Any] | None:
    try:
        found = plain_value(text)
    except ValueError:  # bytes that are no text, and numbers that are not finite, too
        return None
    return found if isinstance(found, dict) else None
