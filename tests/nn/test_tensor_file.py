"""Files of arrays and texts."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from edgenas.errors import StoreError, WeightsError
from edgenas.nn.tensor_file import DIGEST_KEY, VERSION_KEY, read_tensors, write_tensors


def test_the_same_content_is_the_same_bytes_and_reads_back_elsewhere(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    arrays = {name: rng.normal(size=(3, 5)).astype(np.float32) for name in "badc"}
    texts = {f"key {number}": f"\u00e4 \u4e16 {number}" for number in range(20)}
    written = set()
    for _ in range(4):
        write_tensors(tmp_path / "a.safetensors", arrays, dict(rng.permutation(list(texts.items())).tolist()))
        written.add((tmp_path / "a.safetensors").read_bytes())
    assert len(written) == 1
    with safe_open(tmp_path / "a.safetensors", framework="numpy") as file:
        written_texts = file.metadata()
        assert {key: written_texts.pop(key) for key in (VERSION_KEY, DIGEST_KEY)}[VERSION_KEY] == "2"
        assert written_texts == texts
        assert all(np.array_equal(file.get_tensor(name), array) for name, array in arrays.items())


def test_a_file_that_cannot_be_written_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot write"):
        write_tensors(tmp_path / "missing" / "a.safetensors", {"a": np.zeros(2, np.float32)}, {"b": "c"})


def _file(tmp_path: Path) -> Path:
    path = tmp_path / "a.safetensors"
    arrays = {"first": np.arange(6, dtype=np.float32).reshape(2, 3), "second": np.ones(2, np.float32)}
    write_tensors(path, arrays, {"edgenas.space": "tiny", "note": "n"})
    return path


def test_what_was_written_is_read(tmp_path: Path) -> None:
    found = read_tensors(_file(tmp_path), what="the file")
    assert found.metadata == {"edgenas.space": "tiny", "note": "n"}
    assert found.arrays["first"].tolist() == [[0, 1, 2], [3, 4, 5]]


def test_any_flipped_bit_is_noticed(tmp_path: Path) -> None:
    path = _file(tmp_path)
    whole = path.read_bytes()
    expected = read_tensors(path, what="the file")
    for place in range(len(whole)):
        for bit in (0, 3, 5, 7):
            broken = bytearray(whole)
            broken[place] ^= 1 << bit
            path.write_bytes(broken)
            try:
                found = read_tensors(path, what="the file")
            except WeightsError:
                continue
            # A blank more in the padding of the header means the same.
            assert found.metadata == expected.metadata, place
            assert all(np.array_equal(found.arrays[name], array) for name, array in expected.arrays.items()), place


@pytest.mark.parametrize("length", [0, 4, 8, 100, -1])
def test_a_truncated_file_is_refused(tmp_path: Path, length: int) -> None:
    path = _file(tmp_path)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(WeightsError, match="cannot read the file"):
        read_tensors(path, what="the file")


def test_a_file_of_an_older_version_loads_with_a_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The call itself is recorded: libraries that configure logging switch loggers off that were there before.
    said: list[str] = []
    monkeypatch.setattr(logging.getLogger("edgenas"), "warning", lambda text, *values: said.append(text % values))
    save_file({"a": np.zeros(2, np.float32)}, tmp_path / "old.safetensors", metadata={"edgenas.architecture": "x"})
    assert read_tensors(tmp_path / "old.safetensors", what="the file").metadata == {"edgenas.architecture": "x"}
    assert len(said) == 1 and "carries no digest" in said[0]


def test_numbers_of_another_type_are_refused(tmp_path: Path) -> None:
    save_file({"a": np.zeros(2, np.float64)}, tmp_path / "wide.safetensors")
    with pytest.raises(WeightsError, match="a as float64; allowed: float32"):
        read_tensors(tmp_path / "wide.safetensors", what="the file")


def test_a_path_that_is_none_is_refused() -> None:
    for path in ("a\0b", "x" * 5000):
        with pytest.raises(WeightsError, match="is not usable"):
            read_tensors(Path(path), what="the file")
