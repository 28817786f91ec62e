"""Measured latency of one network on this device, by the file that would ship."""

from __future__ import annotations

from typing import Literal

import numpy as np

from edgenas.arch import Architecture, lower


def measured_latency(
    architecture: Architecture,
    *,
    runtime: Literal["ort", "litert"] = "ort",
    precision: Literal["fp32", "int8"] = "fp32",
    threads: int = 1,
) -> float:
    """Write a network with random weights and measure it; latency does not depend on the weights.

    Args:
        architecture: The network.
        runtime: ONNX Runtime or LiteRT.
        precision: Of the file.
        threads: Threads within one operation.

    Returns:
        Milliseconds.

    Raises:
        DeviceError: The runtime is not installed.
    """
    from edgenas.measure import ModelFile, measure_files

    data = encoded_network(architecture, runtime=runtime, precision=precision)
    file = ModelFile(name="network", data=data, file_format="onnx" if runtime == "ort" else "tflite")
    return measure_files([file], threads=threads)[0].latency_ms


def encoded_network(
    architecture: Architecture, *, runtime: Literal["ort", "litert"], precision: Literal["fp32", "int8", "fp16"]
) -> bytes:
    """Write a network with random weights as the file that a runtime reads, to be measured."""
    from edgenas.formats import encode, random_weights

    graph = lower(architecture)
    return encode(
        graph,
        random_weights(graph, np.random.default_rng(0)),
        file_format="onnx" if runtime == "ort" else "tflite",
        precision=precision,
    )
