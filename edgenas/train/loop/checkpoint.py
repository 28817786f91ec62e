"""Checkpoints of a training: tensors in safetensors, the rest in JSON, replaced as one.

`checkpoint.json` names its tensor file and is put in place last, by renaming. So a run that is killed at any moment
leaves the older checkpoint whole.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from edgenas import atomic
from edgenas.errors import StoreError, WeightsError, explain
from edgenas.reading.files import read_bytes
from edgenas.reading.json_text import plain_text, plain_value, read_json

INDEX = "checkpoint.json"
# Weights, their average and two moments of the largest networks that fit a workstation.
TENSOR_BYTES = 64 * 2**30
# Since format 3 the index carries digests of the tensor file and of itself.
FORMAT = 3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainCheckpoint:
    """The state of a training between two steps.

    Attributes:
        tensors: All tensors under one name each.
        facts: Everything else, plain values.
    """

    tensors: Mapping[str, Tensor]
    facts: Mapping[str, Any]

    def groups(self) -> defaultdict[str, dict[str, Tensor]]:
        """Return tensors named GROUP.NAME by group and name."""
        found: defaultdict[str, dict[str, Tensor]] = defaultdict(dict)
        for key, value in self.tensors.items():
            group, name = key.split(".", 1)
            found[group][name] = value
        return found


def write_checkpoint(folder: Path, checkpoint: TrainCheckpoint, *, tag: str) -> None:
    """Write a checkpoint and delete the one before.

    Args:
        folder: Made where it does not exist.
        checkpoint: What to write.
        tag: Distinguishes the tensor file from that of the checkpoint before.

    Raises:
        StoreError: The folder cannot be written; the checkpoint before is untouched.
    """
    name = f"checkpoint-{tag}.safetensors"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tensors = {
            key: value.detach().cpu().clone(memory_format=torch.contiguous_format)
            for key, value in checkpoint.tensors.items()
        }
        data = safetensors.torch.save(tensors)
        atomic.write_bytes(folder / name, data)
        facts = {**checkpoint.facts, "format": FORMAT, "tensors": name, "sha256": hashlib.sha256(data).hexdigest()}
        facts["digest"] = _facts_digest(facts)
        atomic.write_json(folder / INDEX, facts)
        for old in folder.glob("checkpoint-*.safetensors"):
            if old.name != name:
                old.unlink()
    except OSError as error:
        raise StoreError(
            explain(f"cannot write a checkpoint to {folder}: {error.strerror}", remedy=atomic.remedy_for(error))
        ) from error


class _Broken(WeightsError):
    """A checkpoint that was cut short or damaged."""


def read_checkpoint(folder: Path, *, notes: list[str] | None = None) -> TrainCheckpoint | None:
    """Return the checkpoint of a folder, or None where there is none.

    A truncated or damaged checkpoint is renamed and kept; the training then begins anew.

    Args:
        folder: Where `write_checkpoint` wrote it.
        notes: Gets a sentence where one was set aside.

    Raises:
        WeightsError: It is of another format, or damaged on a disk that cannot be written.
    """
    index = folder / INDEX
    if not index.is_file():
        return None
    try:
        return _read(folder, index)
    except _Broken as error:
        kept = _set_aside(folder, error)
    if notes is not None:
        notes.append(f"The checkpoint {index} was broken; it is kept as {kept.name}, and the training began anew.")
    return None


def _set_aside(folder: Path, cause: WeightsError) -> Path:
    try:
        for file in folder.glob("checkpoint-*.safetensors"):
            atomic.set_aside(file)
        return atomic.set_aside(folder / INDEX)
    except OSError:
        raise cause from None


def _read(folder: Path, index: Path) -> TrainCheckpoint:
    remedy = "Delete the folder."
    try:
        facts = read_json(index, what="the checkpoint", error=WeightsError, remedy=remedy)
    except WeightsError as error:
        raise _Broken(f"checkpoint {index} is broken: {error}") from error
    if not isinstance(facts, dict) or facts.get("format") != FORMAT:
        got = facts.get("format") if isinstance(facts, dict) else type(facts).__name__
        raise WeightsError(explain(f"{index} has another format", got=got, allowed=FORMAT, remedy=remedy))
    try:
        file = folder / Path(facts["tensors"]).name
        data = read_bytes(file, what="the tensors", error=_Broken, limit=TENSOR_BYTES, remedy=remedy)
        if not _whole(facts, data):
            raise _Broken(explain(f"checkpoint {index} is broken: its digest does not match", remedy=remedy))
        tensors = safetensors.torch.load(data)
    except (OSError, ValueError, KeyError, TypeError, safetensors.SafetensorError) as error:
        raise _Broken(explain(f"checkpoint {index} is broken: {error}", remedy=remedy)) from error
    return TrainCheckpoint(tensors=tensors, facts=facts)


def _whole(facts: Mapping[str, Any], data: bytes) -> bool:
    """Whether index and tensors are as they were written."""
    return facts["sha256"] == hashlib.sha256(data).hexdigest() and facts["digest"] == _facts_digest(facts)


def _facts_digest(facts: Mapping[str, Any]) -> str:
    """SHA-256, hex, over everything that an index says but this digest itself."""
    content = {name: value for name, value in facts.items() if name != "digest"}
    # The facts as JSON gives them back: a tuple becomes a list, and a whole number as a key becomes a text.
    return hashlib.sha256(plain_text(plain_value(plain_text(content)), sort_keys=True).encode()).hexdigest()


def require_same(ours: Mapping[str, Any], theirs: Mapping[str, Any], folder: Path, *, what: str) -> None:
    """Check that a checkpoint belongs to a training.

    Args:
        ours: What may not differ, plain values by name.
        theirs: The same of the checkpoint, as JSON gave it.
        folder: Of the checkpoint.
        what: Kind of training.

    Raises:
        WeightsError: Something differs.
    """
    plain = plain_value(plain_text(ours))
    different = sorted(name for name in {*plain, *theirs} if theirs.get(name) != plain.get(name))
    if different:
        raise WeightsError(
            explain(
                f"the checkpoint in {folder} belongs to another {what}",
                got=", ".join(_change(name, theirs.get(name), plain.get(name)) for name in different[:4]),
                remedy="Name another folder, or delete this one to start anew.",
            )
        )


def _change(name: str, before: object, now: object) -> str:
    """Describe a difference. Digests and whole sections are only named."""
    told = f"{name} {before} (now {now})"
    return told if len(told) <= 80 else f"other {name}"


def last_state(folder: Path | None) -> str:
    """Return a sentence for errors that says where the last good state of a training is; empty if none was kept."""
    return "" if folder is None or not (folder / INDEX).is_file() else f" The last good state is kept in {folder}."
