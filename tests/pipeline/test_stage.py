import json
from pathlib import Path

import pytest

from edgenas.errors import StoreError
from edgenas.pipeline.core.directory import RunDirectory, open_run_directory
from edgenas.pipeline.core.stage import RECORD, Stage, StageOutcome, read_record, run_stages


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


class Clocked:
    """One stage that takes 2.3456 seconds by a clock of its own, and all that is told of it."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch, **options: object) -> None:
        self.directory, self.now = RunDirectory(path=path), 500.0
        self.started, self.ended, self.said = [], [], []
        self.inputs = {"a": 1, "b": 2}
        self.options = options
        monkeypatch.setattr("edgenas.pipeline.core.stage.time.monotonic", lambda: self.now)

    def work(self, _: object) -> None:
        self.now += 2.3456
        self.directory.write_json("one.json", {})
        self.directory.write_json("two.json", {})

    def run(self) -> list[StageOutcome]:
        stage = Stage(name="only", title="", needs=(), outputs=("one.json", "two.json"), inputs=lambda w: w.inputs,
                      run=self.work, **self.options)  # fmt: skip
        return run_stages(
            [stage],
            self,
            self.directory,
            on_start=lambda s: self.started.append(s.name),
            on_end=lambda s, outcome: self.ended.append(outcome),
            say=self.said.append,
        )


def test_what_became_of_a_stage_is_returned_and_told_with_its_time(tmp_path, monkeypatch) -> None:
    work = Clocked(tmp_path, monkeypatch)
    (first,) = work.run()
    assert (first.name, first.skipped) == ("only", False)
    assert first.seconds == first.spent_seconds == pytest.approx(2.3456)
    (second,) = work.run()
    assert (second.name, second.skipped, second.seconds, second.spent_seconds) == ("only", True, 0.0, 2.346)
    assert work.started == ["only"] and work.ended == [first, second]


def test_one_of_several_outputs_that_is_missing_is_made_again(tmp_path, monkeypatch) -> None:
    work = Clocked(tmp_path, monkeypatch)
    work.run()
    (tmp_path / "two.json").unlink()
    assert not work.run()[0].skipped and (tmp_path / "two.json").is_file()


def test_the_order_of_inputs_is_no_change_and_the_version_is_one(tmp_path, monkeypatch) -> None:
    work = Clocked(tmp_path, monkeypatch)
    work.run()
    work.inputs = {"b": 2, "a": 1}
    assert work.run()[0].skipped
    work.options = {"version": 1}
    assert work.run()[0].skipped
    work.options = {"version": 2}
    assert not work.run()[0].skipped


GOOD = {"fingerprint": "f", "outputs": {}, "seconds": 1.0}


@pytest.mark.parametrize(
    "text",
    ['{"only": ', "[]", json.dumps({"only": GOOD, "other": {"outputs": {}, "seconds": 1.0}}), '{"only": 3, "other": 4}']
    + [json.dumps({"only": ["fingerprint", "outputs", "seconds"]})],
)
def test_a_broken_record_is_set_aside_and_its_copy_read(tmp_path, monkeypatch, text: str) -> None:
    work = Clocked(tmp_path, monkeypatch)
    work.run()
    (tmp_path / "stages.json").write_text(text)
    assert work.run()[0].skipped
    assert len(work.said) == 1 and work.said[0].startswith("  stages.json was broken: it lies in ")
    assert [path.read_text() for path in tmp_path.glob("*stages*") if path.name not in (RECORD, ".stages.json")] == [
        text
    ]


def test_a_broken_record_without_a_copy_begins_anew_and_one_with_a_broken_copy_too(tmp_path, monkeypatch) -> None:
    work = Clocked(tmp_path, monkeypatch)
    work.run()
    (tmp_path / "stages.json").write_text("{")
    (tmp_path / ".stages.json").unlink()
    assert not work.run()[0].skipped and len(work.said) == 1
    (tmp_path / "stages.json").write_text("{")
    (tmp_path / ".stages.json").write_text("{}")
    assert not work.run()[0].skipped
    assert work.run()[0].skipped


def test_a_record_that_is_missing_is_nothing_to_speak_of(tmp_path) -> None:
    said: list[str] = []
    assert read_record(RunDirectory(path=tmp_path), say=said.append) == {} and said == []


def test_an_empty_record_is_not_broken(tmp_path) -> None:
    said: list[str] = []
    (tmp_path / "stages.json").write_text("{}")
    assert read_record(RunDirectory(path=tmp_path), say=said.append) == {} and said == []
    assert (tmp_path / "stages.json").is_file()
