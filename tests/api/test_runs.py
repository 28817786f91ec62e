"""A finished run as a value."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import edgenas as en
from edgenas.errors import ConfigError, StoreError
from tests.api.conftest import SILENT, SMALL


def test_a_finished_run_gives_winner_front_files_and_report(run: en.Run) -> None:
    opened = en.open_run(run.path)
    assert opened.finished and opened.name == "quickstart"
    assert opened.winner.architecture.digest == en.load_network(opened.checkpoint).digest
    assert opened.winner.measured_ms is not None and opened.budget_ms is not None
    assert opened.winner.architecture.digest in {network.architecture.digest for network in opened.front}
    assert list(opened.files) == ["model.onnx"] and all(file.is_file() for file in opened.files.values())
    assert opened.report.is_file() and opened.report.suffix == ".html"
    assert opened.card.architecture["digest"] == opened.winner.architecture.digest
    assert opened.summary["evaluations"] == len(opened.evaluations) == 16
    assert opened.settings.search.evaluations == 16


def test_the_same_call_finds_nothing_to_do(run: en.Run, tmp_path: Path) -> None:
    shutil.copytree(run.path, tmp_path / "quickstart")
    again = en.run("quickstart", SMALL | {"output": str(tmp_path)}, **SILENT)
    assert again.unchanged and again.seconds is not None
    assert not run.unchanged


def test_looking_at_a_run_changes_no_file(run: en.Run) -> None:
    before = {path: path.stat().st_mtime_ns for path in run.path.rglob("*") if path.is_file()}
    opened = en.open_run(run.path)
    _ = opened.winner, opened.front, opened.files, opened.data, opened.table, opened.card, opened._repr_html_()
    assert {path: path.stat().st_mtime_ns for path in run.path.rglob("*") if path.is_file()} == before


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is no run directory"):
        en.open_run(tmp_path)
    with pytest.raises(StoreError, match="this is no run; got int"):
        en.open_run(3)  # type: ignore[arg-type]


def test_a_run_that_is_not_so_far_says_what_is_missing(run: en.Run, tmp_path: Path) -> None:
    shutil.copytree(run.path, tmp_path / "half")
    for name in ("winner.json", "front.json", "summary.json", "search.json"):
        (tmp_path / "half" / name).unlink()
    half = en.open_run(tmp_path / "half")
    for name in ("winner", "front", "files", "summary", "evaluations", "budget_ms"):
        with pytest.raises(StoreError, match=r"is not so far; got no .*json in it"):
            getattr(half, name)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("quickstrat",), "cannot read the configuration quickstrat"),
        (("quickstart", {"train.epoks": 1}), "did you mean 'epochs'"),
        (("quickstart", ["train.epochs"]), "needs KEY=VALUE"),
        (("quickstart", "train.epochs=1"), "overrides are several"),
        (("quickstart", {"train.epochs": object()}), "train.epochs: not a value of a configuration"),
    ],
)
def test_a_bad_configuration_is_one_clear_error(arguments: tuple[object, ...], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        en.run(*arguments, **SILENT)  # type: ignore[arg-type]
    assert message in str(caught.value)


def test_members_are_judged_and_taken_out(run: en.Run, tmp_path: Path) -> None:
    judged = en.inherited_accuracy(run, [run.winner, run.front[0]], **SILENT)
    assert judged[0].architecture.digest == run.winner.architecture.digest
    assert judged[0].accuracy == pytest.approx(run.winner.accuracy)
    assert len(en.inherited_accuracy(run, count=3, seed=1, **SILENT)) == 3
    file = en.extract(run, run.winner, tmp_path / "new" / "winner.safetensors", **SILENT)
    assert en.load_network(file).digest == run.winner.architecture.digest


def test_a_run_is_taken_to_another_device_and_other_images(run: en.Run, tmp_path: Path) -> None:
    given = {"folder": tmp_path / "int8", "evaluations": 4, "measure": 2, "force": True, **SILENT}
    special = en.specialise(run, budget_share=0.9, table=run.table, **given)  # type: ignore[arg-type]
    assert special.file == "model.onnx" and special.file_latency_ms is not None
    moved = en.transfer(run, run.data, {"threads": 1}, epochs=1, networks=6, folder=tmp_path / "moved", **SILENT)
    assert len(moved.networks) == 6
    assert en.open_run(tmp_path / "moved").settings.data.seed is not None


def test_a_winner_is_scaled(run: en.Run) -> None:
    small, same = en.scale(run.winner, phi=[-1, 0])
    assert same.architecture.digest == run.winner.architecture.digest
    assert en.count(small).macs < en.count(same).macs
    with pytest.raises(en.EdgenasError, match="not both"):
        en.scale(run.winner)
