"""The latency of one network: predicted by a table, or measured."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from edgenas.api.networks import Network, load_network
from edgenas.api.tables import load_table
from edgenas.display import progress_bar
from edgenas.types import ProgressFactory

if TYPE_CHECKING:
    from edgenas.latency import LatencyTable, Prediction
    from edgenas.measure import FileLatency


def predict_latency(
    network: Network, table: str | Path | LatencyTable, *, interpolate: bool = False
) -> Prediction:
    """Predict the latency of a network, with its interval, in all and by layer.

    Args:
        network: See `load_network`.
        table: See `load_table`.
        interpolate: Estimate what the table lacks from similar operations, marked, instead of refusing.

    Raises:
        ArchitectureError: It is no network.
        InputError: There is no such table.
        TableError: The table is broken, or lacks an operation of the network.
    """
    from edgenas.latency import predict

    return predict(load_table(table), load_network(network), interpolate=interpolate)


def measure_latency(
    network: Network,
    *,
    runtime: str = "ort",
    precision: Literal["fp32", "fp16", "int8"] = "fp32",
    threads: int = 1,
    seed: int = 0,
    progress: ProgressFactory | None = None,
) -> FileLatency:
    """Measure the latency of a network on this machine, by a file with random weights; weights do not change it.

    Args:
        network: See `load_network`.
        runtime: `ort` (ONNX Runtime) or `litert`.
        precision: Of the file.
        threads: Threads within one operation.
        seed: Of the order of measurements.
        progress: Makes a progress display for a title; a bar, or lines, if None.

    Returns:
        `latency_ms` with its `standard_error_ms`, the fastest and slowest session, and the raw samples.

    Raises:
        ArchitectureError: It is no network.
        DeviceError: The runtime is not installed.
    """
    from edgenas.pipeline.core.device_latency import measured_networks

    with (progress or progress_bar)("measure the network") as report:
        (found,) = measured_networks(
            [load_network(network)], runtime=runtime, precision=precision, threads=threads, seed=seed, progress=report
        )
    return found
