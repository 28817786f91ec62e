"""Class names and the checks on labels that every source shares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from edgenas.data.sources.raw import Reader
from edgenas.errors import DataError, explain


def class_names(given: Sequence[str] | None, parts: Mapping[str, Reader], *, where: str) -> tuple[str, ...]:
    """Return the names of the K classes after checking every label against them.

    Args:
        given: Names that the source states; None numbers the classes from 0 to the largest training label.
        parts: The readers by part; "train" must be among them.
        where: Name of the source, for messages.

    Raises:
        DataError: No images, fewer than two classes, a label that is negative or too large, a class without images.
    """
    train = parts["train"].labels
    if not len(train):
        raise DataError(explain(f"{where} holds no images"))
    names = tuple(given) if given is not None else tuple(str(index) for index in range(int(train.max()) + 1))
    for part, reader in parts.items():
        _check_range(reader.labels, names, where=f"{where} ({part})")
    if len(names) < 2:
        raise DataError(
            explain(
                f"{where} has a single class", got=", ".join(names), remedy="A classifier needs two classes or more."
            )
        )
    counts = np.bincount(train, minlength=len(names))
    if (counts == 0).any():
        empty = ", ".join(names[index] for index in np.flatnonzero(counts == 0)[:5])
        raise DataError(
            explain(f"{where} has classes without training images: {empty}", remedy="Number the classes without gaps.")
        )
    return names


def _check_range(labels: np.ndarray, names: tuple[str, ...], *, where: str) -> None:
    if not len(labels):
        raise DataError(explain(f"{where} holds no images"))
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= len(names):
        raise DataError(
            explain(
                f"labels in {where} are out of range",
                got=f"{low} to {high}",
                allowed=f"0 to {len(names) - 1} for {len(names)} classes",
                remedy="Number the classes from 0.",
            )
        )
