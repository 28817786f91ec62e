"""A device behind a command: a shell of this machine stands for it."""

from __future__ import annotations

import ast
import platform
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edgenas.errors import DeviceError, InputError
from edgenas.latency import local_device
from edgenas.measure import Business, Protocol, RemoteDevice, build_table, runtime
from edgenas.measure.device import agent
from edgenas.measure.protocol.visit import Bench, Target
from edgenas.measure.table.build import reference_of
from edgenas.space import load

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
                assert device._process is not None
                device._process.kill()

        return build_table(
            space, networks=4, seconds=0.0, samples=kept, device=device, force=True, progress=progress
        )

    with RemoteDevice(MORTAL, python=sys.executable) as first, pytest.raises(DeviceError, match="after 3 of 8 visits"):
        build(first, kill_at=3)
    assert len(kept.read_text().splitlines()) == 1 + 3
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
