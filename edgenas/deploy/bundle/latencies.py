"""Latencies of a bundle's files on their cards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from edgenas.deploy.bundle.card import FileCard, Latency
from edgenas.formats import FORMATS
from edgenas.measure import FileLatency


def with_latency(entry: FileCard, found: Mapping[str, FileLatency], files: Sequence[FileCard]) -> FileCard:
    """Return the card of a file with its latency; it warns where an int8 file is slower than the fp32 one.

    Args:
        entry: The card of the file.
        found: Measured latencies by name of the file.
        files: The cards of all files of the bundle.
    """
    if entry.name not in found:
        return entry
    measured = found[entry.name]
    latency = Latency(
        latency_ms=measured.latency_ms,
        low_ms=measured.low_ms,
        high_ms=measured.high_ms,
        standard_error_ms=measured.standard_error_ms,
        runtime=f"{measured.runtime} {measured.runtime_version}",
        threads=measured.threads,
    )
    warnings = entry.warnings
    full = next((file for file in files if file.format == entry.format and file.precision == "fp32"), None)
    if entry.precision == "int8" and full is not None and entry.scheme not in FORMATS[entry.format].foreign_schemes:
        ratio = measured.latency_ms / found[full.name].latency_ms
        if ratio > 1:
            warnings = (*warnings, f"is slower than {full.name} on this device ({ratio:.2f} times its latency).")
    return replace(entry, latency=latency, warnings=warnings)
