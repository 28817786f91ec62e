"""Finding a network by what a user calls it."""

from __future__ import annotations

from pathlib import Path

from edgenas.arch import Architecture
from edgenas.errors import ArchitectureError, explain, nearest


def network_named(text: str) -> Architecture:
    """Return the network that a text names.

    Args:
        text: A name of the zoo, the path of a JSON document, a checkpoint or a run directory, or a notation.

    Raises:
        ArchitectureError: It is none of these; the nearest name is given.
        WeightsError: The checkpoint is damaged.
    """
    from edgenas.arch.document import read_document
    from edgenas.arch.notation import parse_notation
    from edgenas.arch.zoo import NAMES, published

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
