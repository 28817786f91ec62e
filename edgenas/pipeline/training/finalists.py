"""The last choice among a few networks: each is fine-tuned, and validation images decide between pairs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgenas.errors import TrainingError
from edgenas.types import Floats
from edgenas.workers import Workers

Hits = NDArray[np.bool_]
"""Which validation images a network classifies rightly, (N,)."""

NEAR_SHARE = 0.9
"""Share of the budget from which on a network uses it."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Finalist:
    """A network after its last fine-tuning.

    Attributes:
        entry: Of the front: digest, genes, measured_ms.
        epochs: Of the fine-tuning.
        hits: On the validation images.
    """

    entry: Mapping[str, Any]
    epochs: int
    hits: Hits

    @property
    def latency_ms(self) -> float:
        """Measured on the device."""
        return float(self.entry["measured_ms"])

    @property
    def accuracy(self) -> float:
        """On the validation images, [0, 1]."""
        return float(self.hits.mean())


def paired(one: Hits, other: Hits) -> tuple[float, float]:
    """Return how much more accurate one network is than another on the same images, and its standard error."""
    difference = one.astype(np.float64) - other.astype(np.float64)
    return float(difference.mean()), float(difference.std(ddof=1) / np.sqrt(len(difference)))


def grows(latency_ms: Floats, accuracy: Floats) -> bool:
    """Whether accuracy grows with latency: more pairs of networks say so than say the opposite (Kendall 1938)."""
    later = np.sign(np.subtract.outer(latency_ms, latency_ms))
    better = np.sign(np.subtract.outer(accuracy, accuracy))
    return bool((later * better).sum() > 0)


def ranked(finalists: Sequence[Finalist], *, use_budget: bool) -> list[Finalist]:
    """Order finalists, the one to deliver first.

    Networks within one standard error of the most accurate one, image by image, cannot be told apart (the rule of one
    standard error, Breiman 1984). Among them the budget decides: where accuracy grows with latency the slowest is the
    best guess, since all that is known but these images speaks for it. Otherwise the most accurate is taken.

    Args:
        finalists: Judged on the same images, all within the budget.
        use_budget: Whether accuracy grows with latency.
    """
    order = sorted(finalists, key=lambda found: (-found.accuracy, found.latency_ms))
    if not use_budget or not order:
        return order
    best = order[0]
    equal = [found for found in order[1:] if _equal(best, found)]
    first = max([best, *equal], key=lambda found: found.latency_ms)
    return [first, *(found for found in order if found is not first)]


def _equal(best: Finalist, other: Finalist) -> bool:
    difference, error = paired(best.hits, other.hits)
    return difference <= error


def entrants(networks: Sequence[Mapping[str, Any]], count: int, *, budget_ms: float | None) -> list[Mapping[str, Any]]:
    """Choose who is fine-tuned: the most accurate networks, half of them near the budget where there are so many.

    An estimate's error hides that a network is more accurate for being larger; fine-tuning shows it.

    Args:
        networks: Of the front within the budget, most accurate first.
        count: How many.
        budget_ms: The latency budget.
    """
    if budget_ms is None or count < 2:
        return list(networks[:count])
    near = [place for place, entry in enumerate(networks) if entry["measured_ms"] >= NEAR_SHARE * budget_ms]
    near = near[: count // 2]
    others = [place for place in range(len(networks)) if place not in near][: count - len(near)]
    return [networks[place] for place in sorted([*near, *others])]


def halved(
    entries: Sequence[Mapping[str, Any]],
    epochs: int,
    judge: Callable[[Mapping[str, Any], int], Hits],
    *,
    workers: Workers | None = None,
) -> list[Finalist]:
    """Fine-tune all for a third of the epochs, and the better half in full (successive halving, Jamieson 2016).

    Args:
        entries: Of the front.
        epochs: Of a full fine-tuning.
        judge: Fine-tunes a network for so many epochs, and says which validation images it classifies rightly.
        workers: Fine-tune so many at once; one after the other if None. The result is the same.

    Returns:
        All of them, those trained in full first.

    Raises:
        TrainingError: One of them cannot be trained.
    """

    def judged(chosen: Sequence[Mapping[str, Any]], length: int) -> list[Finalist]:
        found = []
        answers = (workers or Workers()).each(lambda entry: judge(entry, length), chosen)
        for entry, hits in zip(chosen, answers, strict=True):
            if isinstance(hits, TrainingError):
                raise hits
            found.append(Finalist(entry=entry, epochs=length, hits=hits))
        return found

    short = max(1, epochs // 3)
    if len(entries) <= 2 or short == epochs:
        return judged(entries, epochs)
    early = sorted(judged(entries, short), key=lambda found: -found.accuracy)
    half = max(2, (len(early) + 1) // 2)
    return [*judged([found.entry for found in early[:half]], epochs), *early[half:]]


def document(order: Sequence[Finalist], early: Sequence[Finalist]) -> list[dict[str, Any]]:
    """Return what a report shows: each finalist, and how much the delivered one is better on the same images.

    Args:
        order: Those that were trained in full, the delivered one first.
        early: Those that were not.
    """
    rows = []
    for found in (*order, *early):
        whole = found.epochs == order[0].epochs
        difference, error = paired(order[0].hits, found.hits) if whole else (None, None)
        rows.append(
            {
                "digest": found.entry["digest"],
                "measured_ms": found.latency_ms,
                "epochs": found.epochs,
                "validation_accuracy": found.accuracy,
                "behind_delivered": difference,
                "behind_standard_error": error,
            }
        )
    return rows


def told(order: Sequence[Finalist], *, use_budget: bool) -> str:
    """Say how the delivered network was chosen, and how sure that is."""
    first, others = order[0], order[1:]
    text = (
        f"{len(order)} finalists were fine-tuned in full and judged on {len(first.hits):,} validation images; it has "
        f"{100 * first.accuracy:.1f} %"
    )
    for found in others[:1]:
        difference, error = paired(first.hits, found.hits)
        text += f", the next {100 * found.accuracy:.1f} %"
        text += f" (difference {100 * difference:+.1f} +- {100 * error:.1f} points)"
    if use_budget and any(found.accuracy > first.accuracy for found in others):
        text += "; they cannot be told apart, and the slower one was taken, since accuracy grows with latency here"
    return text + "."
