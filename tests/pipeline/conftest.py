"""A device without a clock for runs: what a machine happens to be doing must not decide whether a test passes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from edgenas.measure import FileLatency, ModelFile
from tests.measure.fakes import REFERENCE_MS, use


def steady_files(files: Sequence[ModelFile], **_: object) -> tuple[FileLatency, ...]:
    """Stand for `measure_files`: a larger file takes longer, and all are faster than any table of the fake says.

    The reference network of a table takes what the fake says.
    """
    return tuple(replace(_latency(file), latency_ms=REFERENCE_MS) if file.name == "reference" else _latency(file)
                 for file in files)  # fmt: skip


def _latency(file: ModelFile) -> FileLatency:
    latency_ms = 1e-6 + len(file.data) * 1e-12
    return FileLatency(
        name=file.name,
        runtime="ort" if file.file_format == "onnx" else "litert",
        runtime_version="0",
        latency_ms=latency_ms,
        standard_error_ms=latency_ms * 0.01,
        low_ms=latency_ms,
        high_ms=latency_ms,
        wall_ms=latency_ms,
        sessions=1,
        runs=1,
        switches=0,
        load_per_core=0.0,
        threads=1,
        mode="hot",
        samples=(),
    )


@pytest.fixture(scope="module", autouse=True)
def steady_device(request: pytest.FixtureRequest) -> Iterator[None]:
    """Put the steady device in the place of this machine; `REAL_DEVICE = True` in a test module keeps the machine."""
    with pytest.MonkeyPatch.context() as patch:
        if not getattr(request.module, "REAL_DEVICE", False):
            use(patch, noise=0.002)
            patch.setattr("edgenas.measure.measure_files", steady_files)
        yield


