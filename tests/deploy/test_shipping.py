"""The size that is said before a network is trained is that of the exported file."""

from __future__ import annotations

from pathlib import Path

from edgenas.deploy import FileSpec, GuardSpec, Recipe
from edgenas.deploy.shipping import shipped_bytes

FILES = tuple(
    FileSpec(name=f"{form}.{precision}.{form}", format=form, precision=precision)
    for form in ("onnx", "tflite") for precision in ("fp32", "fp16", "int8")
)  # fmt: skip


def test_the_size_is_that_of_the_exported_file_to_the_byte(trained, tmp_path: Path) -> None:
    recipe = Recipe(name="n", files=FILES, guard=GuardSpec(remedies=("calibration", "bias_correction")))
    card = trained.export(tmp_path / "out", recipe)
    said = {
        file.name: shipped_bytes(
            trained.architecture, file, preprocessing=trained.preprocessing.to_dict(), labels=trained.data.classes
        )
        for file in FILES
    }
    assert said == {entry.name: entry.bytes for entry in card.files}
    assert said == {file.name: (tmp_path / "out" / file.name).stat().st_size for file in FILES}


def test_longer_labels_make_a_larger_file(trained) -> None:
    def size(labels: list[str]) -> int:
        given = trained.preprocessing.to_dict()
        return shipped_bytes(trained.architecture, FILES[0], preprocessing=given, labels=labels)

    # Beside the letters a length may take one byte more.
    # They stand there twice, once as lines and once as JSON.
    assert 800 <= size(["a" * 50] * 10) - size(["a" * 10] * 10) <= 808
