"""Array files, good and bad."""

from pathlib import Path

import numpy as np
import pytest

from edgenas.data import DataSettings, load
from edgenas.errors import DataError

LABELS = np.repeat(np.arange(3), 10)
IMAGES = np.random.default_rng(0).integers(0, 256, (30, 8, 8, 3), dtype=np.uint8)


def settings(path: Path) -> DataSettings:
    return DataSettings(source="npz", path=str(path))


def refused(path: Path, message: str) -> None:
    with pytest.raises(DataError, match=message):
        load(settings(path))


def test_a_single_file_is_split_in_three(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", images=IMAGES, labels=LABELS, classes=np.array(["a", "b", "c"]))
    data = load(settings(tmp_path / "x.npz"))
    assert data.classes == ("a", "b", "c")
    assert [len(split) for split in (data.train, data.validation, data.test)] == [18, 6, 6]
    found = np.concatenate([split.read(np.arange(len(split))) for split in (data.train, data.validation, data.test)])
    assert sorted(image.tobytes() for image in found) == sorted(image.tobytes() for image in IMAGES)


def test_a_test_file_is_kept_apart_as_it_is(tmp_path: Path) -> None:
    np.savez(tmp_path / "train.npz", images=IMAGES, labels=LABELS)
    np.savez(tmp_path / "test.npz", images=IMAGES[::3], labels=LABELS[::3])
    data = load(settings(tmp_path))
    assert np.array_equal(data.test.read(np.arange(10)), IMAGES[::3])
    assert len(data.train) + len(data.validation) == 30


def test_grey_images_may_lack_the_channel_axis(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", images=IMAGES[..., 0], labels=LABELS)
    assert load(settings(tmp_path / "x.npz")).train.shape == (8, 8, 1)


def test_pickled_objects_are_refused_with_the_reason(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", images=np.array([IMAGES[0], None], object), labels=LABELS[:2])
    refused(tmp_path / "x.npz", "pickled objects, which are never loaded")


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (IMAGES.astype(np.float32), LABELS, "float32.*uint8"),
        (IMAGES.transpose(0, 3, 1, 2), LABELS, "wrong shape"),
        (IMAGES[0], LABELS, "30 labels"),
        (IMAGES, LABELS[:-1], "30 images but 29 labels"),
        (IMAGES, LABELS.astype(float), "not class numbers"),
        (IMAGES, LABELS[:, None], "not class numbers"),
        (IMAGES, LABELS - 1, "out of range; got -1 to 1"),
        (IMAGES, np.where(LABELS == 1, 5, LABELS), "the training part of .* no images of 3 of 6 classes; got 1, 3, 4"),
        (IMAGES, np.zeros(30, int), "single class"),
        (IMAGES[:3], LABELS[[0, 10, 20]], "too few images"),
        (IMAGES[:0], LABELS[:0], "no images"),
    ],
)
def test_bad_arrays_are_refused_with_what_is_wrong(
    tmp_path: Path, images: np.ndarray, labels: np.ndarray, message: str
) -> None:
    np.savez(tmp_path / "x.npz", images=images, labels=labels)
    refused(tmp_path / "x.npz", message)


def test_labels_beyond_the_named_classes_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", images=IMAGES, labels=LABELS, classes=np.array(["a", "b"]))
    refused(tmp_path / "x.npz", "out of range; got 0 to 2; allowed: 0 to 1 for 2 classes")


def test_labels_of_the_test_part_are_checked_too(tmp_path: Path) -> None:
    np.savez(tmp_path / "train.npz", images=IMAGES, labels=LABELS)
    np.savez(tmp_path / "test.npz", images=IMAGES, labels=LABELS + 1)
    refused(tmp_path, r"\(test\) are out of range")


def test_missing_files_and_arrays_are_named(tmp_path: Path) -> None:
    refused(tmp_path / "nothing.npz", "no such file")
    refused(tmp_path, "no train.npz")
    np.savez(tmp_path / "x.npz", images=IMAGES)
    refused(tmp_path / "x.npz", "lacks labels")


@pytest.mark.parametrize("content", [b"", b"not an archive", b"PK\x03\x04 cut off"])
def test_a_broken_file_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.npz").write_bytes(content)
    refused(tmp_path / "x.npz", "x.npz")


def test_a_plain_npy_under_another_name_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", IMAGES)
    (tmp_path / "x.npy").rename(tmp_path / "x.npz")
    refused(tmp_path / "x.npz", "not a usable .npz")


def test_class_names_as_bytes_are_texts(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", images=IMAGES, labels=LABELS, classes=np.array([b"cat", "hünd".encode(), b"owl"]))
    assert load(settings(tmp_path / "x.npz")).classes == ("cat", "hünd", "owl")


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (np.array(["cat", "dog", "cat"]), "several classes of one name; got cat"),
        (np.array([b"cat", b"\xff\xfe", b"owl"]), "not UTF-8"),
        (np.array([["cat", "dog", "owl"]]), "no names"),
        (np.array([0.5, 1.5, 2.5]), "no names"),
    ],
)
def test_class_names_that_are_none_are_refused(tmp_path: Path, classes: np.ndarray, message: str) -> None:
    np.savez(tmp_path / "x.npz", images=IMAGES, labels=LABELS, classes=classes)
    refused(tmp_path / "x.npz", message)


def test_a_test_part_that_lacks_a_class_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "train.npz", images=IMAGES, labels=LABELS)
    np.savez(tmp_path / "test.npz", images=IMAGES[:20], labels=LABELS[:20])
    refused(tmp_path, "the test part has no images of 1 of 3 classes; got 2")


def test_an_archive_that_unpacks_to_gigabytes_is_refused_before_it_is_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgenas.data.sources.npz.MOST_BYTES", 2**20)
    np.savez_compressed(tmp_path / "x.npz", images=np.zeros((30, 500, 500, 3), np.uint8), labels=LABELS)
    assert (tmp_path / "x.npz").stat().st_size < 2**16

    def explode(*_: object, **__: object) -> None:
        raise AssertionError("unpacked")

    monkeypatch.setattr("numpy.lib.format.read_array", explode)
    refused(tmp_path / "x.npz", "unpacks to far more than it holds; got 21 MiB")


def test_an_array_that_promises_terabytes_is_refused(tmp_path: Path) -> None:
    import io
    import zipfile

    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        stream, {"descr": "|u1", "fortran_order": False, "shape": (10**6, 10**3, 10**3, 3)}
    )
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("images.npy", stream.getvalue() + b"\0" * 100)
        labels = io.BytesIO()
        np.save(labels, LABELS)
        archive.writestr("labels.npy", labels.getvalue())
    refused(tmp_path / "x.npz", "promises more than there is")
