"""A trained network as one safetensors file: its weights, and its architecture in the metadata."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from edgenas.arch.architecture import Architecture
from edgenas.arch.block_names import current_names
from edgenas.arch.document import from_document, to_document
from edgenas.arch.lower import lower
from edgenas.arch.weights import Weights, check_weights
from edgenas.errors import ArchitectureError, WeightsError, explain
from edgenas.nn.tensor_file import read_tensors, write_tensors
from edgenas.reading.json_text import parse_json, plain_text

ARCHITECTURE_KEY = "edgenas.architecture"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Checkpoint:
    """A network with its weights.

    Attributes:
        architecture: The network.
        weights: Its weights, named as the contract says.
        metadata: Whatever else was stored, texts by name (preprocessing, labels, training).
    """

    architecture: Architecture
    weights: Weights
    metadata: Mapping[str, str] = field(default_factory=dict)


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint; the file is moved into place when complete.

    Args:
        path: The `.safetensors` file; replaced where it exists.
        checkpoint: What to write.

    Raises:
        WeightsError: The weights are not those of the architecture.
        StoreError: The file cannot be written.
    """
    check_weights(lower(checkpoint.architecture), checkpoint.weights)
    document = plain_text(to_document(checkpoint.architecture), separators=(",", ":"))
    metadata = {**checkpoint.metadata, ARCHITECTURE_KEY: document}
    write_tensors(path, checkpoint.weights, metadata)


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint. Weights that an older version named after the grouping into stages get their present names.

    Args:
        path: A file that `save_checkpoint` wrote.

    Raises:
        WeightsError: It is not such a file, is damaged, or its weights are not those of its architecture.
    """
    remedy = "A checkpoint is a .safetensors file; pickles are not read."
    found = read_tensors(path, what="the checkpoint", remedy=remedy)
    metadata, weights = found.metadata, found.arrays
    text = metadata.pop(ARCHITECTURE_KEY, None)
    if text is None:
        raise WeightsError(explain(f"{path} does not say which architecture its weights belong to"))
    try:
        source = f"the architecture in {path}"
        architecture = from_document(parse_json(text, source=source, error=ArchitectureError), source=source)
    except ArchitectureError as error:
        raise WeightsError(str(error)) from error
    weights = current_names(architecture, weights)
    try:
        check_weights(lower(architecture), weights)
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from error
    return Checkpoint(architecture=architecture, weights=weights, metadata=metadata)
