"""Architectures as JSON documents: plain dicts with a format version, strict when read."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgenas.arch.architecture import Architecture, Block, Head, SqueezeExcite, Stage, Stem
from edgenas.errors import ArchitectureError, explain, nearest
from edgenas.reading.json_text import read_json

FORMAT = "edgenas-architecture"
VERSION = 1


def to_document(architecture: Architecture) -> dict[str, Any]:
    """Return an architecture as a JSON-able document that keeps its grouping into stages.

    Args:
        architecture: Any architecture.
    """
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
    }


def _construct(kind: type, data: object, where: str) -> Any:
    """Build a frozen value from a mapping; names the place of whatever does not fit."""
    if not isinstance(data, Mapping):
        raise ArchitectureError(explain(f"{where} must be an object", got=type(data).__name__))
    fields = {field.name: field for field in dataclasses.fields(kind)}
    for key in data:
        if key not in fields:
            raise ArchitectureError(
                explain(f"{where}: unknown key{nearest(str(key), fields)}", got=repr(key), allowed=", ".join(fields))
            )
    missing = [
        name
        for name, field in fields.items()
        if name not in data and field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    ]
    if missing:
        raise ArchitectureError(explain(f"{where}: missing {', '.join(missing)}", got=", ".join(map(str, data))))
    try:
        return kind(**data)
    except TypeError as error:
        raise ArchitectureError(explain(f"{where}: wrong type", got=str(error))) from error
    except ArchitectureError as error:
        raise ArchitectureError(f"{where}: {error}") from error


def _block(data: object, where: str) -> Block:
    if isinstance(data, Mapping) and data.get("se") is not None:
        data = {**data, "se": _construct(SqueezeExcite, data["se"], f"{where}.se")}
    return _construct(Block, data, where)  # type: ignore[no-any-return]


def from_document(document: object) -> Architecture:
    """Read an architecture from its document.

    Args:
        document: What `to_document` returned, after JSON.

    Raises:
        ArchitectureError: An unknown or missing key, a wrong type, another format or version, an impossible
            network, or a digest that does not belong to it (an edited file; delete the digest to accept it).
    """
    if not isinstance(document, Mapping) or document.get("format") != FORMAT:
        raise ArchitectureError(
            explain("not an architecture document", got=f"format {_peek(document)}", allowed=FORMAT)
        )
    if document.get("version") != VERSION:
        raise ArchitectureError(
            explain(
                "unknown version of the document",
                got=document.get("version"),
                allowed=VERSION,
                remedy="Use the edgenas that wrote it.",
            )
        )
    body = {key: value for key, value in document.items() if key not in ("format", "version", "digest")}
    stages = body.get("stages")
    if not isinstance(stages, list) or not all(isinstance(stage, list) for stage in stages):
        raise ArchitectureError(explain("stages must be a list of lists of blocks", got=type(stages).__name__))
    body["stages"] = tuple(
        Stage(blocks=tuple(_block(block, f"stages[{i}][{j}]") for j, block in enumerate(stage)))
        for i, stage in enumerate(stages)
    )
    body["stem"] = _construct(Stem, body.get("stem"), "stem")
    body["head"] = _construct(Head, body.get("head"), "head")
    architecture: Architecture = _construct(Architecture, body, "architecture")
    if document.get("digest", architecture.digest) != architecture.digest:
        raise ArchitectureError(
            explain(
                "the document was edited: its digest does not belong to its network",
                got=document["digest"],
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
    try:
        return from_document(document)
    except ArchitectureError as error:
        raise ArchitectureError(f"{path}: {error}") from error
