"""IDX files, gzipped or not, whole or damaged."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from edgenas.data import DataSettings, load
from edgenas.data.sources.idx import read_idx
from edgenas.errors import DataError

IMAGES = np.random.default_rng(0).integers(0, 256, (20, 5, 5), dtype=np.uint8)
LABELS = np.tile(np.arange(2, dtype=np.uint8), 10)


def encode(array: np.ndarray, type_code: int = 8) -> bytes:
    header = struct.pack(f">HBB{array.ndim}I", 0, type_code, array.ndim, *array.shape)
    return header + array.tobytes()


def write(folder: Path, part: str, count: int = 20, *, zipped: bool = False) -> None:
    for kind, array in (("images-idx3", IMAGES[:count]), ("labels-idx1", LABELS[:count])):
        content = encode(array)
        name = f"{part}-{kind}-ubyte" + (".gz" if zipped else "")
        (folder / name).write_bytes(gzip.compress(content, mtime=0) if zipped else content)


@pytest.mark.parametrize("zipped", [False, True])
def test_the_mnist_family_is_read_with_its_test_part(tmp_path: Path, zipped: bool) -> None:
    write(tmp_path, "train", zipped=zipped)
    write(tmp_path, "t10k", 6, zipped=zipped)
    data = load(DataSettings(source="idx", path=str(tmp_path)))
    assert np.array_equal(data.test.read(np.arange(6))[..., 0], IMAGES[:6])
    assert np.array_equal(data.test.labels, LABELS[:6])
    assert len(data.train) + len(data.validation) == 20
    assert data.channels == 1


def test_names_with_a_prefix_are_found(tmp_path: Path) -> None:
    write(tmp_path, "emnist-letters-train")
    assert len(load(DataSettings(source="idx", path=str(tmp_path))).classes) == 2


def test_letters_numbered_from_1_are_counted_from_0_and_that_is_said(tmp_path: Path) -> None:
    write(tmp_path, "emnist-letters-train")
    (tmp_path / "emnist-letters-train-labels-idx1-ubyte").write_bytes(encode(LABELS + 1))
    data = load(DataSettings(source="idx", path=str(tmp_path)))
    assert set(data.train.labels) == {0, 1}
    assert any("start at 1" in note for note in data.notes)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not an IDX file"),
        (b"\x89PNG....", "not an IDX file"),
        (encode(IMAGES)[:-1], "truncated or damaged"),
        (encode(IMAGES) + b"x", "truncated or damaged"),
        (encode(IMAGES)[:9], "truncated in its header"),
        (encode(IMAGES, type_code=13), "another type"),
        (gzip.compress(encode(IMAGES), mtime=0)[:50], "cannot read"),
    ],
)
def test_a_damaged_file_is_named_with_what_is_wrong(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "x-idx3-ubyte"
    file.write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        read_idx(file)
    assert "x-idx3-ubyte" in str(caught.value)


def test_missing_parts_are_named(tmp_path: Path) -> None:
    settings = DataSettings(source="idx", path=str(tmp_path))
    with pytest.raises(DataError, match="no training images"):
        load(settings)
    (tmp_path / "train-images-idx3-ubyte").write_bytes(encode(IMAGES))
    with pytest.raises(DataError, match="no labels beside it"):
        load(settings)
    with pytest.raises(DataError, match="no such directory"):
        load(DataSettings(source="idx", path=str(tmp_path / "nothing")))


def test_several_sets_in_one_folder_are_refused_by_name(tmp_path: Path) -> None:
    write(tmp_path, "emnist-letters-train")
    write(tmp_path, "emnist-digits-train")
    with pytest.raises(DataError, match="several sets of IDX files; got emnist-digits-train"):
        load(DataSettings(source="idx", path=str(tmp_path)))


def test_test_images_of_another_set_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "emnist-letters-train")
    write(tmp_path, "emnist-digits-test")
    with pytest.raises(DataError, match="are of several sets"):
        load(DataSettings(source="idx", path=str(tmp_path)))


def test_a_packed_copy_beside_a_set_is_the_same_set(tmp_path: Path) -> None:
    write(tmp_path, "train")
    write(tmp_path, "train", zipped=True)
    assert len(load(DataSettings(source="idx", path=str(tmp_path))).classes) == 2


def test_a_packed_file_of_nothing_but_zeros_is_refused_before_it_fills_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgenas.data.sources.idx.MOST_BYTES", 2**20)
    (tmp_path / "x").write_bytes(gzip.compress(encode(np.zeros((64, 512, 512), np.uint8)), mtime=0))
    with pytest.raises(DataError, match="unpacks to far more than it holds"):
        read_idx(tmp_path / "x")
