"""The wheel carries everything that the package reads, and nothing else."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytest.importorskip("hatchling", reason="the build backend is installed only where wheels are built")

ROOT = Path(__file__).parents[1]
SHIPPED = ("latency_tables", "configs", "export")


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    (wheel,) = out.glob("edgenas-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def files_under(folder: str) -> set[str]:
    found = (path for path in (ROOT / folder).rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(ROOT).as_posix() for path in found if path.suffix != ".log"}


def test_wheel_carries_every_file_of_the_package(names: set[str]) -> None:
    assert files_under("edgenas") <= names


def test_files_that_are_read_at_run_time_are_among_them(names: set[str]) -> None:
    assert {
        "edgenas/py.typed",
        "edgenas/deploy/scripts/common.py",
        "edgenas/deploy/scripts/onnx.py",
        "edgenas/deploy/scripts/tflite.py",
        "edgenas/report/template.html",
        "edgenas/space/presets/tiny.yaml",
        "edgenas/_shipped/configs/quickstart.yaml",
        "edgenas/_shipped/export/mobile.yaml",
        "edgenas/_shipped/export/reference/digits-relu/card.json",
        "edgenas/_shipped/latency_tables/schema.json",
    } <= names


@pytest.mark.parametrize("folder", SHIPPED)
def test_wheel_carries_tables_configurations_and_recipes(names: set[str], folder: str) -> None:
    assert {f"edgenas/_shipped/{name}" for name in files_under(folder)} <= names


def test_wheel_holds_nothing_else(names: set[str]) -> None:
    shipped = {f"edgenas/_shipped/{name}" for folder in SHIPPED for name in files_under(folder)}
    metadata = {name for name in names if name.startswith("edgenas-") and ".dist-info/" in name}
    assert names - files_under("edgenas") - shipped - metadata == set()
    assert any(name.endswith("LICENSE") for name in metadata)
