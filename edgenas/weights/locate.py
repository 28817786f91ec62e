"""Where the file of published weights lies on this machine: in an installed package, or in a cache."""

from __future__ import annotations

import hashlib
import importlib.util
import os
from pathlib import Path

from edgenas.errors import WeightsError, explain
from edgenas.weights.source import WeightSource

_CHUNK = 2**20


def cache_folder() -> Path:
    """Return torch's folder for downloaded weights; torchvision and timm put theirs there too."""
    home = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")) / "torch"
    return Path(os.environ.get("TORCH_HOME", home)).expanduser() / "hub" / "checkpoints"


def hub_folder() -> Path:
    """Return the folder in which huggingface_hub keeps downloads."""
    home = Path(os.environ.get("HF_HOME", Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")) / "huggingface"))
    return Path(os.environ.get("HF_HUB_CACHE", home / "hub")).expanduser()


def find(source: WeightSource) -> Path | None:
    """Return the file of published weights where it lies on this machine, else None. Nothing is fetched or imported."""
    places = [cache_folder() / source.kept_as]
    spec = importlib.util.find_spec(module_of(source)) if source.package else None
    for place in (spec.submodule_search_locations or ()) if spec is not None else ():
        places.insert(0, Path(place) / "models" / source.file)
    if source.hub:
        snapshots = hub_folder() / f"models--{source.hub.replace('/', '--')}" / "snapshots"
        places += sorted(snapshots.glob(f"*/{source.file}"))
    return next((place for place in places if place.is_file()), None)


def module_of(source: WeightSource) -> str:
    """Return the name of the module that brings weights of PyPI."""
    return source.package.partition("==")[0].replace("-", "_")


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file, 64 hex digits.

    Raises:
        WeightsError: It cannot be read.
    """
    total = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(_CHUNK):
                total.update(block)
    except OSError as error:
        raise WeightsError(explain(f"cannot read {path}", got=error.strerror or str(error))) from error
    return total.hexdigest()


def check_digest(source: WeightSource, path: Path) -> None:
    """Check that a file is the one that was published.

    Raises:
        WeightsError: It is another, or is incomplete.
    """
    found = file_sha256(path)
    if not found.startswith(source.sha256):
        raise WeightsError(
            explain(
                f"{path} is not the file of {source.name}, or is incomplete",
                got=f"SHA-256 {found[: max(8, len(source.sha256))]} ({path.stat().st_size:,} bytes)",
                allowed=source.sha256,
                remedy=f"Delete it and fetch it again: edgenas weights fetch {source.name}",
            )
        )
