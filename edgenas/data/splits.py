"""Stratified splits: which images go where, decided by a passed generator."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgenas.data.values import Indices, Labels
from edgenas.errors import DataError, explain


def stratified_split(
    labels: Labels, fraction: float, *, classes: Sequence[str], what: str, rng: np.random.Generator
) -> tuple[Indices, Indices]:
    """Set a share of every class aside.

    The total is round(fraction * N). It is shared among the classes by largest remainder. Every class keeps at least
    one image on either side.

    Args:
        labels: (N,) class numbers.
        fraction: Share to set aside, in (0, 1).
        classes: Names by class number, for messages.
        what: Name of the part set aside, for messages.
        rng: Chooses the images.

    Returns:
        Sorted indices kept, (N - M,), and set aside, (M,).

    Raises:
        DataError: A class has a single image.
    """
    counts = np.bincount(labels, minlength=len(classes))
    if (counts < 2).any():
        index = int(np.argmin(counts))
        raise DataError(
            explain(
                f"class {classes[index]!r} has too few images to set one aside for {what}",
                got=f"{counts[index]} of {len(labels)} images",
                allowed="two or more at this point, three or more where both validation and test are split off",
                remedy="Add images or leave the class out.",
            )
        )
    quota = _deal_out(round(fraction * len(labels)), counts)
    aside = np.zeros(len(labels), bool)
    for label, take in enumerate(quota):
        members = np.flatnonzero(labels == label)
        aside[rng.permutation(members)[:take]] = True
    return np.flatnonzero(~aside), np.flatnonzero(aside)


def stratified_subset(
    labels: Labels, limit: int | None, *, rng: np.random.Generator, every_class: bool = True
) -> Indices:
    """Choose at most `limit` images with the shares of the classes kept, each class at least once.

    Args:
        labels: (N,) class numbers.
        limit: Largest number of images; None takes all.
        rng: Chooses the images.
        every_class: Whether a limit below the number of classes is refused. If not, `limit` classes are drawn, and one
            image of each.

    Returns:
        Sorted indices.

    Raises:
        DataError: The limit is below the number of classes.
    """
    if limit is None or limit >= len(labels):
        return np.arange(len(labels))
    present, counts = np.unique(labels, return_counts=True)
    if limit < len(present):
        if not every_class:
            drawn = rng.permutation(present)[:limit]
            return np.sort([rng.choice(np.flatnonzero(labels == label)) for label in drawn]).astype(np.int64)
        raise DataError(explain("a limit leaves classes without images", got=limit, allowed=f"{len(present)} or more"))
    chosen = [
        rng.permutation(np.flatnonzero(labels == label))[:take]
        for label, take in zip(present, _deal_out(limit, counts, keep_one=False), strict=True)
    ]
    return np.sort(np.concatenate(chosen))


def _deal_out(total: int, counts: np.ndarray, *, keep_one: bool = True) -> np.ndarray:
    """Share `total` among classes in proportion to `counts`: at least 1 each, at most counts (- 1 with `keep_one`)."""
    most = counts - 1 if keep_one else counts
    exact = counts * (total / counts.sum())
    quota = np.clip(np.floor(exact).astype(np.int64), 1, most)
    # Largest remainder. If small classes are full, the others take the rest.
    while quota.sum() < min(total, most.sum()):
        quota[np.argmax(np.where(quota < most, exact - quota, -np.inf))] += 1
    # Raising classes to 1 may exceed a small total. The largest classes then give some back.
    while quota.sum() > max(total, len(counts)):
        quota[np.argmax(quota)] -= 1
    return quota
