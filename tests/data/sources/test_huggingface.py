"""The mapping from a Hugging Face data set, with a stand-in that has the parts of its interface we use."""

import importlib.util
from typing import Any

import numpy as np
import pytest
from PIL import Image

from edgenas.data import DataSettings, load
from edgenas.data.sources import huggingface
from edgenas.errors import ConfigError, DataError


class ClassLabel:
    names = ("cat", "dog")


class Image_:
    pass


Image_.__name__ = "Image"


class Value:
    pass


class Rows:
    def __init__(self, count: int) -> None:
        self.features: dict[str, Any] = {"id": Value(), "img": Image_(), "label": ClassLabel()}
        self._count = count

    def __len__(self) -> int:
        return self._count

    def select_columns(self, columns: list[str]) -> "Rows":
        assert columns == ["label"]
        return self

    def __getitem__(self, key: Any) -> dict[str, Any]:
        if isinstance(key, slice):
            return {"label": [number % 2 for number in range(self._count)]}
        return {"img": Image.new("RGB", (6, 6), (key, 0, 0))}


def test_parts_become_readers_with_their_labels_and_images() -> None:
    raw = huggingface.from_parts({"train": Rows(10), "test": Rows(4)}, name="x")
    assert raw.classes == ("cat", "dog")
    assert raw.train.labels.tolist() == [0, 1] * 5
    assert raw.test is not None and len(raw.test.labels) == 4
    assert np.array_equal(raw.train.read(7)[0, 0], (7, 0, 0))


def test_a_validation_part_alone_is_the_test_part_and_that_is_said() -> None:
    raw = huggingface.from_parts({"train": Rows(10), "validation": Rows(4)}, name="x")
    assert raw.validation is None and raw.test is not None
    assert raw.notes == ("validation is used as the test part.",)


def test_a_missing_column_or_part_is_refused() -> None:
    rows = Rows(4)
    del rows.features["label"]
    with pytest.raises(DataError, match="exactly one column of type ClassLabel"):
        huggingface.from_parts({"train": rows}, name="x")
    with pytest.raises(DataError, match="no training part"):
        huggingface.from_parts({"all": Rows(4)}, name="x")


@pytest.mark.skipif(importlib.util.find_spec("datasets") is not None, reason="the extra is installed")
def test_without_the_extra_the_message_names_it() -> None:
    with pytest.raises(ConfigError, match=r"pip install 'edgenas\[datasets\]'"):
        load(DataSettings(source="huggingface", path="mnist"))


def test_the_key_follows_the_images_behind_a_name_and_a_broken_one_is_skipped() -> None:
    class Changed(Rows):
        def __getitem__(self, key: Any) -> dict[str, Any]:
            return {"img": Image.new("RGB", (6, 6), (0, key, 0))} if key == 3 else super().__getitem__(key)

    class Broken(Rows):
        def __getitem__(self, key: Any) -> dict[str, Any]:
            if key == 3:
                raise ZeroDivisionError
            return super().__getitem__(key)

    first, same, other, broken = (
        huggingface.from_parts({"train": rows}, name="x").train
        for rows in (Rows(10), Rows(10), Changed(10), Broken(10))
    )
    assert first.key == same.key
    assert len({first.key, other.key, broken.key}) == 3
    with pytest.raises(DataError, match=r"x/train\[3\]: damaged \(ZeroDivisionError\)"):
        broken.read(3)


def test_encoded_images_are_told_by_their_bytes_without_decoding() -> None:
    class Encoded(Image_):
        def __init__(self, decode: bool = True) -> None:
            self.decode = decode

    Encoded.__name__ = "Image"

    class Stored(Rows):
        def __init__(self, count: int) -> None:
            super().__init__(count)
            self.features["img"] = Encoded()
            self.stored = False

        def cast_column(self, column: str, feature: Encoded) -> "Stored":
            assert column == "img" and not feature.decode
            cast = Stored(len(self))
            cast.stored = True
            return cast

        def __getitem__(self, key: Any) -> dict[str, Any]:
            if self.stored:
                return {"img": {"bytes": bytes([key]), "path": None}}
            return super().__getitem__(key)

    reader = huggingface.from_parts({"train": Stored(10)}, name="x").train
    assert reader.kind == "files"
    assert len({reader.content(index) for index in range(10)}) == 10
