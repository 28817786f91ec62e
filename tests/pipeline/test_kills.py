"""A run that is killed once in every stage, in small; `benchmarks/kill_test.py` is the whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import kill_test

REAL_DEVICE = True
"""The stand-in of the benchmark takes the place of the machine."""


@pytest.mark.slow
def test_a_run_that_is_killed_in_every_stage_ends_as_one_that_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kill_test.stand_in(monkeypatch)
    found = kill_test.measure(len(kill_test.STAGES), seed=1, each=1, folder=tmp_path)
    assert found["ended"] and found["identical"], found["differing"]
    assert (found["kills"], found["evaluations_twice"]) == (len(kill_test.STAGES), 0)
    assert found["most_lost_at_a_kill"] <= 1


def test_a_difference_and_a_file_that_was_left_are_found(tmp_path: Path) -> None:
    for name in ("calm", "killed"):
        (tmp_path / name / "export").mkdir(parents=True)
        (tmp_path / name / "search.json").write_text('{"evaluations": [{"genes": [1]}]}')
        (tmp_path / name / "front.json").write_text('{"at": "' + name + '", "networks": [1]}')
        (tmp_path / name / "export" / "model.onnx").write_bytes(b"same")
    calm, killed = tmp_path / "calm", tmp_path / "killed"
    assert kill_test.compare(calm, killed) == []
    (killed / "export" / "model.onnx").write_bytes(b"other")
    (killed / "front.json").write_text('{"networks": [2]}')
    (killed / ".model.onnx.partial").touch()
    (killed / "search.json").write_text('{"evaluations": [{"genes": [2]}]}')
    assert kill_test.compare(calm, killed) == [
        "only in one: .model.onnx.partial", "differs: export/model.onnx", "differs: front.json",
        "differs: the networks that search.json holds",
    ]  # fmt: skip
