"""Loops in fresh processes: the truth that has nothing of the protocol."""

from __future__ import annotations

import ast
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from edgenas.errors import DeviceError
from edgenas.latency import SpaceLatency, predict
from edgenas.latency.records import half_width
from edgenas.measure import LocalDevice, RemoteDevice, build_table, check_table, present, validate_table
from edgenas.measure.device import loop
from edgenas.measure.device.alone import BOOTSTRAP, Loop, run_loop
from edgenas.measure.protocol.visit import Bench, Target
from edgenas.measure.table.build import reference_of, table_protocol
from edgenas.measure.table.loops import _calm, loop_rows
from edgenas.space import load
from tests.measure.fakes import use

SPACE = load("tiny")
MOST = 100.0


def _file(name: str) -> bytes:
    return Target(runtime=name).file(reference_of(SPACE))


@pytest.mark.parametrize("name", ["ort", "litert"])
def test_a_file_runs_in_a_process_of_its_own_here_and_at_the_other_end_of_a_command(name: str) -> None:
    here = LocalDevice().alone(name, _file(name), threads=1)
    with RemoteDevice("sh -c", python=sys.executable) as device:
        there = device.alone(name, _file(name), threads=1)
    for found in (here, there):
        assert 0 < found.cpu_ms < MOST and 0 < found.wall_ms < MOST and found.runs >= 60
        assert found.value_ms("wall") == found.wall_ms and found.value_ms("thread_cpu") == found.cpu_ms


def test_a_cold_loop_runs_another_network_before_every_run() -> None:
    bench = Bench(Target(protocol=table_protocol(mode="cold")), reference_of(SPACE))
    assert bench.alone(SPACE.decode(SPACE.smallest())).runs == 60


def test_the_loop_shares_nothing_with_the_protocol() -> None:
    tree = ast.parse(Path(loop.__file__).read_text(encoding="utf-8"))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    own = {"edgenas.measure.engines.registry"}  # only for a runtime that a package adds
    assert imported == {"json", "os", "sys", "time", "numpy", "onnxruntime"} | own | {
        "ai_edge_litert.interpreter", "tflite_runtime.interpreter",
    }  # fmt: skip


def _run(argv: list[str], data: bytes = b"x", timeout_s: float = 30.0) -> None:
    run_loop(argv, "ort", data, threads=1, other=b"", cpus=(), timeout_s=timeout_s)


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        ([sys.executable, "-c", BOOTSTRAP], "gave no answer"),
        (["/does/not/exist"], "cannot start"),
        (["sh", "-c", "cat > /dev/null; echo hello"], "gave no answer; got exit code 0"),
        (["sh", "-c", "cat > /dev/null; echo 'edgenas loop {broken'"], "gave no answer"),
        (["sh", "-c", "cat > /dev/null; echo 'edgenas loop {\"cpu_ms\": NaN, \"wall_ms\": 1, \"runs\": 1}'"], "no a"),
        (["sh", "-c", "cat > /dev/null; echo 'edgenas loop {\"cpu_ms\": -1, \"wall_ms\": 1, \"runs\": 1}'"], "no a"),
    ],
)  # fmt: skip
def test_a_loop_that_fails_or_answers_nonsense_is_one_clear_error(argv: list[str], words: str) -> None:
    with pytest.raises(DeviceError, match=words):
        _run(argv)


def test_a_loop_that_hangs_is_ended() -> None:
    with pytest.raises(DeviceError, match=r"did not end within 0\.3 s"):
        _run(["sleep", "20"], timeout_s=0.3)


def test_a_tenth_of_the_networks_run_in_loops_five_at_least_and_from_all_sizes() -> None:
    assert len(loop_rows(np.arange(80.0))) == 8
    assert loop_rows(np.array([3.0, 1.0, 2.0])) == [1, 2, 0]
    rows = loop_rows(np.random.default_rng(0).permutation(20).astype(float))
    assert len(set(rows)) == 5
    values = np.random.default_rng(0).permutation(20)[rows]
    assert (np.diff(values) == 4).all()


@pytest.mark.parametrize(("bias", "error"), [(0.0, 0.0), (0.0, 0.02), (0.03, 0.0), (-0.03, 0.01), (0.2, 0.01)])
def test_an_interval_with_its_bias_holds_what_it_promises(bias: float, error: float) -> None:
    half = half_width(level=0.9, relative=0.05, bias=bias, error=error)
    rng = np.random.default_rng(0)
    off = bias + np.hypot(0.05 / 1.6449, error) * rng.standard_normal(200_000)
    assert (np.abs(off) <= half).mean() == pytest.approx(0.9, abs=0.005)
    assert half >= 0.05


