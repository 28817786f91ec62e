"""A device behind a command: a shell of this machine stands for it."""

from __future__ import annotations

import ast
import os
import platform
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgenas.errors import DeviceError, InputError
from edgenas.latency import local_device
from edgenas.measure import Business, Protocol, RemoteDevice, build_table, runtime
from edgenas.measure.device import agent
from edgenas.measure.device.connection import Connection, quoted
from edgenas.measure.protocol.visit import Bench, Target
from edgenas.measure.table.build import reference_of
from edgenas.space import load
from tests.latency.boards import BOARDS

# The agent replaces the shell, so that killing the command kills the agent, as a lost connection does.
MORTAL = """sh -c 'eval "exec $0"'"""
QUICK = Protocol(bursts=2, runs=2, warmup=1, min_sessions=1, max_sessions=1)


def _target(name: str, protocol: Protocol = QUICK) -> Target:
    return Target(runtime=name, protocol=protocol)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def device() -> Iterator[RemoteDevice]:
    with RemoteDevice("sh -c", python=sys.executable) as found:
        yield found


def test_the_agent_imports_nothing_of_edgenas() -> None:
    tree = ast.parse(Path(agent.__file__).read_text(encoding="utf-8"))
    modules = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    modules |= {node.module or "." for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not [name for name in modules if name.startswith((".", "edgenas"))]
    assert {name.split(".")[0] for name in modules} - {"numpy", "onnxruntime"} <= set(sys.stdlib_module_names)


def test_a_device_describes_itself_as_the_machine_it_is(device: RemoteDevice) -> None:
    assert device.info() == local_device()
    for name in ("ort", "litert"):
        assert device.version(name) == runtime(name).version()  # type: ignore[arg-type]
    assert 0 <= device.busy().stolen <= 1


@pytest.mark.parametrize("name", ["ort", "litert"])
def test_a_visit_brings_raw_samples_back(device: RemoteDevice, name: str) -> None:
    space = load("tiny")
    visit = Bench(_target(name), reference_of(space), device=device).visit(space.decode(space.largest()))
    assert len(visit.samples) == len(visit.sessions_ms) == 2
    for part in (*visit.samples, visit.reference_samples):
        assert part.wall_ns.shape == part.cpu_ns.shape == (4,)
        assert part.wall_ns.min() > 0 and part.inner >= 1
    own = [part.value_ns("thread_cpu") / 1e6 for part in visit.samples]
    assert visit.latency_ms == pytest.approx(sum(own) / 2)
    assert visit.reference_ms == pytest.approx(visit.reference_samples.value_ns("thread_cpu") / 1e6)


def test_cold_and_hot_take_the_samples_that_they_take_here(device: RemoteDevice) -> None:
    space = load("tiny")
    cold = Protocol(mode="cold", bursts=2, runs=3, warmup=1, min_sessions=1, max_sessions=1)
    visit = Bench(_target("ort", cold), reference_of(space), device=device).visit(space.decode(space.smallest()))
    assert all(len(part.wall_ns) == 6 and part.inner == 1 for part in visit.samples)


def test_a_file_that_the_device_refuses_is_an_error_and_not_its_end(device: RemoteDevice) -> None:
    with pytest.raises(DeviceError, match="refuses to open"):
        device.load(("network",), "ort", b"not a model", threads=1)
    space = load("tiny")
    device.load(("network",), "ort", _target("ort").file(reference_of(space)), threads=1)
    (samples,) = device.alternate(("network",), QUICK, np.random.default_rng(0))
    assert len(samples.cpu_ns) == 4


def test_a_build_on_a_device_that_dies_keeps_its_visits_and_goes_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(RemoteDevice, "busy", lambda self: Business(load_per_core=0.0, stolen=0.0))
    space, kept = load("tiny"), tmp_path / "samples.jsonl"

    def build(device: RemoteDevice, kill_at: int) -> object:
        def progress(done: int, total: int, what: str) -> None:
            if done == kill_at:
                assert device._connection is not None
                device._connection._process.kill()

        return build_table(
            space, networks=4, seconds=0.0, samples=kept, device=device, force=True, progress=progress
        )

    with RemoteDevice(MORTAL, python=sys.executable) as first, pytest.raises(DeviceError, match="after 3 of 8 visits"):
        build(first, kill_at=3)
    assert len(kept.read_text().splitlines()) == 1 + 1 + 3
    lines = kept.read_text()
    with RemoteDevice(MORTAL, python=sys.executable) as second:
        table = build(second, kill_at=-1)
    assert kept.read_text().startswith(lines)
    assert table.device == local_device()  # type: ignore[attr-defined]


@pytest.mark.parametrize("python", ["no-such-python", "false"])
def test_a_device_without_python_is_an_error_that_says_what_it_said(python: str) -> None:
    with pytest.raises(DeviceError, match="went away"), RemoteDevice("sh -c", python=python):
        pass


def test_a_device_that_answers_nothing_is_given_up() -> None:
    with pytest.raises(DeviceError, match="did not answer"), RemoteDevice("sh -c 'sleep 5' --", timeout_s=0.2):
        pass


def test_a_device_that_greets_with_something_else_is_told_apart() -> None:
    greeting = "sh -c 'echo Welcome; cat >/dev/null' --"
    with pytest.raises(DeviceError, match="answered b'Welcome"), RemoteDevice(greeting, timeout_s=0.5):
        pass


GREETINGS = ["echo Welcome to this device", "printf 'no line break'", "seq 20000", 'echo "{}"; printf "\\\\377\\\\n"']


@pytest.mark.parametrize("greeting", GREETINGS)
def test_a_login_that_greets_does_not_disturb_the_agent(tmp_path: Path, greeting: str) -> None:
    shell = tmp_path / "login"
    shell.write_text(f'#!/bin/sh\n{greeting}\nexec sh -c "$1"\n')
    shell.chmod(0o755)
    with RemoteDevice(str(shell), python=sys.executable) as device:
        assert device.info().machine == platform.machine()


def test_commands_that_cannot_be_are_refused() -> None:
    for command in ("", "  ", "ssh 'host"):
        with pytest.raises(InputError):
            RemoteDevice(command)
    with pytest.raises(DeviceError, match="cannot run 'no-such-command'"), RemoteDevice("no-such-command host"):
        pass
    with pytest.raises(DeviceError, match="not connected"):
        RemoteDevice("sh -c").info()


# A command that stands for a device: Python whose agent is disturbed by what stands in its place.
DEVICE = """#!{python}
import os, subprocess, sys, threading, time
line = sys.argv[-1]
{before}
child = subprocess.Popen(["sh", "-c", line], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
out, seen = sys.stdout.buffer, []
def feed():
    while part := os.read(0, 65536):
        {taking}
        child.stdin.write(part)
        child.stdin.flush()
    child.stdin.close()
threading.Thread(target=feed, daemon=True).start()
for number, answer in enumerate(child.stdout):
    {disturb}
    out.write(answer)
    out.flush()
"""


def _device(tmp_path: Path, *, before: str = "pass", taking: str = "pass", disturb: str = "pass") -> str:
    """Write the command; `disturb` runs before each line of the agent, of which `number` 0 is the greeting.

    `before` runs once, `taking` when a part of what is sent has come in.
    """
    path = tmp_path / "device"
    path.write_text(DEVICE.format(python=sys.executable, before=before, taking=taking, disturb=disturb))
    path.chmod(0o755)
    return str(path)


def _disturbed(tmp_path: Path, *, timeout_s: float = 30.0, **how: str) -> RemoteDevice:
    return RemoteDevice(_device(tmp_path, **how), python=sys.executable, timeout_s=timeout_s)


STRAY = [
    "out.write(b'You have new mail\\n')",
    "out.write(b'no line break ')",
    "out.write(b'\\xff\\xfe\\n[1, 2]\\n5\\nnull\\n{}\\n')",
    "out.write(b'line\\n' * 5000)",
    # An answer to a question that nobody asked, and one that came before.
    "out.write(b'edgenas answer {\"number\": 999}\\n')",
    "out.write(answer) if number == 2 else None",
]


@pytest.mark.parametrize("disturb", STRAY)
def test_lines_among_the_answers_that_are_none_are_skipped(tmp_path: Path, disturb: str) -> None:
    with _disturbed(tmp_path, disturb=disturb) as device:
        assert device.busy().stolen <= 1
        assert device.info().machine == platform.machine()
        assert device.busy().load_per_core >= 0


@pytest.mark.parametrize(
    ("disturb", "words"),
    [
        ("out.write(b'noise\\n' * 20000) if number == 1 else None", "bytes that are no answer, from b'noise'"),
        ("answer = b'edgenas answer {cut\\n' if number else answer", "damaged answer"),
        ("answer = b'edgenas answer 5\\n' if number else answer", "damaged answer"),
        ("answer = b'edgenas answer {\"number\": 1}\\n' if number else answer", "no agent of this version"),
        ("answer = b'edgenas answer {\"number\": 1, \"machine\": 1, \"facts\": 1, \"allowed\": 1, \"versions\": 1}\\n'"
         " if number else answer", "no agent of this version"),
        ("time.sleep(60) if number else None", "did not answer for 1 s"),
        ("os._exit(3) if number else None", "went away"),
        ("(out.write(answer[:20]), out.flush(), os._exit(0)) if number else None", "b'edgenas .* and went away"),
    ],
)  # fmt: skip
def test_a_device_that_answers_nonsense_or_nothing_is_one_clear_error(
    tmp_path: Path, disturb: str, words: str
) -> None:
    with pytest.raises(DeviceError, match=words), _disturbed(
        tmp_path, disturb=disturb, timeout_s=1.0 if "sleep" in disturb else 30.0
    ):
        pass


def test_a_line_that_never_ends_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgenas.measure.device.connection._LINE_BYTES", 1 << 20)
    endless = "[(out.write(b'x' * 65536), out.flush()) for _ in range(1000)] if number == 1 else None"
    with pytest.raises(DeviceError, match="bytes that are no answer"), _disturbed(tmp_path, disturb=endless):
        pass


def test_a_device_that_takes_nothing_in_is_given_up(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match="did not answer for 0.5 s"):
        _disturbed(tmp_path, before="time.sleep(60)", timeout_s=0.5).__enter__()
    # A pipe holds 64 KiB: what is larger is never taken.
    with RemoteDevice(MORTAL, python=sys.executable) as device:
        assert device._connection is not None
        device._connection._timeout_s = 0.5
        os.kill(device._connection._process.pid, signal.SIGSTOP)
        try:
            started = time.monotonic()
            with pytest.raises(DeviceError, match="did not take what was sent for 0.5 s"):
                device.load(("network",), "ort", bytes(1 << 22), threads=1)
            assert time.monotonic() - started < 10
        finally:
            os.kill(device._connection._process.pid, signal.SIGCONT)


def test_a_device_that_talks_and_takes_nothing_does_not_stop_the_other_side(tmp_path: Path) -> None:
    # More than a pipe holds, before the rest of a large request is taken: who only writes would wait for ever.
    talk = (
        "(seen.append(1), out.write(b'boot line\\n' * 100000), out.flush()) "
        "if len(part) > 60000 and not seen else None"
    )
    with _disturbed(tmp_path, taking=talk) as device:
        assert device._connection is not None
        device._connection._timeout_s = 4.0
        with pytest.raises(DeviceError, match="bytes that are no answer, from b'boot line'"):
            device.load(("network",), "ort", bytes(1 << 22), threads=1)


def test_a_measurement_longer_than_the_time_out_gives_signs_of_life(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Signs of life are no stray lines.
    monkeypatch.setattr("edgenas.measure.device.connection._STRAY_BYTES", 10)

    space = load("tiny")
    with _disturbed(tmp_path) as device:
        device.load(("network",), "ort", _target("ort").file(reference_of(space)), threads=1)
        assert device._connection is not None
        device._connection._timeout_s = 4.0
        long = Protocol(bursts=2400, runs=8, warmup=1, min_sessions=1, max_sessions=1)
        started = time.monotonic()
        (samples,) = device.alternate(("network",), long, np.random.default_rng(0))
        assert time.monotonic() - started > 4.0
        assert len(samples.cpu_ns) == 2400 * 8


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("~/venv/bin/python", "~/venv/bin/python"), ("~pi/my venv/python", "~pi/'my venv/python'"), ("~", "~"),
        ("/opt/my python", "'/opt/my python'"), ("~pi; rm x", "'~pi; rm x'"), ("a~", "'a~'"),
    ],
)  # fmt: skip
def test_a_home_directory_in_the_path_of_python_is_the_devices(path: str, said: str) -> None:
    assert quoted(path) == said


