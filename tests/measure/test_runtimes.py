"""The runtimes: real files on real engines, a few runs each."""

from __future__ import annotations

import builtins
import importlib
from typing import Any

import numpy as np
import pytest
import torch

from edgenas import nn
from edgenas.arch import lower
from edgenas.errors import DeviceError, InputError
from edgenas.formats import encode, random_weights
from edgenas.measure import ModelFile, Protocol, measure_files, runtime, runtime_for
from edgenas.measure.device import agent
from edgenas.measure.protocol.visit import Bench, Target
from edgenas.measure.table.build import reference_of, table_protocol
from edgenas.space import load

FORMATS = {"ort": "onnx", "litert": "tflite"}
QUICK = Protocol(bursts=1, runs=2, warmup=1, min_sessions=2, max_sessions=2)


def _file(name: str, precision: str) -> bytes:
    graph = lower(reference_of(load("tiny")))
    weights = random_weights(graph, np.random.default_rng(0))
    return encode(graph, weights, file_format=FORMATS[name], precision=precision)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["ort", "litert"])
@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_a_session_runs_and_gives_the_same_logits_twice(name: str, precision: str) -> None:
    session = runtime(name).open(_file(name, precision))
    session.run()
    (first,), (second,) = session.outputs(), session.outputs()
    assert first.shape == (1, 10)
    assert np.array_equal(first, second)
    assert np.abs(first.astype(np.float64)).max() > 0


@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 1e-5), ("fp16", 5e-3)])
@pytest.mark.parametrize("name", ["ort", "litert"])
def test_both_runtimes_compute_what_torch_computes(name: str, precision: str, tolerance: float) -> None:
    network = reference_of(load("tiny"))
    module = nn.build(network)
    module.load_weights(random_weights(lower(network), np.random.default_rng(0)))
    # Images of one channel lie the same way in both runtimes, so both get the same ones.
    images = agent.random_input((1, 1, network.resolution, network.resolution), np.dtype(np.float32))
    with torch.inference_mode():
        expected = module.eval()(torch.from_numpy(images)).numpy()
    (found,) = runtime(name).open(_file(name, precision)).outputs()
    assert np.abs(found - expected).max() < tolerance * np.abs(expected).max()


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_bound_inputs_and_outputs_give_what_a_plain_run_gives(precision: str) -> None:
    data = _file("ort", precision)
    session = agent.ort_session(data, threads=1)
    binding = session.io_binding()
    monitored = type("Session", (), {
        "io_binding": lambda self: binding, "get_inputs": lambda self: session.get_inputs(),
        "get_outputs": lambda self: session.get_outputs(),
        "run_with_iobinding": lambda self, bound: session.run_with_iobinding(bound),
    })()  # fmt: skip
    agent.ort_bound(monitored)()
    (bound,) = binding.copy_outputs_to_cpu()
    (plain,) = session.run(None, agent.ort_feed(session))
    assert np.array_equal(bound, plain) and np.abs(bound.astype(np.float64)).max() > 0


@pytest.mark.parametrize("name", ["ort", "litert"])
@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_the_floor_of_a_runtime_is_below_the_smallest_network(name: str, precision: str) -> None:
    space = load("tiny")
    quick = table_protocol()
    bench = Bench(Target(runtime=name, precision=precision, protocol=quick), reference_of(space))  # type: ignore[arg-type]
    floor_ms = bench.floor_ms()
    assert 0 < floor_ms < bench.visit(space.decode(space.smallest())).latency_ms


@pytest.mark.parametrize("name", ["ort", "litert"])
@pytest.mark.parametrize("data", [b"", b"not a model", b"\x00" * 100])
def test_a_file_that_is_no_model_is_refused(name: str, data: bytes) -> None:
    with pytest.raises(DeviceError, match="refuses the file"):
        runtime(name).open(data)


def test_unknown_runtimes_and_formats_are_refused_with_the_nearest_name() -> None:
    with pytest.raises(InputError, match="did you mean 'litert'"):
        runtime("liter")
    with pytest.raises(InputError, match="unknown file format"):
        runtime_for("pth")


def test_files_are_measured_in_one_visit_and_come_back_in_order() -> None:
    files = [
        ModelFile(name=f"{name}-{precision}", data=_file(name, precision), file_format=FORMATS[name])  # type: ignore[arg-type]
        for name in ("ort", "litert")
        for precision in ("fp32", "int8")
    ]
    done: list[tuple[int, int]] = []
    found = measure_files(files, protocol=QUICK, progress=lambda step, total, what: done.append((step, total)))
    assert [latency.name for latency in found] == [file.name for file in files]
    assert done == [(1, 2), (2, 2)]
    for latency in found:
        assert 0 < latency.low_ms <= latency.latency_ms <= latency.high_ms
        assert latency.sessions == 2 and latency.runs >= 4 and latency.standard_error_ms >= 0
        assert len(latency.samples) == 2 and latency.runtime_version


def test_no_file_is_refused() -> None:
    with pytest.raises(InputError, match="nothing to measure"):
        measure_files([])


@pytest.mark.parametrize("name", ["ort", "litert"])
def test_a_visit_measures_a_network_against_the_reference(name: str) -> None:
    space = load("tiny")
    target = Target(runtime=name, protocol=Protocol(bursts=1, runs=1, warmup=1, min_sessions=1, max_sessions=1))  # type: ignore[arg-type]
    visit = Bench(target, reference_of(space)).visit(space.decode(space.smallest()))
    assert visit.latency_ms > 0 and visit.reference_ms > 0 and visit.seconds > 0
    assert visit.runs >= 2 and visit.switches >= 0


def test_a_target_names_its_scheme_and_version() -> None:
    info = Target(runtime="ort", precision="int8", protocol=table_protocol(threads=2)).info()
    assert (info.scheme, info.threads, info.mode) == ("qdq_u8s8", 2, "hot")
    assert info.version == runtime("ort").version()
    assert Target(runtime="litert").info().scheme == "none"


def test_a_missing_runtime_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without_ort(name: str, *rest: Any, **named: Any) -> Any:
        if name == "onnxruntime":
            raise ImportError(name)
        return real(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", without_ort)
    with pytest.raises(DeviceError, match="pip install onnxruntime"):
        runtime("ort").version()


def test_the_older_interpreter_is_used_where_the_newer_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    from edgenas.measure.engines import litert

    class Old:
        Interpreter = object

    def find(name: str) -> Any:
        if name == "tflite_runtime.interpreter":
            return Old
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", find)
    assert litert.interpreter_class() == (object, "tflite-runtime")
    assert litert.LiteRtRuntime().version().startswith("tflite-runtime")
    monkeypatch.setattr(importlib, "import_module", lambda name: (_ for _ in ()).throw(ImportError(name)))
    with pytest.raises(DeviceError, match="pip install ai-edge-litert"):
        litert.interpreter_class()
