"""A cache of prepared images never serves what has been replaced."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgenas.data import DataSettings, ImageData, load
from edgenas.data.loading.signature import tree_signature

Write = Callable[..., Path]


@pytest.fixture
def root(tmp_path: Path, write_folder: Write) -> Path:
    """Uncompressed images, so that all files are of one size."""
    from PIL import Image

    folder = write_folder(tmp_path / "images", cats=12, dogs=12)
    for file in sorted(folder.rglob("*.png")):
        Image.open(file).save(file.with_suffix(".bmp"))
        file.unlink()
    assert len({file.stat().st_size for file in folder.rglob("*.bmp")}) == 1
    return folder


@pytest.fixture
def cached(root: Path, tmp_path: Path) -> Callable[[], ImageData]:
    settings = DataSettings(source="folder", path=str(root), cache_dir=str(tmp_path / "cache"))
    return lambda: load(settings)


def content(data: ImageData) -> set[tuple[int, bytes]]:
    splits = (data.train, data.validation, data.test)
    return {
        (int(label), image.tobytes())
        for split in splits
        for label, image in zip(split.labels, split.read(np.arange(len(split))), strict=True)
    }


def swap(first: Path, second: Path) -> None:
    spare = first.with_name("spare")
    first.rename(spare)
    second.rename(first)
    spare.rename(second)


def overwrite(file: Path) -> None:
    """Change the last pixel, and put the times back."""
    before = file.stat()
    data = bytearray(file.read_bytes())
    data[-5] ^= 255
    file.write_bytes(data)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (file.stat().st_size, file.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)


def same_times(folder: Path) -> None:
    for file in folder.rglob("*.bmp"):
        os.utime(file, ns=(10**18, 10**18))


CHANGES: dict[str, Callable[[Path], None]] = {
    "two files of one size and time swap classes": lambda root: swap(
        root / "cats" / "003.bmp", root / "dogs" / "004.bmp"
    ),
    "pixels change in place and the time is put back": lambda root: overwrite(root / "cats" / "005.bmp"),
    "the folders of two classes swap names": lambda root: swap(root / "cats", root / "dogs"),
    "a label is corrected": lambda root: (root / "cats" / "006.bmp").rename(root / "dogs" / "100.bmp") and None,  # type: ignore[func-returns-value]
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_that_names_sizes_and_times_do_not_show_is_seen(
    root: Path, cached: Callable[[], ImageData], change: Callable[[Path], None]
) -> None:
    same_times(root)
    before, signature = cached(), tree_signature(root)
    change(root)
    after = cached()
    assert content(after) == content(load(DataSettings(source="folder", path=str(root))))
    assert after.digest != before.digest
    assert tree_signature(root) != signature


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_the_digest_of_images_that_are_decoded_while_training_changes_too(
    tmp_path: Path, root: Path, change: Callable[[Path], None]
) -> None:
    settings = DataSettings(source="folder", path=str(root), resolution=200, memory_limit_mib=1)
    same_times(root)
    before = load(settings)
    assert not hasattr(before.train, "images")
    change(root)
    assert load(settings).digest != before.digest


def test_images_that_are_only_touched_or_copied_keep_their_digest_lazy_or_not(tmp_path: Path, root: Path) -> None:
    from shutil import copytree

    copytree(root, tmp_path / "copy")
    for values in ({}, {"resolution": 200, "memory_limit_mib": 1}):
        first, second = (
            load(DataSettings(source="folder", path=str(path), **values)) for path in (root, tmp_path / "copy")
        )
        assert first.digest == second.digest


def test_a_changed_link_is_seen(tmp_path: Path, write_folder: Write) -> None:
    store = write_folder(tmp_path / "store", first=3, second=3)
    root = tmp_path / "root"
    root.mkdir()
    (root / "a").symlink_to(store / "first", target_is_directory=True)
    before = tree_signature(root)
    (root / "a").unlink()
    (root / "a").symlink_to(store / "second", target_is_directory=True)
    assert tree_signature(root) != before
    (root / "loop").symlink_to(root, target_is_directory=True)
    assert tree_signature(root) != before
