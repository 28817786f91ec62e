"""Files of arrays and texts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

from edgenas.errors import StoreError
from edgenas.nn.tensor_file import write_tensors


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
        assert file.metadata() == texts
        assert all(np.array_equal(file.get_tensor(name), array) for name, array in arrays.items())


def test_a_file_that_cannot_be_written_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot write"):
        write_tensors(tmp_path / "missing" / "a.safetensors", {"a": np.zeros(2, np.float32)}, {"b": "c"})
