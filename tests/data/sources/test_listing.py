"""What a folder holds beside images: followed, left out, counted and said."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgenas.data import DataSettings, ImageData, load
from edgenas.errors import DataError

Write = Callable[..., Path]


def loaded(path: Path, **values: object) -> ImageData:
    return load(DataSettings(source="folder", path=str(path), **values))  # type: ignore[arg-type]


def count(data: ImageData) -> int:
    return len(data.train) + len(data.validation) + len(data.test)


def test_a_class_folder_may_be_a_link_and_hold_links(tmp_path: Path, write_folder: Write) -> None:
    store = write_folder(tmp_path / "store", cats=6, dogs=6)
    root = tmp_path / "images"
    (root / "dogs").mkdir(parents=True)
    (root / "cats").symlink_to(store / "cats", target_is_directory=True)
    (root / "dogs" / "more").symlink_to(store / "dogs", target_is_directory=True)
    (root / "dogs" / "one.png").symlink_to(store / "dogs" / "000.png")
    assert count(loaded(root)) == 13


def test_a_link_in_a_circle_ends_and_is_said(tmp_path: Path, write_folder: Write) -> None:
    root = write_folder(tmp_path / "images", cats=6, dogs=6)
    (root / "cats" / "again").symlink_to(root / "cats", target_is_directory=True)
    (root / "dogs" / "gone.png").symlink_to(root / "nowhere.png")
    data = loaded(root)
    assert count(data) == 12
    (note,) = [note for note in data.notes if "Left out" in note]
    assert "1 link in a circle" in note and "1 broken link" in note


@pytest.mark.parametrize("ending", ["jfif", "JPE", "tga", "ico", "pbm"])
def test_every_ending_that_pillow_reads_is_taken(tmp_path: Path, write_folder: Write, ending: str) -> None:
    root = write_folder(tmp_path, cats=6, dogs=6, size=16)
    kind = {"jfif": "JPEG", "jpe": "JPEG"}.get(ending.lower(), ending.upper().replace("PBM", "PPM"))
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8))
    (image.convert("1") if ending == "pbm" else image).save(root / "cats" / f"more.{ending}", kind)
    data = loaded(root, resolution=16)
    assert count(data) == 13 and not data.skipped
    assert not [note for note in data.notes if "Left out" in note]


def test_hidden_folders_inside_a_class_are_not_taken_and_are_counted(tmp_path: Path, write_folder: Write) -> None:
    root = write_folder(tmp_path, cats=6, dogs=6)
    write_folder(root / "cats", **{".ipynb_checkpoints": 3})
    data = loaded(root)
    assert count(data) == 12
    assert any("1 hidden folder" in note for note in data.notes)


def test_what_is_left_out_is_counted_by_its_ending(tmp_path: Path, write_folder: Write) -> None:
    root = write_folder(tmp_path, cats=6, dogs=6)
    for name in ("a.txt", "b.TXT", "c.heic", "README"):
        (root / "cats" / name).write_text("x")
    Image.new("RGB", (12, 12)).save(root / "lost.png")
    (note,) = [note for note in loaded(root).notes if "Left out" in note]
    assert all(
        part in note
        for part in ("2 ending in .txt", "1 ending in .heic", "1 without an ending", "1 image in no class folder")
    )


def test_a_folder_beside_the_parts_is_said(tmp_path: Path, write_folder: Write) -> None:
    for part in ("train", "test"):
        write_folder(tmp_path / part, cats=6, dogs=6)
    write_folder(tmp_path / "unlabelled", all=2)
    assert any("folder unlabelled/ that is no part" in note for note in loaded(tmp_path).notes)


def test_a_skipped_image_is_named_with_its_reason(tmp_path: Path, write_folder: Write) -> None:
    root = write_folder(tmp_path, cats=30, dogs=30)
    (root / "cats" / "000.png").write_bytes(b"nonsense")
    (note,) = [note for note in loaded(root).notes if "unreadable" in note]
    assert "1 not an image file" in note and "000.png (not an image file)" in note


def test_a_test_part_that_lacks_a_class_is_refused(tmp_path: Path, write_folder: Write) -> None:
    write_folder(tmp_path / "train", cats=6, dogs=6, owls=6)
    write_folder(tmp_path / "test", cats=3, dogs=3)
    with pytest.raises(DataError, match="the test part has no images of 1 of 3 classes; got owls"):
        loaded(tmp_path)


def test_a_name_that_is_no_utf8_is_read(tmp_path: Path, write_folder: Write) -> None:
    root = write_folder(tmp_path, cats=6, dogs=6)
    try:
        os.rename(root / "cats" / "000.png", os.fsencode(root / "cats") + b"/\xff\xfe.png")
    except OSError:
        pytest.skip("this file system takes UTF-8 only")
    assert count(loaded(root)) == 12
