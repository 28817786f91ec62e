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
    from edgenas.formats import encode, random_weights
    from edgenas.measure import ModelFile, measure_files

    graph = lower(architecture)
    data = encode(
        graph,
        random_weights(graph, np.random.default_rng(0)),
        file_format="onnx" if runtime == "ort" else "tflite",
        precision=precision,
    )
    file = ModelFile(name="network", data=data, file_format="onnx" if runtime == "ort" else "tflite")
    return measure_files([file], threads=threads)[0].latency_ms