def test_a_bias_is_not_counted_twice_when_a_table_is_validated_again(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, noise=0.005, lukewarm=1.05)
    once = validate_table(build_table(SPACE, networks=40), SPACE, networks=20)
    twice = validate_table(once, SPACE, networks=20)
    assert once.interval.bias == pytest.approx(0.05, abs=0.01)
    assert twice.interval.relative == pytest.approx(once.interval.relative, rel=0.1)
    assert twice.interval.left_out == once.interval.left_out


def test_a_table_whose_bias_exceeds_its_interval_is_said_to_be_wrong_and_fails_its_check(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use(monkeypatch, noise=0.002, lukewarm=1.24)
    table = validate_table(build_table(SPACE, networks=60), SPACE, networks=20)
    assert table.validation is not None and table.validation.mape_percent < 2
    assert table.interval.is_wrong and table.interval.relative > 0.2
    use(monkeypatch, noise=0.002)
    found = check_table(table)
    assert not found.passed and "the table is wrong: predictions are +2" in found.doubts[0]


def test_a_check_states_its_moment_and_its_error_and_both_enter_every_prediction(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use(monkeypatch, noise=0.02)
    table = build_table(SPACE, networks=40)
    assert table.reference.at == table.build.ended >= table.build.begun > ""
    errors = []
    for noise in (0.001, 0.08):
        use(monkeypatch, noise=noise, drift=1.3)
        found = check_table(table, visits=1)
        errors.append(found.reference_error)
        now = present(table, found)
        assert now.reference.at == found.at > "" and now.reference.error == found.reference_error
        network = SPACE.decode(SPACE.smallest())
        half = [(answer.high_ms - answer.low_ms) / 2 / answer.latency_ms
                for answer in (predict(table, network), predict(now, network))]  # fmt: skip
        wanted = half[0] ** 2 + 1.6449**2 * (found.reference_error**2 - table.reference.error**2)
        assert half[1] ** 2 == pytest.approx(wanted, rel=1e-4)
        assert predict(now, network).at == found.at
        genes = SPACE.sample(20, np.random.default_rng(0))
        spread = SpaceLatency(now, SPACE).predict(genes)
        one = predict(now, SPACE.decode(genes[0]))
        assert spread.high_ms[0] == one.high_ms and spread.low_ms[0] == one.low_ms
    # About a ninth of the noise of a visit in quadrature: nine probes tell the clock.
    assert errors[1] > 0.015 > errors[0]


def test_the_error_of_a_clock_is_that_of_many_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, noise=0.0)
    table = build_table(SPACE, networks=40)
    told, stated = [], []
    for seed in range(40):
        use(monkeypatch, noise=0.05)
        found = check_table(table, visits=1, seed=seed)
        told.append(found.reference_drift)
        stated.append(found.reference_error)
    assert np.mean(stated) == pytest.approx(np.std(told), rel=0.35)


def test_a_foreign_check_brings_no_table_to_the_present(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch)
    table = build_table(SPACE, networks=10)
    foreign = replace(table, runtime=replace(table.runtime, version="0.0.1"))
    assert present(foreign, check_table(foreign)) is foreign


class Moving:
    """A bench whose clock doubles between the first visit and the loops of a network, and is calm afterwards."""

    threads, clock = 1, "thread_cpu"

    def __init__(self, factors: list[float]) -> None:
        self.factors, self.asked = factors, 0

    def visit(self, network: object) -> SimpleNamespace:
        factor = self.factors[min(self.asked, len(self.factors) - 1)]
        self.asked += 1
        return SimpleNamespace(reference_ms=factor, latency_ms=factor)

    def alone(self, network: object) -> Loop:
        value = self.factors[min(self.asked, len(self.factors) - 1)]
        return Loop(cpu_ms=value, wall_ms=value, runs=60)


@pytest.mark.parametrize("factors", [[1.0, 2.0, 2.0, 2.0], [1.0, 2.0, 1.0, 2.0, 1.5, 1.5]])
def test_loops_during_which_the_clock_moved_are_run_again(factors: list[float]) -> None:
    before, found, after = _calm(Moving(factors), None)  # type: ignore[arg-type]
    assert before.reference_ms == after.reference_ms == found[0].cpu_ms


def test_a_clock_that_never_rests_ends_with_the_calmest_try() -> None:
    bench = Moving([1.0, 3.0, 1.0, 2.0, 1.0, 1.1, 1.0, 4.0, 1.0, 5.0])
    before, _, after = _calm(bench, None)  # type: ignore[arg-type]
    assert (before.reference_ms, after.reference_ms) == (1.0, 1.1)
    assert bench.asked == 10
