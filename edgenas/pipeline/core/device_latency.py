"""Measured latency of networks on this device, by the files that would ship."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from edgenas.arch import Architecture, lower
from edgenas.formats import file_format_of
from edgenas.latency.runtimes import RuntimeName
from edgenas.types import Progress

if TYPE_CHECKING:
    from edgenas.measure import FileLatency, ModelFile

PrecisionName = Literal["fp32", "int8", "fp16"]


def encoded_network(architecture: Architecture, *, runtime: RuntimeName, precision: PrecisionName) -> bytes:
    """Write a network with random weights as the file that a runtime reads; latency does not depend on the weights."""
    from edgenas.formats import encode, random_weights

    graph = lower(architecture)
    return encode(
        graph,
        random_weights(graph, np.random.default_rng(0)),
        file_format=file_format_of(runtime),
        precision=precision,
    )


def model_files(
    networks: Sequence[Architecture],
    *,
    runtime: RuntimeName,
    precision: PrecisionName,
    reference: Architecture | None = None,
) -> tuple[ModelFile, ...]:
    """Write networks as files to be measured, named by their places.

    Args:
        networks: Any number.
        runtime: A name of the registry of runtimes.
        precision: Of the files.
        reference: One more network, which comes last, named `reference`.
    """
    from edgenas.measure import ModelFile

    named = [(str(place), network) for place, network in enumerate(networks)]
    return tuple(
        ModelFile(
            name=name,
            data=encoded_network(network, runtime=runtime, precision=precision),
            file_format=file_format_of(runtime),
            runtime=runtime,
        )
        for name, network in [*named, *([] if reference is None else [("reference", reference)])]
    )


def measured_networks(
    networks: Sequence[Architecture],
    *,
    runtime: RuntimeName = "ort",
    precision: PrecisionName = "fp32",
    threads: int = 1,
    seed: int = 0,
    reference: Architecture | None = None,
    progress: Progress | None = None,
) -> tuple[FileLatency, ...]:
    """Measure networks alternately in one visit.

    Args:
        networks: At least one.
        runtime: A name of the registry of runtimes.
        precision: Of the files.
        threads: Threads within one operation.
        seed: Draws the order of turns.
        reference: A network that is measured with them; its latency comes last.
        progress: Told after each session.

    Raises:
        DeviceError: The runtime is not installed.
    """
    from edgenas.measure import measure_files

    files = model_files(networks, runtime=runtime, precision=precision, reference=reference)
    return measure_files(files, threads=threads, seed=seed, progress=progress)


def measured_latency(
    architecture: Architecture,
    *,
    runtime: RuntimeName = "ort",
    precision: PrecisionName = "fp32",
    threads: int = 1,
) -> float:
    """Measure one network, ms; see `measured_networks`."""
    return measured_networks([architecture], runtime=runtime, precision=precision, threads=threads)[0].latency_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """Latency of a network over that of another, measured alternately with it.

    Attributes:
        value: The share.
        error: Its standard error.
    """

    value: float
    error: float


def shares(found: Sequence[FileLatency]) -> tuple[Share, ...]:
    """Return the shares of a visit's files, each over the first of them.

    Args:
        found: The first file and the others, measured alternately, so that common disturbances cancel out.
    """
    first = found[0]
    answer = []
    for latency in found[1:]:
        value = latency.latency_ms / first.latency_ms
        relative = [_finite(each.standard_error_ms) / each.latency_ms for each in (latency, first)]
        answer.append(Share(value=value, error=value * math.hypot(*relative)))
    return tuple(answer)


def _finite(error_ms: float) -> float:
    # A single session has no known error. Visits pooled with it then count no more than it does.
    return error_ms if math.isfinite(error_ms) else 0.0


def pooled(found: Sequence[Share]) -> Share:
    """Combine the shares of several visits.

    It is the median, since a visit under another program's load may be far off. Its error is the larger one of the
    visits' own errors and of the spread between the visits.
    """
    values = np.array([share.value for share in found])
    within = math.sqrt(float(np.mean([share.error**2 for share in found])) / len(found))
    between = float(values.std(ddof=1)) / math.sqrt(len(found)) if len(found) > 1 else 0.0
    return Share(value=float(np.median(values)), error=max(within, between))
