"""The limit of the cache: what was not used for longest goes first, and what is in use stays."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgenas.api.cache import clear_cache, list_cache
from edgenas.data import DataSettings, load
from edgenas.data.cache import store

Write = Callable[..., Path]
MIB = 2**20


@pytest.fixture
def settings(tmp_path: Path, write_folder: Write) -> DataSettings:
    """Images that take 100 x 64 x 64 x 3 bytes each time that they are stored."""
    root = write_folder(tmp_path / "images", cats=50, dogs=50)
    return DataSettings(source="folder", path=str(root), cache_dir=str(tmp_path / "cache"), resolution=64)


def stored(settings: DataSettings) -> list[str]:
    """Descriptions of the prepared images, least recently used first."""
    return [entry.what.rpartition(", ")[2] for entry in list_cache(settings.cache_dir) if entry.kind == "images"]


def make(settings: DataSettings, side: int, *, used: int) -> object:
    data = load(replace(settings, resolution=side))
    for entry in list_cache(settings.cache_dir):
        if entry.what.endswith(f", {side} x {side} x 3"):
            os.utime(entry.path / store.ABOUT_FILE, (used, used))
    return data


def test_what_was_not_used_for_longest_goes_first(settings: DataSettings) -> None:
    for number, side in enumerate((60, 61, 62)):
        make(settings, side, used=1000 + number)
    make(settings, 60, used=2000)
    limited = replace(settings, resolution=63, cache_limit_gib=4 / 1024)
    load(limited)
    assert stored(settings) == ["62 x 62 x 3", "60 x 60 x 3", "63 x 63 x 3"]


def test_what_a_process_uses_stays(settings: DataSettings) -> None:
    held = make(settings, 60, used=1000)
    make(settings, 61, used=1001)
    assert [entry.in_use for entry in list_cache(settings.cache_dir) if entry.kind == "images"] == [True, False]
    load(replace(settings, resolution=63, cache_limit_gib=2.5 / 1024))
    assert stored(settings) == ["60 x 60 x 3", "63 x 63 x 3"]
    gone, left = clear_cache(settings.cache_dir)
    assert [entry.what.rpartition(", ")[2] for entry in left] == ["60 x 60 x 3"]
    assert {entry.kind for entry in gone} == {"images", "index"}
    del held
    clear_cache(settings.cache_dir)
    assert list_cache(settings.cache_dir) == []


@pytest.mark.parametrize("memory_mib", [1, 2048])
def test_images_that_do_not_fit_are_not_stored_and_remove_nothing(settings: DataSettings, memory_mib: int) -> None:
    make(settings, 60, used=1000)
    limited = replace(settings, resolution=100, cache_limit_gib=2 / 1024, memory_limit_mib=memory_mib)
    data = load(limited)
    assert stored(settings) == ["60 x 60 x 3"]
    assert any("decoded while training" in note for note in data.notes) == (memory_mib == 1)
    expected = load(replace(limited, cache_dir=None))
    assert data.digest == expected.digest
    assert np.array_equal(data.test.read(np.arange(9)), expected.test.read(np.arange(9)))


def test_a_full_disk_leaves_the_images_out_of_the_cache(
    settings: DataSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = os.statvfs(str(settings.path))
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 256 * MIB, "total": usage}))
    load(settings)
    assert stored(settings) == []


def test_clearing_touches_nothing_but_the_cache(tmp_path: Path, write_folder: Write) -> None:
    mine = write_folder(tmp_path / "images", cats=3, dogs=3)
    (tmp_path / "index").mkdir()
    (tmp_path / "index" / "notes.index").write_text("mine", encoding="utf-8")
    assert clear_cache(tmp_path) == ([], []) and list_cache(tmp_path) == []
    assert len(list(mine.rglob("*.png"))) == 6 and (tmp_path / "index" / "notes.index").exists()


def test_a_cache_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert list_cache(tmp_path / "nothing") == [] and clear_cache(tmp_path / "nothing") == ([], [])
