"""Whether a bundle holds what its card says: names, sizes, digests, and the texts that follow from the card."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgenas.arch import lower
from edgenas.arch.document import from_document
from edgenas.arch.notation import format_notation
from edgenas.cost import macs, params
from edgenas.deploy.bundle.card import Card, digest_of, identity_of, installed_versions
from edgenas.deploy.bundle.texts import texts_of
from edgenas.errors import EdgenasError, ExportError, explain
from edgenas.text import printable

SUMS = "SHA256SUMS"
PROBE = "probe.npz"


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


def serious(name: str, what: str) -> Difference:
    """A difference that makes the bundle untrustworthy. Text from the bundle is made printable."""
    return Difference(name=printable(name)[:200], what=printable(what), serious=True)


def note(name: str, what: str) -> Difference:
    """A difference that a user may want to know."""
    return Difference(name=printable(name)[:200], what=printable(what), serious=False)


def check_contents(folder: Path, card: Card, document: dict[str, Any]) -> Iterator[Difference]:
    """Compare the files of a bundle, without running any, with its sums and its card.

    Args:
        folder: The bundle.
        card: Its card.
        document: The JSON that the card was read from.

    Raises:
        ExportError: The card holds values of other types than a card's.
    """
    texts = _texts_from(card)
    expected = {"card.json", PROBE, SUMS, *texts, *(entry.name for entry in card.files)}
    yield from _sums(folder, expected)
    for name in sorted(expected):
        if not is_plain_file(folder / name):
            yield serious(name, "is missing, or a link")
    yield from _model_files(folder, card)
    if card.probe_sha256 and is_plain_file(folder / PROBE) and _digest(folder / PROBE) != card.probe_sha256:
        yield serious(PROBE, "is not the file of the card (another SHA-256)")
    yield from _texts(folder, card, texts)
    yield from _card(card, document)


def _texts_from(card: Card) -> dict[str, bytes]:
    try:
        return {name: text.encode() for name, text in texts_of(card).items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ExportError(explain("the card is damaged", got=f"{type(error).__name__}: {error}")) from error


def is_plain_file(path: Path) -> bool:
    """Whether a path is a file of its own, and no link to another."""
    return path.is_file() and not path.is_symlink()


def _sums(folder: Path, expected: set[str]) -> Iterator[Difference]:
    try:
        lines = (folder / SUMS).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        lines = []
    listed = dict.fromkeys((line.partition("  ")[2] for line in lines), "")
    if len(listed) != len(lines):
        yield serious(SUMS, "names a file twice")
    for line in lines:
        digest, _, name = line.partition("  ")
        if name not in expected:
            yield serious(name, f"is listed in {SUMS} and belongs to no bundle")
        elif is_plain_file(folder / name) and _digest(folder / name) != digest:
            yield serious(name, "was changed (another SHA-256)")
    for name in sorted(expected - set(listed) - {SUMS}):
        yield serious(name, f"is not listed in {SUMS}")
    for path in sorted(folder.iterdir()):
        if path.name not in expected:
            yield note(path.name, f"is not listed in {SUMS}")


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _model_files(folder: Path, card: Card) -> Iterator[Difference]:
    for entry in card.files:
        path = folder / entry.name
        if not is_plain_file(path):
            continue
        size = path.stat().st_size
        if size != entry.bytes:
            yield serious(entry.name, f"{entry.bytes} bytes on the card, {size} here")
        if _digest(path) != entry.sha256:
            yield serious(entry.name, "is not the file of the card (another SHA-256)")


def _texts(folder: Path, card: Card, texts: dict[str, bytes]) -> Iterator[Difference]:
    same = card.versions.get("edgenas") == installed_versions()["edgenas"]
    for name, text in texts.items():
        if is_plain_file(folder / name) and (folder / name).read_bytes() != text:
            if same or name == "labels.txt":
                yield serious(name, "does not follow from the card")
            else:
                yield note(name, "was written by another version of edgenas")


def _card(card: Card, document: dict[str, Any]) -> Iterator[Difference]:
    plain = {name: value for name, value in document.items() if name != "digest"}
    if "digest" not in document:
        yield note("card.json", "carries no digest of itself (an older version)")
    elif document["digest"] != digest_of(plain):
        yield serious("card.json", "was changed (another digest of its content)")
    try:
        architecture = from_document(card.architecture)
    except EdgenasError as error:
        yield serious("card.json", f"architecture: {error}")
        return
    graph = lower(architecture)
    facts = {
        "identity": (
            card.identity,
            identity_of(architecture, card.weights_sha256, card.preprocessing, card.labels),
        ),
        "notation": (card.notation, format_notation(architecture)),
        "macs": (card.macs, macs(graph)),
        "params": (card.params, params(graph)),
        "labels": (len(card.labels), architecture.classes),
    }
    for name, (said, found) in facts.items():
        if said != found:
            yield serious("card.json", f"{name} {said} on the card, {found} by its other fields")
