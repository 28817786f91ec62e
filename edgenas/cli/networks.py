"""Naming a network on the command line, and printing what a table predicts for it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edgenas.cli.console import print_table

if TYPE_CHECKING:
    from edgenas.arch import Architecture


def find_architecture(text: str) -> Architecture:
    """Return the architecture that a text names: of the zoo, in a file, or in notation.

    Args:
        text: A name of the zoo, the path of a JSON document, checkpoint or run directory, or a notation.

    Raises:
        ArchitectureError: It is none of these.
    """
    from edgenas.arch.document import read_document
    from edgenas.arch.notation import parse_notation
    from edgenas.arch.zoo import NAMES, published
    from edgenas.errors import ArchitectureError, explain, nearest

    if text in NAMES:
        return published(text)
    if "|" in text:
        return parse_notation(text)
    path = Path(text)
    if path.is_dir():
        path = path / "architecture.json"
    if path.suffix == ".safetensors" and path.is_file():
        from edgenas.nn import load_checkpoint

        return load_checkpoint(path).architecture
    if path.suffix == ".json" or path.is_file():
        return read_document(path)
    raise ArchitectureError(
        explain(
            f"unknown network{nearest(text, NAMES)}",
            got=repr(text),
            allowed="a name of `edgenas zoo`, a JSON document, a checkpoint, a run directory, or a notation",
        )
    )


def print_prediction(architecture: Architecture, file: str, *, interpolate: bool = False) -> None:
    """Print what a table predicts for a network.

    Args:
        architecture: The network.
        file: The table.
        interpolate: Estimate what it lacks.
    """
    from edgenas.latency import open_table
    from edgenas.latency import predict as predict_one

    table = open_table(file)
    found = predict_one(table, architecture, interpolate=interpolate)
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