def test_python_below_the_home_directory_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my venv").mkdir()
    python = tmp_path / "my venv" / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    monkeypatch.setenv("HOME", str(tmp_path))
    with RemoteDevice("sh -c", python="~/my venv/python") as device:
        assert device.info().machine == platform.machine()


def test_samples_without_a_file_outlive_a_device_that_dies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(RemoteDevice, "busy", lambda self: Business(load_per_core=0.0, stolen=0.0))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    def build(device: RemoteDevice, kill_at: int) -> int:
        taken: list[int] = []

        def progress(done: int, total: int, what: str) -> None:
            taken.append(done)
            if done == kill_at:
                assert device._connection is not None
                device._connection._process.kill()

        build_table(load("tiny"), networks=4, seconds=0.0, device=device, force=True, progress=progress)
        return len(taken)

    with RemoteDevice(MORTAL, python=sys.executable) as device, pytest.raises(DeviceError, match="they are kept in"):
        build(device, kill_at=3)
    (kept,) = tmp_path.rglob("*.samples.jsonl")
    before = kept.read_text()
    assert len(before.splitlines()) == 1 + 1 + 3
    with RemoteDevice(MORTAL, python=sys.executable) as device:
        build(device, kill_at=-1)
    (done,) = tmp_path.rglob("*.jsonl")
    assert done.name.endswith(".done.jsonl") and done.read_text().startswith(before)


