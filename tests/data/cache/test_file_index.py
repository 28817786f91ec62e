"""The index of a data folder: a second start opens no file, and whatever has changed is noticed."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgenas.data import DataSettings, ImageData, load
from edgenas.data.cache import file_index
from edgenas.data.sources import folder, headers

Write = Callable[..., Path]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files whose header or content is read. Files of a test are young, and are kept all the same."""
    found: list[str] = []
    look, read = headers._look, Path.read_bytes

    def looking(index: file_index.FileIndex, row: int, name: str, *, size: int) -> None:
        found.append(Path(name).name)
        look(index, row, name, size=size)

    def reading(path: Path) -> bytes:
        if path.suffix == ".png":
            found.append(path.name)
        return read(path)

    monkeypatch.setattr(headers, "_look", looking)
    monkeypatch.setattr(Path, "read_bytes", reading)
    monkeypatch.setattr(file_index, "SETTLED_NS", -(10**12))
    return found


@pytest.fixture
def settings(tmp_path: Path, write_folder: Write) -> DataSettings:
    """Images that are decoded while training, so that nothing but the index is kept."""
    root = write_folder(tmp_path / "images", cats=30, dogs=30)
    return DataSettings(
        source="folder", path=str(root), cache_dir=str(tmp_path / "cache"), resolution=200, memory_limit_mib=1,
        store=False,
    )  # fmt: skip


def same(first: ImageData, second: ImageData) -> bool:
    assert first.contents is not None and second.contents is not None
    return (
        first.digest == second.digest
        and first.contents.digest == second.contents.digest
        and first.native_size == second.native_size
        and first.channels == second.channels
    )


def test_a_second_start_opens_no_file(settings: DataSettings, opened: list[str]) -> None:
    first = load(settings)
    assert len(opened) == 60
    opened.clear()
    assert same(load(settings), first) and same(load(replace(settings, seed=0)), first)
    assert opened == []


def test_a_large_file_is_read_once_for_its_content(
    settings: DataSettings, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = load(replace(settings, cache_dir=None))
    monkeypatch.setattr(headers, "WHOLE_BYTES", 0)
    opened.clear()
    assert same(load(settings), expected)
    assert len(opened) == 120
    opened.clear()
    assert same(load(settings), expected)
    assert opened == []


def test_only_changed_and_new_files_are_opened_and_deleted_ones_are_gone(
    settings: DataSettings, opened: list[str], write_folder: Write, tmp_path: Path
) -> None:
    load(settings)
    root = Path(str(settings.path))
    other = write_folder(tmp_path / "other", x=2, size=20) / "x"
    (root / "cats" / "003.png").write_bytes((other / "000.png").read_bytes())
    (root / "dogs" / "new.png").write_bytes((other / "001.png").read_bytes())
    (root / "dogs" / "004.png").unlink()
    opened.clear()
    again = load(settings)
    assert sorted(opened) == ["003.png", "new.png"]
    assert same(again, load(replace(settings, cache_dir=None)))
    assert again.native_size is None


def test_a_file_that_was_changed_a_moment_ago_is_looked_at_again(
    settings: DataSettings, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_index, "SETTLED_NS", 10**12)
    load(settings)
    opened.clear()
    load(settings)
    assert len(opened) == 60


@pytest.mark.parametrize("damage", ["cut", "flipped", "emptied", "foreign"])
def test_a_damaged_index_is_made_again_and_that_is_said(
    settings: DataSettings, opened: list[str], damage: str
) -> None:
    first = load(settings)
    (file,) = (Path(str(settings.cache_dir)) / "index").iterdir()
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes({"cut": data[:-9], "flipped": data, "emptied": b"", "foreign": b"x" * 999}[damage])
    opened.clear()
    again = load(settings)
    assert same(again, first) and len(opened) == 60
    assert any("was damaged" in note for note in again.notes)
    assert not any("was damaged" in note for note in load(settings).notes)


def test_an_index_of_another_version_is_made_again(
    settings: DataSettings, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    load(settings)
    monkeypatch.setattr(file_index, "VERSION", 2)
    opened.clear()
    load(settings)
    assert len(opened) == 60


def test_a_cache_that_cannot_be_written_is_noted_and_the_images_are_loaded(settings: DataSettings) -> None:
    Path(str(settings.cache_dir)).write_text("in the way", encoding="utf-8")
    data = load(settings)
    assert sum("cannot be kept" in note for note in data.notes) == 1
    assert same(data, load(replace(settings, cache_dir=None)))


def test_an_interrupted_start_keeps_the_files_it_has_seen(
    settings: DataSettings, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("edgenas.data.loading.load._build", stop)
        load(settings)
    opened.clear()
    load(settings)
    assert opened == []


def test_names_that_are_no_utf8_are_kept(settings: DataSettings, opened: list[str]) -> None:
    root = Path(str(settings.path))
    try:
        (root / "cats" / "000.png").rename(root / "cats" / "\udcff \n.png")
    except OSError:
        pytest.skip("the file system takes UTF-8 only")
    first = load(settings)
    opened.clear()
    assert same(load(settings), first) and opened == []


def test_the_order_of_files_is_that_of_their_path(tmp_path: Path, write_folder: Write) -> None:
    root = write_folder(tmp_path / "images", cats=3, dogs=3)
    write_folder(root / "cats", **{"a": 2, "a-b": 2, "a b": 1})
    raw = folder.read(DataSettings(source="folder", path=str(root)))
    names = [raw.train.path_of(index) for index in range(len(raw.train.labels))]  # type: ignore[attr-defined]
    assert names == [str(path) for path in sorted(map(Path, names))] and len(names) == 11
    assert np.all(np.diff(raw.train.labels) >= 0)
