"""Checkpoints replace each other as a whole."""

import contextlib
import json
import os
from pathlib import Path

import pytest
import torch

from edgenas.errors import StoreError, WeightsError
from edgenas.train.loop.checkpoint import INDEX, TrainCheckpoint, read_checkpoint, require_same, write_checkpoint


def make(value: float) -> TrainCheckpoint:
    return TrainCheckpoint(tensors={"a": torch.full((2, 3), value), "s": torch.tensor(value)}, facts={"epoch": value})


def test_the_last_checkpoint_is_read_and_older_files_are_gone(tmp_path: Path) -> None:
    for number in range(3):
        write_checkpoint(tmp_path / "new", make(float(number)), tag=str(number))
    found = read_checkpoint(tmp_path / "new")
    assert found is not None
    assert torch.equal(found.tensors["a"], torch.full((2, 3), 2.0))
    assert found.facts["epoch"] == 2
    assert sorted(file.name for file in (tmp_path / "new").iterdir()) == ["checkpoint-2.safetensors", INDEX]


def test_no_checkpoint_is_none(tmp_path: Path) -> None:
    assert read_checkpoint(tmp_path) is None


@pytest.mark.parametrize("fatal", [1, 2])
def test_a_writer_that_dies_leaves_the_older_checkpoint_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fatal: int
) -> None:
    write_checkpoint(tmp_path, make(1.0), tag="1")
    replace, calls = os.replace, []

    def die(source: Path, target: Path) -> None:
        calls.append(target)
        if len(calls) == fatal:
            raise OSError(28, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(os, "replace", die)
    with pytest.raises(StoreError, match="No space left"):
        write_checkpoint(tmp_path, make(2.0), tag="2")
    found = read_checkpoint(tmp_path)
    assert found is not None and found.facts["epoch"] == 1.0
    assert torch.equal(found.tensors["s"], torch.tensor(1.0))


@pytest.mark.parametrize("name", ["checkpoint-1.safetensors", INDEX])
@pytest.mark.parametrize("length", [0, 1, 20, -5])
def test_a_checkpoint_that_was_cut_short_is_set_aside_and_said(tmp_path: Path, name: str, length: int) -> None:
    write_checkpoint(tmp_path, make(1.0), tag="1")
    file, notes = tmp_path / name, []
    file.write_bytes(file.read_bytes()[:length])
    assert read_checkpoint(tmp_path, notes=notes) is None
    assert "was broken; it is kept as checkpoint.json.broken-1" in notes[0]
    write_checkpoint(tmp_path, make(2.0), tag="2")
    found = read_checkpoint(tmp_path, notes=notes)
    assert found is not None and found.facts["epoch"] == 2.0 and len(notes) == 1
    assert (tmp_path / f"{name}.broken-1").is_file()


def test_a_checkpoint_of_another_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / INDEX).write_text(json.dumps({"format": 99}))
    with pytest.raises(WeightsError, match="another format; got 99"):
        read_checkpoint(tmp_path)


def test_a_file_that_could_not_be_finished_does_not_stay_on_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="No space left"):
        write_checkpoint(tmp_path, make(1.0), tag="1")
    assert list(tmp_path.iterdir()) == []


def test_what_differs_is_named_and_long_values_only_by_their_name(tmp_path: Path) -> None:
    ours, theirs = {"seed": 1, "data": "a" * 64, "x": 1}, {"seed": 2, "data": "b" * 64, "x": 1, "teacher": "t"}
    with pytest.raises(WeightsError, match=r"other data, seed 2 \(now 1\), teacher t \(now None\)"):
        require_same(ours, theirs, tmp_path, what="training")
    require_same({"limits": (1, 2)}, {"limits": [1, 2]}, tmp_path, what="training")


def test_a_flipped_bit_of_index_or_tensors_is_noticed(tmp_path) -> None:
    write_checkpoint(tmp_path, TrainCheckpoint(tensors={"net.a": torch.arange(4.0)}, facts={"epoch": 12}), tag="1")
    assert read_checkpoint(tmp_path).facts["epoch"] == 12
    contents = {file: file.read_bytes() for file in sorted(tmp_path.iterdir())}
    for file, whole in contents.items():
        for place in range(0, len(whole), 3):
            if whole[place : place + 1].isspace():
                continue
            file.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
            notes: list[str] = []
            # Another format is refused; whatever else is damaged is set aside and said.
            with contextlib.suppress(WeightsError):
                assert read_checkpoint(tmp_path, notes=notes) is None
                assert "was broken" in notes[0]
            for left in tmp_path.iterdir():
                left.unlink()
            for name, content in contents.items():
                name.write_bytes(content)
    assert read_checkpoint(tmp_path) is not None
