"""From settings to three splits: what holds for every source."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from shutil import copy

import numpy as np
import pytest

from edgenas.data import DataSettings, ImageData, load
from edgenas.errors import StoreError

Write = Callable[..., Path]


def parts(data: ImageData) -> list[np.ndarray]:
    return [split.read(np.arange(len(split))) for split in (data.train, data.validation, data.test)]


def test_the_digits_come_as_three_splits_of_all_images() -> None:
    data = load(DataSettings())
    assert sum(len(split) for split in (data.train, data.validation, data.test)) == 1797
    assert data.train.shape == (8, 8, 1)
    assert max(images.max() for images in parts(data)) == 255
    assert data.classes == tuple("0123456789")
    assert data.native_size == (8, 8)


def test_fractions_are_shares_of_all_images() -> None:
    data = load(DataSettings(validation_fraction=0.25, test_fraction=0.5))
    assert len(data.test) == pytest.approx(1797 * 0.5, abs=1)
    assert len(data.validation) == pytest.approx(1797 * 0.25, abs=1)


def test_the_same_settings_give_the_same_splits_and_digest() -> None:
    settings = DataSettings(noise_std=0.1)
    first, second = load(settings), load(settings)
    assert first.digest == second.digest
    assert all(np.array_equal(a, b) for a, b in zip(parts(first), parts(second), strict=True))


@pytest.mark.parametrize(
    "change", [{"seed": 1}, {"noise_std": 0.1}, {"resolution": 10}, {"channels": 3}, {"train_limit": 100}]
)
def test_whatever_changes_the_images_changes_the_digest(change: dict[str, object]) -> None:
    assert load(DataSettings()).digest != load(replace(DataSettings(), **change)).digest  # type: ignore[arg-type]


def test_another_seed_splits_differently() -> None:
    first, second = load(DataSettings()), load(DataSettings(seed=1))
    assert not np.array_equal(first.test.labels, second.test.labels)


def test_another_seed_splits_validation_differently_where_the_test_part_is_given(
    tmp_path: Path, write_folder: Write
) -> None:
    for part, count in (("train", 20), ("test", 3)):
        write_folder(tmp_path / part, a=count, b=count)
    first, second = (load(DataSettings(source="folder", path=str(tmp_path), seed=seed)) for seed in (0, 1))
    assert np.array_equal(parts(first)[2], parts(second)[2])
    assert not np.array_equal(parts(first)[1], parts(second)[1])


def test_limits_hold_and_leave_the_other_splits_alone() -> None:
    whole = load(DataSettings())
    some = load(DataSettings(train_limit=200, validation_limit=50))
    assert (len(some.train), len(some.validation)) == (200, 50)
    assert np.array_equal(whole.test.read(np.arange(9)), some.test.read(np.arange(9)))
    known = {image.tobytes() for image in parts(whole)[0]}
    assert {image.tobytes() for image in parts(some)[0]} <= known


def test_progress_ends_at_the_number_of_images() -> None:
    calls: list[tuple[int, int]] = []
    load(DataSettings(), progress=lambda done, total, _: calls.append((done, total)))
    assert calls[-1] == (1797, 1797)
    assert calls == sorted(calls)


def test_splits_too_large_for_memory_are_lazy_and_hold_the_same_images(write_folder: Write) -> None:
    root = write_folder(a=40, b=40, size=80)
    eager = DataSettings(source="folder", path=str(root), noise_std=0.05)
    lazy = load(replace(eager, memory_limit_mib=1))
    assert any("decoded while training" in note for note in lazy.notes)
    assert not hasattr(lazy.train, "images")
    assert all(np.array_equal(a, b) for a, b in zip(parts(load(eager)), parts(lazy), strict=True))


def test_the_digest_of_files_does_not_depend_on_where_they_lie(tmp_path: Path, write_folder: Write) -> None:
    root = write_folder(tmp_path / "here", a=5, b=5)
    before = load(DataSettings(source="folder", path=str(root))).digest
    root.rename(tmp_path / "there")
    assert load(DataSettings(source="folder", path=str(tmp_path / "there"))).digest == before


def test_images_that_the_source_repeats_across_its_parts_are_counted(tmp_path: Path, write_folder: Write) -> None:
    for part in ("train", "val", "test"):
        write_folder(tmp_path / part, a=5, b=5)
    settings = DataSettings(source="folder", path=str(tmp_path), cache_dir=str(tmp_path / "cache"))
    assert load(replace(settings, cache_dir=None)).notes == ()
    copy(tmp_path / "train" / "a" / "000.png", tmp_path / "val" / "a" / "copy.png")
    copy(tmp_path / "train" / "a" / "001.png", tmp_path / "test" / "b" / "copy.png")
    copy(tmp_path / "val" / "b" / "001.png", tmp_path / "test" / "b" / "copy2.png")
    for data in (load(settings), load(settings)):
        assert any("1 of validation are also in train, 2 of test" in note for note in data.notes)


def test_a_cached_set_is_read_from_its_file_equal_and_not_decoded_again(tmp_path: Path, write_folder: Write) -> None:
    root = write_folder(tmp_path / "images", a=30, b=30)
    (root / "a" / "003.png").write_bytes((root / "a" / "003.png").read_bytes()[:-30])
    plain = DataSettings(source="folder", path=str(root))
    cached = replace(plain, cache_dir=str(tmp_path / "cache"))
    decoded: list[int] = []
    first = load(cached, progress=lambda done, total, _: decoded.append(done))
    again = load(cached, progress=lambda done, total, _: pytest.fail("decoded again"))
    expected = load(plain)
    assert decoded
    for data in (first, again):
        assert data.digest == expected.digest
        assert data.skipped == expected.skipped and len(data.skipped) == 1
        assert all(np.array_equal(a, b) for a, b in zip(parts(data), parts(expected), strict=True))
    assert not hasattr(again.train, "images")


def test_a_changed_setting_or_file_is_not_served_from_the_cache(tmp_path: Path, write_folder: Write) -> None:
    root = write_folder(tmp_path / "images", a=10, b=10)
    settings = DataSettings(source="folder", path=str(root), cache_dir=str(tmp_path / "cache"))
    first = load(settings)
    assert load(replace(settings, resolution=6)).train.shape == (6, 6, 3)
    write_folder(root, b=14)
    assert sum(len(split.labels) for split in (load(settings).train, load(settings).test)) > len(first.train) + len(
        first.test
    )


def test_an_interrupted_preparation_keeps_what_was_finished(tmp_path: Path, write_folder: Write) -> None:
    root = write_folder(tmp_path / "images", a=80, b=80)
    settings = DataSettings(source="folder", path=str(root), cache_dir=str(tmp_path / "cache"))

    def kill(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load(settings, progress=kill)
    totals: list[int] = []
    assert load(settings, progress=lambda _, total, __: totals.append(total)).digest == (
        load(replace(settings, cache_dir=None)).digest
    )
    assert 0 < totals[0] < 160


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="cache directory"):
        load(DataSettings(cache_dir=str(tmp_path / "file" / "cache")))
