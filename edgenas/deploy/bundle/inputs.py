"""What an export is made of, and what is refused before anything is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgenas.arch import Architecture
from edgenas.data import Preprocessing, Split
from edgenas.errors import DataError, ExportError, explain
from edgenas.text import printable


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Images:
    """Labelled images that an export needs.

    Attributes:
        train: To calibrate (and, as a remedy, to fine-tune) on.
        validation: To decide on.
        test: For the figures on the card only.
    """

    train: Split
    validation: Split
    test: Split


def check_inputs(
    architecture: Architecture,
    data: Images,
    preprocessing: Preprocessing,
    labels: Sequence[str],
    out: Path,
    force: bool,
) -> None:
    """Refuse inputs that do not belong together.

    Args:
        architecture: The network.
        data: Images to calibrate, decide and judge on.
        preprocessing: What is to make the network's input.
        labels: Names of the classes.
        out: The folder to be made.
        force: Whether it may exist.

    Raises:
        ExportError: The folder exists.
        DataError: There are no images of some kind; labels, classes, preprocessing and network disagree.
    """
    if out.exists() and not force:
        raise ExportError(explain(f"{out} exists", remedy="Choose another folder, or replace it with --force."))
    for name in ("train", "validation", "test"):
        if len(getattr(data, name)) == 0:
            raise DataError(explain(f"there are no {name} images", remedy="An export calibrates, decides and judges."))
    if len(labels) != architecture.classes:
        raise DataError(explain("labels and classes disagree", got=len(labels), allowed=architecture.classes))
    _check_labels(labels)
    if (preprocessing.resolution, preprocessing.channels) != (architecture.resolution, architecture.in_channels):
        raise DataError(
            explain(
                "the preprocessing does not make the network's input",
                got=f"{preprocessing.channels} x {preprocessing.resolution} x {preprocessing.resolution}",
                allowed=f"{architecture.in_channels} x {architecture.resolution} x {architecture.resolution}",
            )
        )


def _check_labels(labels: Sequence[str]) -> None:
    """Refuse names of which labels.txt cannot have one line each, all different."""
    shown = [printable(label) for label in labels]
    empty = [index for index, label in enumerate(shown) if not label.strip()]
    twice = [label for label in shown if shown.count(label) > 1]
    if empty:
        raise DataError(explain("a class has no name", got=f"class {empty[0]}", remedy="Name every class."))
    if twice:
        raise DataError(explain("two classes have one name", got=repr(twice[0]), remedy="Name every class once."))
