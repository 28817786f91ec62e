"""Architectures as JSON documents: plain dicts with a format version, strict when read."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgenas.arch.architecture import Architecture, Block, Head, Stage, Stem
from edgenas.arch.padding import PaddingRule
from edgenas.errors import ArchitectureError, explain
from edgenas.reading.json_text import read_json
from edgenas.reading.typed import read_value

FORMAT = "edgenas-architecture"
VERSION = 1


def to_document(architecture: Architecture) -> dict[str, Any]:
    """Return an architecture as a JSON-able document that keeps its grouping into stages.

    Args:
        architecture: Any architecture.

    Returns:
        Plain values. `padding` is left out where it is symmetric.
    """
    padding = {} if architecture.padding == "symmetric" else {"padding": architecture.padding}
    return {
        "format": FORMAT,
        "version": VERSION,
        "digest": architecture.digest,
        "resolution": architecture.resolution,
        "in_channels": architecture.in_channels,
        "stem": dataclasses.asdict(architecture.stem),
        "stages": [[dataclasses.asdict(block) for block in stage.blocks] for stage in architecture.stages],
        "head": dataclasses.asdict(architecture.head),
        "classes": architecture.classes,
        "norm_eps": architecture.norm_eps,
        **padding,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Document:
    """The keys of a document."""

    format: str
    version: int
    digest: str | None = None
    resolution: int
    in_channels: int = 3
    stem: Stem
    stages: tuple[tuple[Block, ...], ...]
    head: Head
    classes: int
    norm_eps: float = 1e-3
    padding: PaddingRule = "symmetric"

    def architecture(self) -> Architecture:
        """Return the network."""
        return Architecture(
            resolution=self.resolution,
            in_channels=self.in_channels,
            stem=self.stem,
            stages=tuple(Stage(blocks=blocks) for blocks in self.stages),
            head=self.head,
            classes=self.classes,
            norm_eps=self.norm_eps,
            padding=self.padding,
        )


def from_document(document: object, *, source: str = "the document") -> Architecture:
    """Read an architecture from its document.

    Args:
        document: What `to_document` returned, after JSON.
        source: How messages call it.

    Raises:
        ArchitectureError: An unknown or missing key, a wrong type, another format or version, an impossible
            network, or a digest that does not belong to it (an edited file; delete the digest to accept it).
    """
    if not isinstance(document, Mapping) or document.get("format") != FORMAT:
        raise ArchitectureError(
            explain(f"{source} is no architecture document", got=f"format {_peek(document)}", allowed=FORMAT)
        )
    version = document.get("version")
    if isinstance(version, bool) or version != VERSION:
        raise ArchitectureError(
            explain(
                f"{source} is of an unknown version",
                got=repr(version),
                allowed=VERSION,
                remedy="Use the edgenas that wrote it.",
            )
        )
    found = read_value(_Document, document, source=source, error=ArchitectureError)
    try:
        architecture = found.architecture()
    except ArchitectureError as error:
        raise ArchitectureError(f"{source}: {error}") from error
    if "digest" in document and found.digest != architecture.digest:
        raise ArchitectureError(
            explain(
                f"{source} was edited: its digest does not belong to its network",
                got=found.digest,
                allowed=architecture.digest,
                remedy="Remove the digest to accept it.",
            )
        )
    return architecture


def _peek(document: object) -> str:
    return repr(document.get("format")) if isinstance(document, Mapping) else type(document).__name__


def read_document(path: Path) -> Architecture:
    """Read an architecture from a JSON file.

    Args:
        path: The file.

    Raises:
        ArchitectureError: The file is missing, is not JSON, or holds no architecture.
    """
    document = read_json(path, what="the architecture", error=ArchitectureError)
    if isinstance(document, Mapping) and "architecture" in document and "format" not in document:
        document = document["architecture"]
    return from_document(document, source=str(path))