def test_the_agent_keeps_to_the_processors_that_were_chosen() -> None:
    allowed = sorted(os.sched_getaffinity(0))
    with RemoteDevice("sh -c", python=sys.executable, cpus=allowed[:1]) as device:
        assert device.info().affinity == tuple(allowed[:1])
        assert device._ask({"do": "describe", "facts": []})["allowed"] == allowed[:1]
        with pytest.raises(DeviceError, match="2 threads cannot be measured on the processors"):
            device.load(("network",), "ort", b"", threads=2)
        assert device.info().differences(local_device()) == (f"affinity: ({allowed[0]},) in the table, () here",)
    assert sorted(os.sched_getaffinity(0)) == allowed
    missing = RemoteDevice("sh -c", python=sys.executable, cpus=[4000])
    with pytest.raises(DeviceError, match="refuses to pin"):
        missing.__enter__()


@pytest.mark.parametrize("cpus", ["little", [], [-1], [1.5], "4"])
def test_processors_that_cannot_be_are_refused(cpus: object) -> None:
    with pytest.raises(InputError, match="processors cannot be"):
        RemoteDevice("sh -c", cpus=cpus)  # type: ignore[arg-type]


def test_big_cores_are_measured_where_there_are_several_kinds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[dict[str, Any]] = []

    def answer(self: Connection, request: dict[str, Any], data: bytes = b"") -> dict[str, Any]:
        asked.append(dict(request))
        return {
            "machine": "aarch64", "facts": BOARDS["Odroid N2"], "processor": "", "cores": 6, "memory_mib": 4096,
            "allowed": [0, 1, 2, 3, 4, 5], "versions": {},
        }  # fmt: skip

    monkeypatch.setattr(Connection, "ask", answer)
    with RemoteDevice("sh -c", python=sys.executable) as device:
        assert device.info().affinity == asked[-1]["cpus"] == (2, 3, 4, 5)
    with RemoteDevice("sh -c", python=sys.executable, cpus="all") as device:
        assert device.info().affinity == () and asked[-1]["do"] == "describe"


def test_a_device_that_does_not_say_what_it_is_is_refused_before_anything_is_measured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(RemoteDevice, "info", lambda self: replace(local_device(), cpu="unknown"))
    with (
        RemoteDevice("sh -c", python=sys.executable) as device,
        pytest.raises(DeviceError, match="does not say which processor this is.*--device-name"),
    ):
        build_table(load("tiny"), networks=4, device=device)


def test_an_answer_with_a_number_that_is_not_finite_is_no_answer() -> None:
    from edgenas.measure.device.connection import _parsed

    assert _parsed(b'{"number": 1, "wall_ns": [1.5]}') == {"number": 1, "wall_ns": [1.5]}
    for text in (b'{"number": 1, "wall_ns": [NaN]}', b'{"wall_ns": [1e400]}', b"[1]", b"\xff"):
        assert _parsed(text) is None
