"""A failing, killed or damaged run: what was good stays good, what is broken is made again."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from edgenas.config import load
from edgenas.errors import BudgetError, ConfigError, EdgenasError, StoreError
from edgenas.pipeline.commands import run as running
from edgenas.pipeline.commands.run import run_pipeline
from edgenas.pipeline.core import next_run
from edgenas.pipeline.core.directory import RunDirectory, file_digest
from edgenas.pipeline.core.lock import locked
from edgenas.pipeline.core.open_run import open_run
from tests.pipeline.test_run import CONFIGURATION, SMALL, quiet


def run(folder: Path, *overrides: str, say=lambda text: None):
    settings = load(CONFIGURATION, [*SMALL, f"output={folder}", *overrides])
    return run_pipeline(settings, progress=quiet, say=say)


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    run(folder)
    return folder


@pytest.fixture
def copy(finished, tmp_path) -> Path:
    """A finished run of one's own, to change."""
    shutil.copytree(finished, tmp_path / "runs")
    return tmp_path / "runs"


def _contents(folder: Path) -> dict[str, str]:
    """Digests of all that a run delivers."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.relative_to(folder).parts[0][0] != "."]
    return {
        str(path.relative_to(folder)): file_digest(path) for path in files if not path.name.startswith("store.sqlite")
    }


@pytest.mark.parametrize(
    ("error", "override"),
    [
        (BudgetError, ["target.budget_share=null", "target.budget_ms=0.00001"]),
        (ConfigError, ["export.recipe=nowhere.yaml"]),
        (StoreError, ["search.store=bogus://x", "supernet.epochs=2"]),
        (StoreError, ["search.store=postgresql://me:secret@localhost:1/x", "supernet.epochs=2"]),
        (EdgenasError, ["data.source=folder", "data.path=/nowhere"]),
    ],
)
def test_a_failing_command_leaves_a_good_run_as_it_was(copy, error, override) -> None:
    before = _contents(copy / "quickstart")
    with pytest.raises(error) as caught:
        run(copy, *override)
    assert "secret" not in str(caught.value)
    assert _contents(copy / "quickstart") == before
    assert run(copy).skipped_everything
    assert open_run(copy / "quickstart", progress=quiet, say=print).settings.export.recipe == "onnx-fp32"


def test_a_store_that_cannot_be_opened_ends_a_run_before_anything_is_trained(tmp_path) -> None:
    with pytest.raises(StoreError, match="cannot open the store"):
        run(tmp_path, "search.store=bogus://x")
    assert not (tmp_path / "quickstart" / "supernet").exists()
    assert not (tmp_path / "quickstart" / "settings.json").exists()


def test_what_a_failing_command_finished_is_kept_for_the_next(copy, monkeypatch) -> None:
    changed = ["supernet.epochs=2"]

    def fails(*_, **__):
        raise BudgetError("no.")

    with monkeypatch.context() as patch:
        patch.setattr("edgenas.pipeline.stages.front.measured_networks", fails)
        with pytest.raises(BudgetError):
            run(copy, *changed)
    said: list[str] = []
    run(copy, *changed, say=said.append)
    assert {"supernet: unchanged", "search: unchanged"} <= set(said)
    settings = json.loads((copy / "quickstart" / "settings.json").read_text())
    assert settings["supernet"]["epochs"] == 2
    assert json.loads((copy / "quickstart" / "supernet" / "training.json").read_text())["epochs"] == 2
    assert not (copy / "quickstart" / next_run.NEXT).exists()
    assert run(copy, *changed).skipped_everything


def test_a_change_that_is_killed_while_it_takes_its_place_is_taken_up(copy, monkeypatch) -> None:
    moved: list[Path] = []
    move = next_run._move

    def killed(path: Path, target: Path) -> None:
        moved.append(path)
        if len(moved) == 3:
            raise SystemExit
        move(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(next_run, "_move", killed)
        with pytest.raises(SystemExit):
            run(copy, "train.epochs=1")
    assert run(copy, "train.epochs=1").skipped_everything
    settings = json.loads((copy / "quickstart" / "settings.json").read_text())
    assert settings["train"]["epochs"] == 1


def test_two_runs_of_one_name_do_not_write_at_once(copy) -> None:
    with locked(copy / "quickstart"), pytest.raises(StoreError, match="another process is writing"):
        run(copy)


def test_a_summary_that_a_kill_left_old_is_made_again(copy, monkeypatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(running, "_summary", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            run(copy, "train.epochs=1")
    assert run(copy, "train.epochs=1").summary["stage_seconds"]["winner"] == pytest.approx(
        json.loads((copy / "quickstart" / "stages.json").read_text())["winner"]["seconds"], abs=0.01
    )


def test_a_finished_run_on_a_disk_that_cannot_be_written_has_nothing_to_do(copy, monkeypatch) -> None:
    real = os.open

    def read_only(path, flags, *rest, **more):
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            raise OSError(30, "Read-only file system", str(path))
        return real(path, flags, *rest, **more)

    monkeypatch.setattr(os, "open", read_only)
    monkeypatch.setattr(RunDirectory, "write_bytes", lambda *_: pytest.fail("it writes"))
    assert run(copy).skipped_everything
    monkeypatch.undo()
    monkeypatch.setattr(os, "open", read_only)
    monkeypatch.setattr(next_run, "_link", lambda *_: (_ for _ in ()).throw(OSError(30, "Read-only file system")))
    with pytest.raises(StoreError, match="Read-only"):
        run(copy, "train.epochs=1")


def _truncate(path: Path, length: int) -> None:
    with path.open("r+b") as file:
        file.truncate(length)


@pytest.mark.parametrize("length", [0, 1, 40, 400])
def test_a_record_that_was_cut_short_costs_nothing(copy, length: int) -> None:
    said: list[str] = []
    _truncate(copy / "quickstart" / "stages.json", length)
    assert run(copy, say=said.append).skipped_everything
    assert any("stages.json was broken: it lies in stages.json.broken-1" in line for line in said)


def test_a_record_that_was_deleted_costs_nothing(copy) -> None:
    said: list[str] = []
    (copy / "quickstart" / "stages.json").unlink()
    assert run(copy, say=said.append).skipped_everything
    assert any("stages.json is missing: its copy .stages.json is read instead" in line for line in said)
    assert (copy / "quickstart" / "stages.json").is_file()


def test_two_broken_records_make_the_run_again(copy) -> None:
    for name in ("stages.json", ".stages.json"):
        _truncate(copy / "quickstart" / name, 40)
    assert not run(copy).skipped_everything
    assert run(copy).skipped_everything


def test_a_broken_settings_file_is_written_again(copy) -> None:
    _truncate(copy / "quickstart" / "settings.json", 50)
    with pytest.raises(StoreError, match="settings.json"):
        open_run(copy / "quickstart", progress=quiet, say=print)
    run(copy)
    assert open_run(copy / "quickstart", progress=quiet, say=print).settings.train.epochs == 2


@pytest.mark.slow
def test_every_file_of_a_finished_run_may_be_cut_short(copy, finished) -> None:
    rng, names = np.random.default_rng(0), _contents(finished / "quickstart")
    wanted = _winner(finished)
    for name in [*names, "store.sqlite"]:
        path = copy / "quickstart" / name
        if path.is_file() and path.stat().st_size:
            _truncate(path, int(rng.integers(0, path.stat().st_size)))
            (copy / "quickstart" / "search.json").unlink(missing_ok=True)
            run(copy)
            assert run(copy).skipped_everything, name
            assert _winner(copy) == wanted, name


def _winner(folder: Path) -> str:
    return json.loads((folder / "quickstart" / "winner.json").read_text())["digest"]


@pytest.mark.slow
def test_a_run_that_is_killed_again_and_again_comes_to_the_same_end(tmp_path) -> None:
    script = (
        "import sys, pytest\n"
        "from pathlib import Path\n"
        "from tests.measure.fakes import use\n"
        "from tests.pipeline.conftest import steady_files\n"
        "from tests.pipeline.test_run_safety import run\n"
        "patch = pytest.MonkeyPatch()\n"
        "use(patch, noise=0.002)\n"
        "patch.setattr('edgenas.measure.measure_files', steady_files)\n"
        "run(Path(sys.argv[1]), say=print)\n"
    )
    rng, ends = np.random.default_rng(1), []
    for folder, kills in (("calm", 0), ("killed", 12)):
        for number in range(kills + 1):
            command = [sys.executable, "-c", script, str(tmp_path / folder)]
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
            if number < kills:
                time.sleep(float(rng.uniform(2, 12)))
                process.send_signal(signal.SIGKILL)
                process.wait()
            else:
                assert process.wait() == 0
        found = _winner(tmp_path / folder), file_digest(tmp_path / folder / "quickstart" / "model.safetensors")
        ends.append(found)
        assert not [path for path in (tmp_path / folder).rglob("*.partial")]
    assert ends[0] == ends[1]


def _slower_again(files, **_):
    """The second measurement of a file says that it is over every budget."""
    from dataclasses import replace

    from tests.pipeline.conftest import steady_files

    found = steady_files(files)
    if [file.name for file in files] != ["model.onnx", "reference"]:
        return found
    _slower_again.calls += 1
    return replace(found[0], latency_ms=1e9), found[1]


def test_a_budget_that_no_exported_file_holds_twice_leaves_the_good_bundle(copy, monkeypatch) -> None:
    before = _contents(copy / "quickstart")
    _slower_again.calls = 0
    monkeypatch.setattr("edgenas.measure.measure_files", _slower_again)
    (copy / "quickstart" / "winner.json").unlink()
    with pytest.raises(BudgetError, match="no network of the front is within the budget and the limits"):
        run(copy)
    assert _slower_again.calls
    after = _contents(copy / "quickstart")
    for name in ("export/card.json", "export/model.onnx", "model.safetensors", "architecture.json"):
        assert after[name] == before[name]
    assert not list((copy / "quickstart").glob(".export*"))


def test_the_winner_says_both_measurements_and_its_margin(finished) -> None:
    winner = json.loads((finished / "quickstart" / "winner.json").read_text())
    front = json.loads((finished / "quickstart" / "front.json").read_text())
    latency = winner["file_latency"]
    upper = max(latency[key]["latency_ms"] + latency[key]["standard_error_ms"] for key in ("first", "again"))
    assert latency["margin_ms"] == pytest.approx(front["budget_ms"] - upper)
    assert latency["margin_ms"] >= 0
