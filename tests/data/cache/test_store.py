"""Prepared images in the shared cache: the same pixels, each once, whoever writes and whatever breaks."""

import errno
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from shutil import copy

import numpy as np
import pytest

from edgenas.data import DataSettings, ImageData, load
from edgenas.data.cache import store
from edgenas.data.loading.stored import Preparation
from edgenas.errors import StoreError

Write = Callable[..., Path]


@pytest.fixture
def settings(tmp_path: Path, write_folder: Write) -> DataSettings:
    root = write_folder(tmp_path / "images", cats=80, dogs=80, size=20)
    return DataSettings(source="folder", path=str(root), resolution=12, cache_dir=str(tmp_path / "cache"))


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Indices of the images that are decoded."""
    found: list[int] = []
    prepare = Preparation.__call__

    def counting(self: Preparation, index: int) -> np.ndarray:
        found.append(index)
        return prepare(self, index)

    monkeypatch.setattr(Preparation, "__call__", counting)
    yield found


def pixels(data: ImageData) -> list[np.ndarray]:
    return [split.read(np.arange(len(split))) for split in (data.train, data.validation, data.test)]


def equal(first: ImageData, second: ImageData) -> bool:
    return (
        all(np.array_equal(a, b) for a, b in zip(pixels(first), pixels(second), strict=True))
        and first.digest == second.digest
        and first.skipped == second.skipped
        and first.contents is not None
        and second.contents is not None
        and first.contents.digest == second.contents.digest
    )


def entry(settings: DataSettings) -> Path:
    (found,) = (path for path in (Path(str(settings.cache_dir)) / "images").iterdir() if path.is_dir())
    return found


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"seed": 5},
        {"train_limit": 20, "test_limit": 10},
        {"resize": "squash", "interpolation": "bicubic", "crop": 0.8},
        {"channels": 1, "noise_std": 0.1},
        {"noise_std": 0.1, "seed": 5},
        {"memory_limit_mib": 1, "resolution": 96},
    ],
    ids=str,
)
def test_stored_images_are_those_in_memory_to_the_bit(settings: DataSettings, change: dict[str, object]) -> None:
    load(replace(settings, train_limit=30))
    changed = replace(settings, **change)  # type: ignore[arg-type]
    expected = load(replace(changed, cache_dir=None))
    assert equal(load(changed), expected) and equal(load(changed), expected)


def test_rows_are_read_in_any_order_and_more_than_once(settings: DataSettings) -> None:
    data = load(settings)
    indices = np.array([5, 6, 7, 3, 3, 0, 1, 95, 2])
    assert np.array_equal(data.train.read(indices), pixels(data)[0][indices])
    assert data.train.read(np.zeros(0, np.int64)).shape == (0, 12, 12, 3)


def test_another_split_of_the_same_images_decodes_none(settings: DataSettings, decoded: list[int]) -> None:
    load(settings)
    assert len(decoded) == 160
    decoded.clear()
    for change in ({"seed": 3}, {"train_limit": 10}, {"validation_fraction": 0.4}, {"memory_limit_mib": 1}):
        load(replace(settings, **change))  # type: ignore[arg-type]
    assert decoded == []


def test_only_new_and_changed_images_are_decoded(
    settings: DataSettings, decoded: list[int], write_folder: Write, tmp_path: Path
) -> None:
    load(settings)
    decoded.clear()
    root = Path(str(settings.path))
    (root / "cats" / "000.png").rename(root / "dogs" / "moved.png")
    os.utime(root / "cats" / "001.png")
    copy(root / "cats" / "002.png", root / "cats" / "again.png")
    new = write_folder(tmp_path / "new", x=1, size=20) / "x" / "000.png"
    new.rename(root / "cats" / "003.png")
    assert equal(load(settings), load(replace(settings, cache_dir=None)))
    # One for the cache; the others in memory.
    assert len(decoded) == 1 + 161


def test_an_image_that_a_source_holds_twice_is_stored_once(settings: DataSettings) -> None:
    root = Path(str(settings.path))
    for number in range(10):
        copy(root / "cats" / f"{number:03d}.png", root / "dogs" / f"copy{number}.png")
    load(settings)
    assert (entry(settings) / store.ROWS_FILE).stat().st_size == 160 * 12 * 12 * 3


def test_broken_images_are_named_and_not_tried_again(settings: DataSettings, decoded: list[int]) -> None:
    root = Path(str(settings.path))
    for name in ("cats/004.png", "dogs/005.png"):
        (root / name).write_bytes((root / name).read_bytes()[:-40])
    first = load(settings)
    assert [Path(image.name).name for image in first.skipped] == ["004.png", "005.png"]
    decoded.clear()
    again = load(settings)
    assert decoded == [] and equal(first, again)
    assert again.skipped == load(replace(settings, cache_dir=None)).skipped


def test_two_writers_at_once_decode_every_image_once(settings: DataSettings, decoded: list[int]) -> None:
    entered, go = threading.Event(), threading.Event()
    found: list[ImageData] = []

    def hold(done: int, total: int, what: str) -> None:
        entered.set()
        go.wait(20)

    first = threading.Thread(target=lambda: found.append(load(settings, progress=hold)))
    first.start()
    assert entered.wait(20)
    waited: list[str] = []

    def told(done: int, total: int, what: str) -> None:
        waited.append(what)
        go.set()

    second = load(settings, progress=told)
    first.join(20)
    assert waited and set(waited) == {"images that another process prepares"}
    assert len(decoded) == 160 and equal(found[0], second)


def test_a_killed_writer_loses_only_what_was_not_finished(
    settings: DataSettings, decoded: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "CHECKPOINT_SECONDS", 0.0)
    child = os.fork()
    if not child:
        load(settings, progress=lambda done, total, _: os._exit(9) if done == 128 else None)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert equal(load(settings), load(replace(settings, cache_dir=None)))
    assert len(decoded) == 160 + 32


def test_a_full_disk_is_one_error_and_keeps_what_was_finished(
    settings: DataSettings, decoded: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    write, calls = os.pwrite, []

    def full(handle: int, data: memoryview, offset: int) -> int:
        calls.append(offset)
        if len(calls) > 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(handle, data, offset)

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        with pytest.raises(StoreError, match="No space left on device.*cache clear.*EDGENAS_CACHE"):
            load(settings)
    decoded.clear()
    load(settings)
    assert len(decoded) == 160 - 64


@pytest.mark.parametrize("damage", ["table flipped", "table gone", "rows cut", "rows gone", "about gone"])
def test_a_damaged_entry_is_made_again_and_that_is_said(
    settings: DataSettings, decoded: list[int], damage: str
) -> None:
    load(settings)
    folder = entry(settings)
    table, rows = folder / store.TABLE_FILE, folder / store.ROWS_FILE
    if damage == "table flipped":
        data = bytearray(table.read_bytes())
        data[-700] ^= 4
        table.write_bytes(data)
    elif damage == "rows cut":
        os.truncate(rows, rows.stat().st_size - 1)
    else:
        {"table gone": table, "rows gone": rows, "about gone": folder / store.ABOUT_FILE}[damage].unlink()
    decoded.clear()
    again = load(settings)
    assert len(decoded) == (0 if damage == "about gone" else 160)
    assert equal(again, load(replace(settings, cache_dir=None)))
    if damage == "about gone":
        return
    assert any("damaged" in note for note in again.notes) == (damage != "table gone")
    assert not any("damaged" in note for note in load(settings).notes)


def test_images_that_are_removed_while_they_are_read_stay_readable(settings: DataSettings) -> None:
    from shutil import rmtree

    data = load(settings)
    before = pixels(data)
    rmtree(entry(settings))
    assert all(np.array_equal(a, b) for a, b in zip(pixels(data), before, strict=True))
    assert equal(load(settings), data)


def test_a_file_that_becomes_shorter_is_one_error(settings: DataSettings) -> None:
    data = load(settings)
    os.truncate(entry(settings) / store.ROWS_FILE, 100)
    with pytest.raises(StoreError, match="shorter"):
        pixels(data)
