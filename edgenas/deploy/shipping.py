"""What goes into the file that ships, and how large it is before its weights are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgenas.arch import Architecture, Graph, lower
from edgenas.arch.notation import format_notation
from edgenas.deploy.bundle.texts import labels_text
from edgenas.deploy.recipe import FileSpec
from edgenas.errors import ExportError, explain
from edgenas.formats import Contents, contents_of, fold, write
from edgenas.formats.about import About, about_of, properties_of
from edgenas.formats.quantise import Ranges
from edgenas.formats.uniform import uniform_weights
from edgenas.reading.json_text import json_text

_NO_IDENTITY = "0" * 64
"""As long as any other."""


def metadata_of(
    architecture: Architecture, *, identity: str, preprocessing: Mapping[str, Any], labels: Sequence[str], about: About
) -> dict[str, str]:
    """Return the text that a file carries.

    Args:
        architecture: The network.
        identity: Digest of the bundle, 64 hex digits.
        preprocessing: Plain values of `Preprocessing`.
        labels: Names of the classes.
        about: Names and units for other programs.
    """
    return {
        **properties_of(about),
        "edgenas.identity": identity,
        "edgenas.labels": labels_text(labels).removesuffix("\n"),
        "edgenas.preprocessing": json_text(dict(preprocessing), what="the preprocessing"),
        "edgenas.architecture": format_notation(architecture),
    }


def shipped_contents(
    architecture: Architecture,
    graph: Graph,
    weights: Mapping[str, NDArray[np.float32]],
    file: FileSpec,
    *,
    metadata: Mapping[str, str],
    about: About | None = None,
    ranges: Ranges | None = None,
    float_ops: Sequence[str] = (),
) -> Contents:
    """Return what a file of a recipe holds.

    Args:
        architecture, graph: The network.
        weights: Its arrays.
        file: Of the recipe.
        metadata: See `metadata_of`.
        about: Names and units for other programs.
        ranges: int8: calibrated; None for synthetic ones.
        float_ops: int8: operations that stay in floating point.
    """
    return contents_of(
        graph,
        weights,
        file_format=file.format,
        precision=file.precision,  # type: ignore[arg-type]
        ranges=ranges,
        scheme=file.scheme,
        float_ops=float_ops,
        batch=file.batch or None,
        metadata=metadata,
        architecture=architecture,
        about=about,
    )


def shipped_bytes(
    architecture: Architecture,
    file: FileSpec,
    *,
    preprocessing: Mapping[str, Any],
    labels: Sequence[str],
    licence: str = "",
) -> int:
    """Return the size of the file that ships, bytes: it is written with other weights and measured.

    Equal to the exported file to the byte in fp32, fp16 and int8, whatever the weights and the calibration. One thing
    can change an int8 file: operations that the guard leaves in floating point.

    Args:
        architecture: The network.
        file: Of the recipe.
        preprocessing: Plain values of `Preprocessing`, which are stored in the file.
        labels: Names of the classes, likewise.
        licence: Of the weights, likewise.
    """
    graph, about = lower(architecture), about_of(preprocessing, labels, licence=licence)
    metadata = metadata_of(
        architecture, identity=_NO_IDENTITY, preprocessing=preprocessing, labels=labels, about=about
    )
    contents = shipped_contents(architecture, graph, uniform_weights(graph), file, metadata=metadata, about=about)
    return len(write(file.format, contents))


def shipped_arena(architecture: Architecture, file: FileSpec, runtime: str, *, float_ops: Sequence[str] = ()) -> int:
    """Return the memory that a runtime plans for the activations of the file that ships, bytes.

    Args:
        architecture: The network.
        file: A TFLite file of the recipe.
        runtime: A name of `edgenas.formats.arena.ARENAS`.
        float_ops: int8: operations that stay in floating point.

    Raises:
        ExportError: The file is of another format.
    """
    from edgenas.formats.arena import arena_bytes

    return arena_bytes(arena_draft(architecture, file, float_ops=float_ops), runtime)


def arena_draft(architecture: Architecture, file: FileSpec, *, float_ops: Sequence[str] = ()) -> Any:
    """Return the TFLite file that ships, without its weights and not packed; see `shipped_arena`."""
    from edgenas.formats.tflite import draft_tflite

    if file.format != "tflite":
        raise ExportError(explain("the memory of a file is planned for TFLite only", got=file.format))
    graph = lower(architecture)
    contents = shipped_contents(
        architecture, graph, uniform_weights(graph), file, metadata={}, float_ops=float_ops
    )
    integer = {op.name for op in graph.ops} - set(float_ops) if contents.ranges is not None else set()
    return draft_tflite(
        fold(graph, contents.weights, gate="relu6", late_factors=integer),
        weight_form="fp16" if file.precision == "fp16" else "fp32",
        ranges=contents.ranges,
        float_ops=contents.float_ops,
        integer_io=contents.scheme == "int8_io",
        batch=contents.batch or 1,
    )
