"""Names of precisions, and of the format that a runtime reads."""

from __future__ import annotations

from edgenas.errors import ExportError, explain, nearest
from edgenas.formats.registry import FORMATS
from edgenas.latency.device import PRECISIONS, Precision
from edgenas.latency.runtimes import RUNTIMES

__all__ = ["PRECISIONS", "Precision", "file_format_of"]


def file_format_of(runtime: str) -> str:
    """Return the name of the format that a runtime reads.

    Args:
        runtime: `ort`, `litert`, or one that a package adds.

    Raises:
        ExportError: There is no such runtime, or it reads a format that there is not.
    """
    if runtime not in RUNTIMES:
        known = ", ".join(RUNTIMES)
        hint = nearest(runtime, RUNTIMES.names())
        raise ExportError(explain(f"unknown runtime{hint}", got=repr(runtime), allowed=known))
    reads = RUNTIMES[runtime].reads
    if reads not in FORMATS:
        raise ExportError(
            explain(f"the runtime {runtime} reads no such files", got=repr(reads), allowed=", ".join(FORMATS))
        )
    return reads
