"""At any moment the old or the new content is there, whole: with two writers, a full disk, and a killed process."""

import errno
import json
import os
import signal
import subprocess
import sys
import time

import pytest

from edgenas import atomic

WRITER = """
import sys
from pathlib import Path
from edgenas import atomic
for number in range(int(sys.argv[2])):
    atomic.write_json(Path(sys.argv[1]), {"value": [number] * 5000})
"""


def _writer(path, count: int) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-c", WRITER, str(path), str(count)], stderr=subprocess.PIPE)


def test_two_writers_of_one_file_leave_one_whole_content_and_no_error(tmp_path) -> None:
    path = tmp_path / "file.json"
    writers = [_writer(path, 200) for _ in range(3)]
    while any(writer.poll() is None for writer in writers):
        if path.exists():
            assert len(set(json.loads(path.read_text())["value"])) == 1
    assert [writer.stderr.read() for writer in writers] == [b"", b"", b""]
    assert [entry.name for entry in tmp_path.iterdir()] == ["file.json"]


def test_a_killed_writer_leaves_a_whole_file_and_its_draft_is_swept(tmp_path) -> None:
    path = tmp_path / "file.json"
    for _ in range(6):
        writer = _writer(path, 10**6)
        while not path.exists():
            time.sleep(0.01)
        time.sleep(0.05)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        assert len(set(json.loads(path.read_text())["value"])) == 1
    atomic.sweep(tmp_path, old_seconds=0)
    assert [entry.name for entry in tmp_path.iterdir()] == ["file.json"]


def test_a_young_draft_is_left_for_its_process(tmp_path) -> None:
    draft = atomic.draft_of(tmp_path / "file")
    draft.write_text("at work")
    atomic.sweep(tmp_path)
    assert draft.exists()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_numbers_that_are_not_finite_are_not_written(tmp_path, value) -> None:
    path = tmp_path / "file.json"
    path.write_text("{}")
    with pytest.raises(ValueError, match="JSON"):
        atomic.write_json(path, {"value": value})
    assert path.read_text() == "{}"


def test_a_full_disk_leaves_what_was_there_and_no_draft(tmp_path, monkeypatch) -> None:
    path = tmp_path / "file"
    atomic.write_bytes(path, b"old")

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        atomic.write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_content_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch) -> None:
    done: list[str] = []
    sync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda handle: (done.append("fsync"), sync(handle)))
    monkeypatch.setattr(os, "replace", lambda *names: (done.append("rename"), replace(*names)))
    atomic.write_bytes(tmp_path / "file", b"content")
    assert done == ["fsync", "rename", "fsync"]


def test_a_folder_that_could_not_be_filled_leaves_the_old_one(tmp_path) -> None:
    target = tmp_path / "folder"
    with atomic.staged_folder(target) as draft:
        (draft / "file").write_text("old")
    with pytest.raises(RuntimeError), atomic.staged_folder(target) as draft:
        (draft / "file").write_text("new")
        raise RuntimeError
    assert (target / "file").read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["folder"]


def test_a_folder_that_was_moved_aside_by_a_killed_process_comes_back(tmp_path, monkeypatch) -> None:
    target = tmp_path / "folder"
    with atomic.staged_folder(target) as draft:
        (draft / "file").write_text("old")
    replace, moves = os.replace, []

    def killed(source, destination) -> None:
        moves.append(source)
        if len(moves) > 1:
            raise SystemExit  # the process is gone: nothing is put back by it
        replace(source, destination)

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(SystemExit):
        atomic.replace_folder(_folder(tmp_path / "draft"), target)
    monkeypatch.undo()
    assert not target.exists()
    atomic.sweep(tmp_path, old_seconds=0)
    assert (target / "file").read_text() == "old"


def _folder(path):
    path.mkdir()
    (path / "file").write_text("new")
    return path


def test_what_is_broken_is_set_aside_under_a_free_name(tmp_path) -> None:
    names = []
    for text in ("first", "second"):
        (tmp_path / "file").write_text(text)
        names.append(atomic.set_aside(tmp_path / "file"))
    assert [name.read_text() for name in names] == ["first", "second"]


def test_a_remedy_speaks_of_space_only_where_there_is_none() -> None:
    assert "space" in atomic.remedy_for(OSError(errno.ENOSPC, ""))
    assert "space" not in atomic.remedy_for(OSError(errno.ENOENT, ""))
    assert "writable" in atomic.remedy_for(OSError(errno.EROFS, ""))
