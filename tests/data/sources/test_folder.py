"""Class folders, good and bad."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgenas.data import DataSettings, load
from edgenas.data.sources.raw import UnreadableImageError
from edgenas.errors import DataError

Write = Callable[..., Path]


def settings(path: Path, **values: object) -> DataSettings:
    return DataSettings(source="folder", path=str(path), **values)  # type: ignore[arg-type]


def refused(path: Path, message: str) -> None:
    with pytest.raises(DataError, match=message):
        load(settings(path))


def spoil(file: Path) -> None:
    """Cut a file so that its header is whole and its pixels are not."""
    noise = np.random.default_rng(0).integers(0, 256, (12, 12, 3), dtype=np.uint8)
    Image.fromarray(noise).save(file)
    file.write_bytes(file.read_bytes()[:-60])


def test_class_folders_are_split_in_three(write_folder: Write) -> None:
    data = load(settings(write_folder(cats=10, dogs=20)))
    assert data.classes == ("cats", "dogs")
    assert [len(split) for split in (data.train, data.validation, data.test)] == [18, 6, 6]
    assert data.train.shape == (12, 12, 3)


def test_train_and_test_folders_are_kept_apart(tmp_path: Path, write_folder: Write) -> None:
    write_folder(tmp_path / "train", cats=10, dogs=10)
    write_folder(tmp_path / "test", cats=3, dogs=4)
    data = load(settings(tmp_path))
    assert (len(data.train), len(data.validation), len(data.test)) == (16, 4, 7)


def test_all_three_folders_are_used_as_they_are(tmp_path: Path, write_folder: Write) -> None:
    for part, count in (("train", 5), ("val", 3), ("test", 2)):
        write_folder(tmp_path / part, cats=count, dogs=count)
    data = load(settings(tmp_path))
    assert (len(data.train), len(data.validation), len(data.test)) == (10, 6, 4)


def test_a_val_folder_alone_is_the_test_part_and_that_is_said(tmp_path: Path, write_folder: Write) -> None:
    write_folder(tmp_path / "train", cats=10, dogs=10)
    write_folder(tmp_path / "val", cats=3, dogs=3)
    data = load(settings(tmp_path))
    assert (len(data.train), len(data.validation), len(data.test)) == (16, 4, 6)
    assert any("val/ is used as the test part" in note for note in data.notes)


def test_a_class_may_be_called_train(write_folder: Write) -> None:
    data = load(settings(write_folder(bus=6, train=6)))
    assert data.classes == ("bus", "train")


def test_hidden_files_and_what_macos_leaves_are_passed_over(write_folder: Write) -> None:
    root = write_folder(cats=6, dogs=6)
    for number in range(6):
        (root / "cats" / f"._{number:03d}.png").write_bytes(b"AppleDouble")
    (root / "__MACOSX").mkdir()
    (root / ".git").mkdir()
    data = load(settings(root))
    assert data.classes == ("cats", "dogs")
    assert not data.skipped


def test_a_folder_that_may_not_be_read_is_named(write_folder: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    root = write_folder(cats=6, dogs=6)

    def deny(path: Path) -> object:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "iterdir", deny)
    refused(root, f"cannot read {root}: Permission denied")


def test_an_unreadable_image_is_skipped_named_and_counted(write_folder: Write) -> None:
    root = write_folder(cats=30, dogs=30)
    (root / "cats" / "000.png").write_bytes(b"nonsense")
    spoil(root / "dogs" / "001.png")
    data = load(settings(root))
    assert sorted(Path(image.name).name for image in data.skipped) == ["000.png", "001.png"]
    assert sum(len(split) for split in (data.train, data.validation, data.test)) == 58
    assert any("2 unreadable images" in note for note in data.notes)


def test_what_remains_after_a_skip_is_intact(write_folder: Write) -> None:
    root = write_folder(cats=30, dogs=30)
    whole = load(settings(root))
    spoil(root / "cats" / "005.png")
    rest = load(settings(root))
    expected = {image.tobytes() for split in (whole.train, whole.validation, whole.test) for image in split.images}  # type: ignore[attr-defined]
    found = {image.tobytes() for split in (rest.train, rest.validation, rest.test) for image in split.images}  # type: ignore[attr-defined]
    assert len(found) == 59
    assert found < expected


@pytest.mark.parametrize("breaker", [spoil, lambda file: file.write_bytes(b"nonsense")])
def test_more_than_five_percent_unreadable_are_refused(write_folder: Write, breaker: Callable[[Path], object]) -> None:
    root = write_folder(cats=20, dogs=20)
    for number in range(3):
        breaker(root / "cats" / f"{number:03d}.png")
    refused(root, r"3 of 40 images cannot be read .*000\.png")


def test_an_unreadable_image_met_while_training_is_named(write_folder: Write) -> None:
    root = write_folder(cats=300, dogs=300, size=64)
    data = load(settings(root, memory_limit_mib=1))
    for file in root.rglob("*.png"):
        spoil(file)
    with pytest.raises(UnreadableImageError, match="png"):
        data.train.read(np.arange(1))


def test_folders_without_enough_to_learn_from_are_refused(tmp_path: Path, write_folder: Write) -> None:
    refused(tmp_path, "no class folders")
    refused(tmp_path / "nothing", "no such directory")
    write_folder(cats=5)
    refused(tmp_path, "one class folder; got cats")
    (tmp_path / "dogs").mkdir()
    refused(tmp_path, "dogs holds no images")


def test_three_images_are_too_few(write_folder: Write) -> None:
    refused(write_folder(cats=2, dogs=1), "class 'dogs' has too few images")


def test_a_test_part_with_unknown_classes_is_refused(tmp_path: Path, write_folder: Write) -> None:
    write_folder(tmp_path / "train", cats=5, dogs=5)
    write_folder(tmp_path / "test", cats=5, owls=5)
    refused(tmp_path, "classes that the training part lacks; got owls")


def test_different_sizes_need_a_resolution(tmp_path: Path, write_folder: Write) -> None:
    write_folder(cats=5)
    write_folder(dogs=5, size=20)
    refused(tmp_path, "no common square size.*data.resolution")
    data = load(settings(tmp_path, resolution=16))
    assert data.train.shape == (16, 16, 3)
    assert data.native_size is None


def test_grey_colour_and_transparent_images_mix_and_that_is_said_once(tmp_path: Path, write_folder: Write) -> None:
    write_folder(greys=6, mode="L")
    write_folder(colours=6)
    write_folder(alphas=6, mode="RGBA")
    data = load(settings(tmp_path))
    assert data.channels == 3
    assert sum("white" in note for note in data.notes) == 1
    assert load(settings(tmp_path, channels=1)).train.shape == (12, 12, 1)


def test_a_folder_of_grey_images_stays_grey_unless_asked(write_folder: Write) -> None:
    root = write_folder(a=6, b=6, mode="L")
    assert load(settings(root)).channels == 1
    data = load(settings(root, channels=3))
    assert data.channels == 3
    assert any("repeated" in note for note in data.notes)
