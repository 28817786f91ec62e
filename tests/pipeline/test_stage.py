import json
from pathlib import Path

import pytest

from edgenas.errors import StoreError
from edgenas.pipeline.core.directory import RunDirectory, open_run_directory
from edgenas.pipeline.core.stage import Stage, run_stages


class Work:
    """Two stages that count how often they ran; the second reads what the first wrote."""

    def __init__(self, path: Path) -> None:
        self.directory = RunDirectory(path=path)
        self.value, self.factor, self.calls = 1, 10, []

    def first(self, _) -> None:
        self.calls.append("first")
        self.directory.write_json("first.json", {"value": self.value})

    def second(self, _) -> None:
        self.calls.append("second")
        value = self.directory.read_json("first.json")["value"]
        self.directory.write_json("second.json", {"value": self.factor * value})

    def run(self) -> list[str]:
        self.calls.clear()
        stages = [
            Stage(name="first", title="", needs=(), outputs=("first.json",), inputs=lambda w: {"v": w.value},
                  run=self.first),
            Stage(name="second", title="", needs=("first",), outputs=("second.json",),
                  inputs=lambda w: {"f": w.factor}, run=self.second),
        ]  # fmt: skip
        run_stages(stages, self, self.directory, on_start=lambda s: None, on_end=lambda s, o: None)
        return self.calls


def test_nothing_runs_twice_when_nothing_has_changed(tmp_path) -> None:
    work = Work(tmp_path)
    assert work.run() == ["first", "second"]
    assert work.run() == []


def test_a_change_runs_the_stage_and_those_that_read_it(tmp_path) -> None:
    work = Work(tmp_path)
    work.run()
    work.factor = 20
    assert work.run() == ["second"]
    work.value = 2
    assert work.run() == ["first", "second"]
    assert json.loads((tmp_path / "second.json").read_text()) == {"value": 40}


def test_a_deleted_or_edited_output_is_made_again(tmp_path) -> None:
    work = Work(tmp_path)
    work.run()
    (tmp_path / "second.json").unlink()
    assert work.run() == ["second"]
    (tmp_path / "first.json").write_text('{"value": 5}')
    assert work.run() == ["first"]


def test_a_stage_that_writes_too_little_is_an_error(tmp_path) -> None:
    work = Work(tmp_path)
    work.first = lambda _: None
    with pytest.raises(StoreError, match="did not write all of first.json"):
        work.run()


def test_a_killed_run_goes_on_after_the_last_finished_stage(tmp_path) -> None:
    work = Work(tmp_path)
    second = work.second

    def killed(_) -> None:
        raise KeyboardInterrupt

    work.second = killed
    with pytest.raises(KeyboardInterrupt):
        work.run()
    work.second = second
    assert work.run() == ["second"]


def test_an_output_that_cannot_be_written_is_named(tmp_path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot make the folder"):
        open_run_directory(str(tmp_path / "file"), "run")
