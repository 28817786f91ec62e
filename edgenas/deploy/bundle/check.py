"""Checking a bundle again: sums, files on their runtimes, and where images are given, every figure of the card."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgenas.data import Preprocessing, Split
from edgenas.deploy.bundle.card import Card, FileCard, installed_versions
from edgenas.deploy.bundle.export import Measure
from edgenas.deploy.runners import can_run, logits_of_split, open_file
from edgenas.errors import EdgenasError, ExportError, explain
from edgenas.measure import ModelFile

# int8 kernels of another processor may round the other way now and then; float kernels differ in the last digits.
_TOLERANCE = {"fp32": 1e-4, "fp16": 1e-2, "int8": 5e-2}
_LATENCY_TOLERANCE = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Something that is not as the card says.

    Attributes:
        name: Of the file, or of what differs.
        what: In words.
        serious: Whether the bundle is not to be trusted; False for another version, machine or speed.
    """

    name: str
    what: str
    serious: bool


def load_card(folder: Path) -> Card:
    """Read the card of a bundle.

    Raises:
        ExportError: There is none, or it is damaged.
    """
    try:
        values = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ExportError(explain(f"{folder} holds no readable card.json", got=str(error))) from error
    if not isinstance(values, dict):
        raise ExportError(explain(f"{folder / 'card.json'} is not a card"))
    return Card.from_dict(values)


def check_bundle(folder: Path, *, test: Split | None = None, measure: Measure | None = None) -> tuple[Difference, ...]:
    """Run all of a bundle again and say what differs.

    Args:
        folder: The bundle.
        test: The test images; None judges by the images in `probe.npz` alone.
        measure: Measures the files, such as `edgenas.measure.measure_files`; None leaves latency out.

    Returns:
        Nothing where everything is as the card says.

    Raises:
        ExportError: It is no bundle.
    """
    card = load_card(folder)
    found = [*_sums(folder), *_versions(card)]
    probe = _probe(folder)
    for entry in card.files:
        if can_run(entry.format) and (folder / entry.name).is_file():
            found += _file(folder, card, entry, probe, test)
    if measure is not None:
        found += _latencies(folder, card, measure)
    return tuple(found)


def _sums(folder: Path) -> Iterator[Difference]:
    try:
        lines = (folder / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    except OSError:
        yield Difference(name="SHA256SUMS", what="is missing", serious=True)
        return
    for line in lines:
        digest, _, name = line.partition("  ")
        path = folder / name
        if not path.is_file():
            yield Difference(name=name, what="is missing", serious=True)
        elif hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            yield Difference(name=name, what="was changed (another SHA-256)", serious=True)
    listed = {line.partition("  ")[2] for line in lines} | {"SHA256SUMS"}
    for path in sorted(folder.iterdir()):
        if path.name not in listed:
            yield Difference(name=path.name, what="is not listed in SHA256SUMS", serious=False)


def _versions(card: Card) -> Iterator[Difference]:
    here = installed_versions()
    for package, version in card.versions.items():
        if here.get(package) != version:
            what = f"{version} on the card, {here.get(package, 'not installed')} here"
            yield Difference(name=package, what=what, serious=False)


def _probe(folder: Path) -> NDArray[np.uint8] | None:
    try:
        with np.load(io.BytesIO((folder / "probe.npz").read_bytes()), allow_pickle=False) as archive:
            images: NDArray[np.uint8] = archive["images"]
            return images
    except (OSError, KeyError, ValueError):
        # Missing or damaged: the sums say so.
        return None


def _file(
    folder: Path, card: Card, entry: FileCard, probe: NDArray[np.uint8] | None, test: Split | None
) -> Iterator[Difference]:
    try:
        predict = open_file((folder / entry.name).read_bytes(), entry.format)
        preprocessing = Preprocessing.from_dict(card.preprocessing)
        if probe is not None and entry.probe:
            yield from _compare_probe(entry, predict(preprocessing.apply(probe)))
        if test is not None and entry.test is not None:
            logits = logits_of_split(predict, test, preprocessing)
            accuracy, expected = float((logits.argmax(1) == test.labels).mean()), entry.test.accuracy
            if entry.test.images != len(test):
                what = f"{entry.test.images} test images on the card, {len(test)} here"
                yield Difference(name=entry.name, what=what, serious=False)
            if accuracy != expected.value:
                what = f"accuracy {expected.value:.6f} on the card, {accuracy:.6f} here"
                outside = not expected.low <= accuracy <= expected.high
                yield Difference(name=entry.name, what=what, serious=outside)
    except EdgenasError as error:
        yield Difference(name=entry.name, what=str(error), serious=True)


def _compare_probe(entry: FileCard, logits: NDArray[np.float32]) -> Iterator[Difference]:
    expected = np.array(entry.probe, np.float32)
    if logits.shape != expected.shape:
        what = f"logits {expected.shape} on the card, {logits.shape} here"
        yield Difference(name=entry.name, what=what, serious=True)
        return
    error = float(np.abs(logits - expected).max() / max(float(np.abs(expected).max()), 1e-12))
    if error > _TOLERANCE[entry.precision]:
        what = f"logits on probe.npz differ by {error:.2g} of the largest"
        yield Difference(name=entry.name, what=what, serious=True)


def _latencies(folder: Path, card: Card, measure: Measure) -> Iterator[Difference]:
    entries = [entry for entry in card.files if entry.latency is not None and (folder / entry.name).is_file()]
    models = [
        ModelFile(
            name=entry.name,
            data=(folder / entry.name).read_bytes(),
            file_format=entry.format,  # type: ignore[arg-type]
            precision=entry.precision,
        )
        for entry in entries
    ]
    for entry, found in zip(entries, measure(models) if models else (), strict=True):
        assert entry.latency is not None
        ratio = found.latency_ms / entry.latency.latency_ms
        if abs(ratio - 1) > _LATENCY_TOLERANCE:
            what = f"latency {entry.latency.latency_ms:.3f} ms on the card, {found.latency_ms:.3f} ms here"
            yield Difference(name=entry.name, what=what, serious=False)
