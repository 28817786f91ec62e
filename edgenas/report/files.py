"""What a report reads: the JSON files of a run directory, with their shapes.

| file | content |
|---|---|
| `data.json` | source, classes, counts of the splits, resolution, channels, notes, preprocessing |
| `latency/summary.json` | device, runtime, how the table was made, its validation |
| `supernet/training.json` | scheme, epochs, seconds, accuracy history; not where nothing needed a supernet |
| `search.json` | objectives, strategy, evaluations (genes, digest, metrics with source), front (indices), baseline |
| `front.json` | networks of the front measured on the device, and which meet the budget |
| `winner.json` | the network chosen, why, what was tried before, neighbours, layers |
| `export/card.json` | the deployed files with accuracy, latency, size |
| `stages.json` | seconds of every stage |
| `family.json` | where the configuration scales the winner: its members with accuracy and latency |
| `estimators.json` | where `edgenas estimator validate` was run: how well each estimator ranks networks |
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgenas.errors import StoreError, explain
from edgenas.reading.json_text import read_json

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFiles:
    """The documents of one finished run, as read."""

    settings: Document
    data: Document
    latency: Document
    supernet: Document | None
    search: Document
    front: Document
    winner: Document
    card: Document
    stages: Document
    estimators: Document | None
    family: Document | None = None


_NAMES = {
    "settings": "settings.json",
    "data": "data.json",
    "latency": "latency/summary.json",
    "search": "search.json",
    "front": "front.json",
    "winner": "winner.json",
    "card": "export/card.json",
    "stages": "stages.json",
}


_SUPERNET = "supernet/training.json"


def read_run(path: Path) -> RunFiles:
    """Read the documents of a run directory.

    Args:
        path: The run directory.

    Raises:
        StoreError: One of the files is missing or broken; says which stage writes it.
    """
    documents: dict[str, Document] = {}
    for key, name in _NAMES.items():
        try:
            documents[key] = _document(path / name, "Run `edgenas run` with its configuration first.")
        except StoreError as error:
            raise StoreError(f"{path} is not the directory of a finished run: {error}") from error
    # A family that an earlier configuration asked for is no part of this run.
    scale = documents["settings"].get("scale") or {}
    scaled = bool(scale.get("phi") or scale.get("targets_ms"))
    # Nor are shared weights of which the search says that nothing needed them.
    trained = documents["search"].get("supernet", True)
    supernet = _document(path / _SUPERNET, "Run `edgenas run` again.") if trained else None
    return RunFiles(
        **documents,
        supernet=supernet,
        estimators=_optional(path / "estimators.json"),
        family=_optional(path / "family.json") if scaled else None,
    )


def _optional(path: Path) -> Document | None:
    """Read a document that not every run has."""
    if not path.is_file():
        return None
    return _document(path, "Remove it, or make it again.")


def _document(path: Path, remedy: str) -> Document:
    """Read a file that holds an object."""
    document = read_json(path, what="the file", error=StoreError, remedy=remedy)
    if not isinstance(document, Mapping):
        raise StoreError(explain(f"{path} holds no object", got=type(document).__name__, remedy=remedy))
    return document
