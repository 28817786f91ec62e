"""The tutorial: every block of Python in it runs, in order, on a device without a clock."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.measure.fakes import use
from tests.pipeline.conftest import steady_files

TUTORIAL = Path(__file__).parents[1] / "docs" / "tutorial.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```$", TUTORIAL.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def test_every_block_of_the_tutorial_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    use(monkeypatch, noise=0.002)
    monkeypatch.setattr("edgenas.measure.measure_files", steady_files)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for number, block in enumerate(BLOCKS, start=1):
        exec(compile(block, f"{TUTORIAL.name}, block {number}", "exec"), names)  # noqa: S102 (it is ours)
    assert len(BLOCKS) >= 10
    for file in ("tiny.json", "bundle/model.onnx", "tflite/model.tflite", "runs/quickstart/report.html"):
        assert (tmp_path / file).is_file()
    assert "did you mean 'nsga2'" in capsys.readouterr().out.splitlines()[-1]
