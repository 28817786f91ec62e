"""Checking a bundle again: checksums, the files on their runtimes and, with images, every figure of the card.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from edgenas.data import Preprocessing, Split
from edgenas.deploy.bundle.card import Card, FileCard, installed_versions
from edgenas.deploy.bundle.contents import PROBE, Difference, check_contents, is_plain_file, note, serious
from edgenas.deploy.bundle.export import Measure
from edgenas.deploy.runners import can_run, logits_of_split, open_file
from edgenas.errors import EdgenasError, ExportError, explain
from edgenas.formats import FORMATS
from edgenas.measure import ModelFile
from edgenas.reading.json_text import read_json

# int8 kernels of another processor sometimes round the other way. Float kernels differ in the last digits.
_TOLERANCE = {"fp32": 1e-4, "fp16": 1e-2, "int8": 5e-2}
_LATENCY_TOLERANCE = 0.1


def load_card(folder: Path) -> Card:
    """Read the card of a bundle.

    Raises:
        ExportError: There is none, or it is damaged.
    """
    return Card.from_dict(_document(folder))


def _document(folder: Path) -> dict[str, Any]:
    path = folder / "card.json"
    values = read_json(path, what="the card", error=ExportError, remedy=f"Is {folder} a bundle?")
    if not isinstance(values, dict):
        raise ExportError(explain(f"{path} is not a card"))
    return values


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
    document = _document(folder)
    card = Card.from_dict(document)
    found = [*check_contents(folder, card, document), *_versions(card)]
    probe = _probe(folder)
    for entry in card.files:
        # A format that nothing here knows is reported by what opens it.
        if (entry.format not in FORMATS or can_run(entry.format)) and is_plain_file(folder / entry.name):
            found += _file(folder, card, entry, probe, test)
    if measure is not None:
        found += _latencies(folder, card, measure)
    return tuple(found)


def _versions(card: Card) -> Iterator[Difference]:
    here = installed_versions([entry.format for entry in card.files])
    for package, version in card.versions.items():
        if here.get(package) != version:
            what = f"{version} on the card, {here.get(package, 'not installed')} here"
            yield note(package, what)


def _probe(folder: Path) -> NDArray[np.uint8] | None:
    try:
        with np.load(io.BytesIO((folder / "probe.npz").read_bytes()), allow_pickle=False) as archive:
            images: NDArray[np.uint8] = archive["images"]
            return images
    except (OSError, KeyError, ValueError, BadZipFile, EOFError):
        # The file is missing or damaged. The checks of sums and files report that.
        return None


def _file(
    folder: Path, card: Card, entry: FileCard, probe: NDArray[np.uint8] | None, test: Split | None
) -> Iterator[Difference]:
    try:
        predict = open_file((folder / entry.name).read_bytes(), entry.format)
        preprocessing = Preprocessing.from_dict(card.preprocessing)
        if probe is None:
            yield serious(entry.name, f"cannot be judged: {PROBE} is missing or damaged")
        else:
            yield from _compare_probe(entry, predict(preprocessing.apply(probe)))
        if test is not None and entry.test is not None:
            logits = logits_of_split(predict, test, preprocessing)
            accuracy, expected = float((logits.argmax(1) == test.labels).mean()), entry.test.accuracy
            if entry.test.images != len(test):
                what = f"{entry.test.images} test images on the card, {len(test)} here"
                yield note(entry.name, what)
            if accuracy != expected.value:
                what = f"accuracy {expected.value:.6f} on the card, {accuracy:.6f} here"
                outside = not expected.low <= accuracy <= expected.high
                yield Difference(name=entry.name, what=what, serious=outside)
    except EdgenasError as error:
        yield serious(entry.name, str(error))


def _compare_probe(entry: FileCard, logits: NDArray[np.float32]) -> Iterator[Difference]:
    expected = np.array(entry.probe, np.float32)
    if logits.shape != expected.shape:
        what = f"logits {expected.shape} on the card, {logits.shape} here"
        yield serious(entry.name, what)
        return
    error = float(np.abs(logits - expected).max() / max(float(np.abs(expected).max()), 1e-12))
    # NaN must fail every limit.
    if not error <= _TOLERANCE[entry.precision]:
        what = f"logits on probe.npz differ by {error:.2g} of the largest"
        yield serious(entry.name, what)


def _latencies(folder: Path, card: Card, measure: Measure) -> Iterator[Difference]:
    entries = [entry for entry in card.files if entry.latency is not None and is_plain_file(folder / entry.name)]
    models = [
        ModelFile(
            name=entry.name,
            data=(folder / entry.name).read_bytes(),
            file_format=entry.format,
            precision=entry.precision,
        )
        for entry in entries
    ]
    for entry, found in zip(entries, measure(models) if models else (), strict=True):
        assert entry.latency is not None
        ratio = found.latency_ms / entry.latency.latency_ms
        if not abs(ratio - 1) <= _LATENCY_TOLERANCE:
            what = f"latency {entry.latency.latency_ms:.3f} ms on the card, {found.latency_ms:.3f} ms here"
            yield note(entry.name, what)
