"""A disk that is full at the beginning of a stage: one clear error, and later the same end as without it.

The disk is a small file system in memory, which needs the right to mount one.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import kill_test
from benchmarks.kill_test import STAGES, compare, finish, make_table, stand_in, start

REAL_DEVICE = True
"""The stand-in of the benchmark takes the place of the machine."""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=24m", "none", str(folder)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no right to mount a file system here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=False)


def fill(folder: Path, *, leave: int) -> None:
    """Leave so many bytes of a file system free."""
    filler, block = folder / "filler", bytes(4096)
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(block)
        except OSError:
            pass
        file.truncate(max(0, file.tell() // 4096 * 4096 - leave))


def error_in(stage: str, place: Path, table: Path, *, leave: int) -> tuple[int, str]:
    """Run with a disk that becomes full when a stage begins; return the status, and what the error said."""
    process, error = start(place, table, changed=False), ""
    for line in process.lines:
        if line.startswith(f"{stage}: ") and "unchanged" not in line and not (place / "filler").exists():
            fill(place, leave=leave)
        error = line if line.startswith("error: ") else error
    status = process.end()
    (place / "filler").unlink(missing_ok=True)
    return status, error


@pytest.mark.slow
@pytest.mark.parametrize("leave", [0, 16 * 1024])
def test_a_disk_that_is_full_in_any_stage_is_one_clear_error_and_costs_nothing(
    tmp_path: Path, disk: Path, monkeypatch: pytest.MonkeyPatch, leave: int
) -> None:
    stand_in(monkeypatch)
    table, found = make_table(tmp_path / "table"), kill_test.Found()
    (tmp_path / "calm").mkdir()
    assert finish(tmp_path / "calm", table, found, changed=False)
    kill_test.import_all(tmp_path / "calm")
    seen, unclear = {}, []
    for stage in STAGES[:-1]:
        status, error = error_in(stage, disk, table, leave=leave)
        # A stage that needs less than what is left is done, and a later one meets the full disk.
        seen[stage] = error if status else ""
        unclear += [] if status == 0 or "Free some space" in error else [f"{stage}: {error}"]
    assert not unclear
    assert any(seen.values()), seen
    if leave == 0:
        assert all(seen.values()), seen
    assert finish(disk, table, found, changed=False)
    assert compare(tmp_path / "calm" / "quickstart", disk / "quickstart") == []


@pytest.mark.slow
def test_a_run_on_a_disk_that_cannot_be_written_is_one_clear_error_and_stays_as_it_is(
    tmp_path: Path, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(monkeypatch)
    table = make_table(tmp_path / "table")
    kill_test.kill_in(disk, table, "supernet", 0.2, kill_test.Found())
    before = kill_test.files_of(disk)
    for place in (disk, disk / "another"):
        place.mkdir(exist_ok=True)
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        process = start(place, table, changed=False)
        errors = [line for line in process.lines if line.startswith("error: ")]
        assert process.end() == 1 and len(errors) == 1 and "Read-only file system" in errors[0]
        subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
    assert kill_test.files_of(disk) == before
