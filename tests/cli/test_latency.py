"""`edgenas latency` with a device that obeys a law."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from edgenas.cli.main import main
from edgenas.latency import read_table
from tests.measure.fakes import use


def _run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    monkeypatch.setattr(sys, "argv", ["edgenas", "latency", *arguments])
    with pytest.raises(SystemExit) as caught:
        main()
    captured = capsys.readouterr()
    assert not caught.value.code, captured.err
    return captured.out


def test_a_build_of_too_few_networks_says_so_and_so_does_every_later_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    use(monkeypatch, noise=0.4)
    file = str(tmp_path / "mine.json")
    few = ("--networks", "6", "--seconds", "0", "--force")
    built = _run(monkeypatch, capsys, "build", "--space", "tiny", "--out", file, *few)
    (line, *_) = [line for line in built.splitlines() if line.startswith("WARNING: ")]
    use(monkeypatch, noise=0.4)
    assert line in _run(monkeypatch, capsys, "validate", file, "--networks", "4", "--force")
    assert "(!)" in _run(monkeypatch, capsys, "list", str(tmp_path))


def test_a_good_build_warns_of_nothing_and_a_validation_says_how_well_it_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    use(monkeypatch, noise=0.005)
    file = str(tmp_path / "mine.json")
    built = _run(monkeypatch, capsys, "build", "--space", "tiny", "--out", file, "--networks", "40")
    assert "WARNING" not in built and "expected 90 % interval" in built
    use(monkeypatch, noise=0.005)
    assert "error of the measured" in _run(monkeypatch, capsys, "validate", file, "--networks", "8")


def test_every_command_says_of_which_moment_it_speaks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    use(monkeypatch, noise=0.005)
    file = str(tmp_path / "mine.json")
    built = _run(monkeypatch, capsys, "build", "--space", "tiny", "--out", file, "--networks", "40")
    ended = read_table(file).reference.at
    assert f"to {ended}; predictions speak of the end of that" in built
    assert "takes 4.0 us of every latency" in built and "5 samples of each turn do not count" in built
    validated = _run(monkeypatch, capsys, "validate", file, "--networks", "8")
    checked = read_table(file).validation
    assert checked is not None and checked.loops is not None
    assert f"loops in fresh processes, {checked.loops.at}" in validated and "bias of predictions" in validated
    assert f"of its time at {ended}" in _run(monkeypatch, capsys, "check", file)
    assert f"moment    {ended}" in _run(monkeypatch, capsys, "predict", file, read_table(file).reference.notation)


def test_a_table_that_is_wrong_is_said_to_be_wherever_it_is_used(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    use(monkeypatch, noise=0.002, lukewarm=1.2)
    file = str(tmp_path / "mine.json")
    _run(monkeypatch, capsys, "build", "--space", "tiny", "--out", file, "--networks", "60")
    wrong = "the table is wrong: predictions are +"
    assert f"WARNING: {wrong}" in _run(monkeypatch, capsys, "validate", file, "--networks", "20")
    assert f"WARNING: {wrong}" in _run(monkeypatch, capsys, "predict", file, read_table(file).reference.notation)
    assert "(!)" in _run(monkeypatch, capsys, "list", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["edgenas", "latency", "check", file])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 1 and wrong in capsys.readouterr().out
