"""Printing what a table predicts for a network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import edgenas as en
from edgenas.cli.console import print_table

if TYPE_CHECKING:
    from edgenas.arch import Architecture


def print_prediction(architecture: Architecture, file: str, *, interpolate: bool = False) -> None:
    """Print what a table predicts for a network.

    Args:
        architecture: The network.
        file: The table.
        interpolate: Estimate what it lacks.
    """
    table = en.load_table(file)
    found = en.predict_latency(architecture, table, interpolate=interpolate)
    rows = [
        (
            layer.name,
            layer.key,
            f"{layer.latency_ms:.4f}",
            f"{layer.error_ms:.4f}",
            "estimated" if layer.interpolated else "",
        )
        for layer in found.layers
    ]
    print_table(("layer", "operation", "ms", "+-", ""), rows)
    print(f"overhead  {found.overhead_ms:.4f} ms")
    print(
        f"latency   {found.latency_ms:.4f} ms, {100 * found.level:.0f} % interval {found.low_ms:.4f} to "
        f"{found.high_ms:.4f} (predicted; {table.runtime.slug} on {table.device.cpu})"
    )
    if found.interpolated:
        print(f"{len(found.interpolated)} operations are not in the table and were estimated from similar ones")
