"""A runtime by its name, or by the file format that it reads."""

from __future__ import annotations

from edgenas.errors import InputError, explain
from edgenas.formats import FORMATS
from edgenas.latency.runtimes import RUNTIMES
from edgenas.measure.engines.base import ModelFile, Runtime


def runtime(name: str) -> Runtime:
    """Return a runtime by name; nothing is imported from it yet.

    Args:
        name: `ort`, `litert`, or one that a package adds.

    Raises:
        InputError: There is no such runtime.
        PluginError: The package that adds it cannot be used.
    """
    made: Runtime = RUNTIMES[name].make()
    return made


def runtime_for(file_format: str) -> Runtime:
    """Return the runtime that measures files of a format where none is named.

    Args:
        file_format: A name of `FORMATS`.

    Raises:
        InputError: There is no such format, or no runtime measures it.
    """
    if file_format not in FORMATS:
        raise InputError(explain(f"unknown file format {file_format!r}", allowed=", ".join(FORMATS)))
    name = FORMATS[file_format].runtime
    if name is None:
        raise InputError(explain(f"no runtime measures {file_format} files"))
    return runtime(name)


def runtime_of(file: ModelFile) -> Runtime:
    """Return the runtime that a file names, or else that of its format.

    Raises:
        InputError: There is none, or it reads other files.
    """
    if not file.runtime:
        return runtime_for(file.file_format)
    reads = RUNTIMES[file.runtime].reads
    if reads != file.file_format:
        raise InputError(explain(f"{file.runtime} does not read {file.name}", got=file.file_format, allowed=reads))
    return runtime(file.runtime)
