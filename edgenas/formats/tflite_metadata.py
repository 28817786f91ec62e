"""The metadata of TFLite files that Android's task library reads: labels, normalisation, licence of the weights.

Numbers are those of `metadata_schema.fbs` (identifier M001) in tflite-support. The metadata lies in a buffer named
`TFLITE_METADATA`. The labels are a file in a ZIP archive behind the model, whose reader takes no notice of it.
"""

from __future__ import annotations

import io
import zipfile

import flatbuffers
import numpy as np

from edgenas.formats.about import LABELS_FILE, About
from edgenas.formats.tflite_schema import offsets, table
from edgenas.text import printable

METADATA_NAME = "TFLITE_METADATA"
_IDENTIFIER, _PARSER = b"M001", "1.0.0"
_FEATURE, _IMAGE = 1, 2
_RGB, _GREY = 1, 2
_NORMALIZATION = 1
_AXIS_LABELS = 2


def task_metadata(about: About) -> bytes:
    """Return the metadata of an image classifier as a flatbuffer.

    Args:
        about: Labels and normalisation. A label file is named; `with_labels` appends it.
    """
    builder = flatbuffers.Builder(1024)
    properties = _image_properties(builder, about)
    image = _tensor(
        builder, name="image", description="The image, normalised.", content=(_IMAGE, properties),
        units=[_normalisation(builder, about)], files=[],
    )  # fmt: skip
    labels = table(
        builder, [(0, "offset", builder.CreateString(LABELS_FILE)),
                  (1, "offset", builder.CreateString("Names of the classes, one a line.")), (2, "int8", _AXIS_LABELS)],
    )  # fmt: skip
    logits = _tensor(
        builder, name="logits", description="One logit a class; their softmax are shares.",
        content=(_FEATURE, table(builder, [])), units=[], files=[labels],
    )  # fmt: skip
    subgraph = table(builder, [(2, "offset", offsets(builder, [image])), (3, "offset", offsets(builder, [logits]))])
    slots = [
        (0, about.name or "image classifier"),
        (1, "Classifies images. Written by edgenas."),
        *([(5, about.licence)] if about.licence else []),
        (7, _PARSER),
    ]
    texts = [(slot, builder.CreateString(text)) for slot, text in slots]
    graphs = offsets(builder, [subgraph])
    model = table(builder, [*((slot, "offset", offset) for slot, offset in texts), (3, "offset", graphs)])
    builder.Finish(model, _IDENTIFIER)
    return bytes(builder.Output())


def with_labels(data: bytes, about: About) -> bytes:
    """Append the label file to a packed TFLite file, as a ZIP archive."""
    stream = io.BytesIO(data)
    stream.seek(0, io.SEEK_END)
    with zipfile.ZipFile(stream, "a", zipfile.ZIP_STORED) as archive:
        # A date of its own would make two equal exports differ.
        entry = zipfile.ZipInfo(LABELS_FILE, date_time=(1980, 1, 1, 0, 0, 0))
        archive.writestr(entry, "".join(f"{printable(label)}\n" for label in about.labels))
    return stream.getvalue()


def _image_properties(builder: flatbuffers.Builder, about: About) -> int:
    return table(builder, [(0, "int8", _GREY if about.grey else _RGB)])


def _normalisation(builder: flatbuffers.Builder, about: About) -> int:
    vectors = [int(builder.CreateNumpyVector(np.asarray(values, np.float32))) for values in (about.mean, about.std)]
    options = table(builder, [(slot, "offset", vector) for slot, vector in enumerate(vectors)])
    return table(builder, [(0, "uint8", _NORMALIZATION), (1, "offset", options)])


def _tensor(
    builder: flatbuffers.Builder,
    *,
    name: str,
    description: str,
    content: tuple[int, int],
    units: list[int],
    files: list[int],
) -> int:
    kind, properties = content
    held = table(builder, [(0, "uint8", kind), (1, "offset", properties)])
    slots = [
        (0, builder.CreateString(name)),
        (1, builder.CreateString(description)),
        (3, held),
        *([(4, offsets(builder, units))] if units else []),
        *([(6, offsets(builder, files))] if files else []),
    ]
    return table(builder, [(slot, "offset", offset) for slot, offset in slots])
