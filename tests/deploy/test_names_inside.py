"""Names, units and licence inside the files, as programs that know nothing of edgenas read them."""

from __future__ import annotations

import dataclasses
import io
import json
import zipfile
from pathlib import Path

import onnx
import pytest
from flatbuffers import number_types, util
from flatbuffers.table import Table

from edgenas.deploy import FileSpec, Recipe, check_bundle
from edgenas.formats.about import About, about_of
from edgenas.formats.tflite_metadata import task_metadata, with_labels

FILES = (FileSpec(name="a.onnx", format="onnx"), FileSpec(name="a.tflite", format="tflite"),
         FileSpec(name="b.onnx", format="onnx", precision="int8"),
         FileSpec(name="b.tflite", format="tflite", precision="int8"))  # fmt: skip


class Node:
    """A flatbuffer table, read by slot as the schema numbers them."""

    def __init__(self, data: bytes, position: int) -> None:
        self.table = Table(data, position)

    def _at(self, slot: int) -> int:
        return self.table.Offset(4 + 2 * slot)

    def text(self, slot: int) -> str:
        return self.table.String(self._at(slot) + self.table.Pos).decode() if self._at(slot) else ""

    def byte(self, slot: int) -> int:
        return self.table.Get(number_types.Uint8Flags, self._at(slot) + self.table.Pos) if self._at(slot) else 0

    def node(self, slot: int) -> Node:
        return Node(self.table.Bytes, self.table.Indirect(self._at(slot) + self.table.Pos))

    def nodes(self, slot: int) -> list[Node]:
        start, count = self.table.Vector(self._at(slot)), self.table.VectorLen(self._at(slot))
        return [Node(self.table.Bytes, self.table.Indirect(start + 4 * place)) for place in range(count)]

    def floats(self, slot: int) -> list[float]:
        return list(self.table.GetVectorAsNumpy(number_types.Float32Flags, self._at(slot)))


def root(data: bytes) -> Node:
    return Node(data, int.from_bytes(data[:4], "little"))


def test_task_metadata_has_the_slots_of_the_schema() -> None:
    about = About(labels=("a", "b"), mean=(124.0, 116.0, 104.0), std=(58.0, 57.0, 59.0), name="n", licence="MIT")
    data = task_metadata(about)
    assert util.BufferHasIdentifier(data, 0, b"M001")
    model = root(data)
    assert (model.text(0), model.text(5), model.text(7)) == ("n", "MIT", "1.0.0")
    (subgraph,) = model.nodes(3)
    (image,), (logits,) = subgraph.nodes(2), subgraph.nodes(3)
    assert (image.text(0), image.node(3).byte(0), image.node(3).node(1).byte(0)) == ("image", 2, 1)
    (unit,) = image.nodes(4)
    assert (unit.byte(0), unit.node(1).floats(0), unit.node(1).floats(1)) == (1, [124, 116, 104], [58, 57, 59])
    (labels,) = logits.nodes(6)
    assert (logits.text(0), logits.node(3).byte(0), labels.text(0), labels.byte(2)) == ("logits", 1, "labels.txt", 2)
    grey = root(task_metadata(dataclasses.replace(about, grey=True, licence=""))).nodes(3)[0].nodes(2)[0]
    assert grey.node(3).node(1).byte(0) == 2


def test_labels_lie_behind_the_model_in_a_zip_archive_and_a_line_holds_one() -> None:
    about = About(labels=("a", "two\nlines", "ä"), mean=(1.0,), std=(1.0,))
    data = with_labels(b"model", about)
    assert data.startswith(b"model") and data == with_labels(b"model", about)
    text = zipfile.ZipFile(io.BytesIO(data)).read("labels.txt").decode()
    assert len(text.splitlines()) == 3 and text.startswith("a\n") and "ä" in text


@pytest.mark.parametrize("licence", ["", "CC-BY-4.0"])
def test_every_file_of_a_bundle_names_classes_units_and_licence(trained, tmp_path: Path, licence: str) -> None:
    out = tmp_path / "out"
    trained.export(out, Recipe(name="n", files=FILES, licence=licence))
    about = about_of(trained.preprocessing.to_dict(), trained.data.classes)
    for name in ("a.onnx", "b.onnx"):
        found = {entry.key: entry.value for entry in onnx.load(out / name).metadata_props}
        assert json.loads(found["names"]) == list(trained.data.classes)
        assert found.get("license", "") == licence
        assert f"mean {about.mean[0]:.6g}, std {about.std[0]:.6g}" in found["input_units"]
        assert found["input_units"].startswith("grey") and "logits" in found["output_units"]
    for name in ("a.tflite", "b.tflite"):
        data = (out / name).read_bytes()
        labels = zipfile.ZipFile(io.BytesIO(data)).read("labels.txt").decode().splitlines()
        assert labels == list(trained.data.classes)
        model = root(data)
        entries = {entry.text(0): entry.table.Get(number_types.Uint32Flags, entry._at(1) + entry.table.Pos)
                   for entry in model.nodes(6)}  # fmt: skip
        buffer = model.nodes(4)[entries["TFLITE_METADATA"]]
        held = buffer.table.GetVectorAsNumpy(number_types.Uint8Flags, buffer._at(0)).tobytes()
        assert root(held).text(5) == licence
        assert root(held).nodes(3)[0].nodes(2)[0].nodes(4)[0].node(1).floats(0) == pytest.approx(about.mean)
    assert check_bundle(out) == ()
