"""The run directory: every stage reads the files of earlier stages there and writes its own."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgenas import atomic
from edgenas.errors import ConfigError, StoreError, explain
from edgenas.reading.json_text import read_json
from edgenas.text import require_safe_name


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDirectory:
    """A folder of plain files (JSON, safetensors, HTML); every write is complete or does not happen.

    Attributes:
        path: The folder.
    """

    path: Path

    def file(self, name: str) -> Path:
        """Return the path of a file, its folder made.

        Args:
            name: Relative, with forward slashes.

        Raises:
            StoreError: The folder cannot be made.
        """
        target = self.path / name
        make_folder(target.parent)
        return target

    def write_text(self, name: str, text: str) -> Path:
        """Write a text file atomically and return its path.

        Raises:
            StoreError: The folder cannot be written or the disk is full.
        """
        return self.write_bytes(name, text.encode("utf-8"))

    def write_bytes(self, name: str, data: bytes) -> Path:
        """Write a file atomically and return its path.

        Raises:
            StoreError: The folder cannot be written or the disk is full.
        """
        target = self.file(name)
        try:
            atomic.write_bytes(target, data)
        except OSError as error:
            raise cannot_write(target, error) from error
        return target

    def write_json(self, name: str, document: Mapping[str, Any]) -> Path:
        """Write a JSON file atomically and return its path.

        Raises:
            StoreError: It cannot be written, or a number in it is not finite.
        """
        try:
            text = atomic.json_text(document)
        except ValueError as error:
            raise StoreError(explain(f"cannot write {self.path / name}", got=f"a number in it: {error}")) from error
        return self.write_text(name, text)

    def read_json(self, name: str) -> dict[str, Any]:
        """Read a JSON file.

        Raises:
            StoreError: It is missing or broken.
        """
        target = self.path / name
        document = read_json(target, what="the file", error=StoreError, remedy="Run the stage that writes it again.")
        if not isinstance(document, dict):
            raise StoreError(explain(f"{target} holds no object", got=type(document).__name__))
        return document

    def has(self, name: str) -> bool:
        """Whether a file exists."""
        return (self.path / name).is_file()


def cannot_write(target: Path, error: OSError) -> StoreError:
    """Return the error of a file that cannot be written."""
    return StoreError(
        explain(f"cannot write {target}", got=error.strerror or str(error), remedy=atomic.remedy_for(error))
    )


def make_folder(path: Path) -> None:
    """Make a folder and those above it.

    Raises:
        StoreError: It cannot be made, or a file is in its place.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            explain(
                f"cannot make the folder {path}",
                got=error.strerror or str(error),
                remedy="Choose another folder (output in the configuration, or --out).",
            )
        ) from error


def open_run_directory(output: str, name: str) -> RunDirectory:
    """Make or open a run's directory.

    Args:
        output: Folder of run directories.
        name: Name of the run.

    Raises:
        StoreError: It cannot be made, or a file is in its place.
        ConfigError: The name could lead out of `output`.
    """
    require_safe_name(name, "the run's name", error=ConfigError)
    directory = RunDirectory(path=Path(output) / name)
    make_folder(directory.path)
    return directory


def file_digest(path: Path) -> str:
    """SHA-256 of a file, or of the names and contents of a folder's files, hex."""
    digest = hashlib.sha256()
    files = sorted(entry for entry in path.rglob("*") if entry.is_file()) if path.is_dir() else [path]
    for entry in files:
        if path.is_dir():
            digest.update(str(entry.relative_to(path)).encode())
        with entry.open("rb") as stream:
            for chunk in iter(lambda: stream.read(1 << 20), b""):
                digest.update(chunk)
    return digest.hexdigest()
