"""The card of a bundle: its files with their accuracy and latency, as one frozen value that becomes card.json."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgenas.arch import Architecture
from edgenas.deploy.accuracy import Comparison, Interval
from edgenas.errors import ExportError, explain
from edgenas.formats import FORMATS
from edgenas.latency.device import PRECISIONS
from edgenas.markup import html_table
from edgenas.reading.json_text import json_text
from edgenas.reading.typed import read_value
from edgenas.text import printable, require_safe_name

FORMAT, VERSION = "edgenas-card", 1
_PACKAGES = ("edgenas", "numpy", "torch")


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Latency of a file on the device.

    Attributes:
        latency_ms: Mean over fresh sessions.
        low_ms, high_ms: Fastest and slowest session.
        standard_error_ms: Between sessions.
        runtime: Name and version of what ran it.
        threads: Threads within one operation.
    """

    latency_ms: float
    low_ms: float
    high_ms: float
    standard_error_ms: float
    runtime: str
    threads: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FileCard:
    """One file of a bundle.

    Attributes:
        name, format, precision, scheme: As in the recipe; the scheme in full.
        bytes: Size.
        sha256: Of its content.
        test, validation: Against torch; None for formats that cannot run here.
        latency: None where it was not measured.
        kernels: Counts of kernels in the runtime's own graph.
        steps: What was done to quantise it.
        float_ops: Operations of an int8 file that stay in floating point.
        trials: Ways of quantising that were tried, with the accuracy that each lost on validation, in points.
        diagnosis: The operations that lose most: name, noise in the logits, share of changed classes.
        warnings: What a user must know, one sentence each; bold in the text.
        probe: Logits on the images of `probe.npz`, (P, K); empty for formats that cannot run here.
    """

    name: str
    format: str
    precision: str
    scheme: str
    bytes: int
    sha256: str
    test: Comparison | None
    validation: Comparison | None
    latency: Latency | None
    kernels: Mapping[str, Any]
    steps: tuple[str, ...]
    float_ops: tuple[str, ...]
    trials: tuple[tuple[str, float], ...]
    diagnosis: tuple[tuple[str, float, float], ...]
    warnings: tuple[str, ...]
    probe: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A bundle in words and numbers.

    Attributes:
        identity: Digest of architecture, weights, preprocessing and labels; also stored inside every file.
        recipe: Name of the recipe.
        architecture: Its JSON document.
        notation: Its short form.
        macs, params: Its counts.
        weights_sha256: Digest of the float weights.
        labels: Names of the classes.
        preprocessing: Plain values of `Preprocessing`.
        data, training: Facts that the trainer of the network gave.
        torch_test, torch_validation: Accuracy of the torch module.
        torch_probe: Its logits on the images of `probe.npz`.
        files: One entry for each model file.
        device: Plain values of the machine it was made and measured on.
        versions: Of the packages used.
        created: UTC, ISO 8601.
        probe_sha256: Of `probe.npz`.
        left_out: Files of the recipe that could not be made: name and reason.
    """

    identity: str
    recipe: str
    architecture: Mapping[str, Any]
    notation: str
    macs: int
    params: int
    weights_sha256: str
    labels: tuple[str, ...]
    preprocessing: Mapping[str, Any]
    data: Mapping[str, Any]
    training: Mapping[str, Any]
    torch_test: Interval
    torch_validation: Interval
    torch_probe: tuple[tuple[float, ...], ...]
    files: tuple[FileCard, ...]
    device: Mapping[str, Any]
    versions: Mapping[str, str]
    created: str
    probe_sha256: str = ""
    left_out: tuple[tuple[str, str], ...] = ()

    def file(self, name: str) -> FileCard:
        """Return the entry of a file.

        Raises:
            ExportError: The bundle has no such file.
        """
        for entry in self.files:
            if entry.name == name:
                return entry
        known = ", ".join(entry.name for entry in self.files)
        raise ExportError(explain("the bundle has no such file", got=name, allowed=known))

    @property
    def warnings(self) -> tuple[str, ...]:
        """Warnings of all files, those that were left out first."""
        missing = (f"{name} was left out: {reason}" for name, reason in self.left_out)
        return (*missing, *(f"{entry.name}: {text}" for entry in self.files for text in entry.warnings))

    def __repr__(self) -> str:
        files = printable(", ".join(entry.name for entry in self.files))
        return f"Card({100 * self.torch_test.value:.2f} % test in torch, {files}, {len(self.warnings)} warnings)"

    def _repr_html_(self) -> str:
        rows: list[tuple[object, ...]] = [("torch", f"{100 * self.torch_test.value:.2f} %", "", "", "")]
        for entry in self.files:
            tested, latency = entry.test, entry.latency
            rows.append(
                (
                    entry.name,
                    f"{100 * tested.accuracy.value:.2f} %" if tested else "not judged here",
                    f"{100 * tested.top1_agreement:.2f} %" if tested else "",
                    f"{latency.latency_ms:.4f}" if latency else "",
                    f"{entry.bytes / 1024:,.1f}",
                )
            )
        columns = ("file", "test accuracy", "agrees with torch", "latency, ms", "KiB")
        return html_table(columns, rows, title=self.notation, note=" ".join(self.warnings))

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        plain = {name: getattr(self, name) for name in self.__dataclass_fields__}
        plain["torch_test"], plain["torch_validation"] = self.torch_test.to_dict(), self.torch_validation.to_dict()
        plain["files"] = [_file_to_dict(entry) for entry in self.files]
        document = {"format": FORMAT, "version": VERSION, **plain}
        return {**document, "digest": digest_of(document)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Card:
        """Read what `to_dict` wrote.

        Raises:
            ExportError: It is not a card, or of another version.
        """
        plain = {name: value for name, value in values.items() if name != "digest"}
        if (plain.pop("format", None), plain.pop("version", None)) != (FORMAT, VERSION):
            raise ExportError(explain("not a card of this version", allowed=f"{FORMAT} {VERSION}"))
        card = read_value(cls, plain, source="the card", error=ExportError)
        _require_plausible(card)
        return card


def _file_to_dict(entry: FileCard) -> dict[str, Any]:
    plain: dict[str, Any] = {name: getattr(entry, name) for name in entry.__dataclass_fields__}
    for name in ("test", "validation"):
        plain[name] = plain[name].to_dict() if plain[name] is not None else None
    latency = entry.latency
    plain["latency"] = {name: getattr(latency, name) for name in latency.__dataclass_fields__} if latency else None
    return plain


def _require_plausible(card: Card) -> None:
    """Refuse a card of which a check could not find the files, or tell them apart."""
    for entry in card.files:
        require_safe_name(entry.name, "the name of a file on the card", error=ExportError)
        if entry.precision not in PRECISIONS:
            raise ExportError(
                explain("the card is damaged: unknown precision", got=entry.precision, allowed=", ".join(PRECISIONS))
            )
        if entry.latency is not None and not entry.latency.latency_ms > 0:
            raise ExportError(explain("the card is damaged: a latency is not positive", got=entry.latency.latency_ms))
    names = [entry.name for entry in card.files]
    if len(set(names)) != len(names):
        raise ExportError(explain("the card is damaged: two files have one name", got=", ".join(names)))


def identity_of(
    architecture: Architecture, weights_sha256: str, preprocessing: Mapping[str, Any], labels: Sequence[str]
) -> str:
    """Digest of architecture, weights, preprocessing and labels: what a network is."""
    return digest_of(
        {
            "architecture": architecture.digest,
            "weights": weights_sha256,
            "preprocessing": dict(preprocessing),
            "labels": list(labels),
        }
    )


def probe_rows(logits: NDArray[np.float32]) -> tuple[tuple[float, ...], ...]:
    """Logits as rows of plain numbers, six digits each."""
    return tuple(tuple(float(f"{value:.6g}") for value in row) for row in logits)


def digest_of(values: object) -> str:
    """SHA-256 of plain values in their canonical JSON form."""
    text = json_text(values, what="an identity", sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def weights_digest(weights: Mapping[str, NDArray[np.float32]]) -> str:
    """SHA-256 over names, shapes and values."""
    total = hashlib.sha256()
    for name in sorted(weights):
        array = np.ascontiguousarray(weights[name], dtype="<f4")
        total.update(f"{name}{array.shape}".encode())
        total.update(array.tobytes())
    return total.hexdigest()


def installed_versions(formats: Collection[str] = ()) -> dict[str, str]:
    """Versions of the packages that shape the files and run them.

    Args:
        formats: Of the files; those of edgenas always count.
    """
    known = [name for name in FORMATS if FORMATS.origin(name) == "edgenas" or name in formats]
    packages = (*_PACKAGES, *(package for name in known for package in FORMATS[name].versions))
    found = {}
    for package in dict.fromkeys(packages):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    if "edgenas" not in found:
        from edgenas.version import __version__

        found["edgenas"] = __version__
    return found
