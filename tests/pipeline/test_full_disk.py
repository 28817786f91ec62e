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


CLEAR = ("Free some space", "Make it writable", "can be written", "Check the path")


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


def remount(folder: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", str(folder)], check=True)


def error_in(stage: str, place: Path, table: Path, *, leave: int | None) -> tuple[int, str]:
    """Run with a disk that becomes full or read-only (None) when a stage begins; return the status and the error."""
    process, error, begun = start(place, table, changed=False), "", False
    for line in process.lines:
        if line.startswith(f"{stage}: ") and "unchanged" not in line and not begun:
            begun = True
            if leave is None:
                remount(place, "ro")
            else:
                fill(place, leave=leave)
        error = line if line.startswith("error: ") else error
    status = process.end()
    remount(place, "rw")
    (place / "filler").unlink(missing_ok=True)
    return status, error


@pytest.mark.slow
@pytest.mark.parametrize("leave", [0, 16 * 1024, None])
def test_a_disk_that_is_full_or_read_only_in_any_stage_is_one_clear_error_and_costs_nothing(
    tmp_path: Path, disk: Path, monkeypatch: pytest.MonkeyPatch, leave: int | None
) -> None:
    stand_in(monkeypatch)
    table, found = make_table(tmp_path / "table"), kill_test.Found()
    (tmp_path / "calm").mkdir()
    assert finish(tmp_path / "calm", table, found, changed=False)
    seen, unclear = {}, []
    for stage in STAGES[:-1]:
        status, error = error_in(stage, disk, table, leave=leave)
        # A stage that needs less than what is left is done, and a later one meets the full disk.
        seen[stage] = error if status else ""
        unclear += [] if status == 0 or any(words in error for words in CLEAR) else [f"{stage}: {error}"]
    assert not unclear
    assert any(seen.values()), seen
    if leave != 16 * 1024:
        assert all(seen.values()), seen
    assert finish(disk, table, found, changed=False)
    assert compare(tmp_path / "calm" / "quickstart", disk / "quickstart") == []
